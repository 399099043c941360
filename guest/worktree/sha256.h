// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), so that the static guest program needs no cryptographic library. Not for secrets: the
// host hashes again whatever counts. Thread: an object on one thread.
#pragma once

#include "guest/protocol/bytes.h"

#include <array>
#include <cstdint>
#include <string>

namespace carrel::worktree {

class Sha256 {
public:
    void update(ByteSpan bytes);
    [[nodiscard]] std::string hex(); // lower case; the object is used up

private:
    void block(const std::uint8_t* data);

    std::array<std::uint32_t, 8> m_state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> m_buffer{};
    std::uint64_t m_bytes = 0;
};

} // namespace carrel::worktree

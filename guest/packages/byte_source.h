// SPDX-License-Identifier: Apache-2.0
// A part of a file as it is, or unpacked: what an archive is read from. xz and gzip, as Debian's packages are compressed by.
// Ownership: borrows the descriptor. Thread: one object on one thread.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <memory>
#include <span>
#include <string_view>

namespace carrel::packages {

inline constexpr std::uint64_t kMaxUnpackMemory = 192ULL * 1024 * 1024; // xz -9 takes 65 MiB

class ByteSource {
public:
    virtual ~ByteSource() = default;
    // How much came; 0: there is no more.
    [[nodiscard]] virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
    // Exactly so much. Malformed: there is less.
    [[nodiscard]] Status readAll(std::span<std::byte> into);
};

// `name` says by its ending how it is compressed. Unsupported: in a way that is not known here.
[[nodiscard]] Result<std::unique_ptr<ByteSource>> openPart(int file, std::uint64_t offset, std::uint64_t bytes, std::string_view name);

} // namespace carrel::packages

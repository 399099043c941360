// SPDX-License-Identifier: Apache-2.0
// The memory that the machine shares with the host, seen as a file: written to, never read, so that nothing
// of the guest's comes this way. By pwrite(2) and not by a mapping: whoever broke out into the machine's
// process could cut the file short, and a write would then extend it again where a store would end this
// process (SIGBUS).
//
// Ownership: the file service's, and another one the network's: each keeps to its part (guest/protocol/placing_ring.h). Thread: the event loop's.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/unique_fd.h"

#include <cstdint>

namespace carrel::clerk {

class Window {
public:
    Window() = default; // holds nothing
    explicit Window(UniqueFd file);
    [[nodiscard]] std::uint64_t size() const { return m_size; }
    // False: the guest offered a part that does not exist or is too small, or it cannot be written; send the
    // bytes otherwise.
    [[nodiscard]] bool put(std::uint64_t offset, std::uint64_t offered, ByteSpan bytes);

private:
    UniqueFd m_file;
    std::uint64_t m_size = 0; // as it was given
};

} // namespace carrel::clerk

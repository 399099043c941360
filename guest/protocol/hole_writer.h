// SPDX-License-Identifier: Apache-2.0
// Fills a fresh, empty file from its start to its end, and leaves holes where the content is zeros: a file of which little
// was ever written takes no more room than that on the disk it is copied to. A run of zeros becomes a hole from a multiple of
// kHoleBlock on, and only if it is a whole block from there; so a file that has none costs the calls of write(2) and no
// other. Where a file system makes no holes it fills in zeros itself: lseek(2), ftruncate(2).
//
// What is read back is the same with holes as without. Ownership: the descriptor is the caller's; it is written to at its
// position, which must be 0 at first. Thread: one; blocks as write(2) does. Errors: errno, 0 for none; after one the file is
// worthless.
#pragma once

#include "guest/protocol/bytes.h"

#include <cstddef>
#include <cstdint>

namespace carrel {

inline constexpr std::size_t kHoleBlock = 4096; // what most file systems allocate at once

class HoleWriter {
public:
    explicit HoleWriter(int fd)
        : m_fd(fd) {}
    [[nodiscard]] int write(ByteSpan data);
    // The file has its size only after this, where it ends in zeros.
    [[nodiscard]] int finish();

private:
    [[nodiscard]] int put(ByteSpan data);
    [[nodiscard]] std::size_t beforeZeroBlock(ByteSpan data) const;

    int m_fd;
    std::uint64_t m_at = 0;  // so much content was given
    std::uint64_t m_gap = 0; // so many bytes at its end are zeros that nobody wrote
};

} // namespace carrel

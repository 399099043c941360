// SPDX-License-Identifier: Apache-2.0
// Writes a cpio archive in the "newc" format that the Linux kernel unpacks as an initramfs (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst). Same calls, same bytes: numbers of inodes
// count up, times are zero, everything belongs to root. Thread: one owner at a time.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace carrel::images {

class CpioWriter {
public:
    // Paths are relative without ".", ".." or empty parts, e.g. "sbin/carrel-guestd"; folders above a file
    // are added by themselves with mode 0755. A path used twice is refused. Mode: permission bits only.
    [[nodiscard]] Status addFile(std::string_view path, std::uint32_t mode, ByteSpan content);
    [[nodiscard]] Status addFolder(std::string_view path, std::uint32_t mode);
    [[nodiscard]] Status addSymlink(std::string_view path, std::string_view target);
    [[nodiscard]] Status addCharDevice(std::string_view path, std::uint32_t mode, std::uint32_t major,
                                       std::uint32_t minor);
    // The trailer, and zeros up to 512 bytes. The writer is empty afterwards.
    [[nodiscard]] Bytes finish();

private:
    struct Entry {
        std::string_view path;
        std::uint32_t mode = 0; // with the file type
        std::uint32_t links = 1;
        std::uint32_t deviceMajor = 0;
        std::uint32_t deviceMinor = 0;
        ByteSpan content;
    };
    [[nodiscard]] Status add(const Entry& entry);
    [[nodiscard]] Status addParents(std::string_view path);
    void append(const Entry& entry, std::uint32_t inode);
    void pad(std::size_t alignment);

    Bytes m_out;
    std::set<std::string, std::less<>> m_paths;
    std::set<std::string, std::less<>> m_folders;
    std::uint32_t m_nextInode = 1;
};

} // namespace carrel::images

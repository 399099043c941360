// SPDX-License-Identifier: Apache-2.0
// Small file work that the parts of this library share: hashing a file, reading and replacing a small one,
// copying a sparse one, and a stamp that tells whether a file can have changed. Thread: pure functions on the
// file system.
#pragma once

#include "app/files/sha256.h"
#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace carrel::images {

struct HashedFile {
    std::uint64_t size = 0;
    files::Sha256 sha256;
};

[[nodiscard]] Result<HashedFile> hashFile(const std::filesystem::path& path);
// Refuses a file longer than maxBytes before it reads.
[[nodiscard]] Result<Bytes> readFile(const std::filesystem::path& path, std::uint64_t maxBytes);
// Atomic: a temporary file beside it, fsync, rename.
[[nodiscard]] Status replaceFile(const std::filesystem::path& path, ByteSpan content);
// Copies data and leaves holes (lseek(2), SEEK_DATA); the target must not exist.
[[nodiscard]] Status copySparse(const std::filesystem::path& from, const std::filesystem::path& to);

// Size, times, inode and device in one word; it changes whenever the file was written or replaced by ordinary
// means. Not proof against somebody who owns the account: such a person needs no trick.
[[nodiscard]] Result<std::string> fileStamp(const std::filesystem::path& path);

} // namespace carrel::images

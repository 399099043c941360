// SPDX-License-Identifier: Apache-2.0
// How the store's folder changes: one writer at a time, everything made aside and moved into place whole.
// Thread: see each class; the lock is held by the process that took it.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstdint>
#include <filesystem>

namespace carrel::images {

// Makes the store's folder (0700) if needed and holds its lock file (flock(2)) until it goes. Unavailable at
// once when another process builds, so that nobody waits for minutes without a word.
class StoreLock {
public:
    [[nodiscard]] static Result<StoreLock> take(const std::filesystem::path& store);

private:
    explicit StoreLock(UniqueFd fd)
        : m_fd(std::move(fd)) {}
    UniqueFd m_fd;
};

// A folder within the store for something unfinished; removed with all it holds when it goes. Leftovers of a
// killed process are removed by the next make(), under the lock.
class TemporaryFolder {
public:
    [[nodiscard]] static Result<TemporaryFolder> make(const std::filesystem::path& store);
    TemporaryFolder(TemporaryFolder&& other) noexcept
        : m_path(std::exchange(other.m_path, {})) {}
    TemporaryFolder& operator=(TemporaryFolder&&) = delete;
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

private:
    explicit TemporaryFolder(std::filesystem::path path)
        : m_path(std::move(path)) {}
    std::filesystem::path m_path;
};

// Moves `from` to `to`, atomically exchanging it with what may be there; the old content is removed
// afterwards.
[[nodiscard]] Status replaceFolder(const std::filesystem::path& from, const std::filesystem::path& to);
// Out of sight by one rename, then removed.
[[nodiscard]] Status removeFolder(const std::filesystem::path& store, const std::filesystem::path& folder);
// Bytes on the disk of the files directly in a folder.
[[nodiscard]] std::uint64_t diskUsage(const std::filesystem::path& folder);

} // namespace carrel::images

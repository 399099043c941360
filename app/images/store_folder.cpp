// SPDX-License-Identifier: Apache-2.0
#include "app/images/store_folder.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace carrel::images {

namespace fs = std::filesystem;

namespace {
constexpr std::string_view kTemporaryPrefix = ".unfinished-";
}

Result<StoreLock> StoreLock::take(const fs::path& store) {
    std::error_code ec;
    fs::create_directories(store.parent_path(), ec);
    if (::mkdir(store.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("making the folder of images " + store.string());
    }
    UniqueFd fd(::open((store / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return failErrno("opening the lock of the folder of images");
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return fail(ErrorCode::Unavailable, "another command is changing the images",
                        "Wait until it has finished, then try again.");
        }
        return failErrno("locking the folder of images");
    }
    return StoreLock(std::move(fd));
}

Result<TemporaryFolder> TemporaryFolder::make(const fs::path& store) {
    std::error_code ec;
    for (fs::directory_iterator it(store, ec), end; !ec && it != end; it.increment(ec)) {
        if (it->path().filename().string().starts_with(kTemporaryPrefix)) {
            std::error_code ignored;
            fs::remove_all(it->path(), ignored);
        }
    }
    std::string name = (store / kTemporaryPrefix).string() + "XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        return failErrno("making a folder for the new image");
    }
    return TemporaryFolder(fs::path(name));
}

TemporaryFolder::~TemporaryFolder() {
    if (!m_path.empty()) {
        std::error_code ignored;
        fs::remove_all(m_path, ignored);
    }
}

Status replaceFolder(const fs::path& from, const fs::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return {};
    }
    // After an exchange the old content has the temporary name and goes with it.
    if (errno != EEXIST || ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
        return failErrno("moving the new image into place");
    }
    return {};
}

Status removeFolder(const fs::path& store, const fs::path& folder) {
    fs::path hidden = store / kTemporaryPrefix;
    hidden += folder.filename();
    if (::rename(folder.c_str(), hidden.c_str()) != 0) {
        return failErrno("removing the image");
    }
    std::error_code ec;
    fs::remove_all(hidden, ec);
    if (ec) {
        return failErrno("removing the image's files", ec.value());
    }
    return {};
}

std::uint64_t diskUsage(const fs::path& folder) {
    constexpr std::uint64_t kStatBlock =
        512; // stat(2): st_blocks counts these, whatever the file system's own
    std::uint64_t bytes = 0;
    std::error_code ec;
    for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
        struct stat info {};
        if (::lstat(it->path().c_str(), &info) == 0) {
            bytes += static_cast<std::uint64_t>(info.st_blocks) * kStatBlock;
        }
    }
    return bytes;
}

} // namespace carrel::images

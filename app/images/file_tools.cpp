// SPDX-License-Identifier: Apache-2.0
#include "app/images/file_tools.h"

#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace carrel::images {

namespace {

constexpr std::size_t kBlock = 1024 * 1024;

tl::unexpected<Error> failFile(const std::string& doing, const std::filesystem::path& path) {
    Error error = errnoError(doing + " " + path.string());
    if (error.sysErrno == ENOSPC || error.sysErrno == EDQUOT) {
        error.hint = "Free some disk space and try again.";
    } else if (error.sysErrno == ENOENT) {
        error.code = ErrorCode::NotFound;
    }
    return fail(std::move(error));
}

Status writeAll(int fd, ByteSpan content, const std::filesystem::path& path) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failFile("writing", path);
        }
        content = content.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

// Calls `use` for each block until the end.
template <class Use> Status readBlocks(const std::filesystem::path& path, Use use) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        return failFile("opening", path);
    }
    Bytes block(kBlock);
    for (;;) {
        const ssize_t got = ::read(fd.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failFile("reading", path);
        }
        if (got == 0) {
            return {};
        }
        CARREL_TRY(use(ByteSpan(block.data(), static_cast<std::size_t>(got))));
    }
}

Status copyRange(int from, int to, off_t begin, off_t end, const std::filesystem::path& path) {
    Bytes block(kBlock);
    while (begin < end) {
        const auto want = std::min<std::size_t>(block.size(), static_cast<std::size_t>(end - begin));
        const ssize_t got = ::pread(from, block.data(), want, begin);
        if (got <= 0) {
            return failFile("reading a part of", path);
        }
        if (::lseek(to, begin, SEEK_SET) < 0) {
            return failFile("writing", path);
        }
        CARREL_TRY(writeAll(to, ByteSpan(block.data(), static_cast<std::size_t>(got)), path));
        begin += got;
    }
    return {};
}

} // namespace

Result<HashedFile> hashFile(const std::filesystem::path& path) {
    HashedFile result;
    files::Sha256Hasher hasher;
    const Status read = readBlocks(path, [&](ByteSpan block) -> Status {
        hasher.add(block);
        result.size += block.size();
        return {};
    });
    if (!read) {
        return fail(read.error());
    }
    result.sha256 = hasher.finish();
    return result;
}

Result<Bytes> readFile(const std::filesystem::path& path, std::uint64_t maxBytes) {
    Bytes content;
    const Status read = readBlocks(path, [&](ByteSpan block) -> Status {
        if (content.size() + block.size() > maxBytes) {
            return fail(ErrorCode::LimitExceeded, path.string() + " is longer than it may be");
        }
        content.insert(content.end(), block.begin(), block.end());
        return {};
    });
    if (!read) {
        return fail(read.error());
    }
    return content;
}

Status replaceFile(const std::filesystem::path& path, ByteSpan content) {
    std::string temporary = path.string() + ".XXXXXX";
    const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) {
        return failFile("making a file beside", path);
    }
    Status written = writeAll(fd.get(), content, path);
    if (written && (::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)) {
        written = failFile("replacing", path);
    }
    if (!written) {
        ::unlink(temporary.c_str());
    }
    return written;
}

Status copySparse(const std::filesystem::path& from, const std::filesystem::path& to) {
    const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!source || ::fstat(source.get(), &info) != 0) {
        return failFile("opening", from);
    }
    const UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!target || ::ftruncate(target.get(), info.st_size) != 0) {
        return failFile("making", to);
    }
    off_t at = 0;
    while (at < info.st_size) {
        const off_t begin = ::lseek(source.get(), at, SEEK_DATA);
        if (begin < 0 && errno == ENXIO) {
            break; // nothing but a hole to the end
        }
        const off_t end = begin < 0 ? begin : ::lseek(source.get(), begin, SEEK_HOLE);
        if (end < 0) {
            return failFile("reading", from);
        }
        CARREL_TRY(copyRange(source.get(), target.get(), begin, end, to));
        at = end;
    }
    if (::fsync(target.get()) != 0) {
        return failFile("writing", to);
    }
    return {};
}

Result<std::string> fileStamp(const std::filesystem::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return failFile("looking at", path);
    }
    std::string stamp;
    for (const long long number :
         {static_cast<long long>(info.st_size), static_cast<long long>(info.st_mtim.tv_sec),
          static_cast<long long>(info.st_mtim.tv_nsec), static_cast<long long>(info.st_ctim.tv_sec),
          static_cast<long long>(info.st_ctim.tv_nsec), static_cast<long long>(info.st_ino),
          static_cast<long long>(info.st_dev)}) {
        stamp += std::to_string(number) + ' ';
    }
    return stamp;
}

} // namespace carrel::images

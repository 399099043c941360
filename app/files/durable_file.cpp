// SPDX-License-Identifier: Apache-2.0
#include "app/files/durable_file.h"

#include "guest/protocol/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>

namespace carrel::files {

namespace {

Status writeAll(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto put = ::write(fd, content.data(), content.size());
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("writing");
        }
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

} // namespace

Status replaceDurably(const std::filesystem::path& file, std::string_view content) {
    const std::string beside = file.string() + ".new";
    UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return failErrno("creating " + beside);
    }
    if (auto written = writeAll(fd.get(), content); !written) {
        const Error error = written.error();
        (void)::unlink(beside.c_str());
        return fail(error.wrap("Carrel's own notes could not be written", "Make room on the disk"));
    }
    if (::fsync(fd.get()) != 0 || ::rename(beside.c_str(), file.c_str()) != 0) {
        return failErrno("keeping " + file.string());
    }
    const UniqueFd folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0) {
        return failErrno("keeping " + file.string());
    }
    return {};
}

Result<std::string> readWhole(const std::filesystem::path& file, std::size_t maxBytes) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return failErrno("reading " + file.string());
    }
    const auto tooLarge = [&] { return fail(ErrorCode::LimitExceeded, file.string() + " is larger than it may be"); };
    struct stat what {};
    if (::fstat(fd.get(), &what) == 0 && what.st_size > 0 && static_cast<std::uint64_t>(what.st_size) > maxBytes) {
        return tooLarge(); // before it is in memory
    }
    std::string out;
    char buffer[16384];
    for (;;) {
        const auto got = ::read(fd.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("reading " + file.string());
        }
        if (got == 0) {
            return out;
        }
        out.append(buffer, static_cast<std::size_t>(got));
        if (out.size() > maxBytes) {
            return tooLarge();
        }
    }
}

} // namespace carrel::files

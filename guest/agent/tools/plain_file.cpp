// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/plain_file.h"

#include <atomic>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>

namespace carrel::agent {

namespace {

constexpr mode_t kPermissions = 07777;

Error openError(int number) {
    auto error = errnoError("opening it", number);
    if (number == ENOENT || number == ENOTDIR) {
        error.code = ErrorCode::NotFound;
        error.hint = "look at what is there with list";
    }
    return error;
}

Error notPlain(mode_t mode) {
    const bool folder = S_ISDIR(mode);
    return Error{ErrorCode::InvalidArgument, std::string("it is a ") + typeName(mode) + " and not a file",
                 folder ? "look at a folder with list" : "", 0, nullptr};
}

struct NewFile {
    UniqueFd file;
    std::string path;
};

// Beside the file whose place it is to take: on the same file system.
Result<NewFile> makeBeside(const std::string& path, mode_t mode) {
    static std::atomic<unsigned> count{0};
    const auto folder = path.substr(0, path.rfind('/') + 1);
    for (;;) {
        NewFile out;
        out.path = folder + ".carrel-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
        out.file = UniqueFd(::open(out.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
        if (out.file) {
            return out;
        }
        if (errno != EEXIST) {
            return failErrno("making a file in " + folder);
        }
    }
}

Status fill(int file, std::string_view content) {
    while (!content.empty()) {
        const auto written = ::write(file, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return failErrno("writing it");
        }
        content.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    // Without this, a machine that breaks down after the rename may show an empty file in the place of the old one.
    if (::fsync(file) != 0 && errno != EINVAL) {
        return failErrno("writing it");
    }
    return {};
}

Status takePermissions(int file, const struct stat& of) {
    // Only root may give a file away; whoever else was let write it becomes the owner of what is new.
    [[maybe_unused]] const int given = ::fchown(file, of.st_uid, of.st_gid);
    if (::fchmod(file, of.st_mode & kPermissions) != 0) { // after it: giving away takes set-user-ID bits off
        return failErrno("keeping its permissions");
    }
    return {};
}

Status makeFoldersAbove(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (error) {
        return failErrno("making the folders above it", error.value());
    }
    return {};
}

} // namespace

const char* typeName(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "folder";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return "device";
    }
}

Result<PlainFile> openPlainFile(int at, const std::string& path, FinalLink link) {
    const int noFollow = link == FinalLink::Refuse ? O_NOFOLLOW : 0;
    // Held without being opened: looked at first, and only then opened, as what was looked at.
    const UniqueFd held(::openat(at, path.c_str(), O_PATH | O_CLOEXEC | noFollow));
    PlainFile out;
    if (!held || ::fstat(held.get(), &out.about) != 0) {
        return fail(openError(errno));
    }
    if (!S_ISREG(out.about.st_mode)) {
        return fail(notPlain(out.about.st_mode));
    }
    const auto itself = "/proc/self/fd/" + std::to_string(held.get());
    out.file = UniqueFd(::open(itself.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)); // files of /proc may wait, too
    if (!out.file) {
        return failErrno("opening it");
    }
    return out;
}

Result<std::string_view> readPiece(int file, char* space, std::size_t size) {
    for (;;) {
        const auto got = ::read(file, space, size);
        if (got >= 0) {
            return std::string_view(space, static_cast<std::size_t>(got));
        }
        if (errno != EINTR) {
            return failErrno("reading it");
        }
    }
}

Result<std::string> readWhole(int file, std::size_t most) {
    std::string out;
    char space[64 * 1024];
    for (;;) {
        const auto piece = readPiece(file, space, sizeof space);
        if (!piece) {
            return fail(piece.error());
        }
        if (piece->empty()) {
            return out;
        }
        if (out.size() + piece->size() > most) {
            return fail(ErrorCode::LimitExceeded, "it is longer than " + std::to_string(most) + " bytes",
                        "use programs of this machine, such as sed, with bash");
        }
        out += *piece;
    }
}

Result<std::string> realPath(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
    if (!real) {
        return fail(openError(errno));
    }
    return std::string(real.get());
}

Result<Replaced> replaceFile(const std::string& path, std::string_view content) {
    struct stat old {};
    const bool exists = ::stat(path.c_str(), &old) == 0;
    if (!exists && errno != ENOENT) {
        return fail(openError(errno));
    }
    std::string place = path;
    if (exists) {
        if (!S_ISREG(old.st_mode)) {
            return fail(notPlain(old.st_mode));
        }
        // A rename asks only the folder: the file's own word against being written counts here as it does for every other program.
        if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
            auto error = errnoError("writing it");
            error.code = ErrorCode::Refused;
            return fail(std::move(error));
        }
        auto real = realPath(path);
        if (!real) {
            return fail(real.error());
        }
        place = std::move(*real);
    } else {
        struct stat link {};
        if (::lstat(path.c_str(), &link) == 0) {
            return fail(ErrorCode::InvalidArgument, "it is a link to something that is not there", "write to where it is to lead");
        }
        if (path.back() == '/') {
            return fail(ErrorCode::InvalidArgument, "the path is that of a folder", "name the file in it");
        }
        CARREL_TRY(makeFoldersAbove(path));
    }
    auto made = makeBeside(place, exists ? S_IRUSR | S_IWUSR : 0666);
    if (!made) {
        return fail(made.error());
    }
    auto done = fill(made->file.get(), content);
    if (done && exists) {
        done = takePermissions(made->file.get(), old);
    }
    if (done && ::rename(made->path.c_str(), place.c_str()) != 0) {
        done = failErrno("putting it in its place");
    }
    if (!done) {
        ::unlink(made->path.c_str());
        return fail(done.error());
    }
    return exists ? Replaced::Old : Replaced::New;
}

} // namespace carrel::agent

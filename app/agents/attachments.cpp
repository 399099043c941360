// SPDX-License-Identifier: Apache-2.0
#include "app/agents/attachments.h"

#include "app/agents/services.h"
#include "app/clerk/hidden_names.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <fcntl.h>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::agents {

namespace fs = std::filesystem;

namespace {

struct Source {
    UniqueFd file;
    std::uint64_t size = 0;
    std::string name;
};

std::string shownName(const fs::path& path) {
    return isUtf8(path.filename().string()) ? path.filename().string() : "of a name that is not UTF-8";
}

// Of the file that was opened, whichever links led to it.
Result<fs::path> whereItIs(const Source& source, const struct stat& what) {
    std::error_code error;
    auto out = fs::read_symlink("/proc/self/fd/" + std::to_string(source.file.get()), error);
    if (error) {
        return failErrno("finding out where the file " + source.name + " is", error.value());
    }
    struct stat there {};
    if (!out.is_absolute() || ::lstat(out.c_str(), &there) != 0 || there.st_dev != what.st_dev || there.st_ino != what.st_ino) {
        return fail(ErrorCode::Conflict, "the file " + source.name + " was moved or removed just now", "Attach it again");
    }
    return out;
}

// As of a share: what lies beneath a hidden folder is hidden with it.
Status refuseHidden(const fs::path& path, const std::string& name, const clerk::HiddenNames& hidden) {
    const auto found = std::find_if(path.begin(), path.end(), [&](const fs::path& each) { return hidden.hides("", each.string()); });
    if (found == path.end()) {
        return {};
    }
    const bool itself = std::next(found) == path.end();
    return fail(ErrorCode::Refused,
                itself && found->string() == name ? "the file " + name + " has the name of one that holds keys: no machine sees such files"
                : itself                          ? "the file " + name + " is a link to one that has the name of one that holds keys: no machine sees such files"
                                                  : "the file " + name + " is in a folder that has the name of one that holds keys: no machine sees such files",
                "If it holds none, attach a copy with another name, from another folder");
}

Result<Source> open(const fs::path& path, const clerk::HiddenNames& hidden) {
    Source out;
    out.name = path.filename().string();
    if (!path.is_absolute() || out.name.empty() || !isUtf8(out.name) ||
        std::any_of(out.name.begin(), out.name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
        return fail(ErrorCode::InvalidArgument, "the file " + shownName(path) + " cannot be attached by its name", "Give it another name");
    }
    CARREL_TRY(refuseHidden(path, out.name, hidden));
    out.file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat what {};
    if (!out.file || ::fstat(out.file.get(), &what) != 0) {
        return failErrno("opening the file " + out.name);
    }
    if (!S_ISREG(what.st_mode)) {
        return fail(ErrorCode::InvalidArgument, out.name + " is no file", S_ISDIR(what.st_mode) ? "Share the folder with the agent: carrel share add" : "");
    }
    const auto where = whereItIs(out, what);
    if (!where) {
        return fail(where.error());
    }
    CARREL_TRY(refuseHidden(*where, out.name, hidden));
    out.size = static_cast<std::uint64_t>(what.st_size);
    return out;
}

struct Copy {
    UniqueFd file;
    fs::path path;
};

// report.pdf, report-2.pdf … Another call may take a name at any time: whoever makes the file has it.
Result<Copy> create(const fs::path& place, const fs::path& name) {
    for (int n = 1;; ++n) {
        const auto apart = n == 1 ? name.string() : name.stem().string() + "-" + std::to_string(n) + name.extension().string();
        Copy out{UniqueFd(::open((place / apart).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400)), place / apart};
        if (out.file) {
            return out;
        }
        if (errno != EEXIST) {
            return failErrno("copying the file " + name.string());
        }
    }
}

Status copy(const Source& from, const Copy& to) {
    std::uint64_t done = 0;
    std::vector<char> buffer(256 * 1024);
    for (;;) {
        const auto got = ::read(from.file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("reading the file " + from.name);
        }
        if (got == 0) {
            return ::fsync(to.file.get()) == 0 ? Status() : failErrno("copying the file " + from.name);
        }
        done += static_cast<std::uint64_t>(got);
        if (done > kMaxAttached) { // it grew meanwhile
            return fail(ErrorCode::LimitExceeded, "the file " + from.name + " is larger than 2 GiB", "Share the folder that it is in");
        }
        for (std::string_view rest(buffer.data(), static_cast<std::size_t>(got)); !rest.empty();) {
            const auto put = ::write(to.file.get(), rest.data(), rest.size());
            if (put < 0 && errno == EINTR) {
                continue;
            }
            if (put < 0) {
                return failErrno("copying the file " + from.name);
            }
            rest.remove_prefix(static_cast<std::size_t>(put));
        }
    }
}

// One after the other: beneath an agent's folder, which is not made anew where the agent is deleted meanwhile.
Status makeFolders(const fs::path& folder, const fs::path& place) {
    std::error_code error;
    for (const auto& each : {folder, place}) {
        fs::create_directory(each, error);
        if (error) {
            return failErrno("making the folder of what is attached", error.value());
        }
    }
    return {};
}

} // namespace

Result<std::vector<fs::path>> copyAttachments(const fs::path& folder, std::uint64_t task, const std::vector<fs::path>& files) {
    const clerk::HiddenNames hidden(kHiddenNames);
    std::vector<Source> all;
    std::uint64_t bytes = 0;
    for (const auto& file : files) {
        auto source = open(file, hidden);
        if (!source) {
            return fail(std::move(source).error());
        }
        bytes += source->size;
        if (bytes > kMaxAttached) {
            return fail(ErrorCode::LimitExceeded, "these files are larger than 2 GiB together", "Share the folder that they are in");
        }
        all.push_back(std::move(*source));
    }
    const auto below = std::to_string(task);
    const fs::path place = folder / below;
    CARREL_TRY(makeFolders(folder, place));
    std::vector<fs::path> made; // by this call
    const auto giveUp = [&made](Error error) -> Result<std::vector<fs::path>> {
        for (const auto& each : made) {
            std::error_code left;
            fs::remove(each, left);
        }
        return fail(std::move(error));
    };
    std::vector<fs::path> out;
    for (const auto& each : all) {
        auto to = create(place, each.name);
        if (!to) {
            return giveUp(std::move(to).error());
        }
        made.push_back(to->path);
        if (auto done = copy(each, *to); !done) {
            return giveUp(std::move(done).error());
        }
        out.push_back(fs::path(below) / to->path.filename());
    }
    return out;
}

} // namespace carrel::agents

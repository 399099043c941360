// SPDX-License-Identifier: Apache-2.0
#include "app/agents/attachments.h"

#include "app/agents/services.h"
#include "app/clerk/hidden_names.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::agents {

namespace fs = std::filesystem;

namespace {

struct Source {
    fs::path from;
    UniqueFd file;
    std::uint64_t size = 0;
    std::string name; // of the copy
};

std::string shownName(const fs::path& path) {
    return isUtf8(path.filename().string()) ? path.filename().string() : "of a name that is not UTF-8";
}

Result<Source> open(const fs::path& path, const clerk::HiddenNames& hidden) {
    Source out;
    out.from = path;
    out.name = path.filename().string();
    if (!path.is_absolute() || out.name.empty() || !isUtf8(out.name) ||
        std::any_of(out.name.begin(), out.name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
        return fail(ErrorCode::InvalidArgument, "the file " + shownName(path) + " cannot be attached by its name", "Give it another name");
    }
    if (hidden.hides("", out.name)) {
        return fail(ErrorCode::Refused, "the file " + out.name + " has the name of one that holds keys: no machine sees such files",
                    "If it holds none, attach a copy with another name");
    }
    out.file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat what {};
    if (!out.file || ::fstat(out.file.get(), &what) != 0) {
        return failErrno("opening the file " + out.name);
    }
    if (!S_ISREG(what.st_mode)) {
        return fail(ErrorCode::InvalidArgument, out.name + " is no file", S_ISDIR(what.st_mode) ? "Share the folder with the agent: carrel share add" : "");
    }
    out.size = static_cast<std::uint64_t>(what.st_size);
    return out;
}

// report.pdf, report-2.pdf …
void nameApart(std::vector<Source>& all, std::set<std::string> taken) {
    for (auto& each : all) {
        const fs::path name = each.name;
        for (int n = 2; !taken.insert(each.name).second; ++n) {
            each.name = name.stem().string() + "-" + std::to_string(n) + name.extension().string();
        }
    }
}

Status copy(const Source& from, const fs::path& to) {
    const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400));
    if (!out) {
        return failErrno("copying the file " + from.name);
    }
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
            return ::fsync(out.get()) == 0 ? Status() : failErrno("copying the file " + from.name);
        }
        done += static_cast<std::uint64_t>(got);
        if (done > kMaxAttached) { // it grew meanwhile
            return fail(ErrorCode::LimitExceeded, "the file " + from.name + " is larger than 2 GiB", "Share the folder that it is in");
        }
        for (std::string_view rest(buffer.data(), static_cast<std::size_t>(got)); !rest.empty();) {
            const auto put = ::write(out.get(), rest.data(), rest.size());
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
    std::error_code error;
    fs::create_directories(place, error);
    std::set<std::string> taken;
    for (auto each = fs::directory_iterator(place, error); !error && each != fs::directory_iterator(); each.increment(error)) {
        taken.insert(each->path().filename().string());
    }
    if (error) {
        return failErrno("making the folder of what is attached", error.value());
    }
    nameApart(all, std::move(taken));
    std::vector<fs::path> out;
    for (const auto& each : all) {
        if (auto done = copy(each, place / each.name); !done) {
            for (const auto& made : all) { // none of them was there before
                if (&made <= &each) {
                    fs::remove(place / made.name, error);
                }
            }
            return fail(std::move(done).error());
        }
        out.emplace_back(fs::path(below) / each.name);
    }
    return out;
}

} // namespace carrel::agents

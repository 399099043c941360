// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/folder_entries.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <memory>

namespace carrel::agent {

namespace {

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

} // namespace

Result<UniqueFd> openFolder(int at, const std::string& path, FinalLink link) {
    const int noFollow = link == FinalLink::Refuse ? O_NOFOLLOW : 0;
    // Of what is no folder, O_DIRECTORY opens nothing.
    UniqueFd folder(::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | noFollow));
    if (folder) {
        return folder;
    }
    auto error = errnoError("opening it");
    struct stat about {};
    if (error.sysErrno == ENOTDIR && ::fstatat(at, path.c_str(), &about, noFollow != 0 ? AT_SYMLINK_NOFOLLOW : 0) == 0) {
        return fail(ErrorCode::InvalidArgument, std::string("it is a ") + typeName(about.st_mode) + " and not a folder",
                    S_ISREG(about.st_mode) ? "look at a file with read" : "");
    }
    if (error.sysErrno == ENOENT || error.sysErrno == ENOTDIR) {
        error.code = ErrorCode::NotFound;
    }
    return fail(std::move(error));
}

Result<FolderEntries> readFolder(UniqueFd folder, std::size_t most, const std::stop_token& stop) {
    const std::unique_ptr<DIR, CloseFolder> open(::fdopendir(folder.get()));
    if (!open) {
        return failErrno("reading the folder");
    }
    const int at = folder.release(); // the stream's own from now on
    FolderEntries out;
    for (;;) {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "it was stopped");
        }
        errno = 0;
        const auto* next = ::readdir(open.get());
        if (next == nullptr) {
            if (errno != 0) {
                return failErrno("reading the folder");
            }
            break;
        }
        FolderEntry entry{next->d_name, {}};
        if (entry.name == "." || entry.name == ".." || ::fstatat(at, next->d_name, &entry.about, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (out.entries.size() == most) {
            out.isWhole = false;
            break;
        }
        out.entries.push_back(std::move(entry));
    }
    std::sort(out.entries.begin(), out.entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "app/files/folder_search.h"

#include "app/files/applier.h"

#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>

namespace carrel::files {

std::optional<FolderId> idOfFolder(const Place& place) {
    struct statx stx {};
    if (::statx(place.parent.get(), "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &stx) != 0) {
        return std::nullopt;
    }
    const bool born = (stx.stx_mask & STATX_BTIME) != 0;
    return FolderId{stx.stx_ino, born ? toNs({stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec}) : 0};
}

std::optional<Place> FolderSearch::find(const FolderId& id, const std::string& name) {
    look();
    const auto found = m_folders.find(id);
    return found == m_folders.end() ? std::optional<Place>() : reach(found->second, name, id);
}

std::optional<Place> FolderSearch::findHolder(const std::string& temporary, const std::string& name) {
    look();
    const auto found = m_temporaries.find(temporary);
    return found == m_temporaries.end() ? std::optional<Place>() : reach(found->second, name, std::nullopt);
}

std::optional<Place> FolderSearch::reach(const SharePath& folder, const std::string& name,
                                         const std::optional<FolderId>& id) const {
    auto path = folder.child(name);
    auto place = path ? pin(m_root, *path) : Result<Place>(fail(path.error()));
    if (!place || (id && idOfFolder(*place) != id)) {
        return std::nullopt; // it is being moved about at this very moment
    }
    return std::move(*place);
}

void FolderSearch::look() {
    if (m_looked) {
        return;
    }
    std::vector<SharePath> waiting{SharePath()};
    for (std::size_t folders = 0; !waiting.empty() && folders < kMostFolders; ++folders) {
        const SharePath next = std::move(waiting.back());
        waiting.pop_back();
        lookInto(next, waiting);
    }
    m_looked = true;
}

void FolderSearch::lookInto(const SharePath& path, std::vector<SharePath>& waiting) {
    auto inside = path.child("x"); // pin() opens the parent of what it is given
    auto place = inside ? pin(m_root, *inside) : Result<Place>(fail(inside.error()));
    if (!place) {
        return;
    }
    if (const auto id = idOfFolder(*place)) {
        m_folders.emplace(*id, path);
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(place->parent.get()), ::closedir);
    if (!dir) {
        return;
    }
    const int at = place->parent.release(); // the listing's now
    while (const dirent* item = ::readdir(dir.get())) {
        const std::string_view name = item->d_name;
        if (name.starts_with(kTemporaryPrefix)) {
            m_temporaries.emplace(name, path);
        }
        struct stat st {};
        const bool isFolder = name != "." && name != ".." &&
                              (item->d_type == DT_DIR || (item->d_type == DT_UNKNOWN &&
                                                          ::fstatat(at, item->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                                                          S_ISDIR(st.st_mode)));
        if (auto folder = isFolder ? path.child(name) : Result<SharePath>(fail(ErrorCode::NotFound, ""))) {
            waiting.push_back(std::move(*folder));
        }
    }
}

} // namespace carrel::files

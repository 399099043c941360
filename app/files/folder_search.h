// SPDX-License-Identifier: Apache-2.0
// Finds the folder in which an operation was begun, when its path leads elsewhere by now: somebody renamed or moved it, or
// one above it, between a crash and the next start. (A file handle would find it at once, but open_by_handle_at(2) needs a
// privilege that we do not have.) Internal to app/files. Thread: blocking, one at a time.
#pragma once

#include "app/files/tree.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace carrel::files {

// Which folder the parent of a place is; none: the file system does not say.
[[nodiscard]] std::optional<FolderId> idOfFolder(const Place& place);

class FolderSearch {
public:
    explicit FolderSearch(int root) // borrowed
        : m_root(root) {}

    // `name` in the folder of that identity, anywhere beneath the root; not across a link. None: it is not there, or where
    // we may not look, or not among the first kMostFolders. (No error: one bad folder anywhere would keep all recovery from
    // coming to an end.)
    [[nodiscard]] std::optional<Place> find(const FolderId& id, const std::string& name);
    // The same, of the folder that this temporary of ours is in.
    [[nodiscard]] std::optional<Place> findHolder(const std::string& temporary, const std::string& name);

private:
    [[nodiscard]] std::optional<Place> reach(const SharePath& folder, const std::string& name,
                                             const std::optional<FolderId>& id) const;
    void look();
    void lookInto(const SharePath& path, std::vector<SharePath>& waiting);

    static constexpr std::size_t kMostFolders = 1'000'000;
    int m_root;
    bool m_looked = false; // once, and only when something is missing: recovery moves no folder before it has settled all
    std::map<FolderId, SharePath> m_folders;
    std::map<std::string, SharePath> m_temporaries; // the folder that each of ours is in
};

} // namespace carrel::files

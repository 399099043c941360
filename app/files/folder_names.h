// SPDX-License-Identifier: Apache-2.0
// Which names of a folder differ in case only: those that it has, and those that a review adds. A review asks for a hundred
// thousand of them, so each folder is read once, and each question is one look-up. Internal to app/files. Thread: one.
#pragma once

#include "guest/protocol/share_path.h"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace carrel::files {

class FolderNames {
public:
    // The names that a folder has today.
    using Reader = std::function<std::vector<std::string>(const SharePath& folder)>;
    explicit FolderNames(Reader read)
        : m_read(std::move(read)) {}

    // Is there one beside it that is the same when case is ignored (isCaseTwin())? It counts from now on itself. Paths come
    // in their order: what is in one folder comes together, with what is in folders within it, so only those that are on the
    // way to the last path are remembered.
    [[nodiscard]] bool addAndFindTwin(const SharePath& path);

private:
    struct Alike {
        std::string first;
        bool several = false; // and others: whatever the name is, one of them is not it
    };
    struct Folder {
        SharePath path;
        std::unordered_map<std::string, Alike> names; // by what they are without case
        bool add(std::string_view name);
    };
    Reader m_read;
    std::vector<Folder> m_open;
};

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
#include "app/files/listed_names.h"

#include "guest/protocol/disk_names.h"

#include <algorithm>
#include <sys/stat.h>

namespace carrel::files {

Result<bool> ListedNames::lists(int folder, std::string_view name) {
    struct stat st {};
    if (::fstat(folder, &st) != 0) {
        return failErrno("cannot look at the folder");
    }
    const auto now = std::chrono::steady_clock::now();
    auto at = std::find_if(m_folders.begin(), m_folders.end(),
                           [&](const Folder& each) { return each.device == st.st_dev && each.inode == st.st_ino; });
    if (at != m_folders.end() && now - at->readAt < kFresh) {
        m_folders.splice(m_folders.begin(), m_folders, at);
        const bool has = at->names.contains(std::string(name));
        if (has || m_missing == Missing::IsMissing) {
            return has;
        }
    }
    if (at != m_folders.end()) {
        m_folders.erase(at);
    }
    Folder fresh{st.st_dev, st.st_ino, now, {}};
    auto whole = read(folder, fresh);
    ++m_reads;
    if (!whole) {
        return whole;
    }
    if (!*whole) {
        return carrel::lists(folder, name);
    }
    m_folders.push_front(std::move(fresh));
    if (m_folders.size() > kMostFolders) {
        m_folders.pop_back();
    }
    return m_folders.front().names.contains(std::string(name));
}

Result<bool> ListedNames::read(int folder, Folder& into) const {
    bool fits = true;
    CARREL_TRY(forEachName(folder, [&](std::string_view name) {
        fits = into.names.size() < kMostNames;
        if (fits) {
            into.names.emplace(name);
        }
        return fits;
    }));
    return fits;
}

} // namespace carrel::files

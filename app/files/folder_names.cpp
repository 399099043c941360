// SPDX-License-Identifier: Apache-2.0
#include "app/files/folder_names.h"

#include "app/files/risk.h"

namespace carrel::files {

bool FolderNames::Folder::add(std::string_view name) {
    const auto [at, fresh] = names.try_emplace(lowered(name));
    Alike& alike = at->second;
    if (fresh) {
        alike.first = name;
        return false;
    }
    const bool twin = alike.several || alike.first != name;
    alike.several = twin;
    return twin;
}

bool FolderNames::addAndFindTwin(const SharePath& path) {
    SharePath parent = path.parent();
    while (!m_open.empty() && m_open.back().path != parent && !m_open.back().path.contains(parent)) {
        m_open.pop_back();
    }
    if (m_open.empty() || m_open.back().path != parent) {
        Folder folder{std::move(parent), {}};
        for (const auto& name : m_read(folder.path)) {
            (void)folder.add(name);
        }
        m_open.push_back(std::move(folder));
    }
    return m_open.back().add(path.name());
}

} // namespace carrel::files

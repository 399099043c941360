// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/open_files.h"

#include "app/clerk/share_folder.h"

namespace carrel::clerk {

OpenFiles::File* OpenFiles::find(NodeId node) {
    const auto found = m_byNode.find(node);
    if (found == m_byNode.end()) {
        return nullptr;
    }
    m_files.splice(m_files.begin(), m_files, found->second);
    return &m_files.front();
}

OpenFiles::File& OpenFiles::add(NodeId node, UniqueFd fd, const struct stat& info) {
    close(node);
    while (!m_files.empty() && m_files.size() >= m_most) {
        close(m_files.back().node);
    }
    m_files.push_front(File{node, std::move(fd), versionOf(info).ctimeNs, info.st_nlink});
    m_byNode[node] = m_files.begin();
    return m_files.front();
}

void OpenFiles::close(NodeId node) {
    if (const auto found = m_byNode.find(node); found != m_byNode.end()) {
        m_files.erase(found->second);
        m_byNode.erase(found);
    }
}

void OpenFiles::closeHalf() {
    for (std::size_t keep = m_files.size() / 2; m_files.size() > keep;) {
        close(m_files.back().node);
    }
}

void OpenFiles::closeAll() {
    m_byNode.clear();
    m_files.clear();
}

bool stillHolds(OpenFiles::File& file, const BaseVersion& version, const struct stat& info) {
    const BaseVersion now = versionOf(info);
    if (now.inode != version.inode || now.size != version.size || now.mtimeNs != version.mtimeNs) {
        return false;
    }
    if (now.ctimeNs != file.ctimeNs) {
        if (info.st_nlink >= file.links) {
            return false;
        }
        file.ctimeNs = now.ctimeNs;
        file.links = info.st_nlink;
    }
    return true;
}

} // namespace carrel::clerk

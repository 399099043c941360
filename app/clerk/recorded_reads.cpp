// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/recorded_reads.h"

#include <functional>
#include <utility>

namespace carrel::clerk {

RecordedReads::Key RecordedReads::keyOf(const Node& node, std::string_view path) {
    const BaseVersion& version = node.version;
    return {node.device, version.inode, version.size, version.mtimeNs, version.ctimeNs, std::hash<std::string_view>{}(path)};
}

void RecordedReads::add(const Key& key) {
    if (m_recent.size() >= m_most) {
        m_older = std::exchange(m_recent, {});
    }
    m_recent.insert(key);
}

void RecordedReads::drop(const Key& key) {
    m_recent.erase(key);
    m_older.erase(key);
}

} // namespace carrel::clerk

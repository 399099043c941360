// SPDX-License-Identifier: Apache-2.0
// The files kept open, one descriptor per node, the longest unused going first. While a file is held here its
// content is read even after it was replaced or deleted on the host. Thread: one.
#pragma once

#include "app/clerk/node_table.h"
#include "guest/protocol/unique_fd.h"

#include <list>
#include <sys/stat.h>
#include <unordered_map>

namespace carrel::clerk {

class OpenFiles {
public:
    struct File {
        NodeId node = 0;
        UniqueFd fd;
        std::int64_t ctimeNs = 0; // as of the last check; differs from the node's once the file was unlinked
        std::uint64_t links = 0;
    };

    explicit OpenFiles(std::size_t most)
        : m_most(most) {}
    [[nodiscard]] File* find(NodeId node); // and counts as a use
    File& add(NodeId node, UniqueFd fd, const struct stat& info);
    void close(NodeId node);
    void closeHalf();
    void closeAll();
    [[nodiscard]] std::size_t size() const { return m_byNode.size(); }

private:
    std::size_t m_most;
    std::list<File> m_files; // latest used first
    std::unordered_map<NodeId, std::list<File>::iterator> m_byNode;
};

// Does the held file still have the content of `version`? Being unlinked changes nothing but ctime and the
// number of links, and is remembered as such; any other new ctime may hide a write.
[[nodiscard]] bool stillHolds(OpenFiles::File& file, const BaseVersion& version, const struct stat& info);

} // namespace carrel::clerk

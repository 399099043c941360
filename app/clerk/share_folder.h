// SPDX-License-Identifier: Apache-2.0
// A shared folder on the host, pinned by a descriptor: everything is resolved beneath it, through no link and
// into no other mount (openat2(2)). Errors are errno values, since they go onto the wire. Thread: one.
#pragma once

#include "app/clerk/node_table.h"
#include "guest/protocol/lower_wire.h"
#include "guest/protocol/unique_fd.h"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace carrel::clerk {

template <class T> using OrErrno = tl::expected<T, int>;

class ShareFolder {
public:
    explicit ShareFolder(UniqueFd root)
        : m_root(std::move(root)) {}
    // O_CLOEXEC and O_NOFOLLOW are added. ENAMETOOLONG beyond kMaxPathBytes.
    [[nodiscard]] OrErrno<UniqueFd> open(const std::vector<std::string>& names, int flags) const;
    [[nodiscard]] int root() const { return m_root.get(); }
    void close() { m_root.reset(); }

private:
    UniqueFd m_root;
};

// What the guest may know of: nothing for sockets, FIFOs and devices.
[[nodiscard]] std::optional<NodeType> nodeTypeOf(const struct stat& info);
// Of a folder only the inode: it keeps its node while its content changes.
[[nodiscard]] BaseVersion versionOf(const struct stat& info);
[[nodiscard]] lower::Attr attrOf(const struct stat& info);
[[nodiscard]] std::string joined(const std::vector<std::string>& names);

} // namespace carrel::clerk

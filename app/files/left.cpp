// SPDX-License-Identifier: Apache-2.0
#include "app/files/left.h"

#include "app/files/tree.h"

namespace carrel::files {

Left leftOf(const NodeState& there) {
    return there.kind == NodeKind::Absent ? Left{} : Left{BaseVersion{there.inode, there.size, there.mtimeNs, there.ctimeNs}};
}

std::optional<Left> leftBy(int root, const SharePath& path, const NodeState& wanted, ListedNames* names) {
    const auto place = pin(root, path, names);
    if (!place) {
        const bool gone = place.error().code == ErrorCode::NotFound && wanted.kind == NodeKind::Absent;
        return gone ? std::optional(Left{}) : std::nullopt;
    }
    auto there = observe(*place, LookAt::Names);
    if (!there || there->kind != wanted.kind || (wanted.kind == NodeKind::File && there->size != wanted.size)) {
        return std::nullopt;
    }
    // The time is ours, to the nanosecond, unless the disk keeps no such times.
    if (wanted.kind == NodeKind::File && there->mtimeNs != wanted.mtimeNs) {
        there = observe(*place, LookAt::Content);
        if (!there || there->kind != NodeKind::File || there->content != wanted.content) {
            return std::nullopt;
        }
    }
    return there->linkTarget == wanted.linkTarget ? std::optional(leftOf(*there)) : std::nullopt;
}

} // namespace carrel::files

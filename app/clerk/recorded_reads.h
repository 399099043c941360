// SPDX-License-Identifier: Apache-2.0
// Which versions of which files were written down as read, also when the guest has forgotten the node: else it could have
// the same read written down as often as it likes, until the disk is full. Bounded: the older half goes when there are too
// many, and what went is written down once more. A read is never taken for another one's, by its whole path and version
// (of the path a hash, beside the file's number). Thread: one.
#pragma once

#include "app/clerk/node_table.h"

#include <compare>
#include <set>
#include <string_view>

namespace carrel::clerk {

class RecordedReads {
public:
    struct Key {
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t mtimeNs = 0, ctimeNs = 0;
        std::uint64_t path = 0;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    static constexpr std::size_t kMost = 200'000; // and as many older ones; a large source tree has 100,000 files
    explicit RecordedReads(std::size_t most = kMost)
        : m_most(most) {}

    [[nodiscard]] static Key keyOf(const Node& node, std::string_view path);
    [[nodiscard]] bool knows(const Key& key) const { return m_recent.contains(key) || m_older.contains(key); }
    void add(const Key& key);
    void drop(const Key& key); // it may hold something else by now that looks the same

private:
    std::size_t m_most;
    std::set<Key> m_recent;
    std::set<Key> m_older;
};

} // namespace carrel::clerk

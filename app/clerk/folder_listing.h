// SPDX-License-Identifier: Apache-2.0
// The names of one folder, each with a cookie that depends on the name alone: a reader that comes back with a
// cookie goes on at the same place, whatever came and went, and even with another clerk. Two names with one
// hash (about once in 10^9 folders of 10^5 names) stand beside each other and may trade places when a third
// comes. Thread: values; ListingCache: one.
#pragma once

#include "app/clerk/share_folder.h"

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::clerk {

inline constexpr std::size_t kMaxListedNames = 4'000'000; // in one folder; more is EOVERFLOW, never a part
inline constexpr std::size_t kMaxCachedNames = 1'000'000; // over all listings kept
inline constexpr std::size_t kMaxCachedListings = 64;

class FolderListing {
public:
    struct Entry {
        std::uint64_t cookie = 0; // 1 … 2^63 - 1, ascending
        std::uint64_t inode = 0;
        std::uint32_t nameAt = 0;
        std::uint16_t nameLength = 0;
        std::uint8_t kind = 0; // DT_*, as readdir(3) says
    };
    // Reads the folder; takes the place in the descriptor's listing for its own. Less ".", "..".
    [[nodiscard]] static OrErrno<FolderListing> read(int folderFd);
    // The first entry behind a cookie; size() when there is none.
    [[nodiscard]] std::size_t after(std::uint64_t cookie) const;
    [[nodiscard]] std::size_t size() const { return m_entries.size(); }
    [[nodiscard]] const Entry& entry(std::size_t i) const { return m_entries[i]; }
    [[nodiscard]] std::string_view name(std::size_t i) const {
        return std::string_view(m_names).substr(m_entries[i].nameAt, m_entries[i].nameLength);
    }

private:
    void assignCookies();
    std::string m_names;
    std::vector<Entry> m_entries;
};

// Listings that a reader is in the middle of. Only a saving: one that went is read again.
class ListingCache {
public:
    [[nodiscard]] std::shared_ptr<const FolderListing> find(NodeId folder);
    void put(NodeId folder, std::shared_ptr<const FolderListing> listing);
    void drop(NodeId folder);
    void clear() { m_kept.clear(); }

private:
    struct Kept {
        NodeId folder;
        std::shared_ptr<const FolderListing> listing;
    };
    std::list<Kept> m_kept; // latest used first
};

} // namespace carrel::clerk

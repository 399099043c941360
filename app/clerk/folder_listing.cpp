// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/folder_listing.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>

namespace carrel::clerk {

namespace {

// FNV-1a with a final mix. Part of the protocol between a clerk and its successor: never change it.
std::uint64_t nameHash(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char byte : name) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
    return hash >> 1;
}

} // namespace

OrErrno<FolderListing> FolderListing::read(int folderFd) {
    // A descriptor of its own: the place in the listing belongs to the open file.
    UniqueFd own(::openat(folderFd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) {
        return tl::unexpected(errno);
    }
    DIR* folder = ::fdopendir(own.get());
    if (folder == nullptr) {
        return tl::unexpected(errno);
    }
    (void)own.release();
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(folder, ::closedir);
    FolderListing listing;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(folder);
        if (entry == nullptr) {
            if (errno != 0) {
                return tl::unexpected(errno);
            }
            break;
        }
        const std::string_view name(entry->d_name);
        if (name == "." || name == "..") {
            continue;
        }
        if (listing.m_entries.size() >= kMaxListedNames) {
            return tl::unexpected(EOVERFLOW);
        }
        listing.m_entries.push_back({nameHash(name), entry->d_ino,
                                     static_cast<std::uint32_t>(listing.m_names.size()),
                                     static_cast<std::uint16_t>(name.size()), entry->d_type});
        listing.m_names += name;
    }
    listing.assignCookies();
    return listing;
}

void FolderListing::assignCookies() {
    const auto nameOf = [this](const Entry& entry) {
        return std::string_view(m_names).substr(entry.nameAt, entry.nameLength);
    };
    std::sort(m_entries.begin(), m_entries.end(), [&](const Entry& a, const Entry& b) {
        return a.cookie != b.cookie ? a.cookie < b.cookie : nameOf(a) < nameOf(b);
    });
    // A name that came twice, because the folder changed while it was read.
    m_entries.erase(std::unique(m_entries.begin(), m_entries.end(),
                                [&](const Entry& a, const Entry& b) { return nameOf(a) == nameOf(b); }),
                    m_entries.end());
    std::uint64_t last = 0;
    for (Entry& entry : m_entries) {
        entry.cookie = std::max(entry.cookie, last + 1);
        last = entry.cookie;
    }
}

std::size_t FolderListing::after(std::uint64_t cookie) const {
    const auto found =
        std::upper_bound(m_entries.begin(), m_entries.end(), cookie,
                         [](std::uint64_t value, const Entry& entry) { return value < entry.cookie; });
    return static_cast<std::size_t>(found - m_entries.begin());
}

std::shared_ptr<const FolderListing> ListingCache::find(NodeId folder) {
    const auto found = std::find_if(m_kept.begin(), m_kept.end(),
                                    [folder](const Kept& kept) { return kept.folder == folder; });
    if (found == m_kept.end()) {
        return nullptr;
    }
    m_kept.splice(m_kept.begin(), m_kept, found);
    return found->listing;
}

void ListingCache::put(NodeId folder, std::shared_ptr<const FolderListing> listing) {
    drop(folder);
    m_kept.push_front({folder, std::move(listing)});
    std::size_t names = 0;
    std::size_t kept = 0;
    for (auto it = m_kept.begin(); it != m_kept.end(); ++it, ++kept) {
        names += it->listing->size();
        // The latest stays whatever its size: its reader would else read the folder anew for every reply.
        if (kept > 0 && (names > kMaxCachedNames || kept >= kMaxCachedListings)) {
            m_kept.erase(it, m_kept.end());
            break;
        }
    }
}

void ListingCache::drop(NodeId folder) {
    m_kept.remove_if([folder](const Kept& kept) { return kept.folder == folder; });
}

} // namespace carrel::clerk

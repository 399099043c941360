// SPDX-License-Identifier: Apache-2.0
// What is staged, as the host is told it. Paths are those of the union; `from` is the path on the host.
#include "guest/worktree/sha256.h"
#include "guest/worktree/worktree_impl.h"

#include <algorithm>
#include <fcntl.h>

namespace carrel::worktree {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr int kHashRounds = 3;

EntryType typeOf(EntryKind kind) {
    return kind == EntryKind::Directory ? EntryType::Directory
           : kind == EntryKind::Symlink ? EntryType::Symlink
                                        : EntryType::File;
}

} // namespace

// Reads own bytes from the object, others from the host's version that they were renamed from.
class StagedReader final : public ContentReader {
public:
    StagedReader(WorktreeImpl& tree, std::uint64_t entry, std::uint64_t generation)
        : m_tree(tree)
        , m_entry(entry)
        , m_generation(generation) {}

    Status start() {
        {
            const std::lock_guard lock(m_tree.m_state);
            const auto it = m_tree.m_entries.find(m_entry);
            if (it == m_tree.m_entries.end() || it->second->generation != m_generation) {
                return changed();
            }
            Entry& entry = *it->second;
            if (entry.kind != EntryKind::File) {
                return fail(ErrorCode::InvalidArgument, "Only files have content");
            }
            if (entry.node != nullptr) {
                m_node = m_tree.find(entry.node->id);
            }
            if (entry.object != 0) {
                m_fd = m_tree.m_store->openObject(entry.object);
                if (!m_fd) {
                    return failErrno("A staged file cannot be opened");
                }
            } else {
                const auto& base = entry.origin.empty() ? entry.cover : entry.originBase;
                m_path = m_tree.contentPath(&entry).value_or("");
                m_base = base ? base->version : BaseVersion{};
            }
        }
        if (m_node) { // a write that began earlier ends before we read; a later one changes the generation
                      // first
            const std::unique_lock io(m_node->io);
        }
        if (m_fd) {
            struct stat info {};
            if (::fstat(m_fd->get(), &info) != 0) {
                return failErrno("A staged file cannot be read");
            }
            m_size = static_cast<std::uint64_t>(info.st_size);
            return {};
        }
        auto found = m_tree.lowerAt(m_path);
        if (!found || !found->ref || !(WorktreeImpl::coverOf(found->ref->attr).version == m_base)) {
            return changed();
        }
        m_lower = found->ref;
        m_size = m_base.size;
        return {};
    }

    [[nodiscard]] std::uint64_t size() const override { return m_size; }

    Result<Bytes> read(std::uint64_t offset, std::size_t max) override {
        if (offset >= m_size) {
            return Bytes{};
        }
        if (m_tree.m_ends) {
            return changed();
        }
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>({max, kChunk, m_size - offset}));
        if (m_lower) {
            auto bytes = m_tree.m_lower->read(m_lower->id, offset, static_cast<std::uint32_t>(want));
            if (!bytes || bytes->size() != want) {
                return changed();
            }
            return std::move(*bytes);
        }
        Bytes out(want);
        const auto n = ::pread(m_fd->get(), out.data(), want, static_cast<off_t>(offset));
        if (n < 0) {
            return failErrno("A staged file cannot be read");
        }
        if (n == 0) {
            return changed();
        }
        out.resize(static_cast<std::size_t>(n));
        return out;
    }

    Status finish() override {
        const std::lock_guard lock(m_tree.m_state);
        const auto it = m_tree.m_entries.find(m_entry);
        if (it == m_tree.m_entries.end() || it->second->generation != m_generation) {
            return changed();
        }
        return {};
    }

private:
    static tl::unexpected<Error> changed() {
        return fail(ErrorCode::Conflict, "The file was changed again while it was read for review",
                    "Open the review again");
    }

    WorktreeImpl& m_tree;
    std::uint64_t m_entry;
    std::uint64_t m_generation;
    NodePtr m_node;
    UpperStore::ObjectFile m_fd;
    std::string m_path;
    BaseVersion m_base;
    LowerRef m_lower;
    std::uint64_t m_size = 0;
};

// A file written again with the bytes that the host has is no change.
bool WorktreeImpl::sameContent(const Entry* entry) const {
    const auto& base = entry->origin.empty() ? entry->cover : entry->originBase;
    return base && base->sha256 && base->type == EntryType::File &&
           entry->hashedGeneration == entry->generation && entry->contentHash == *base->sha256;
}

// Could it be the same, and nobody has looked yet?
bool WorktreeImpl::wantsHash(const Entry* entry) const {
    const auto& base = entry->origin.empty() ? entry->cover : entry->originBase;
    struct stat info {};
    return entry->object != 0 && base && base->sha256 && base->type == EntryType::File &&
           base->version.size <= kMaxHashBytes && entry->hashedGeneration != entry->generation &&
           m_store->statObject(entry->object, info) &&
           static_cast<std::uint64_t>(info.st_size) == base->version.size;
}

// Before a listing. With no lock held: the largest files take long, and neither programs nor the thread that
// the host's answers come on may wait for them. What is written meanwhile is looked at again, but not
// forever.
void WorktreeImpl::hashStaged(bool anew) {
    for (int round = 0; round < kHashRounds; ++round) {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> wanted;
        {
            const std::lock_guard lock(m_state);
            if (!anew && m_listingGeneration != 0) {
                return; // a page of a listing that was made
            }
            if (m_listingGeneration == m_generation && !m_listingUnsure) {
                return;
            }
            for (const auto& [id, entry] : m_entries) {
                if (wantsHash(entry.get())) {
                    wanted.emplace_back(id, entry->generation);
                }
            }
        }
        if (wanted.empty()) {
            return;
        }
        for (const auto& [id, generation] : wanted) {
            if (m_ends) {
                return;
            }
            hashOne(id, generation);
        }
    }
}

void WorktreeImpl::hashOne(std::uint64_t id, std::uint64_t generation) {
    NodePtr node;
    UpperStore::ObjectFile file;
    const auto entryNow = [&]() -> Entry* {
        const auto it = m_entries.find(id);
        return it == m_entries.end() || it->second->generation != generation ? nullptr : it->second.get();
    };
    {
        const std::lock_guard lock(m_state);
        const Entry* entry = entryNow();
        if (entry == nullptr) {
            return;
        }
        node = entry->node != nullptr ? find(entry->node->id) : nullptr;
        file = m_store->openObject(entry->object);
    }
    if (!file) {
        return;
    }
    if (node) { // a write of this generation ends before we read; a later one has another
        const std::unique_lock io(node->io);
    }
    if (m_inTheMidst) {
        m_inTheMidst(Midst::Hashing);
    }
    Sha256 hash;
    struct stat info {};
    // As large as the file, not more: most are small and many, and a fresh page costs more than its hash.
    const bool known = ::fstat(file->get(), &info) == 0;
    Bytes buffer(std::clamp<std::size_t>(known ? static_cast<std::size_t>(info.st_size) : kChunk, 1, kChunk));
    for (off_t at = 0;;) {
        const auto n = ::pread(file->get(), buffer.data(), buffer.size(), at);
        if (n < 0 || m_ends) {
            return;
        }
        if (n == 0) {
            break;
        }
        hash.update(ByteSpan(buffer).first(static_cast<std::size_t>(n)));
        at += n;
    }
    const std::lock_guard lock(m_state);
    if (Entry* entry = entryNow()) {
        entry->contentHash = hash.hex();
        entry->hashedGeneration = generation;
    }
}

bool WorktreeImpl::reportsRename(const Entry& entry, const Entry* place) {
    if (entry.origin.empty() || place == nullptr) {
        return false;
    }
    return entry.kind == EntryKind::Directory || (place->kind == EntryKind::Whiteout && !entry.cover);
}

std::optional<ChangeEntry> WorktreeImpl::changeOf(Entry* entry) {
    auto path = SharePath::parse(pathOf(entry));
    if (!path) {
        return std::nullopt; // longer than a path may be: cannot be reached by that name either
    }
    Entry* away = entry->cover ? renamedAwayFrom(entry) : nullptr;
    const bool movedAway = away != nullptr && reportsRename(*away, entry);
    const auto cover = movedAway ? std::nullopt : entry->cover;
    ChangeEntry out;
    out.path = std::move(*path);
    out.generation = entry->generation;
    if (cover) {
        out.base = cover->version;
        out.baseSha256 = cover->sha256;
    }
    if (entry->kind == EntryKind::Whiteout || entry->kind == EntryKind::Fifo ||
        entry->kind == EntryKind::Socket) {
        if (!cover) {
            return std::nullopt;
        }
        out.kind = ChangeKind::Deleted;
        out.type = cover->type;
        out.mode = cover->mode;
        return out;
    }
    out.type = typeOf(entry->kind);
    out.mode = entry->mode;
    out.mtimeNs = entry->mtimeNs.value_or(cover ? cover->version.mtimeNs : 0);
    out.linkTarget = entry->link;
    const bool renamed = reportsRename(*entry, originPlaceOf(entry));
    if (entry->kind == EntryKind::File) {
        m_listingUnsure = m_listingUnsure || wantsHash(entry);
        out.contentChanged = entry->object != 0 ? !sameContent(entry) || (!renamed && !entry->origin.empty())
                                                : !entry->origin.empty() && !renamed;
        if (entry->object != 0) {
            struct stat info {};
            if (m_store->statObject(entry->object, info)) {
                out.size = static_cast<std::uint64_t>(info.st_size);
                out.mtimeNs = toNs(info.st_mtim);
            }
        } else if (const auto& base = entry->origin.empty() ? entry->cover : entry->originBase; base) {
            out.size = base->version.size;
            out.mtimeNs = entry->mtimeNs.value_or(base->version.mtimeNs);
        }
    }
    if (renamed) {
        auto from = SharePath::parse(entry->origin);
        if (!from) {
            return std::nullopt;
        }
        out.kind = ChangeKind::Renamed;
        out.from = std::move(*from);
        if (entry->originBase) {
            out.base = entry->originBase->version;
            out.baseSha256 = entry->originBase->sha256;
        }
        return out;
    }
    const bool sameType = cover && cover->type == out.type;
    if (entry->kind == EntryKind::Symlink) {
        out.kind = ChangeKind::Link;
        return out;
    }
    if (sameType && !out.contentChanged) {
        if (cover->mode == entry->mode) {
            return std::nullopt;
        }
        out.kind = ChangeKind::Mode;
        return out;
    }
    if (entry->kind == EntryKind::Directory && entry->fromLower) {
        return std::nullopt;
    }
    out.contentChanged = entry->kind == EntryKind::File;
    out.kind = cover ? ChangeKind::Modified : ChangeKind::Created;
    return out;
}

void WorktreeImpl::collect(Entry* entry, std::vector<ChangeEntry>& out) {
    for (const auto& [name, child] : entry->children) {
        if (auto change = changeOf(child)) {
            out.push_back(std::move(*change));
        }
        collect(child, out);
    }
}

Result<ChangeList> WorktreeImpl::changes(const SharePath& after, std::size_t limit) {
    hashStaged(after.isRoot());
    if (m_ends) {
        return fail(ErrorCode::Unavailable, "The share is being taken away");
    }
    const std::lock_guard ops(m_ops);
    const std::lock_guard lock(m_state);
    if ((m_listingGeneration != m_generation || m_listingUnsure) &&
        (after.isRoot() || m_listingGeneration == 0)) {
        m_listing.clear();
        m_listingUnsure = false;
        collect(m_rootEntry, m_listing);
        std::sort(m_listing.begin(), m_listing.end(),
                  [](const ChangeEntry& a, const ChangeEntry& b) { return a.path.text() < b.path.text(); });
        m_listingGeneration = m_generation;
    }
    ChangeList out;
    out.staged = m_listing.size();
    auto it = std::upper_bound(
        m_listing.begin(), m_listing.end(), after.text(),
        [](const std::string& text, const ChangeEntry& item) { return text < item.path.text(); });
    for (; it != m_listing.end() && out.entries.size() < limit; ++it) {
        out.entries.push_back(*it);
    }
    if (it != m_listing.end() && !out.entries.empty()) {
        out.next = out.entries.back().path;
    }
    return out;
}

std::uint64_t WorktreeImpl::stagedVersion() {
    const std::lock_guard lock(m_state);
    return m_entries.size() > 1 ? m_generation : 0; // the root alone is nothing
}

Result<std::unique_ptr<ContentReader>> WorktreeImpl::content(const SharePath& path,
                                                             std::uint64_t generation) {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(m_state);
        if (const Entry* entry = entryAt(path)) {
            id = entry->id;
        }
    }
    auto reader = std::make_unique<StagedReader>(*this, id, generation);
    CARREL_TRY(reader->start());
    return std::unique_ptr<ContentReader>(std::move(reader));
}

} // namespace carrel::worktree

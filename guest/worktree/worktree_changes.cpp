// SPDX-License-Identifier: Apache-2.0
// What is staged, as the host is told it. Paths are those of the union; `from` is the path on the host.
#include "guest/worktree/sha256.h"
#include "guest/worktree/worktree_impl.h"

#include <algorithm>
#include <fcntl.h>

namespace carrel::worktree {
namespace {

constexpr std::size_t kChunk = 256 * 1024;

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
bool WorktreeImpl::sameContent(Entry* entry) {
    const auto& base = entry->origin.empty() ? entry->cover : entry->originBase;
    if (!base || !base->sha256 || base->type != EntryType::File || base->version.size > kMaxHashBytes) {
        return false;
    }
    const auto fd = m_store->openObject(entry->object);
    struct stat info {};
    if (!fd || ::fstat(fd->get(), &info) != 0 ||
        static_cast<std::uint64_t>(info.st_size) != base->version.size) {
        return false;
    }
    if (entry->hashedGeneration != entry->generation || entry->contentHash.empty()) {
        Sha256 hash;
        // As large as the file, not more: most are small and many, and a fresh page costs more than its hash.
        Bytes buffer(std::clamp<std::size_t>(static_cast<std::size_t>(info.st_size), 1, kChunk));
        for (off_t at = 0;;) {
            const auto n = ::pread(fd->get(), buffer.data(), buffer.size(), at);
            if (n < 0) {
                return false;
            }
            if (n == 0) {
                break;
            }
            hash.update(ByteSpan(buffer).first(static_cast<std::size_t>(n)));
            at += n;
        }
        entry->contentHash = hash.hex();
        entry->hashedGeneration = entry->generation;
    }
    return entry->contentHash == *base->sha256;
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
    const std::lock_guard ops(m_ops);
    const std::lock_guard lock(m_state);
    if (m_listingGeneration != m_generation && (after.isRoot() || m_listingGeneration == 0)) {
        m_listing.clear();
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

// SPDX-License-Identifier: Apache-2.0
// The two trees: nodes and entries, and how they hang together. Everything here runs under m_state.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>
#include <cassert>
#include <fcntl.h>
#include <utility>

namespace carrel::worktree {
namespace {

std::uint32_t typeBits(EntryKind kind) {
    switch (kind) {
    case EntryKind::Directory:
        return S_IFDIR;
    case EntryKind::Symlink:
        return S_IFLNK;
    case EntryKind::Fifo:
        return S_IFIFO;
    case EntryKind::Socket:
        return S_IFSOCK;
    case EntryKind::File:
    case EntryKind::Whiteout:
        break;
    }
    return S_IFREG;
}

} // namespace

std::int64_t nowNs() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return toNs(now);
}

WorktreeImpl::WorktreeImpl(Options options, std::shared_ptr<LowerClient> lower,
                           std::unique_ptr<UpperStore> store)
    : m_options(std::move(options))
    , m_lower(std::move(lower))
    , m_store(std::move(store)) {
    m_lastId = m_store->highestId();
    // Generations of an earlier start are never met again: what was listed before must be looked at again.
    m_generation = m_store->epoch() << 32U;
    auto root = std::make_unique<Entry>();
    root->id = kRootEntry;
    root->kind = EntryKind::Directory;
    root->fromLower = true;
    m_rootEntry = root.get();
    m_entries.emplace(kRootEntry, std::move(root));
    const auto loaded = m_store->takeLoaded();
    for (const auto& [id, record] : loaded) {
        auto entry = std::make_unique<Entry>();
        static_cast<EntryRecord&>(*entry) = record;
        entry->generation = ++m_generation;
        m_entries.emplace(id, std::move(entry));
    }
    for (const auto& [id, record] : loaded) {
        Entry* entry = m_entries.at(id).get();
        entry->up = m_entries.at(record.parent).get();
        entry->up->children.emplace(record.name, entry);
        listOrigin(entry);
    }
    for (const auto& [id, entry] : m_entries) { // logs were written that do not say so
        mergeWithHost(entry.get());
    }
    auto node = std::make_shared<Node>();
    node->id = kRoot;
    node->lookups = 1;
    node->entry = m_rootEntry;
    m_rootEntry->node = node.get();
    const auto lowerRoot = std::make_shared<LowerNode>(); // no owner: the root is never forgotten
    lowerRoot->id = lower::kRootNode;
    lowerRoot->folder = true;
    lowerRoot->attr.mode = S_IFDIR | 0755;
    m_lowerNodes.emplace(lowerRoot->id, lowerRoot);
    m_nodes.emplace(kRoot, node);
    setLower(*node, lowerRoot);
    m_lower->setEvents(this);
}

WorktreeImpl::~WorktreeImpl() {
    m_lower->setEvents(nullptr);
    m_scout.end();
    m_ahead.close(); // while there is still an owner for the nodes that it lets go of
    (void)m_store->sync();
    for (auto& [id, node] : m_nodes) {
        node->parent.reset();
    }
    m_nodes.clear();
}

NodePtr WorktreeImpl::find(NodeId id) {
    const auto it = m_nodes.find(id);
    return it == m_nodes.end() ? nullptr : it->second;
}

bool WorktreeImpl::isFolder(const Node& node) const {
    const EntryRecord* record = node.entry != nullptr ? node.entry : node.orphan ? &*node.orphan : nullptr;
    if (record != nullptr) {
        return record->kind == EntryKind::Directory;
    }
    return node.lower && node.lower->folder;
}

// Can work be staged at it? Not without knowing what it stands for, and all above it.
bool WorktreeImpl::isGrounded(const Node& node) {
    const Node* at = &node;
    while (at != nullptr && at->entry == nullptr && at->lower) {
        at = at->parent.get();
    }
    return at != nullptr && at->entry != nullptr;
}

NodePtr WorktreeImpl::materialise(const NodePtr& dir, std::string_view name, Entry* entry,
                                  const LowerRef& lower) {
    // A listing brings the names in order: each belongs behind all that are there.
    auto& children = dir->children;
    const bool comesLast = children.empty() || std::prev(children.end())->first < name;
    if (const auto it = comesLast ? children.end() : children.find(name); it != children.end()) {
        Node& known = *it->second;
        bool same = known.entry == entry;
        if (same && (entry == nullptr || (entry->fromLower && entry->kind != EntryKind::Directory))) {
            // One node, one version.
            same = known.lower && lower && known.lower->id == lower->id;
        }
        if (same) {
            if (lower) {
                setLower(known, lower);
            }
            return m_nodes.at(known.id);
        }
        detach(known, Node::Link::Superseded);
    }
    auto node = std::make_shared<Node>();
    node->id = ++m_lastNode;
    node->parent = dir;
    node->name = name;
    node->entry = entry;
    if (entry != nullptr) {
        node->object = entry->object;
        entry->node = node.get();
        doubt(*entry);
    }
    children.insert_or_assign(comesLast ? children.end() : children.lower_bound(name), node->name,
                              node.get());
    m_nodes.emplace(node->id, node);
    setLower(*node, lower);
    return node;
}

// What the host says of one of its nodes concerns few of the many that the kernel knows.
void WorktreeImpl::setLower(Node& node, LowerRef lower) {
    const std::uint64_t before = node.lower ? node.lower->id : 0;
    unlistLower(node);
    node.lower = std::move(lower);
    if (isFolder(node) && before != 0 && (!node.lower || node.lower->id != before)) {
        // Names that were there are those of another folder.
        forgetListed(node);
        for (const auto& [name, child] : node.children) {
            if (child->entry == nullptr) {
                note(KernelNote::Kind::Entry, node.id, name, isFolder(*child));
            }
        }
        note(KernelNote::Kind::Listing, node.id);
    }
    if (node.lower && m_nodes.contains(node.id)) {
        node.alsoOfLower = std::exchange(node.lower->nodes, &node);
    }
}

void WorktreeImpl::unlistLower(Node& node) {
    if (!node.lower) {
        return;
    }
    Node** at = &node.lower->nodes;
    while (*at != nullptr && *at != &node) {
        at = &(*at)->alsoOfLower;
    }
    if (*at != nullptr) {
        *at = std::exchange(node.alsoOfLower, nullptr);
    }
}

void WorktreeImpl::detach(Node& node, Node::Link link) {
    if (node.link != Node::Link::Here) {
        return;
    }
    if (node.parent) {
        if (const auto it = node.parent->children.find(node.name);
            it != node.parent->children.end() && it->second == &node) {
            node.parent->children.erase(it);
        }
    }
    node.link = link;
    if (node.entry != nullptr) {
        node.orphan = std::make_unique<EntryRecord>(*node.entry);
        node.entry->node = nullptr;
        node.entry = nullptr;
    }
    dropIfUnused(node);
}

void WorktreeImpl::dropIfUnused(Node& node) {
    if (node.lookups > 0 || node.id == kRoot || !node.children.empty()) {
        return;
    }
    const auto it = m_nodes.find(node.id);
    if (it == m_nodes.end()) {
        return;
    }
    const NodePtr kept = it->second;
    unlistLower(node);
    m_nodes.erase(it);
    if (node.parent) {
        if (const auto child = node.parent->children.find(node.name);
            child != node.parent->children.end() && child->second == &node) {
            node.parent->children.erase(child);
        }
    }
    if (node.entry != nullptr) {
        node.entry->node = nullptr;
        node.entry = nullptr;
    } else if (node.object != 0) {
        m_store->doomObject(node.object);
    }
    const NodePtr parent = node.parent;
    if (parent) {
        dropIfUnused(*parent);
    }
}

lower::Attr WorktreeImpl::attrOf(const LowerRef& ref) {
    const std::lock_guard lock(m_lowerMutex);
    return ref->attr;
}

// A time that was set for one version of a file of the host's says nothing of the next.
bool WorktreeImpl::isOfAnotherVersion(const EntryRecord& record, const LowerRef& lower) {
    const auto& base = record.origin.empty() ? record.cover : record.originBase;
    return record.kind == EntryKind::File && record.fromLower && base && lower &&
           !(coverOf(lower->attr).version == base->version);
}

void WorktreeImpl::fillStat(const Node& node, const lower::Attr& attr, struct stat& out) {
    out.st_ino = node.id;
    out.st_nlink = 1;
    out.st_blksize = 4096;
    out.st_uid = m_options.ownerUid;
    out.st_gid = m_options.ownerGid;
    if (node.lower) {
        out.st_mode = attr.mode;
        out.st_size = static_cast<off_t>(attr.size);
        out.st_blocks = static_cast<blkcnt_t>(attr.blocks);
        out.st_mtim = {static_cast<time_t>(attr.mtime), attr.mtimensec};
        out.st_ctim = {static_cast<time_t>(attr.ctime), attr.ctimensec};
        out.st_atim = out.st_mtim;
    }
    const EntryRecord* record = node.entry != nullptr ? node.entry : node.orphan ? &*node.orphan : nullptr;
    if (record != nullptr && node.id != kRoot) {
        out.st_mode = typeBits(record->kind) | record->mode;
        out.st_uid = record->uid;
        out.st_gid = record->gid;
        if (record->kind == EntryKind::Symlink) {
            out.st_size = static_cast<off_t>(record->link.size());
        }
    }
    if (node.object != 0) {
        struct stat object {};
        if (m_store->statObject(node.object, object)) {
            out.st_size = object.st_size;
            out.st_blocks = object.st_blocks;
            out.st_mtim = object.st_mtim;
            out.st_ctim = object.st_ctim;
            out.st_atim = object.st_atim;
        }
    } else if (record != nullptr && record->mtimeNs && !isOfAnotherVersion(*record, node.lower)) {
        out.st_mtim = toTimespec(*record->mtimeNs);
        out.st_atim = out.st_mtim;
    }
    if (node.ctimeNs > toNs(out.st_ctim)) {
        out.st_ctim = toTimespec(node.ctimeNs);
    }
}

NodeEntry WorktreeImpl::answer(Node& node) {
    NodeEntry out;
    out.node = node.id;
    out.entryValid = kDay;
    out.attrValid = kDay;
    lower::Attr attr{};
    if (node.lower) {
        const std::lock_guard lock(m_lowerMutex);
        attr = node.lower->attr;
        if (node.object == 0) {
            out.entryValid = node.lower->entryValid;
            out.attrValid = node.lower->attrValid;
        }
    }
    fillStat(node, attr, out.attr);
    return out;
}

std::optional<std::string> WorktreeImpl::below(const std::optional<std::string>& dir, std::string_view name) {
    if (!dir) {
        return std::nullopt;
    }
    return dir->empty() ? std::string(name) : *dir + "/" + std::string(name);
}

std::optional<std::string> WorktreeImpl::lowerPathOf(const Entry* folder) const {
    if (folder == m_rootEntry) {
        return std::string();
    }
    // A whiteout has taken the place of a folder of the host's, whose names are still covered beneath it.
    if (folder == nullptr || (folder->kind == EntryKind::Directory && !folder->fromLower)) {
        return std::nullopt;
    }
    if (!folder->origin.empty()) {
        return folder->origin;
    }
    return below(lowerPathOf(folder->up), folder->name);
}

std::optional<std::string> WorktreeImpl::lowerPathOf(const Node& dir) const {
    if (dir.entry != nullptr) {
        return lowerPathOf(dir.entry);
    }
    if (dir.link == Node::Link::Gone || dir.orphan || !dir.parent) {
        return std::nullopt;
    }
    return below(lowerPathOf(*dir.parent), dir.name);
}

std::optional<std::string> WorktreeImpl::contentPath(const Entry* entry) const {
    if (!entry->origin.empty()) {
        return entry->origin;
    }
    return below(lowerPathOf(entry->up), entry->name);
}

std::string WorktreeImpl::pathOf(const Entry* entry) {
    std::string path = entry->name;
    for (const Entry* up = entry->up; up != nullptr && up->up != nullptr; up = up->up) {
        path.insert(0, up->name + "/");
    }
    return path;
}

std::size_t WorktreeImpl::pathLength(const Node& dir, std::string_view name) {
    std::size_t length = name.size();
    for (const Node* up = &dir; up->parent; up = up->parent.get()) {
        length += up->name.size() + 1;
    }
    return length;
}

bool WorktreeImpl::fitsBelow(const Entry& entry, std::size_t length) {
    return length <= kMaxPathBytes &&
           std::all_of(entry.children.begin(), entry.children.end(), [&](const auto& child) {
               return fitsBelow(*child.second, length + 1 + child.first.size());
           });
}

Entry* WorktreeImpl::entryAt(const SharePath& path) {
    Entry* at = m_rootEntry;
    for (const auto component : path.components()) {
        const auto it = at->children.find(component);
        if (it == at->children.end()) {
            return nullptr;
        }
        at = it->second;
    }
    return at;
}

Entry* WorktreeImpl::originPlaceOf(const Entry* entry) const {
    const auto it = m_entries.find(entry->originPlace);
    return entry->originPlace == 0 || it == m_entries.end() ? nullptr : it->second.get();
}

Entry* WorktreeImpl::renamedAwayFrom(const Entry* place) const {
    ++m_steps;
    const auto it = m_awayFrom.find(place->id);
    return it == m_awayFrom.end() ? nullptr : it->second;
}

void WorktreeImpl::setOrigin(Entry* entry, std::string path, std::uint64_t place, std::optional<Cover> base) {
    unlistOrigin(entry);
    entry->origin = std::move(path);
    entry->originPlace = place;
    entry->originBase = std::move(base);
    listOrigin(entry);
}

void WorktreeImpl::listOrigin(Entry* entry) {
    if (!entry->origin.empty()) {
        m_awayFrom.emplace(entry->originPlace, entry);
        m_byOrigin.emplace(entry->origin, entry);
    }
}

void WorktreeImpl::unlistOrigin(Entry* entry) {
    const auto drop = [&](auto& index, const auto& key) {
        auto [at, end] = index.equal_range(key);
        while (at != end) {
            ++m_steps;
            at = at->second == entry ? index.erase(at) : std::next(at);
        }
    };
    if (!entry->origin.empty()) {
        drop(m_awayFrom, entry->originPlace);
        drop(m_byOrigin, entry->origin);
    }
}

bool WorktreeImpl::sameAsHost(const Entry& entry) {
    return entry.fromLower && entry.origin.empty() && entry.children.empty() &&
           (entry.kind == EntryKind::Directory || !entry.mtimeNs) &&
           (!entry.cover || entry.cover->mode == entry.mode);
}

Cover WorktreeImpl::coverOf(const lower::Attr& attr) {
    Cover cover;
    cover.type = isFolderAttr(attr)                ? EntryType::Directory
                 : (attr.mode & S_IFMT) == S_IFLNK ? EntryType::Symlink
                                                   : EntryType::File;
    cover.mode = attr.mode & 07777U;
    cover.version = {attr.ino, attr.size, toNs(static_cast<std::int64_t>(attr.mtime), attr.mtimensec),
                     toNs(static_cast<std::int64_t>(attr.ctime), attr.ctimensec)};
    return cover;
}

Entry* WorktreeImpl::newEntry(Entry* up, std::string_view name, EntryKind kind) {
    auto fresh = std::make_unique<Entry>();
    fresh->id = nextId();
    fresh->kind = kind;
    Entry* entry = fresh.get();
    m_entries.emplace(entry->id, std::move(fresh));
    place(entry, up, name);
    return entry;
}

void WorktreeImpl::place(Entry* entry, Entry* up, std::string_view name) {
    if (entry->up != nullptr) {
        if (const auto it = entry->up->children.find(entry->name);
            it != entry->up->children.end() && it->second == entry) {
            entry->up->children.erase(it);
        }
    }
    entry->up = up;
    entry->parent = up->id;
    entry->name = name;
    up->children.insert_or_assign(entry->name, entry);
}

Entry* WorktreeImpl::adopt(const NodePtr& node, Batch& batch) {
    if (node->entry != nullptr) {
        return node->entry;
    }
    Entry* up = entryFor(node->parent, batch);
    const auto attr = attrOf(node->lower);
    const bool folder = isFolderAttr(attr);
    Entry* entry = newEntry(up, node->name, folder ? EntryKind::Directory : EntryKind::File);
    entry->fromLower = true;
    entry->mode = attr.mode & 07777U;
    entry->uid = m_options.ownerUid;
    entry->gid = m_options.ownerGid;
    entry->cover = coverOf(attr);
    entry->generation = ++m_generation;
    entry->node = node.get();
    node->entry = entry;
    batch.put.insert(entry);
    return entry;
}

Entry* WorktreeImpl::entryFor(const NodePtr& dir, Batch& batch) {
    return dir->entry != nullptr ? dir->entry : adopt(dir, batch);
}

void WorktreeImpl::dropEntry(Entry* entry, Batch& batch) {
    for (auto& [name, child] : std::map(entry->children)) {
        dropEntry(child, batch);
    }
    if (entry->node != nullptr) {
        if (entry->kind != EntryKind::Directory && !entry->fromLower) {
            entry->node->orphan = std::make_unique<EntryRecord>(*entry);
        }
        entry->node->entry = nullptr;
    } else if (entry->object != 0) {
        batch.doomed.push_back(entry->object);
    }
    if (entry->up != nullptr) {
        if (const auto it = entry->up->children.find(entry->name);
            it != entry->up->children.end() && it->second == entry) {
            entry->up->children.erase(it);
        }
        if (entry->up->node != nullptr) { // what a listing told of the name may be older than the decision
            markChanged(*entry->up->node, entry->name);
        }
    }
    unlistOrigin(entry);
    batch.put.erase(entry);
    batch.del.push_back(entry->id);
    ++m_generation;
    m_entries.erase(entry->id);
}

void WorktreeImpl::touch(Entry* entry, Batch& batch) {
    entry->generation = ++m_generation;
    batch.put.insert(entry);
    if (entry->node != nullptr) {
        entry->node->ctimeNs = nowNs();
    }
    if (entry->doubted) {
        doubt(*entry);
    }
}

// A folder that was made where one of the host's was removed is that folder again, less what was removed in
// it: each name that the host had then is hidden by a removal of its own. A name that the host has made since
// shows. It was never removed here, an apply would leave it where it is, and nothing that is told hides it.
// Not so where the host's folder was renamed from: its names show where it is now.
void WorktreeImpl::mergeWithHost(Entry* entry) {
    if (entry->kind != EntryKind::Directory || entry->fromLower || !entry->cover ||
        entry->cover->type != EntryType::Directory || renamedAwayFrom(entry) != nullptr) {
        return;
    }
    entry->fromLower = true;
    if (entry->node != nullptr) {
        note(KernelNote::Kind::Listing, entry->node->id);
    }
}

void WorktreeImpl::stampFolder(Node& dir) {
    dir.ctimeNs = nowNs();
    if (dir.entry != nullptr && dir.id != kRoot) {
        dir.entry->mtimeNs = dir.ctimeNs; // written with the next record about this folder
    }
}

int WorktreeImpl::commit(Batch& batch) {
    Transaction transaction;
    for (const Entry* entry : batch.put) {
        transaction.put.push_back(*entry);
    }
    transaction.del = std::move(batch.del);
    const int error = m_store->commit(transaction);
    for (const auto object : batch.doomed) {
        m_store->doomObject(object);
    }
    if (m_store->isLong()) {
        std::vector<const EntryRecord*> all;
        all.reserve(m_entries.size());
        for (const auto& [id, entry] : m_entries) {
            if (id != kRootEntry) {
                all.push_back(entry.get());
            }
        }
        m_store->compact(all);
    }
    return error;
}

int WorktreeImpl::reserveAt(const SharePath& path) {
    const Entry* entry = nullptr;
    {
        const std::lock_guard lock(m_state);
        entry = entryAt(path);
    }
    return reserveFor(entry);
}

int WorktreeImpl::reserveFor(const Entry* one, const Entry* other) {
    std::size_t count = 1;
    {
        const std::lock_guard lock(m_state);
        std::vector<const Entry*> open{one, other};
        while (!open.empty()) {
            const Entry* entry = open.back();
            open.pop_back();
            if (entry != nullptr) {
                ++count;
                for (const auto& [name, child] : entry->children) {
                    open.push_back(child);
                }
            }
        }
    }
    return m_store->reserve(count);
}

} // namespace carrel::worktree

// SPDX-License-Identifier: Apache-2.0
// Bytes and attributes. A write makes the bytes the guest's own first (copy-up): the whole of one version, or
// nothing.
#include "guest/worktree/sha256.h"
#include "guest/worktree/worktree_impl.h"

#include <algorithm>
#include <fcntl.h>

namespace carrel::worktree {
namespace {

// As write(2): what went to the disk before an error counts, and the error comes with the next one.
SysResult<std::size_t> writeAll(int fd, ByteSpan bytes, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto rest = bytes.subspan(done);
        const auto n = ::pwrite(fd, rest.data(), rest.size(), static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return done == 0 ? SysResult<std::size_t>(sysFail(errno)) : done;
        }
        done += static_cast<std::size_t>(n);
    }
    return done;
}

} // namespace

// As many as there was room for.
SysResult<std::size_t> WorktreeImpl::writeOwn(int fd, ByteSpan bytes, std::uint64_t offset) {
    const auto done = writeAll(fd, bytes, offset);
    const auto have = done.value_or(0);
    if ((done ? have < bytes.size() : done.error() == ENOSPC) &&
        m_store->makeRoom()) { // what was removed may lie there still
        const auto rest = writeAll(fd, bytes.subspan(have), offset + have);
        return rest ? SysResult<std::size_t>(have + *rest) : have > 0 ? SysResult<std::size_t>(have) : rest;
    }
    return done;
}

// The bytes are there. A list that was made while they were on their way may have seen the old ones, and what
// it said must not count for this generation. (The one before the bytes is for those who read meanwhile:
// StagedReader.)
void WorktreeImpl::wrote(Node& node, std::uint64_t object) {
    m_store->written(object);
    const std::lock_guard lock(m_state);
    if (node.entry != nullptr && node.object == object) {
        node.entry->generation = ++m_generation;
        if (node.entry->doubted) {
            doubt(*node.entry);
        }
    }
}

SysResult<Bytes> WorktreeImpl::read(NodeId id, std::uint64_t offset, std::uint32_t size) {
    NodePtr node;
    LowerRef lower;
    UpperStore::ObjectFile own;
    {
        const std::lock_guard lock(m_state);
        node = find(id);
        if (!node) {
            return sysFail(ESTALE);
        }
        if (node->object != 0) {
            own = m_store->openObject(node->object);
            if (!own) {
                return sysFail(errno);
            }
        } else {
            lower = node->lower;
        }
    }
    if (!own && !lower) {
        return sysFail(ESTALE);
    }
    if (!own) {
        auto ahead = readAhead(node, lower, offset, size);
        return ahead ? std::move(*ahead) : m_lower->read(lower->id, offset, std::min(size, lower::kMaxRead));
    }
    Bytes out(size);
    std::size_t have = 0;
    while (have < size) {
        const auto n = ::pread(own->get(), out.data() + have, size - have, static_cast<off_t>(offset + have));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return sysFail(errno);
        }
        if (n == 0) {
            break;
        }
        have += static_cast<std::size_t>(n);
    }
    out.resize(have);
    return out;
}

SysResult<std::uint64_t> WorktreeImpl::ensureOwn(const NodePtr& node, std::uint64_t keep) {
    const std::lock_guard copying(node->copy);
    LowerRef lower;
    std::uint64_t object = 0;
    {
        const std::lock_guard lock(m_state);
        if (node->object != 0) {
            return 0;
        }
        if (isFolder(*node)) {
            return sysFail(EISDIR);
        }
        if (!node->lower) {
            return sysFail(EINVAL);
        }
        lower = node->lower;
        object = nextId();
    }
    if (const int error = m_store->createObject(object); error != 0) {
        return sysFail(error);
    }
    const auto drop = [&](int error) {
        m_store->doomObject(object);
        return sysFail(error);
    };
    const auto fd = m_store->openObject(object);
    if (!fd) {
        return drop(errno);
    }
    const std::uint64_t whole = lower->attr.size;
    const std::uint64_t wanted = std::min(keep, whole);
    const bool hashing = wanted == whole && whole <= kMaxHashBytes;
    Sha256 hash;
    for (std::uint64_t at = 0; at < wanted;) {
        const auto step = static_cast<std::uint32_t>(std::min<std::uint64_t>(lower::kMaxRead, wanted - at));
        const auto bytes = m_lower->read(lower->id, at, step);
        if (!bytes) {
            return drop(bytes.error());
        }
        if (bytes->size() != step) {
            return drop(ESTALE); // not the size of this version: never pad, never mix
        }
        if (const auto written = writeOwn(fd->get(), *bytes, at); !written || *written < step) {
            return drop(written ? ENOSPC : written.error());
        }
        if (hashing) {
            hash.update(*bytes);
        }
        at += step;
    }
    if (wanted == whole) { // else the caller is about to cut it, which is a change of its own
        const timespec time{static_cast<time_t>(lower->attr.mtime), lower->attr.mtimensec};
        const timespec times[2] = {time, time};
        (void)::futimens(fd->get(), times);
    }
    if (const auto attached = attachCopy(node, object, hashing ? std::optional(hash.hex()) : std::nullopt);
        !attached) {
        return drop(attached.error());
    }
    return wanted < whole ? object : 0;
}

// The copy is whole: from now on the node's bytes are its own.
SysStatus WorktreeImpl::attachCopy(const NodePtr& node, std::uint64_t object,
                                   std::optional<std::string> hash) {
    const std::lock_guard ops(m_ops);
    if (const int full = m_store->reserve(); full != 0) {
        return sysFail(full);
    }
    const std::lock_guard lock(m_state);
    bool above = true;
    for (NodePtr up = node->parent; up; up = up->parent) {
        above = above && up->link == Node::Link::Here;
    }
    if (node->link != Node::Link::Gone && above && node->entry == nullptr &&
        !fits(*node->parent, node->name)) {
        return sysFail(ENAMETOOLONG);
    }
    if (node->link != Node::Link::Gone && above && !isGrounded(*node->parent)) {
        return sysFail(ESTALE);
    }
    if (node->link == Node::Link::Superseded && above) {
        // The host has another version under this name by now. The work goes where the program thinks it
        // goes, against the version that it read: review will find the conflict.
        const auto* folder = node->parent->entry;
        if (folder != nullptr && folder->children.contains(node->name)) {
            return sysFail(ESTALE); // staged differently meanwhile
        }
        if (const auto it = node->parent->children.find(node->name); it != node->parent->children.end()) {
            detach(*it->second, Node::Link::Superseded);
        }
        node->orphan.reset();
        node->link = Node::Link::Here;
        node->parent->children.insert_or_assign(node->name, node.get());
        note(KernelNote::Kind::Entry, node->parent->id, node->name);
        note(KernelNote::Kind::Listing, node->parent->id);
    }
    node->object = object;
    if (node->link != Node::Link::Here || !above) {
        if (!node->orphan) { // removed but open: nobody will see it again
            EntryRecord record;
            record.mode = node->lower->attr.mode & 07777U;
            record.uid = m_options.ownerUid;
            record.gid = m_options.ownerGid;
            node->orphan = std::make_unique<EntryRecord>(std::move(record));
        }
        return {};
    }
    Batch batch;
    Entry* entry = adopt(node, batch);
    entry->fromLower = false;
    entry->object = object;
    entry->mtimeNs.reset();
    auto base = coverOf(node->lower->attr);
    base.sha256 = std::move(hash);
    (entry->origin.empty() ? entry->cover : entry->originBase) = std::move(base);
    touch(entry, batch);
    m_store->written(object); // a sync may have taken it when it was half copied
    if (const int error = commit(batch); error != 0) {
        return sysFail(error);
    }
    return {};
}

// A decision took the staged work from this node, but a program still writes through it: that is new work,
// and is staged again against what it was made from. Only removed names take writes that nobody will see.
SysStatus WorktreeImpl::stageAgain(const NodePtr& node) {
    const std::lock_guard ops(m_ops);
    if (const int full = m_store->reserve(); full != 0) {
        return sysFail(full);
    }
    const std::lock_guard lock(m_state);
    if (!lostItsName(*node) || !node->orphan) {
        return {};
    }
    for (NodePtr up = node->parent; up; up = up->parent) {
        if (up->link != Node::Link::Here) {
            node->link = Node::Link::Gone; // its folder was removed
            return {};
        }
    }
    if (!isGrounded(*node->parent)) {
        return sysFail(ESTALE);
    }
    if (!fits(*node->parent, node->name)) {
        return sysFail(ENAMETOOLONG);
    }
    Batch batch;
    Entry* folder = entryFor(node->parent, batch);
    if (folder->children.contains(node->name)) {
        return sysFail(ESTALE); // staged differently meanwhile
    }
    if (const auto it = node->parent->children.find(node->name); it != node->parent->children.end()) {
        detach(*it->second, Node::Link::Superseded);
    }
    Entry* entry = newEntry(folder, node->name, EntryKind::File);
    entry->mode = node->orphan->mode;
    entry->uid = node->orphan->uid;
    entry->gid = node->orphan->gid;
    entry->cover = node->orphan->cover;
    entry->object = node->object;
    entry->node = node.get();
    node->entry = entry;
    node->orphan.reset();
    node->link = Node::Link::Here;
    node->parent->children.insert_or_assign(node->name, node.get());
    note(KernelNote::Kind::Entry, node->parent->id, node->name);
    note(KernelNote::Kind::Listing, node->parent->id);
    touch(entry, batch);
    if (const int error = commit(batch); error != 0) {
        return sysFail(error);
    }
    return {};
}

SysResult<std::size_t> WorktreeImpl::write(NodeId id, std::uint64_t offset, ByteSpan bytes) {
    if (m_options.access == Access::ReadOnly) {
        return sysFail(EROFS);
    }
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        node = find(id);
    }
    if (!node) {
        return sysFail(ESTALE);
    }
    while (true) {
        {
            const std::shared_lock io(node->io);
            UpperStore::ObjectFile fd;
            std::uint64_t object = 0;
            {
                const std::lock_guard lock(m_state);
                object = node->object;
                if (object != 0 && !lostItsName(*node)) {
                    if (node->entry != nullptr) {
                        node->entry->generation = ++m_generation; // before the bytes: see StagedReader
                    }
                    fd = m_store->openObject(object);
                    if (!fd) {
                        return sysFail(errno);
                    }
                }
            }
            if (fd) {
                const auto written = writeOwn(fd->get(), bytes, offset);
                wrote(*node, object);
                return written;
            }
        }
        if (const auto own = ensureOwn(node, UINT64_MAX); !own) {
            return sysFail(own.error());
        }
        if (const auto again = stageAgain(node); !again) {
            return sysFail(again.error());
        }
    }
}

SysResult<NodeEntry> WorktreeImpl::setattr(NodeId id, const SetAttr& set) {
    if (m_options.access == Access::ReadOnly) {
        return sysFail(EROFS);
    }
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        node = find(id);
    }
    if (!node) {
        return sysFail(ESTALE);
    }
    if (set.size) {
        const auto own = ensureOwn(node, *set.size);
        if (!own) {
            return sysFail(own.error());
        }
        if (const auto again = stageAgain(node); !again) {
            return sysFail(again.error());
        }
        if (m_inTheMidst) {
            m_inTheMidst(Midst::Staged);
        }
        std::shared_lock io(node->io);
        UpperStore::ObjectFile fd;
        bool cut = false;
        std::uint64_t object = 0;
        {
            std::unique_lock lock(m_state);
            if (node->object == 0 || lostItsName(*node)) {
                // A decision came in between: it is new work, as in write().
                lock.unlock();
                io.unlock();
                return setattr(id, set);
            }
            object = node->object;
            cut = object == *own;
            if (node->entry != nullptr) {
                node->entry->generation = ++m_generation;
            }
            fd = m_store->openObject(node->object);
        }
        // A copy that was cut has its size, and the time of now, already: most files are written anew from
        // nothing.
        if (!fd || (!cut && ::ftruncate(fd->get(), static_cast<off_t>(*set.size)) != 0)) {
            return sysFail(errno);
        }
        wrote(*node, object);
    }
    if (set.mode || set.uid || set.gid || set.mtimeNs) {
        const std::lock_guard ops(m_ops);
        if (const int full = m_store->reserve(); full != 0) {
            return sysFail(full);
        }
        const std::lock_guard lock(m_state);
        Batch batch;
        EntryRecord* record = nullptr;
        if (node->id == kRoot) {
            return sysFail(EPERM); // the shared folder itself is the user's
        }
        if (node->link == Node::Link::Here) {
            if (!isGrounded(*node)) {
                return sysFail(ESTALE);
            }
            if (node->entry == nullptr && !fits(*node->parent, node->name)) {
                return sysFail(ENAMETOOLONG);
            }
            record = adopt(node, batch);
        } else if (node->orphan) {
            record = &*node->orphan;
        } else {
            return sysFail(ESTALE);
        }
        record->mode = set.mode.value_or(record->mode);
        record->uid = set.uid.value_or(record->uid);
        record->gid = set.gid.value_or(record->gid);
        if (set.mtimeNs) {
            if (node->object != 0) {
                const timespec times[2] = {toTimespec(*set.mtimeNs), toTimespec(*set.mtimeNs)};
                const auto own = m_store->openObject(node->object);
                if (!own || ::futimens(own->get(), times) != 0) {
                    return sysFail(errno);
                }
                m_store->written(node->object);
            } else {
                record->mtimeNs = *set.mtimeNs;
            }
        }
        if (node->entry != nullptr) {
            touch(node->entry, batch);
        }
        if (const int error = commit(batch); error != 0) {
            return sysFail(error);
        }
    }
    const std::lock_guard lock(m_state);
    return answer(*node);
}

SysStatus WorktreeImpl::fallocate(NodeId id, int mode, std::uint64_t offset, std::uint64_t length) {
    // An empty write makes the bytes our own, and refuses what a write would refuse.
    if (const auto own = write(id, 0, {}); !own) {
        return sysFail(own.error());
    }
    NodePtr node;
    {
        const std::lock_guard lock(m_state);
        node = find(id);
    }
    if (!node) {
        return sysFail(ESTALE);
    }
    if (m_inTheMidst) {
        m_inTheMidst(Midst::Staged);
    }
    std::shared_lock io(node->io);
    UpperStore::ObjectFile fd;
    std::uint64_t object = 0;
    {
        std::unique_lock lock(m_state);
        object = node->object;
        if (object == 0 || lostItsName(*node)) {
            lock.unlock();
            io.unlock();
            return fallocate(id, mode, offset, length);
        }
        if (node->entry != nullptr) {
            node->entry->generation = ++m_generation;
        }
        fd = m_store->openObject(object);
    }
    const auto allocate = [&] {
        return !fd || ::fallocate(fd->get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) !=
                           0
                   ? errno
                   : 0;
    };
    int error = allocate();
    if (error == ENOSPC && m_store->makeRoom()) {
        error = allocate();
    }
    wrote(*node, object);
    if (error != 0) {
        return sysFail(error);
    }
    return {};
}

SysStatus WorktreeImpl::fsync(NodeId id) {
    {
        const std::lock_guard lock(m_state);
        if (!find(id)) {
            return sysFail(ESTALE);
        }
    }
    if (const int error = m_store->sync(); error != 0) {
        return sysFail(error);
    }
    return {};
}

} // namespace carrel::worktree

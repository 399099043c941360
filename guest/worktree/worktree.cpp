// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/worktree.h"

#include "guest/worktree/worktree_impl.h"

namespace carrel::worktree {

Worktree::Worktree(std::unique_ptr<WorktreeImpl> impl)
    : m_impl(std::move(impl)) {}
Worktree::~Worktree() = default;

Result<std::unique_ptr<Worktree>> Worktree::open(const Options& options, std::shared_ptr<LowerClient> lower) {
    auto store = UpperStore::open(options.upper, {options.longLog, options.durableEvery, options.boot});
    if (!store) {
        return fail(std::move(store).error());
    }
    return std::unique_ptr<Worktree>(
        new Worktree(std::make_unique<WorktreeImpl>(options, std::move(lower), std::move(*store))));
}

SysResult<NodeEntry> Worktree::lookup(NodeId parent, std::string_view name) {
    return m_impl->lookup(parent, name);
}
void Worktree::forget(NodeId node, std::uint64_t lookups) {
    m_impl->forget(node, lookups);
}
SysResult<NodeEntry> Worktree::getattr(NodeId node) {
    return m_impl->getattr(node);
}
SysResult<NodeEntry> Worktree::setattr(NodeId node, const SetAttr& set) {
    return m_impl->setattr(node, set);
}
SysResult<std::string> Worktree::readlink(NodeId node) {
    return m_impl->readlink(node);
}
SysStatus Worktree::readdir(NodeId node, std::uint64_t cookie, Plus plus, const TakeItem& take) {
    return m_impl->readdir(node, cookie, plus, take);
}
SysResult<Bytes> Worktree::read(NodeId node, std::uint64_t offset, std::uint32_t size) {
    return m_impl->read(node, offset, size);
}
SysResult<std::size_t> Worktree::write(NodeId node, std::uint64_t offset, ByteSpan bytes) {
    return m_impl->write(node, offset, bytes);
}
SysResult<NodeEntry> Worktree::create(NodeId parent, std::string_view name, std::uint32_t mode,
                                      Caller caller) {
    return m_impl->make(parent, name, {EntryKind::File, mode, {}, caller});
}
SysResult<NodeEntry> Worktree::mkdir(NodeId parent, std::string_view name, std::uint32_t mode,
                                     Caller caller) {
    return m_impl->make(parent, name, {EntryKind::Directory, mode, {}, caller});
}
SysResult<NodeEntry> Worktree::mknod(NodeId parent, std::string_view name, std::uint32_t mode,
                                     Caller caller) {
    switch (mode & S_IFMT) {
    case 0:
    case S_IFREG:
        return m_impl->make(parent, name, {EntryKind::File, mode, {}, caller});
    case S_IFIFO:
        return m_impl->make(parent, name, {EntryKind::Fifo, mode, {}, caller});
    case S_IFSOCK:
        return m_impl->make(parent, name, {EntryKind::Socket, mode, {}, caller});
    default:
        return sysFail(EPERM);
    }
}
SysResult<NodeEntry> Worktree::symlink(NodeId parent, std::string_view name, std::string_view target,
                                       Caller caller) {
    if (target.empty() || target.size() > kMaxPathBytes) {
        return sysFail(target.empty() ? ENOENT : ENAMETOOLONG);
    }
    return m_impl->make(parent, name, {EntryKind::Symlink, 0777, target, caller});
}
SysStatus Worktree::unlink(NodeId parent, std::string_view name) {
    return m_impl->remove(parent, name, WorktreeImpl::Remove::File);
}
SysStatus Worktree::rmdir(NodeId parent, std::string_view name) {
    return m_impl->remove(parent, name, WorktreeImpl::Remove::Folder);
}
SysStatus Worktree::rename(NodeId parent, std::string_view name, NodeId newParent, std::string_view newName,
                           Replace replace) {
    return m_impl->rename(parent, name, newParent, newName, replace);
}
SysStatus Worktree::fallocate(NodeId node, int mode, std::uint64_t offset, std::uint64_t length) {
    return m_impl->fallocate(node, mode, offset, length);
}
SysStatus Worktree::fsync(NodeId node) {
    return m_impl->fsync(node);
}
SysResult<struct statvfs> Worktree::statfs() {
    return m_impl->statfs();
}
void Worktree::setKernelSink(std::function<void(const KernelNote&)> sink) {
    const std::lock_guard lock(m_impl->m_sinkMutex);
    m_impl->m_sink = std::move(sink);
}
bool Worktree::mustForget(NodeId parent, std::string_view name) {
    return m_impl->mustForget(parent, name);
}
std::vector<NodeId> Worktree::known() {
    return m_impl->known();
}
std::vector<KernelNote> Worktree::notesOf(NodeId node) {
    return m_impl->notesOf(node);
}
Result<ChangeList> Worktree::changes(const SharePath& after, std::size_t limit) {
    return m_impl->changes(after, limit);
}
Result<std::unique_ptr<ContentReader>> Worktree::content(const SharePath& path, std::uint64_t generation) {
    return m_impl->content(path, generation);
}
Access Worktree::access() const {
    return m_impl->access();
}
Result<std::vector<SharePath>> Worktree::settle(std::vector<ChangeRef> entries) {
    return m_impl->settle(std::move(entries));
}
Result<std::vector<SharePath>> Worktree::discard(std::vector<ChangeRef> entries) {
    return m_impl->discard(std::move(entries));
}
std::uint64_t Worktree::stagedVersion() {
    return m_impl->stagedVersion();
}
Status Worktree::sync() {
    return m_impl->sync();
}
void Worktree::end() {
    m_impl->m_ends = true;
}
void Worktree::tidy() {
    m_impl->tidy();
}
void Worktree::giveBack() {
    m_impl->giveBack();
}

} // namespace carrel::worktree

// SPDX-License-Identifier: Apache-2.0
// libfuse3 low-level. The mount is ours (mount(2)), the library serves /dev/fd/N: it never runs fusermount.
// OPEN and OPENDIR are answered ENOSYS once: the kernel then opens by itself and keeps its page cache. That
// is right because a file node is one version; see DECISION.md. The write-back cache stays off: with it a
// write would reach us after a review could have listed the file.
#define FUSE_USE_VERSION 35
#include "guest/worktree/fuse_server.h"

#include "guest/protocol/file_time.h"
#include "guest/protocol/unique_fd.h"
#include "guest/worktree/kernel_notes.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <fcntl.h>
#include <fstream>
#include <fuse_lowlevel.h>
#include <mutex>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <thread>
#include <unistd.h>

namespace carrel::worktree {
namespace {

constexpr const char* kConnections = "/sys/fs/fuse/connections";
constexpr unsigned kMaxBackground = 64;
constexpr unsigned kMaxIo = 256 * 4096; // max_pages 256

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

Worktree& treeOf(fuse_req_t req) {
    return *static_cast<Worktree*>(fuse_req_userdata(req));
}

Caller callerOf(fuse_req_t req) {
    const auto* context = fuse_req_ctx(req);
    return {context->uid, context->gid};
}

fuse_entry_param toParam(const NodeEntry& entry) {
    fuse_entry_param out{};
    out.ino = entry.node;
    out.attr = entry.attr;
    out.attr_timeout = seconds(entry.attrValid);
    out.entry_timeout = seconds(entry.entryValid);
    return out;
}

void replyEntry(fuse_req_t req, const SysResult<NodeEntry>& entry) {
    if (!entry) {
        fuse_reply_err(req, entry.error());
        return;
    }
    const auto param = toParam(*entry);
    if (fuse_reply_entry(req, &param) != 0 && entry->node != 0) {
        treeOf(req).forget(entry->node, 1); // the asker is gone, and with it the lookup
    }
}

void replyStatus(fuse_req_t req, const SysStatus& status) {
    fuse_reply_err(req, status ? 0 : status.error());
}

void onInit(void*, fuse_conn_info* conn) {
    const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                            FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_CACHE_SYMLINKS;
    // Attributes with every listing (not READDIRPLUS_AUTO, which leaves them out from the second page on):
    // the host sent them with the names, and a look-up for each name costs a trip.
    conn->want = conn->capable & wanted; // no ATOMIC_O_TRUNC: nobody would tell us, since OPEN is not sent
    conn->max_background = kMaxBackground;
    conn->congestion_threshold = kMaxBackground * 3 / 4;
    conn->max_write = kMaxIo;
    conn->max_readahead = kMaxIo;
}

void onLookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
    replyEntry(req, treeOf(req).lookup(parent, name));
}

void onForget(fuse_req_t req, fuse_ino_t node, std::uint64_t lookups) {
    treeOf(req).forget(node, lookups);
    fuse_reply_none(req);
}

void onForgetMulti(fuse_req_t req, std::size_t count, fuse_forget_data* items) {
    for (std::size_t i = 0; i < count; ++i) {
        treeOf(req).forget(items[i].ino, items[i].nlookup);
    }
    fuse_reply_none(req);
}

void replyAttr(fuse_req_t req, const SysResult<NodeEntry>& entry) {
    if (entry) {
        fuse_reply_attr(req, &entry->attr, seconds(entry->attrValid));
    } else {
        fuse_reply_err(req, entry.error());
    }
}

void onGetattr(fuse_req_t req, fuse_ino_t node, fuse_file_info*) {
    replyAttr(req, treeOf(req).getattr(node));
}

void onSetattr(fuse_req_t req, fuse_ino_t node, struct stat* attr, int toSet, fuse_file_info*) {
    SetAttr set;
    if ((toSet & FUSE_SET_ATTR_MODE) != 0) {
        set.mode = attr->st_mode & 07777U;
    }
    if ((toSet & FUSE_SET_ATTR_UID) != 0) {
        set.uid = attr->st_uid;
    }
    if ((toSet & FUSE_SET_ATTR_GID) != 0) {
        set.gid = attr->st_gid;
    }
    if ((toSet & FUSE_SET_ATTR_SIZE) != 0) {
        set.size = static_cast<std::uint64_t>(attr->st_size);
    }
    if ((toSet & FUSE_SET_ATTR_MTIME_NOW) != 0) {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        set.mtimeNs = toNs(now);
    } else if ((toSet & FUSE_SET_ATTR_MTIME) != 0) {
        set.mtimeNs = toNs(attr->st_mtim);
    }
    replyAttr(req, treeOf(req).setattr(node, set));
}

void onReadlink(fuse_req_t req, fuse_ino_t node) {
    const auto text = treeOf(req).readlink(node);
    if (text) {
        fuse_reply_readlink(req, text->c_str());
    } else {
        fuse_reply_err(req, text.error());
    }
}

void onMknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t) {
    replyEntry(req, treeOf(req).mknod(parent, name, mode, callerOf(req)));
}

void onMkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
    replyEntry(req, treeOf(req).mkdir(parent, name, mode, callerOf(req)));
}

void onSymlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
    replyEntry(req, treeOf(req).symlink(parent, name, target, callerOf(req)));
}

void onUnlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
    replyStatus(req, treeOf(req).unlink(parent, name));
}

void onRmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
    replyStatus(req, treeOf(req).rmdir(parent, name));
}

void onRename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t newParent, const char* newName,
              unsigned flags) {
    constexpr unsigned kNoReplace = 1; // RENAME_NOREPLACE, rename(2)
    constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE
    if (flags != 0 && flags != kNoReplace && flags != kExchange) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    const auto replace = flags == kExchange    ? Replace::Exchange
                         : flags == kNoReplace ? Replace::No
                                               : Replace::Yes;
    replyStatus(req, treeOf(req).rename(parent, name, newParent, newName, replace));
}

void onLink(fuse_req_t req, fuse_ino_t, fuse_ino_t, const char*) {
    fuse_reply_err(req, EPERM); // link(2): the file system does not support hard links
}

void onNoOpen(fuse_req_t req, fuse_ino_t, fuse_file_info*) {
    fuse_reply_err(req, ENOSYS);
}

void onRead(fuse_req_t req, fuse_ino_t node, std::size_t size, off_t offset, fuse_file_info*) {
    const auto bytes =
        treeOf(req).read(node, static_cast<std::uint64_t>(offset), static_cast<std::uint32_t>(size));
    if (bytes) {
        fuse_reply_buf(req, reinterpret_cast<const char*>(bytes->data()), bytes->size());
    } else {
        fuse_reply_err(req, bytes.error());
    }
}

void onWrite(fuse_req_t req, fuse_ino_t node, const char* data, std::size_t size, off_t offset,
             fuse_file_info*) {
    const auto done = treeOf(req).write(node, static_cast<std::uint64_t>(offset), asBytes({data, size}));
    if (done) {
        fuse_reply_write(req, *done);
    } else {
        fuse_reply_err(req, done.error());
    }
}

void onFsync(fuse_req_t req, fuse_ino_t node, int, fuse_file_info*) {
    replyStatus(req, treeOf(req).fsync(node));
}

void onCreate(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
    const auto entry = treeOf(req).create(parent, name, mode, callerOf(req));
    if (!entry) {
        // The kernel believed that there is no such name, and the host has made it since. Without O_EXCL that
        // is no error of the program's: open(2) walks again for ESTALE, and believes nothing of absent names
        // then.
        const bool madeSince = entry.error() == EEXIST && (info->flags & O_EXCL) == 0;
        fuse_reply_err(req, madeSince ? ESTALE : entry.error());
        return;
    }
    const auto param = toParam(*entry);
    info->keep_cache = 1;
    if (fuse_reply_create(req, &param, info) != 0) {
        treeOf(req).forget(entry->node, 1);
    }
}

void onFallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset, off_t length, fuse_file_info*) {
    replyStatus(req, treeOf(req).fallocate(node, mode, static_cast<std::uint64_t>(offset),
                                           static_cast<std::uint64_t>(length)));
}

void onStatfs(fuse_req_t req, fuse_ino_t) {
    const auto info = treeOf(req).statfs();
    if (info) {
        fuse_reply_statfs(req, &*info);
    } else {
        fuse_reply_err(req, info.error());
    }
}

void list(fuse_req_t req, fuse_ino_t node, std::size_t size, off_t offset, Plus plus) {
    auto& tree = treeOf(req);
    // "." and ".." are cookies 1 and 2, ours follow. They carry no lookup.
    std::vector<char> buffer(size);
    std::size_t used = 0;
    const auto add = [&](const char* name, const fuse_entry_param& param, off_t next) {
        const auto room = size - used;
        const auto need = plus == Plus::Yes
                              ? fuse_add_direntry_plus(req, buffer.data() + used, room, name, &param, next)
                              : fuse_add_direntry(req, buffer.data() + used, room, name, &param.attr, next);
        if (need > room) {
            return false;
        }
        used += need;
        return true;
    };
    for (off_t dot = offset; dot < 2; ++dot) {
        fuse_entry_param param{};
        param.attr.st_ino = node;
        param.attr.st_mode = S_IFDIR;
        if (!add(dot == 0 ? "." : "..", param, dot + 1)) {
            fuse_reply_buf(req, buffer.data(), used);
            return;
        }
    }
    const auto cookie = static_cast<std::uint64_t>(std::max<off_t>(offset, 2) - 2);
    const auto listed = tree.readdir(node, cookie, plus, [&](const DirItem& item) {
        fuse_entry_param param{};
        if (plus == Plus::Yes) {
            param = toParam(item.entry);
        }
        param.attr.st_ino = item.ino;
        param.attr.st_mode = plus == Plus::Yes ? item.entry.attr.st_mode : item.type;
        return add(item.name.c_str(), param, static_cast<off_t>(item.cookie + 2));
    });
    if (!listed && used == 0) {
        fuse_reply_err(req, listed.error());
        return;
    }
    fuse_reply_buf(req, buffer.data(), used);
}

void onReaddir(fuse_req_t req, fuse_ino_t node, std::size_t size, off_t offset, fuse_file_info*) {
    list(req, node, size, offset, Plus::No);
}

void onReaddirplus(fuse_req_t req, fuse_ino_t node, std::size_t size, off_t offset, fuse_file_info*) {
    list(req, node, size, offset, Plus::Yes);
}

// The kernel reads 128 KiB ahead unless told otherwise. A trip to the host costs so much more than its bytes
// that a reader in sequence is better served by few long ones. Best effort: without it everything works,
// slower.
void readFurtherAhead(int root) {
    struct stat info {};
    if (::fstat(root, &info) != 0) {
        return;
    }
    const std::string file = "/sys/class/bdi/" + std::to_string(major(info.st_dev)) + ":" +
                             std::to_string(minor(info.st_dev)) + "/read_ahead_kb";
    const UniqueFd setting(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    const std::string kib = std::to_string(kMaxIo / 1024);
    (void)!::write(setting.get(), kib.data(), kib.size());
}

fuse_lowlevel_ops operations() {
    fuse_lowlevel_ops ops{};
    ops.init = onInit;
    ops.lookup = onLookup;
    ops.forget = onForget;
    ops.forget_multi = onForgetMulti;
    ops.getattr = onGetattr;
    ops.setattr = onSetattr;
    ops.readlink = onReadlink;
    ops.mknod = onMknod;
    ops.mkdir = onMkdir;
    ops.symlink = onSymlink;
    ops.unlink = onUnlink;
    ops.rmdir = onRmdir;
    ops.rename = onRename;
    ops.link = onLink;
    ops.open = onNoOpen;
    ops.opendir = onNoOpen;
    ops.read = onRead;
    ops.write = onWrite;
    ops.fsync = onFsync;
    ops.fsyncdir = onFsync;
    ops.create = onCreate;
    ops.fallocate = onFallocate;
    ops.statfs = onStatfs;
    ops.readdir = onReaddir;
    ops.readdirplus = onReaddirplus;
    return ops;
}

} // namespace

struct FuseServer::Impl {
    Worktree* tree = nullptr;
    std::string mountPoint;
    std::atomic<bool> mounted = false;
    UniqueFd root;    // for syncfs(2)
    dev_t device = 0; // of it: to ask it later may take the host
    fuse_session* session = nullptr;
    std::vector<std::thread> workers;
    std::thread notifier;
    std::mutex mutex;
    std::condition_variable wake;
    KernelNotes notes;
    bool ending = false;

    void serve() {
        fuse_buf buffer{};
        while (fuse_session_exited(session) == 0) {
            const int got = fuse_session_receive_buf(session, &buffer);
            if (got == -EINTR) {
                continue;
            }
            if (got <= 0) {
                break;
            }
            fuse_session_process_buf(session, &buffer);
        }
        ::free(buffer.mem);
    }

    void take(const KernelNote& note) {
        const std::lock_guard lock(mutex);
        notes.add(note);
        wake.notify_one();
    }

    void tell(const KernelNote& note) const {
        switch (note.kind) {
        case KernelNote::Kind::Entry:
            if (tree->mustForget(note.node, note.name)) {
                fuse_lowlevel_notify_inval_entry(session, note.node, note.name.c_str(), note.name.size());
            }
            break;
        case KernelNote::Kind::Attributes:
            fuse_lowlevel_notify_inval_inode(session, note.node, -1, 0);
            break;
        case KernelNote::Kind::Listing:
            fuse_lowlevel_notify_inval_inode(session, note.node, 0, 0);
            break;
        case KernelNote::Kind::Everything:
            break; // notify() looks through it
        }
    }

    void notify() {
        using Which = KernelNotes::Which;
        std::vector<NodeId> all; // still to be told of, once everything may have changed; the last one first
        std::unique_lock lock(mutex);
        while (!ending) {
            const auto now = std::chrono::steady_clock::now();
            const auto note = notes.next(now, all.empty() ? Which::Any : Which::Quick);
            if (!note && all.empty()) {
                if (const auto due = notes.due(now)) {
                    wake.wait_until(lock, *due);
                } else {
                    wake.wait(lock);
                }
                continue;
            }
            lock.unlock();
            if (!note) {
                for (const auto& each : tree->notesOf(all.back())) {
                    tell(each);
                }
                all.pop_back();
            } else if (note->kind == KernelNote::Kind::Everything) {
                all = tree->known();
                std::reverse(all.begin(), all.end());
            } else {
                tell(*note);
            }
            lock.lock();
        }
    }
};

FuseServer::FuseServer(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl)) {}

Result<std::unique_ptr<FuseServer>> FuseServer::mount(Worktree& tree, const std::string& mountPoint,
                                                      unsigned threads) {
    auto impl = std::make_unique<Impl>();
    impl->tree = &tree;
    impl->mountPoint = mountPoint;
    UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (!device) {
        return failErrno("/dev/fuse cannot be opened");
    }
    std::array<char, 160> options{};
    std::snprintf(options.data(), options.size(),
                  "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=%u",
                  device.get(), kMaxIo);
    // The kernel opens without asking us, so only the mount itself can refuse an open for writing.
    const unsigned long readOnly = tree.access() == Access::ReadOnly ? MS_RDONLY : 0;
    if (::mount("carrel", mountPoint.c_str(), "fuse", MS_NOSUID | MS_NODEV | readOnly, options.data()) != 0) {
        return failErrno("The shared folder cannot be mounted");
    }
    std::array<char*, 1> arguments{const_cast<char*>("carrel")};
    fuse_args args = FUSE_ARGS_INIT(1, arguments.data());
    const auto ops = operations();
    impl->session = fuse_session_new(&args, &ops, sizeof ops, &tree);
    fuse_opt_free_args(&args);
    const std::string path = "/dev/fd/" + std::to_string(device.get());
    if (impl->session == nullptr || fuse_session_mount(impl->session, path.c_str()) != 0) {
        ::umount2(mountPoint.c_str(), MNT_DETACH);
        if (impl->session != nullptr) {
            fuse_session_destroy(impl->session);
        }
        return fail(ErrorCode::Internal, "The shared folder cannot be served");
    }
    (void)device.release(); // the session's
    impl->mounted = true;
    auto* raw = impl.get();
    for (unsigned i = 0; i < std::max(threads, 2U); ++i) {
        impl->workers.emplace_back([raw] { raw->serve(); });
    }
    tree.setKernelSink([raw](const KernelNote& note) { raw->take(note); });
    std::unique_ptr<FuseServer> server(new FuseServer(std::move(impl)));
    raw->root.reset(::open(mountPoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!raw->root || ::fstat(raw->root.get(), &info) != 0) {
        return failErrno("The shared folder does not answer");
    }
    raw->device = info.st_dev;
    // From here on, and not before: the kernel knows the root's mode and owner since the open. It drops
    // attributes that it is told to forget while it asks for them, and a root that it knows nothing of is
    // open to nobody (EACCES).
    raw->notifier = std::thread([raw] { raw->notify(); });
    readFurtherAhead(raw->root.get());
    (void)::mount("fusectl", kConnections, "fusectl", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  nullptr); // for flush()
    return server;
}

FuseServer::~FuseServer() {
    m_impl->tree->setKernelSink({});
    m_impl->root.reset();
    fuse_session_exit(m_impl->session);
    unmount();
    {
        const std::lock_guard lock(m_impl->mutex);
        m_impl->ending = true;
        m_impl->wake.notify_all();
    }
    if (m_impl->notifier.joinable()) {
        m_impl->notifier.join();
    }
    for (auto& worker : m_impl->workers) {
        worker.join();
    }
    fuse_session_destroy(m_impl->session);
}

void FuseServer::unmount() {
    // Once: by this name another one may be mounted later.
    if (m_impl->mounted.exchange(false)) {
        // Aborts the connection: every worker's read returns, whoever still stands in the folder gets
        // ENOTCONN.
        ::umount2(m_impl->mountPoint.c_str(), MNT_FORCE);
        ::umount2(m_impl->mountPoint.c_str(), MNT_DETACH);
    }
}

Status FuseServer::flush(std::chrono::milliseconds patience) {
    if (::syncfs(m_impl->root.get()) != 0) {
        return failErrno("Changes in memory cannot be written");
    }
    // Documentation/filesystems/fuse.rst: "waiting" counts requests that wait or are being answered.
    std::string file(kConnections);
    file += '/';
    file += std::to_string(minor(m_impl->device)); // the kernel's own number: the major one of all such is 0
    file += "/waiting";
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        unsigned waiting = 0;
        if (!(std::ifstream(file) >> waiting) || waiting == 0) {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); // nothing tells when it changes
    }
    return {};
}

} // namespace carrel::worktree

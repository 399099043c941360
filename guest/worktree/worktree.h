// SPDX-License-Identifier: Apache-2.0
// The union of one shared folder: what the host has, overlaid by what was done in the guest
// (guest/worktree/DECISION.md). Knows nothing of FUSE's transport: FuseServer carries the kernel's requests
// to it, unit tests call it directly.
//
// Nodes. A node id stands for one folder, or for one version of one file; the kernel's inode. It lives as
// long as its lookups are not forgotten, whatever becomes of its name. It keeps its id over copy-up, rename
// and settle. When the host changes a file that is not staged, its name gets a new node and the old one goes
// on reading the old version.
//
// Staged work is kept in `Options::upper`, a folder of this object alone, and is there again after any crash.
//
// Locks: operations that change structure hold m_ops, also while they ask the host; m_state guards the trees
// and is never held while asking the host. Order: a node's copy lock, m_ops, a node's io lock, m_state.
// Thread: every function from any thread.
#pragma once

#include "guest/protocol/change_report.h"
#include "guest/worktree/lower_client.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <utility>
#include <vector>

namespace carrel::worktree {

using NodeId = std::uint64_t;
inline constexpr NodeId kRoot = 1;

enum class Access { ReadOnly, Review };
enum class Replace { Yes, No, Exchange }; // rename(2): RENAME_NOREPLACE, RENAME_EXCHANGE

struct Options {
    std::string upper; // made if missing
    Access access = Access::Review;
    std::uint32_t ownerUid = 0; // whose the host's files are, in ids of the mount
    std::uint32_t ownerGid = 0;
    // See UpperStore::Settings.
    std::uint64_t longLog = 64 * 1024 * 1024;
    std::chrono::milliseconds durableEvery{5000};
    std::string boot;
};

struct NodeEntry {
    NodeId node = 0; // 0: no such name
    struct stat attr {};
    std::chrono::nanoseconds entryValid{};
    std::chrono::nanoseconds attrValid{};
};

struct Caller {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

struct SetAttr {                       // only what is set
    std::optional<std::uint32_t> mode; // 07777
    std::optional<std::uint32_t> uid, gid;
    std::optional<std::uint64_t> size;
    std::optional<std::int64_t> mtimeNs;
};

struct DirItem {
    std::string name;
    NodeEntry entry; // node 0 unless asked for with Plus::Yes
    std::uint64_t ino = 0;
    std::uint32_t type = 0;   // S_IFMT bits
    std::uint64_t cookie = 0; // go on after this one
};
enum class Plus { No, Yes };

// What the kernel has to forget. Delivered to the sink on any thread, also under locks: queue it and return.
struct KernelNote {
    enum class Kind { Entry, Attributes, Listing, Everything } kind = Kind::Entry;
    NodeId node = 0;     // Entry: the folder
    std::string name;    // Entry
    bool folder = false; // Entry: of a folder, as far as is known
    bool byHost = false; // the host changed something; else a decision, or work in the guest
};

struct ChangeList {
    std::vector<ChangeEntry> entries;
    std::optional<SharePath> next;
    std::uint64_t staged = 0; // in the whole share
};

struct ChangeRef {
    SharePath path;
    std::uint64_t generation = 0;
    std::optional<Left> left = {}; // of a settle: what stands there on the host by it
};

// Staged bytes of one generation, read for review. read() beyond the end gives nothing. finish() says whether
// what was read was that generation throughout; Conflict otherwise. Must not outlive the Worktree.
class ContentReader {
public:
    virtual ~ContentReader() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    [[nodiscard]] virtual Result<Bytes> read(std::uint64_t offset, std::size_t max) = 0;
    [[nodiscard]] virtual Status finish() = 0;
};

class WorktreeImpl;

class Worktree {
public:
    [[nodiscard]] static Result<std::unique_ptr<Worktree>> open(const Options& options,
                                                                std::shared_ptr<LowerClient> lower);
    ~Worktree();
    Worktree(const Worktree&) = delete;
    Worktree& operator=(const Worktree&) = delete;

    // File system operations, with the errors of the system calls they serve. lookup, create, mkdir, mknod,
    // symlink and readdir with Plus::Yes count one lookup for each node they answer with; forget() takes them
    // back.
    [[nodiscard]] SysResult<NodeEntry> lookup(NodeId parent, std::string_view name);
    void forget(NodeId node, std::uint64_t lookups);
    [[nodiscard]] SysResult<NodeEntry> getattr(NodeId node);
    [[nodiscard]] SysResult<NodeEntry> setattr(NodeId node, const SetAttr& set);
    [[nodiscard]] SysResult<std::string> readlink(NodeId node);
    // Gives each entry after `cookie` (0: from the start; "." and ".." not among them) to `take`, until that
    // says false: the entry had no room, and counts no lookup. `take` is called under locks: it must not call
    // anything here.
    using TakeItem = std::function<bool(const DirItem&)>;
    [[nodiscard]] SysStatus readdir(NodeId node, std::uint64_t cookie, Plus plus, const TakeItem& take);
    [[nodiscard]] SysResult<Bytes> read(NodeId node, std::uint64_t offset, std::uint32_t size);
    [[nodiscard]] SysResult<std::size_t> write(NodeId node, std::uint64_t offset, ByteSpan bytes);
    [[nodiscard]] SysResult<NodeEntry> create(NodeId parent, std::string_view name, std::uint32_t mode,
                                              Caller caller);
    [[nodiscard]] SysResult<NodeEntry> mkdir(NodeId parent, std::string_view name, std::uint32_t mode,
                                             Caller caller);
    // S_IFREG, S_IFIFO and S_IFSOCK; EPERM for the rest.
    [[nodiscard]] SysResult<NodeEntry> mknod(NodeId parent, std::string_view name, std::uint32_t mode,
                                             Caller caller);
    [[nodiscard]] SysResult<NodeEntry> symlink(NodeId parent, std::string_view name, std::string_view target,
                                               Caller caller);
    [[nodiscard]] SysStatus unlink(NodeId parent, std::string_view name);
    [[nodiscard]] SysStatus rmdir(NodeId parent, std::string_view name);
    [[nodiscard]] SysStatus rename(NodeId parent, std::string_view name, NodeId newParent,
                                   std::string_view newName, Replace replace);
    [[nodiscard]] SysStatus fallocate(NodeId node, int mode, std::uint64_t offset, std::uint64_t length);
    [[nodiscard]] SysStatus fsync(NodeId node);
    [[nodiscard]] SysResult<struct statvfs> statfs();

    void setKernelSink(std::function<void(const KernelNote&)> sink);
    // Asked before a name is invalidated in the kernel: false when the kernel is right already. A folder's
    // name is not dropped needlessly, because that would take the working directory from under a shell. May
    // ask the host.
    [[nodiscard]] bool mustForget(NodeId parent, std::string_view name);

    // KernelNote::Everything: all nodes that the kernel may know, files before folders, and what there is to tell of
    // one of them.
    [[nodiscard]] std::vector<NodeId> known();
    [[nodiscard]] std::vector<KernelNote> notesOf(NodeId node);

    // Review. The caller has flushed the kernel's dirty pages (FuseServer::flush).
    [[nodiscard]] Result<ChangeList> changes(const SharePath& after, std::size_t limit);
    [[nodiscard]] Result<std::unique_ptr<ContentReader>> content(const SharePath& path,
                                                                 std::uint64_t generation);
    [[nodiscard]] Access access() const;
    // control.h, changes.settle and changes.discard: the paths that were kept.
    [[nodiscard]] Result<std::vector<SharePath>> settle(std::vector<ChangeRef> entries);
    [[nodiscard]] Result<std::vector<SharePath>> discard(std::vector<ChangeRef> entries);
    // Another number whenever what is staged may have changed; 0 while nothing is. Costs nothing to ask.
    [[nodiscard]] std::uint64_t stagedVersion();
    // Makes everything staged durable.
    [[nodiscard]] Status sync();
    // Whoever hashes, lists or reads staged content lets go soon (Unavailable, Conflict), and so of the Worktree.
    void end();
    // Now and then; both cost nothing where there is nothing. tidy() makes durable what was staged seconds ago, and
    // gives the disk back what nobody can reach any more; it asks nobody but the disk. giveBack() lets staged files that
    // say nothing make way for the host's: it hashes and asks the host, so it may take as long as nobody is at the door.
    // On one thread at a time.
    void tidy();
    void giveBack();

private:
    explicit Worktree(std::unique_ptr<WorktreeImpl> impl);
    std::unique_ptr<WorktreeImpl> m_impl;
};

} // namespace carrel::worktree

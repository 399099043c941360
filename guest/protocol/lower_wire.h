// SPDX-License-Identifier: Apache-2.0
// The read-only file protocol between guestd and the clerk: a subset of the FUSE kernel protocol 7.38 (fuse(4),
// linux/fuse.h), one request or reply per message of the share's stream on the files channel. The structs are
// declared here because the header is Linux's own and the host also runs elsewhere.
//
//   INIT        fuse_init_in → fuse_init_out        first on every epoch; major 7; max_write unused
//   LOOKUP      parent node, name NUL → fuse_entry_out
//   GETATTR     fuse_getattr_in → fuse_attr_out
//   READLINK    → text
//   READ        fuse_read_in (fh: see Window, size ≤ kMaxRead) → bytes
//   READDIRPLUS fuse_read_in (offset = cookie, size ≤ kMaxRead) → fuse_direntplus records, 8-byte aligned; as many as there
//               is room for, so that a reply with room left for the longest one (kLongestDirent) is the last
//   STATFS      → fuse_statfs_out
//   FORGET, BATCH_FORGET                            no reply
//   anything else → ENOSYS; what would write → EROFS
//   notifications (unique 0, error = code): INVAL_INODE {node, off, len}, INVAL_ENTRY {parent, namelen, flags}+name NUL
//
// Window: the guest may have memory that the host can write to (WindowSpec of hypervisor/api/machine_spec.h). A READ or
// READDIRPLUS whose `fh` is not 0 offers the part of it that begins at byte fh - 1 and is `size` long: the clerk may put the bytes there, and answers
// with error kInWindow and a WindowOut; or it answers as without. The guest leaves that part alone until the answer is there,
// or a new epoch has begun: then it sends the request again, or has given it up and uses that part for another. So who begins
// an epoch writes nothing any more for what was asked before it: a clerk lets go of the channel and of the window in one turn
// (detach), or with its process, before another can have the channel, and one that begins anew on its own drops what waits
// before it takes the first request. Nothing goes through the window from the guest to the host, so there is nothing in it that
// the host would have to believe.
//
// Node 1 is the share's root. A node is one version of one file (or a folder): ids are never used twice while
// the VM runs, and survive a change of clerk. When a file changes on the host the clerk notifies INVAL_ENTRY for its
// name; the next LOOKUP answers with another node. The old node still reads its old content where the host kept it (a
// replaced file), else ESTALE; never a mixture. In fuse_attr, ino, size, mtime and ctime are the host's own: together
// they are the BaseVersion of change_report.h. uid and gid are 0. Special files (sockets, FIFOs, devices) and hidden
// names are not shown. A folder's version does not matter: a folder keeps its node while it is the same inode.
// A node is found by way of the folders that it was looked up in: the guest forgets none of them before the node, or gets
// ESTALE for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::lower {

inline constexpr std::uint32_t kProtocolMajor = 7;
inline constexpr std::uint32_t kProtocolMinor = 38;
inline constexpr std::uint32_t kMaxRead = 1024 * 1024;
inline constexpr std::uint64_t kRootNode = 1;

enum class Opcode : std::uint32_t {
    Lookup = 1, Forget = 2, Getattr = 3, Setattr = 4, Readlink = 5, Symlink = 6, Mknod = 8, Mkdir = 9, Unlink = 10,
    Rmdir = 11, Rename = 12, Link = 13, Open = 14, Read = 15, Write = 16, Statfs = 17, Release = 18, Fsync = 20,
    Setxattr = 21, Getxattr = 22, Listxattr = 23, Removexattr = 24, Flush = 25, Init = 26, Opendir = 27, Readdir = 28,
    Releasedir = 29, Fsyncdir = 30, Access = 34, Create = 35, Interrupt = 36, Destroy = 38, BatchForget = 42,
    Fallocate = 43, Readdirplus = 44, Rename2 = 45,
};

enum class Notify : std::int32_t { InvalInode = 2, InvalEntry = 3 };

struct InHeader { std::uint32_t len, opcode; std::uint64_t unique, nodeid; std::uint32_t uid, gid, pid; std::uint16_t totalExtlen, padding; };
struct OutHeader { std::uint32_t len; std::int32_t error; std::uint64_t unique; };
struct Attr { std::uint64_t ino, size, blocks, atime, mtime, ctime; std::uint32_t atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags; };
struct EntryOut { std::uint64_t nodeid, generation, entryValid, attrValid; std::uint32_t entryValidNsec, attrValidNsec; Attr attr; };
struct AttrOut { std::uint64_t attrValid; std::uint32_t attrValidNsec, dummy; Attr attr; };
struct GetattrIn { std::uint32_t getattrFlags, dummy; std::uint64_t fh; };
struct ReadIn { std::uint64_t fh, offset; std::uint32_t size, readFlags; std::uint64_t lockOwner; std::uint32_t flags, padding; };
inline constexpr std::int32_t kInWindow = 1;
struct WindowOut { std::uint32_t size; };
struct InitIn { std::uint32_t major, minor, maxReadahead, flags, flags2, unused[11]; };
struct InitOut { std::uint32_t major, minor, maxReadahead, flags; std::uint16_t maxBackground, congestionThreshold; std::uint32_t maxWrite, timeGran; std::uint16_t maxPages, mapAlignment; std::uint32_t flags2, unused[7]; };
struct Dirent { std::uint64_t ino, off; std::uint32_t namelen, type; };
struct DirentPlus { EntryOut entry; Dirent dirent; };
inline constexpr std::size_t kLongestDirent = (sizeof(DirentPlus) + 255 + 7) / 8 * 8;
struct ForgetIn { std::uint64_t nlookup; };
struct ForgetOne { std::uint64_t nodeid, nlookup; };
struct BatchForgetIn { std::uint32_t count, dummy; };
struct StatfsOut { std::uint64_t blocks, bfree, bavail, files, ffree; std::uint32_t bsize, namelen, frsize, padding, spare[6]; };
struct NotifyInvalInodeOut { std::uint64_t ino; std::int64_t off, len; };
struct NotifyInvalEntryOut { std::uint64_t parent; std::uint32_t namelen, flags; };

static_assert(sizeof(InHeader) == 40 && sizeof(OutHeader) == 16 && sizeof(Attr) == 88 && sizeof(EntryOut) == 128);
static_assert(sizeof(AttrOut) == 104 && sizeof(ReadIn) == 40 && sizeof(InitIn) == 64 && sizeof(InitOut) == 64);
static_assert(sizeof(Dirent) == 24 && sizeof(DirentPlus) == 152 && sizeof(StatfsOut) == 80);

} // namespace carrel::lower

// SPDX-License-Identifier: Apache-2.0
#include "app/files/tree.h"

#include "app/files/flush.h"
#include "guest/protocol/disk_names.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace carrel::files {

namespace {

constexpr std::size_t kMaxXattrBytes = 64 * 1024; // of all names and of each value; XATTR_SIZE_MAX
constexpr std::uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t kToFolder = kResolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
constexpr const char* kAnotherDisk = "another disk is mounted where its folder was, and is no part of the shared folder";
constexpr const char* kDiskItself = "another disk is mounted there, and is no part of the shared folder";

UniqueFd openBeneath(int root, const std::string& path, int flags, std::uint64_t resolve) {
    struct open_how how {};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = resolve;
    const char* name = path.empty() ? "." : path.c_str();
    for (int attempt = 0; attempt < 16; ++attempt) {
        const auto fd = static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how));
        // EAGAIN: a rename elsewhere raced with the walk, openat2(2) says to try again.
        if (fd >= 0 || errno != EAGAIN) {
            return UniqueFd(fd);
        }
    }
    return UniqueFd();
}

// security.* and system.* other than ACLs belong to the system, which sets them itself.
bool isTheUsers(const std::string& attribute) {
    return attribute.starts_with("user.") || attribute.starts_with("system.posix_acl_");
}

Status readXattrs(int fd, NodeState& state) {
    ssize_t length = ::flistxattr(fd, nullptr, 0);
    if (length == 0) {
        return {}; // most files have none, and are many
    }
    std::string names(kMaxXattrBytes, '\0');
    length = length < 0 ? length : ::flistxattr(fd, names.data(), names.size());
    if (length < 0) {
        return errno == ENOTSUP ? Status{} : Status(failErrno("cannot read the file's attributes"));
    }
    std::string value(kMaxXattrBytes, '\0');
    for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
        const std::string name(names.c_str() + at);
        at += name.size() + 1;
        const ssize_t got = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
        if (got < 0) {
            if (errno == ENODATA || ((errno == EPERM || errno == EACCES) && !isTheUsers(name))) {
                continue; // gone meanwhile, or the system's own
            }
            return failErrno("cannot read the file's attributes");
        }
        state.xattrs[name] = value.substr(0, static_cast<std::size_t>(got));
    }
    return {};
}

Status writeXattrs(int fd, const std::map<std::string, std::string>& xattrs) {
    for (const auto& [name, value] : xattrs) {
        if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) {
            if (isTheUsers(name)) {
                return failErrno("cannot set the attribute " + name);
            }
        }
    }
    return {};
}

// What a new file was given by its folder (acl(5), default entries) and what it takes the place of has not: another account
// would be let in by it.
Status removeOthers(int fd, const Attributes& wanted) {
    NodeState made;
    CARREL_TRY(readXattrs(fd, made));
    for (const auto& [name, value] : usersAttributes(made.xattrs)) {
        if (!wanted.contains(name) && ::fremovexattr(fd, name.c_str()) != 0 && errno != ENODATA) {
            return failErrno("cannot remove the attribute " + name);
        }
    }
    return {};
}

Status setTime(int fd, std::int64_t ns) {
    const timespec times[2] = {{0, UTIME_OMIT}, toTimespec(ns)};
    if (::futimens(fd, times) != 0) {
        return failErrno("cannot set the time of a file");
    }
    return {};
}

Error writeError(std::string doing, int number) {
    Error error = errnoError(std::move(doing), number);
    if (number == ENOSPC || number == EDQUOT) {
        error.hint =
            "Free some space on the disk of the shared folder, then apply again; the file was left as it was";
    } else if (number == EINVAL || number == ENOSYS) {
        error.code = ErrorCode::Unsupported;
        error.message = "this folder's file system cannot replace or place a file in one safe step";
        error.hint = "Move the folder to a disk with a Linux file system (ext4, xfs, btrfs)";
    } else if (number == EEXIST) {
        error.code = ErrorCode::AlreadyExists;
    } else if (number == ENOTEMPTY) {
        error.code = ErrorCode::Conflict;
        error.message = "the folder holds files that are not part of the change";
    } else if (number == ENOENT) {
        error.code = ErrorCode::NotFound;
    } else if (number == EXDEV) {
        error.message = "its new place is on another disk than its old one, and such a move is not one safe step";
        error.hint = "Have the agent make a copy and delete the old one, or move it yourself";
    } else if (number == EBUSY) {
        error.message = "a disk is mounted there, or the system uses it";
    }
    return error;
}

NodeKind kindOf(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return NodeKind::File;
    case S_IFDIR:
        return NodeKind::Directory;
    case S_IFLNK:
        return NodeKind::Symlink;
    default:
        return NodeKind::Other;
    }
}

// Every name on the way is listed as it is written, and the last one, if anything is there by it.
Status checkNames(int root, const SharePath& path, ListedNames* known) {
    UniqueFd at(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto names = path.components();
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string name(names[i]);
        struct stat st {};
        if (at && ::fstatat(at.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
            return {}; // nobody's
        }
        if (!at) {
            return failErrno("cannot open the folder it belongs in");
        }
        const auto listed = known != nullptr ? known->lists(at.get(), name) : lists(at.get(), name);
        if (!listed) {
            return fail(listed.error());
        }
        if (!*listed) {
            return fail(ErrorCode::Conflict, "this disk takes its name, or that of a folder it is in, for another one's");
        }
        if (i + 1 < names.size()) {
            at = openBeneath(at.get(), name, O_RDONLY | O_DIRECTORY, kToFolder);
        }
    }
    return {};
}

} // namespace

Attributes usersAttributes(const Attributes& all) {
    Attributes out;
    std::copy_if(all.begin(), all.end(), std::inserter(out, out.end()), [](const auto& each) { return isTheUsers(each.first); });
    return out;
}

Attributes withChanges(Attributes wanted, const Attributes& before, const Attributes& now) {
    for (const auto& [name, value] : usersAttributes(now)) {
        const auto was = before.find(name);
        if (was == before.end() || was->second != value) {
            wanted[name] = value;
        }
    }
    for (const auto& [name, value] : usersAttributes(before)) {
        if (!now.contains(name)) {
            wanted.erase(name);
        }
    }
    return wanted;
}

bool isOurs(const Place& place) {
    struct stat st {};
    return ::fstatat(place.parent.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_uid == ::geteuid();
}

bool mayGiveTo(std::uint32_t group) {
    if (::geteuid() == 0 || ::getegid() == group) {
        return true;
    }
    std::vector<gid_t> mine(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    const int count = ::getgroups(static_cast<int>(mine.size()), mine.data());
    return count > 0 && std::find(mine.begin(), mine.begin() + count, group) != mine.begin() + count;
}

Result<Place> pin(int root, const SharePath& path, ListedNames* names) {
    Place place;
    place.name = std::string(path.name());
    place.parent = openBeneath(root, path.parent().text(), O_RDONLY | O_DIRECTORY, kToFolder);
    if (!place.parent) {
        const int number = errno;
        if (number == ENOENT) {
            return fail(ErrorCode::NotFound, "the folder it belongs in is not there");
        }
        if (number == EXDEV) {
            return fail(ErrorCode::Conflict, kAnotherDisk);
        }
        if (number == ELOOP || number == ENOTDIR) {
            return fail(ErrorCode::Conflict, "a link or a file now stands where its folder was");
        }
        return failErrno("cannot open the folder it belongs in", number);
    }
    if (!hasOnlyListedNames(root)) {
        CARREL_TRY(checkNames(root, path, names));
    }
    return place;
}

Result<UniqueFd> openFolder(const Place& place) {
    UniqueFd fd = openBeneath(place.parent.get(), place.name, O_RDONLY | O_DIRECTORY, kToFolder);
    if (!fd) {
        return errno == EXDEV ? fail(ErrorCode::Conflict, kAnotherDisk) : failErrno("cannot look into the folder");
    }
    return fd;
}

Result<UniqueFd> openFile(const Place& place) {
    // O_NONBLOCK: never hang on a FIFO that took the file's place between two looks.
    UniqueFd fd = openBeneath(place.parent.get(), place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                              kResolve | RESOLVE_NO_XDEV);
    if (!fd) {
        return errno == EXDEV ? fail(ErrorCode::Conflict, kDiskItself) : failErrno("cannot read the file");
    }
    return fd;
}

namespace {

// The folder that it is mounted on is hidden by it; a single file can be mounted on, too. Linux 5.8, statx(2).
bool isMountedOn(const Place& place) {
    struct statx stx {};
    return ::statx(place.parent.get(), place.name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &stx) == 0 &&
           (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

} // namespace

Result<NodeState> observe(const Place& place, LookAt what) {
    struct stat st {};
    if (::fstatat(place.parent.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) {
            return NodeState{};
        }
        return failErrno("cannot look at the file");
    }
    if (isMountedOn(place)) {
        return fail(ErrorCode::Conflict, kDiskItself);
    }
    const auto fill = [&](NodeState& state) {
        state.kind = kindOf(st.st_mode);
        state.mode = state.kind == NodeKind::Symlink ? 0 : st.st_mode & 07777U;
        state.mtimeNs = toNs(st.st_mtim);
        state.ctimeNs = toNs(st.st_ctim);
        const bool sized = state.kind == NodeKind::File || state.kind == NodeKind::Symlink;
        state.size = sized ? static_cast<std::uint64_t>(st.st_size) : 0;
        state.inode = st.st_ino;
        state.links = st.st_nlink;
    };
    NodeState state;
    fill(state);
    if (state.kind == NodeKind::Symlink) {
        std::string text(kMaxPathBytes + 1, '\0');
        const ssize_t got = ::readlinkat(place.parent.get(), place.name.c_str(), text.data(), text.size());
        if (got < 0) {
            return failErrno("cannot read the link");
        }
        state.linkTarget = text.substr(0, static_cast<std::size_t>(got));
        return state;
    }
    const bool opens = (state.kind == NodeKind::File && what != LookAt::Names) ||
                       (state.kind == NodeKind::Directory && what == LookAt::ContentAndXattrs);
    if (!opens) {
        return state;
    }
    auto fd = openFile(place);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    if (::fstat(fd->get(), &st) != 0) {
        return failErrno("cannot look at the file");
    }
    fill(state);
    if (state.kind == NodeKind::File) {
        // No further than it reached a moment ago: one that is written to without end would be hashed without end.
        auto hashed = hashFile(fd->get(), state.size);
        if (!hashed && hashed.error().code == ErrorCode::LimitExceeded) {
            return fail(ErrorCode::Conflict, "it is being written to at this moment");
        }
        if (!hashed) {
            return fail(std::move(hashed).error());
        }
        state.content = hashed->sha256;
        state.size = hashed->size;
    }
    if (what == LookAt::ContentAndXattrs) {
        state.gid = st.st_gid;
        CARREL_TRY(readXattrs(fd->get(), state));
    }
    return state;
}

Result<std::uint64_t> inodeOf(const Place& place) {
    struct stat st {};
    if (::fstatat(place.parent.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return st.st_ino;
    }
    // Only this one says that nothing is there: a lost permission or a broken disk says nothing at all.
    return errno == ENOENT ? Result<std::uint64_t>(0) : failErrno("cannot look at the file");
}

bool matches(const NodeState& actual, const NodeState& expected) {
    return actual.kind == expected.kind && difference(actual, expected).empty();
}

std::string difference(const NodeState& actual, const NodeState& expected) {
    if (actual.kind != expected.kind) {
        if (actual.kind == NodeKind::Absent) {
            return "it is no longer there";
        }
        if (expected.kind == NodeKind::Absent) {
            return "something of that name is there already";
        }
        return "a " + std::string(toString(actual.kind)) + " stands there now, not a " +
               std::string(toString(expected.kind));
    }
    if (actual.kind == NodeKind::File && actual.content != expected.content) {
        return "its content is another one now";
    }
    if (actual.kind == NodeKind::File && actual.mode != expected.mode) {
        return "its permissions are others now";
    }
    if (actual.kind == NodeKind::Symlink && actual.linkTarget != expected.linkTarget) {
        return "the link leads elsewhere now";
    }
    return {};
}

bool staysInside(int root, const SharePath& link, std::string_view target) {
    if (target.empty() || target.front() == '/') {
        return false;
    }
    SharePath at = link.parent();
    bool wentDown = false;
    while (!target.empty()) {
        const auto slash = target.find('/');
        const auto part = target.substr(0, slash);
        target = slash == std::string_view::npos ? std::string_view() : target.substr(slash + 1);
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            // After a name, ".." depends on what that name is when somebody follows the link.
            if (wentDown || at.isRoot()) {
                return false;
            }
            at = at.parent();
            continue;
        }
        wentDown = true;
        auto next = at.child(part);
        if (!next) {
            return false;
        }
        at = std::move(*next);
    }
    if (root < 0) {
        return true;
    }
    // Through the user's own links it might still lead out: the kernel's answer counts.
    const UniqueFd there = openBeneath(root, at.text(), O_PATH, kResolve);
    return there || (errno != EXDEV && errno != ELOOP);
}

bool nobodyWrites(int fd) {
    if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        ::fcntl(fd, F_SETLEASE, F_UNLCK);
        return true;
    }
    return errno != EAGAIN; // other errors: this file system has no leases
}

Status TreeWriter::ask(std::string_view step, std::string_view path, std::string_view doing) {
    if (m_hook != nullptr) {
        if (const int number = m_hook->before(step, path); number != 0) {
            return fail(writeError(std::string(doing), number));
        }
    }
    return {};
}

Status TreeWriter::fill(int fd, const std::string& name, const NodeState& want, const Place* keepFrom,
                        Xattrs xattrs) {
    if (want.kind == NodeKind::File) {
        CARREL_TRY(ask("stage.write", name, "cannot write the new file"));
        CARREL_TRY(m_store->copyTo(*want.content, fd));
    }
    NodeState attributes = want;
    if (keepFrom == nullptr && xattrs == Xattrs::Exact && want.gid && mayGiveTo(*want.gid)) {
        if (::fchown(fd, static_cast<uid_t>(-1), *want.gid) != 0) {
            return failErrno("cannot give the file back to its group");
        }
    }
    if (keepFrom != nullptr) {
        const auto old = openFile(*keepFrom);
        if (!old) {
            return fail(old.error());
        }
        struct stat theirs {};
        struct stat ours {};
        if (::fstat(old->get(), &theirs) != 0 || ::fstat(fd, &ours) != 0) {
            return failErrno("cannot look at the file");
        }
        if (theirs.st_gid != ours.st_gid && ::fchown(fd, static_cast<uid_t>(-1), theirs.st_gid) != 0) {
            return failErrno("cannot give the new file the old one's group");
        }
        if (xattrs == Xattrs::Keep) {
            CARREL_TRY(readXattrs(old->get(), attributes));
        }
    }
    CARREL_TRY(ask("stage.attributes", name, "cannot set the new file's attributes"));
    CARREL_TRY(writeXattrs(fd, attributes.xattrs));
    if (keepFrom != nullptr || xattrs == Xattrs::Exact) {
        CARREL_TRY(removeOthers(fd, attributes.xattrs));
    }
    if (::fchmod(fd, want.mode) != 0) { // after the ACL: the mode is what was reviewed
        return failErrno("cannot set the new file's permissions");
    }
    return setTime(fd, want.mtimeNs);
}

Status TreeWriter::flush(std::span<const Staged> staged) {
    std::vector<int> files;
    for (const auto& each : staged) {
        if (each.fd) {
            CARREL_TRY(ask("stage.flush", each.name, "cannot flush the new file"));
            files.push_back(each.fd.get());
        }
    }
    if (const int number = flushTogether(files); number != 0) {
        return fail(writeError("cannot flush the new file", number));
    }
    return {};
}

Result<TreeWriter::Staged> TreeWriter::stage(const Place& place, const std::string& name,
                                             const NodeState& want, const Place* keepFrom, Xattrs xattrs) {
    const int parent = place.parent.get();
    CARREL_TRY(ask("stage.create", name, "cannot make the new file"));
    if (want.kind == NodeKind::Symlink) {
        if (::symlinkat(want.linkTarget.c_str(), parent, name.c_str()) != 0) {
            return fail(writeError("cannot make the link", errno));
        }
        const timespec times[2] = {{0, UTIME_OMIT}, toTimespec(want.mtimeNs)};
        (void)::utimensat(parent, name.c_str(), times,
                          AT_SYMLINK_NOFOLLOW); // a link's time is worth no failure
        struct stat st {};
        if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
            return failErrno("cannot look at the new link");
        }
        return Staged{name, st.st_ino, {}, {}};
    }
    if (want.kind == NodeKind::Directory && ::mkdirat(parent, name.c_str(), 0700) != 0) {
        return fail(writeError("cannot make the folder", errno));
    }
    const int flags = want.kind == NodeKind::Directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;
    UniqueFd fd(::openat(parent, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) {
        return fail(writeError("cannot make the new file", errno));
    }
    CARREL_TRY(fill(fd.get(), name, want, keepFrom, xattrs));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) {
        return failErrno("cannot look at the new file");
    }
    NodeState made;
    CARREL_TRY(readXattrs(fd.get(), made)); // its folder may have given it some
    // vfat and its like take fchmod(2) and change nothing. All that they hold looks so, whatever was reviewed.
    const std::uint32_t mode = st.st_mode & 07777U;
    return Staged{name, st.st_ino, std::move(fd), usersAttributes(made.xattrs),
                  ((mode ^ want.mode) & 0777U) == 0 ? std::nullopt : std::optional(mode)};
}

Status TreeWriter::moveNew(const Place& from, const std::string& fromName, const Place& to,
                           const std::string& toName) {
    CARREL_TRY(ask("rename", toName, "cannot put the file in its place"));
    if (::renameat2(from.parent.get(), fromName.c_str(), to.parent.get(), toName.c_str(), RENAME_NOREPLACE) !=
        0) {
        return fail(writeError("cannot put the file in its place", errno));
    }
    return {};
}

Status TreeWriter::exchange(const Place& a, const std::string& aName, const Place& b, const std::string& bName) {
    CARREL_TRY(ask("exchange", bName, "cannot replace the file"));
    if (::renameat2(a.parent.get(), aName.c_str(), b.parent.get(), bName.c_str(), RENAME_EXCHANGE) != 0) {
        return fail(writeError("cannot replace the file", errno));
    }
    return {};
}

Status TreeWriter::unlink(const Place& place, const std::string& name) {
    CARREL_TRY(ask("unlink", name, "cannot remove the file"));
    if (::unlinkat(place.parent.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
        return fail(writeError("cannot remove the file", errno));
    }
    return {};
}

Status TreeWriter::removeFolder(const Place& place, const std::string& name) {
    CARREL_TRY(ask("rmdir", name, "cannot remove the folder"));
    if (::unlinkat(place.parent.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return fail(writeError("cannot remove the folder", errno));
    }
    return {};
}

Status TreeWriter::setMode(const Place& place, std::uint64_t inode, std::uint32_t mode) {
    auto fd = openFile(place);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    struct stat st {};
    if (::fstat(fd->get(), &st) != 0) {
        return failErrno("cannot look at the file");
    }
    if (st.st_ino != inode) {
        return fail(ErrorCode::Conflict, "something else stands there by now");
    }
    CARREL_TRY(ask("chmod", place.name, "cannot set the permissions"));
    if (::fchmod(fd->get(), mode) != 0) {
        return fail(writeError("cannot set the permissions", errno));
    }
    CARREL_TRY(ask("chmod.flush", place.name, "cannot flush the permissions"));
    if (::fsync(fd->get()) != 0) {
        return fail(writeError("cannot flush the permissions", errno));
    }
    return {};
}

Status TreeWriter::setFolderTime(int folder, std::int64_t ns, std::string_view path) {
    CARREL_TRY(ask("folder.time", path, "cannot set the time of a folder"));
    return setTime(folder, ns);
}

Status TreeWriter::flush(const Place& place) {
    CARREL_TRY(ask("folder.flush", place.name, "cannot flush the folder"));
    if (::fsync(place.parent.get()) != 0) {
        return fail(writeError("cannot flush the folder", errno));
    }
    return {};
}

} // namespace carrel::files

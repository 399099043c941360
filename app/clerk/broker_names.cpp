// SPDX-License-Identifier: Apache-2.0
// Names, attributes, links and listings. Every request walks from the root again: a folder that the user
// moved out of the share is not followed there, as a descriptor would.
#include "app/clerk/broker_impl.h"
#include "guest/protocol/disk_names.h"
#include "guest/protocol/file_time.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>

namespace carrel::clerk {

namespace {

// What a failed walk to a known node means to the guest.
int walkError(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP: // a link stands where a folder was
    case ENXIO: // a socket or a FIFO where a file was
    case ENODEV:
        return ESTALE;
    case EXDEV: // something is mounted there
    case EPERM:
    case EACCES:
        return EACCES;
    case ENAMETOOLONG:
        return ENAMETOOLONG;
    case EMFILE:
    case ENFILE:
        return ENFILE;
    default:
        return EIO;
    }
}

void setValidity(lower::EntryOut& out, std::chrono::seconds validity) {
    out.entryValid = static_cast<std::uint64_t>(validity.count());
    out.attrValid = out.entryValid;
}

// A file known by several names changes without a word to the folder of this one.
bool mayChangeUnseen(const struct stat& info) {
    return S_ISREG(info.st_mode) && info.st_nlink > 1;
}

} // namespace

std::chrono::seconds ShareBroker::Impl::validity(bool watched, const struct stat& info) const {
    return watched && !mayChangeUnseen(info) ? kWatchedValidity : kUnwatchedValidity;
}

bool ShareBroker::Impl::isHidden(const Names& names, std::string_view name) const {
    return !options.hidden.empty() && hidden.hides(joined(names), name);
}

OrErrno<ShareBroker::Impl::Located> ShareBroker::Impl::locate(NodeId id) const {
    Located at;
    if (id == lower::kRootNode) {
        at.node.id = id;
        at.node.type = NodeType::Directory;
        return at;
    }
    auto node = table.find(id);
    auto names = table.path(id);
    if (!node || !names || (node->flags & kNodeStale) != 0) {
        return tl::unexpected(ESTALE);
    }
    // The former clerk may have hidden less.
    if (!options.hidden.empty()) {
        Names above;
        for (const std::string& name : *names) {
            if (isHidden(above, name)) {
                return tl::unexpected(ESTALE);
            }
            above.push_back(name);
        }
    }
    at.node = std::move(*node);
    at.names = std::move(*names);
    return at;
}

OrErrno<UniqueFd> ShareBroker::Impl::openAt(const Names& names, int flags) {
    auto fd = folder.open(names, flags);
    if (!fd && (fd.error() == EMFILE || fd.error() == ENFILE)) {
        open.closeHalf();
        fd = folder.open(names, flags);
    }
    return fd ? std::move(fd) : tl::unexpected(walkError(fd.error()));
}

OrErrno<ShareBroker::Impl::OpenFolder> ShareBroker::Impl::openFolder(NodeId id, int flags) {
    auto at = locate(id);
    if (!at) {
        return tl::unexpected(at.error());
    }
    if (at->node.type != NodeType::Directory) {
        return tl::unexpected(ENOTDIR);
    }
    auto fd = openAt(at->names, flags | O_DIRECTORY);
    if (!fd) {
        return tl::unexpected(fd.error());
    }
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) {
        return tl::unexpected(EIO);
    }
    if (id != lower::kRootNode && (info.st_dev != at->node.device || info.st_ino != at->node.version.inode)) {
        return tl::unexpected(ESTALE);
    }
    OpenFolder out{std::move(*at), std::move(*fd), false};
    out.watched = ensureWatched(id, out.fd.get()); // before anything in it is looked at
    return out;
}

bool ShareBroker::Impl::ensureWatched(NodeId id, int fd) {
    if (!watcher) {
        return false;
    }
    const WatchOutcome outcome = watcher->watch(id, fd);
    noticeOnce(outcome);
    return outcome == WatchOutcome::Watched;
}

OrErrno<lower::EntryOut> ShareBroker::Impl::entry(const OpenFolder& in, std::string_view name,
                                                  const struct stat& info) {
    const auto type = nodeTypeOf(info);
    if (!type) {
        return tl::unexpected(ENOENT);
    }
    auto id = table.remember(in.at.node.id, name, *type, info.st_dev, versionOf(info));
    if (!id) {
        return tl::unexpected(id.error().code == ErrorCode::LimitExceeded ? ENFILE : EIO);
    }
    table.setFlags(*id, kNodeEntryHandedOut);
    lower::EntryOut out{};
    out.nodeid = *id;
    out.attr = attrOf(info);
    setValidity(out, validity(in.watched, info));
    return out;
}

int ShareBroker::Impl::mayServe(const OpenFolder& in, std::string_view name, const struct stat& info) {
    if (!hasOtherNames) {
        return 0;
    }
    // Served by that name before, and listed then. Networks are among these disks, and a listing may be long.
    const auto id = table.current(in.at.node.id, name);
    const auto node = id ? table.find(*id) : std::nullopt;
    if (node && node->device == info.st_dev && node->version.inode == info.st_ino) {
        return 0;
    }
    auto listed = lists(in.fd.get(), name);
    if (!listed && (listed.error().sysErrno == EMFILE || listed.error().sysErrno == ENFILE)) {
        open.closeHalf();
        listed = lists(in.fd.get(), name);
    }
    return !listed ? listed.error().sysErrno : *listed ? 0 : ENOENT;
}

Bytes ShareBroker::Impl::lookup(const Request& request) {
    const std::uint64_t unique = request.header.unique;
    const auto name = bodyAsName(request);
    if (name && name->size() > kMaxNameBytes) {
        return errorReply(unique, ENAMETOOLONG);
    }
    if (!name || !isValidName(*name)) {
        return errorReply(unique, EINVAL);
    }
    const auto in = openFolder(request.header.nodeid, O_PATH);
    if (!in) {
        return errorReply(unique, in.error());
    }
    struct stat info {};
    int error = ENOENT;
    if (!isHidden(in->at.names, *name)) {
        const std::string text(*name);
        error = ::fstatat(in->fd.get(), text.c_str(), &info, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0
                    ? 0
                    : errno;
    }
    if (error == 0) {
        error = mayServe(*in, *name, info);
    }
    if (error == 0) {
        const auto out = entry(*in, *name, info);
        if (out) {
            return structReply(unique, *out);
        }
        error = out.error();
    }
    if (error == ENOENT) {
        lower::EntryOut none{};
        setValidity(none, in->watched ? kWatchedValidity : kUnwatchedValidity);
        return structReply(unique, none);
    }
    return errorReply(unique, error == EACCES || error == ENFILE ? error : EIO);
}

// The node's own version as it is now, or ESTALE.
OrErrno<struct stat> ShareBroker::Impl::versionedStat(const Located& at) {
    struct stat info {};
    const auto fd = openAt(at.names, O_PATH);
    if (fd && ::fstat(fd->get(), &info) == 0 && nodeTypeOf(info) == at.node.type &&
        info.st_dev == at.node.device && versionOf(info) == at.node.version) {
        return info;
    }
    if (!fd && fd.error() != ESTALE) {
        return tl::unexpected(fd.error());
    }
    if (OpenFiles::File* file = open.find(at.node.id); file != nullptr) {
        if (::fstat(file->fd.get(), &info) == 0 && stillHolds(*file, at.node.version, info)) {
            info.st_ctim = toTimespec(at.node.version.ctimeNs);
            return info;
        }
    }
    return tl::unexpected(ESTALE);
}

OrErrno<lower::AttrOut> ShareBroker::Impl::attributes(NodeId id) {
    const auto at = locate(id);
    if (!at) {
        return tl::unexpected(at.error());
    }
    struct stat info {};
    bool watched = watcher && watcher->isWatched(at->node.parent);
    if (at->node.type == NodeType::Directory) {
        const auto in = openFolder(id, O_PATH);
        if (!in) {
            return tl::unexpected(in.error());
        }
        if (::fstat(in->fd.get(), &info) != 0) {
            return tl::unexpected(EIO);
        }
        watched = in->watched;
    } else {
        const auto now = versionedStat(*at);
        if (!now) {
            return tl::unexpected(now.error());
        }
        info = *now;
    }
    lower::AttrOut out{};
    out.attr = attrOf(info);
    out.attrValid = static_cast<std::uint64_t>(validity(watched, info).count());
    return out;
}

Bytes ShareBroker::Impl::getattr(const Request& request) {
    if (!bodyAs<lower::GetattrIn>(request)) {
        return errorReply(request.header.unique, EINVAL);
    }
    const auto out = attributes(request.header.nodeid);
    return out ? structReply(request.header.unique, *out) : errorReply(request.header.unique, out.error());
}

Bytes ShareBroker::Impl::readlink(const Request& request) {
    const std::uint64_t unique = request.header.unique;
    if (!request.body.empty()) {
        return errorReply(unique, EINVAL);
    }
    const auto at = locate(request.header.nodeid);
    if (!at) {
        return errorReply(unique, at.error());
    }
    if (at->node.type != NodeType::Symlink) {
        return errorReply(unique, EINVAL);
    }
    const auto fd = openAt(at->names, O_PATH);
    struct stat info {};
    if (!fd) {
        return errorReply(unique, fd.error());
    }
    // A link cannot be written in place, so one look suffices.
    if (::fstat(fd->get(), &info) != 0 || nodeTypeOf(info) != NodeType::Symlink ||
        info.st_dev != at->node.device || versionOf(info) != at->node.version) {
        return errorReply(unique, ESTALE);
    }
    Bytes reply = startReply(kMaxPathBytes + 1);
    auto* text = reinterpret_cast<char*>(reply.data() + sizeof(lower::OutHeader));
    const ssize_t length = ::readlinkat(fd->get(), "", text, kMaxPathBytes + 1);
    if (length < 0) {
        return errorReply(unique, EIO);
    }
    reply.resize(sizeof(lower::OutHeader) + static_cast<std::size_t>(length));
    finishReply(reply, unique);
    return reply;
}

OrErrno<std::shared_ptr<const FolderListing>> ShareBroker::Impl::listing(const OpenFolder& in,
                                                                         std::uint64_t cookie) {
    const NodeId id = in.at.node.id;
    if (cookie != 0) {
        if (auto kept = listings.find(id); kept) {
            return kept;
        }
    }
    auto fresh = FolderListing::read(in.fd.get());
    if (!fresh && (fresh.error() == EMFILE || fresh.error() == ENFILE)) {
        open.closeHalf();
        fresh = FolderListing::read(in.fd.get());
    }
    if (!fresh) {
        const int error = fresh.error();
        return tl::unexpected(error == EACCES || error == EOVERFLOW || error == ENFILE ? error : EIO);
    }
    auto shared = std::make_shared<const FolderListing>(std::move(*fresh));
    listings.put(id, shared);
    return shared;
}

ShareBroker::Impl::Append ShareBroker::Impl::appendEntry(Bytes& reply, std::size_t most, const OpenFolder& in,
                                                         const FolderListing& list, std::size_t i) {
    constexpr std::size_t kAlign = 8;
    const std::string name(list.name(i));
    const std::size_t record = (sizeof(lower::DirentPlus) + name.size() + kAlign - 1) / kAlign * kAlign;
    if (reply.size() + record > most) {
        return Append::Full;
    }
    if (isHidden(in.at.names, name)) {
        return Append::Skipped;
    }
    lower::DirentPlus plus{};
    plus.dirent = {list.entry(i).inode, list.entry(i).cookie, static_cast<std::uint32_t>(name.size()),
                   list.entry(i).kind};
    struct stat info {};
    if (::fstatat(in.fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0) {
        if (!nodeTypeOf(info)) {
            return Append::Skipped;
        }
        plus.dirent.ino = info.st_ino;
        plus.dirent.type = (info.st_mode & S_IFMT) >> 12;
        if (const auto out = entry(in, name, info); out) {
            plus.entry = *out;
        }
    } else if (errno == ENOENT) {
        return Append::Skipped; // it went since the folder was read
    } else if (const auto kind = list.entry(i).kind;
               kind == DT_FIFO || kind == DT_SOCK || kind == DT_BLK || kind == DT_CHR) {
        return Append::Skipped;
    }
    const std::size_t start = reply.size();
    appendLe(reply, plus);
    const ByteSpan bytes = asBytes(name);
    reply.insert(reply.end(), bytes.begin(), bytes.end());
    reply.resize(start + record);
    return Append::Added;
}

Bytes ShareBroker::Impl::readdirplus(const Request& request) {
    const std::uint64_t unique = request.header.unique;
    const auto in = bodyAs<lower::ReadIn>(request);
    if (!in || in->size > lower::kMaxRead || in->offset > INT64_MAX) {
        return errorReply(unique, EINVAL);
    }
    const auto at = openFolder(request.header.nodeid, O_RDONLY);
    if (!at) {
        return errorReply(unique, at.error());
    }
    const auto list = listing(*at, in->offset);
    if (!list) {
        return errorReply(unique, list.error());
    }
    Bytes reply = startReply(0);
    const std::size_t most = sizeof(lower::OutHeader) + in->size;
    std::size_t i = (*list)->after(in->offset);
    for (; i < (*list)->size(); ++i) {
        if (appendEntry(reply, most, *at, **list, i) == Append::Full) {
            break;
        }
    }
    if (i == (*list)->size()) {
        listings.drop(at->at.node.id);
    } else if (reply.size() == sizeof(lower::OutHeader)) {
        return errorReply(unique,
                          EINVAL); // no room for one entry; an empty reply would say that there is none
    }
    finishReply(reply, unique);
    return reply;
}

} // namespace carrel::clerk

// SPDX-License-Identifier: Apache-2.0
// READ: one version of a file, or an error.
#include "app/clerk/broker_impl.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <limits>

namespace carrel::clerk {

namespace {
// With its headers a reply of this size is one buffer of a virtio port (4 KiB), window or not.
constexpr std::size_t kFitsOneBuffer = 4096 - 128;
} // namespace

std::optional<Bytes> ShareBroker::Impl::read(const Request& request) {
    const std::uint64_t unique = request.header.unique;
    const auto in = bodyAs<lower::ReadIn>(request);
    if (!in || in->size > lower::kMaxRead || in->offset > static_cast<std::uint64_t>(INT64_MAX)) {
        return errorReply(unique, EINVAL);
    }
    Deferred asked;
    asked.unique = unique;
    asked.node = request.header.nodeid;
    asked.read = *in;
    asked.since = Clock::now();
    auto reply = attempt(asked);
    if (reply) {
        return reply;
    }
    if (deferred.size() >= kMaxDeferred) {
        return errorReply(unique, EBUSY);
    }
    deferred.push_back(asked);
    return std::nullopt;
}

OrErrno<OpenFiles::File*> ShareBroker::Impl::fileOf(const Node& node) {
    if (OpenFiles::File* file = open.find(node.id); file != nullptr) {
        return file;
    }
    const auto at = locate(node.id);
    if (!at) {
        return tl::unexpected(at.error());
    }
    // O_NONBLOCK: should a FIFO stand there by now, opening it must not wait for a writer.
    auto fd = openAt(at->names, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        return tl::unexpected(fd.error());
    }
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) {
        return tl::unexpected(EIO);
    }
    if (nodeTypeOf(info) != NodeType::File || info.st_dev != node.device || versionOf(info) != node.version) {
        return tl::unexpected(ESTALE);
    }
    return &open.add(node.id, std::move(*fd), info);
}

// Once changed, its content is gone for good: its time stamps could be set back, its bytes not.
void ShareBroker::Impl::markStale(const Node& node) {
    table.setFlags(node.id, kNodeStale);
    forgetRecord(node);
    table.supersede(node.id);
    open.close(node.id);
    if ((node.flags & kNodeEntryHandedOut) != 0) {
        announce(node.parent, node.name);
        table.setFlags(node.id, 0, kNodeEntryHandedOut);
    }
}

// ESTALE sends the guest to the new version; but when that has been so for kBusyAfter, with hardly a pause,
// it would go on for ever.
int ShareBroker::Impl::changedMeanwhile(const Node& node) {
    constexpr std::size_t kMaxRestless = 1024;
    if (restless.size() >= kMaxRestless) {
        restless.clear();
    }
    const Clock::time_point now = Clock::now();
    Restless& name = restless[{node.parent, node.name}];
    if (name.last + kBusyAfter < now) {
        name.since = now;
    }
    name.last = now;
    return now - name.since >= kBusyAfter ? EBUSY : ESTALE;
}

bool ShareBroker::Impl::putOff(Deferred& read, const Settlement& settlement) const {
    const Clock::time_point now = Clock::now();
    // A little late rather than early: the file's clock is a coarse one.
    const auto again =
        now + std::chrono::duration_cast<Clock::duration>(settlement.wait) + std::chrono::milliseconds(1);
    if (again > read.since + std::chrono::duration_cast<Clock::duration>(settlement.patience)) {
        return false;
    }
    read.again = again;
    return true;
}

ShareBroker::Impl::Recorded ShareBroker::Impl::recordFirstRead(const Node& node, RecordedReads::Key& version) {
    if ((node.flags & kNodeFirstReadSeen) != 0) {
        return Recorded::Yes;
    }
    const auto names = table.path(node.id);
    const auto path = SharePath::parse(names ? joined(*names) : std::string());
    if (!names || !path) {
        return Recorded::No;
    }
    version = RecordedReads::keyOf(node, path->text());
    const bool asked = std::any_of(firstReads.begin(), firstReads.end(),
                                   [&](const auto& each) { return each.second == version; });
    if (asked) {
        return Recorded::NotYet;
    }
    if (events.firstRead && !recorded.knows(version)) {
        if (firstReads.size() >= kMaxDeferred) {
            return Recorded::Busy;
        }
        firstReads.emplace(node.id, version); // before the call, which may settle it at once
        if (events.firstRead({node.id, *path, node.version}) == FirstReadAnswer::Wait) {
            return Recorded::NotYet;
        }
        firstReads.erase(node.id);
        recorded.add(version);
    }
    table.setFlags(node.id, kNodeFirstReadSeen);
    return Recorded::Yes;
}

void ShareBroker::Impl::forgetRecord(const Node& node) {
    if (const auto names = table.path(node.id)) {
        recorded.drop(RecordedReads::keyOf(node, joined(*names)));
    }
}

std::optional<Bytes> ShareBroker::Impl::attempt(Deferred& asked) {
    if (revoked) {
        return errorReply(asked.unique, EACCES);
    }
    if (asked.refused) {
        return errorReply(asked.unique, EIO);
    }
    if (asked.node == lower::kRootNode) {
        return errorReply(asked.unique, EISDIR);
    }
    const auto node = table.find(asked.node);
    if (!node || (node->flags & kNodeStale) != 0) {
        return errorReply(asked.unique, ESTALE);
    }
    if (node->type != NodeType::File) {
        return errorReply(asked.unique, node->type == NodeType::Directory ? EISDIR : EINVAL);
    }
    if (const auto kind = placeholderOf(node->name, node->version.size)) {
        noticeOnce(*kind);
        return errorReply(asked.unique, ENODATA);
    }
    const auto file = fileOf(*node);
    if (!file) {
        if (file.error() == ESTALE) {
            markStale(*node);
            return errorReply(asked.unique, changedMeanwhile(*node));
        }
        return errorReply(asked.unique, file.error());
    }
    struct stat before {};
    if (::fstat((*file)->fd.get(), &before) != 0) {
        return errorReply(asked.unique, EIO);
    }
    if (!stillHolds(**file, node->version, before)) {
        markStale(*node);
        return errorReply(asked.unique, changedMeanwhile(*node));
    }
    ReadLease lease;
    const Settlement settlement = judge((*file)->fd.get(), before, options.realtime(), lease);
    if (settlement.kind == Settlement::Kind::Wait) {
        return putOff(asked, settlement) ? std::nullopt : std::optional(errorReply(asked.unique, EBUSY));
    }
    if (const Recorded isRecorded = recordFirstRead(*node, asked.version); isRecorded != Recorded::Yes) {
        if (isRecorded != Recorded::NotYet) {
            return errorReply(asked.unique, isRecorded == Recorded::Busy ? EBUSY : EIO);
        }
        asked.forRecord = true;
        return std::nullopt;
    }
    if (settlement.kind == Settlement::Kind::AtRisk) {
        table.setFlags(node->id, kNodeReadUnsettled);
    }
    return copy(asked, *node, **file, std::move(lease));
}

Bytes ShareBroker::Impl::copy(const Deferred& asked, const Node& node, OpenFiles::File& file,
                              ReadLease lease) {
    const std::uint64_t left = node.version.size - std::min(node.version.size, asked.read.offset);
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(asked.read.size, left));
    Bytes reply = startReply(want);
    std::size_t got = 0;
    while (got < want) {
        const ssize_t part = ::pread(file.fd.get(), reply.data() + sizeof(lower::OutHeader) + got, want - got,
                                     static_cast<off_t>(asked.read.offset + got));
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            break;
        }
        got += static_cast<std::size_t>(part);
    }
    struct stat after {};
    if (::fstat(file.fd.get(), &after) != 0) {
        return errorReply(asked.unique, EIO);
    }
    if (!stillHolds(file, node.version, after)) {
        markStale(node);
        return errorReply(asked.unique, changedMeanwhile(node));
    }
    if (got != want) {
        return errorReply(asked.unique, EIO); // unreadable, or not really there: never a part
    }
    (void)lease; // until here
    if (!restless.empty()) {
        restless.erase({node.parent, node.name});
    }
    finishReply(reply, asked.unique);
    return throughWindow(std::move(reply), asked.unique, asked.read);
}

Bytes ShareBroker::Impl::throughWindow(Bytes reply, std::uint64_t unique, const lower::ReadIn& in) const {
    const auto bytes = ByteSpan(reply).subspan(sizeof(lower::OutHeader));
    const bool worthIt = in.fh != 0 && events.window && bytes.size() > kFitsOneBuffer;
    return worthIt && events.window(in.fh - 1, in.size, bytes)
               ? windowReply(unique, static_cast<std::uint32_t>(bytes.size()))
               : reply;
}

std::optional<ShareBroker::Clock::time_point> ShareBroker::nextDeferred() const {
    std::optional<Clock::time_point> next;
    for (const auto& read : m_impl->deferred) {
        if (!read.forRecord && (!next || read.again < *next)) {
            next = read.again;
        }
    }
    return next;
}

std::vector<Bytes> ShareBroker::runDeferred() {
    std::vector<Bytes> replies;
    const Clock::time_point now = Clock::now();
    std::vector<Impl::Deferred> waiting;
    waiting.swap(m_impl->deferred);
    for (Impl::Deferred& read : waiting) {
        if (read.forRecord || read.again > now) {
            m_impl->deferred.push_back(read);
        } else if (auto reply = m_impl->attempt(read); reply) {
            replies.push_back(std::move(*reply));
        } else {
            m_impl->deferred.push_back(read);
        }
    }
    return replies;
}

void ShareBroker::cancel(std::uint64_t unique) {
    std::erase_if(m_impl->deferred, [unique](const Impl::Deferred& read) { return read.unique == unique; });
}

void ShareBroker::dropDeferred() {
    m_impl->deferred.clear();
}

void ShareBroker::settleFirstRead(NodeId node, FirstReadVerdict verdict) {
    const auto asked = m_impl->firstReads.extract(node);
    if (asked.empty()) {
        return;
    }
    if (verdict == FirstReadVerdict::Recorded) {
        m_impl->recorded.add(asked.mapped());
        m_impl->table.setFlags(node, kNodeFirstReadSeen);
    }
    for (Impl::Deferred& read : m_impl->deferred) {
        if (read.forRecord && read.version == asked.mapped()) {
            read.forRecord = false;
            read.refused = verdict == FirstReadVerdict::NotRecorded;
            read.again = Clock::time_point::min();
            read.since = Clock::now(); // the wait was ours
        }
    }
}

} // namespace carrel::clerk

// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/share_broker.h"

#include "app/clerk/broker_impl.h"
#include "guest/protocol/disk_names.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/resource.h>
#include <sys/statvfs.h>

namespace carrel::clerk {

namespace {

std::chrono::nanoseconds coarseRealtime() {
    timespec now{};
    (void)::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

} // namespace

std::size_t descriptorBudget(std::size_t shares) {
    constexpr std::size_t kReserved = 256; // channels, the link, sessions, copies
    constexpr std::size_t kLeast = 16;
    constexpr std::size_t kMost = 8192;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return kLeast;
    }
    const auto all = static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1U << 20));
    const std::size_t free = all > kReserved ? all - kReserved : 0;
    return std::clamp(free / std::max<std::size_t>(shares, 1), kLeast, kMost);
}

ShareBroker::Impl::Impl(UniqueFd rootFd, NodeTable nodeTable, Options brokerOptions, Events brokerEvents)
    : folder(std::move(rootFd))
    , table(std::move(nodeTable))
    , options(std::move(brokerOptions))
    , events(std::move(brokerEvents))
    , hidden(options.hidden)
    , open(options.descriptors != 0 ? options.descriptors : descriptorBudget(1)) {
    hasOtherNames = !hasOnlyListedNames(folder.root()); // one file system: nothing mounted within it is entered
    if (options.realtime == nullptr) {
        options.realtime = coarseRealtime;
    }
}

ShareBroker::ShareBroker(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl)) {}
ShareBroker::~ShareBroker() = default;

Result<std::unique_ptr<ShareBroker>> ShareBroker::create(UniqueFd root, NodeTable table, Options options,
                                                         Events events) {
    struct stat info {};
    if (::fstat(root.get(), &info) != 0) {
        return failErrno("cannot look at the shared folder");
    }
    if (!S_ISDIR(info.st_mode)) {
        return fail(ErrorCode::InvalidArgument, "what is shared is not a folder");
    }
    (void)std::signal(SIGIO, SIG_IGN);
    auto impl =
        std::make_unique<Impl>(std::move(root), std::move(table), std::move(options), std::move(events));
    if (impl->options.watchHost) {
        auto watcher = HostWatcher::create({impl->options.maxWatches});
        if (watcher) {
            impl->watcher.emplace(std::move(*watcher));
        } else {
            impl->noticeOnce(WatchOutcome::LimitReached);
        }
    }
    return std::unique_ptr<ShareBroker>(new ShareBroker(std::move(impl)));
}

std::optional<Bytes> ShareBroker::handle(ByteSpan message) {
    const auto request = parseRequest(message);
    return request ? m_impl->dispatch(*request) : std::nullopt;
}

std::optional<Bytes> ShareBroker::Impl::dispatch(const Request& request) {
    const std::uint64_t unique = request.header.unique;
    const auto opcode = static_cast<lower::Opcode>(request.header.opcode);
    if (opcode == lower::Opcode::Forget) {
        if (const auto body = bodyAs<lower::ForgetIn>(request); body) {
            forget(request.header.nodeid, body->nlookup);
        }
        return std::nullopt;
    }
    if (opcode == lower::Opcode::BatchForget) {
        batchForget(request);
        return std::nullopt;
    }
    if (opcode == lower::Opcode::Interrupt) {
        if (const auto other = bodyAs<std::uint64_t>(request); other) {
            std::erase_if(deferred, [other](const Deferred& read) { return read.unique == *other; });
        }
        return std::nullopt;
    }
    if (unique == 0) {
        return std::nullopt; // a reply to it would read as a notification
    }
    if (revoked) {
        return errorReply(unique, EACCES);
    }
    if (request.header.totalExtlen != 0) {
        return errorReply(unique, EINVAL);
    }
    if (wouldWrite(request.header.opcode)) {
        return errorReply(unique, EROFS);
    }
    switch (opcode) {
    case lower::Opcode::Init:
        return init(request);
    case lower::Opcode::Lookup:
        return lookup(request);
    case lower::Opcode::Getattr:
        return getattr(request);
    case lower::Opcode::Readlink:
        return readlink(request);
    case lower::Opcode::Read:
        return read(request);
    case lower::Opcode::Readdirplus:
        return throughWindow(readdirplus(request), unique,
                             bodyAs<lower::ReadIn>(request).value_or(lower::ReadIn{}));
    case lower::Opcode::Statfs:
        return statfs(request);
    default:
        return errorReply(unique, ENOSYS);
    }
}

Bytes ShareBroker::Impl::init(const Request& request) {
    const auto in = bodyAs<lower::InitIn>(request);
    if (!in) {
        return errorReply(request.header.unique, EINVAL);
    }
    if (in->major != lower::kProtocolMajor) {
        return errorReply(request.header.unique, EPROTO);
    }
    deferred.clear(); // first on an epoch: whoever asked before asks again
    // FUSE_ASYNC_READ, DO_READDIRPLUS, READDIRPLUS_AUTO, NO_OPEN_SUPPORT, PARALLEL_DIROPS, MAX_PAGES,
    // CACHE_SYMLINKS, NO_OPENDIR_SUPPORT
    constexpr std::uint32_t kOffered =
        1U << 0 | 1U << 13 | 1U << 14 | 1U << 17 | 1U << 18 | 1U << 22 | 1U << 23 | 1U << 24;
    lower::InitOut out{};
    out.major = lower::kProtocolMajor;
    out.minor = std::min(in->minor, lower::kProtocolMinor);
    out.maxReadahead = std::min(in->maxReadahead, lower::kMaxRead);
    out.flags = in->flags & kOffered;
    out.maxBackground = 64;
    out.congestionThreshold = 48;
    out.maxWrite = 4096;
    out.timeGran = 1;
    out.maxPages = lower::kMaxRead / 4096;
    return structReply(request.header.unique, out);
}

Bytes ShareBroker::Impl::statfs(const Request& request) const {
    struct statvfs info {};
    if (!request.body.empty()) {
        return errorReply(request.header.unique, EINVAL);
    }
    if (::fstatvfs(folder.root(), &info) != 0) {
        return errorReply(request.header.unique, EIO);
    }
    lower::StatfsOut out{};
    out.blocks = info.f_blocks;
    out.bfree = info.f_bfree;
    out.bavail = info.f_bavail;
    out.files = info.f_files;
    out.ffree = info.f_ffree;
    out.bsize = static_cast<std::uint32_t>(info.f_bsize);
    out.frsize = static_cast<std::uint32_t>(info.f_frsize);
    out.namelen = kMaxNameBytes;
    return structReply(request.header.unique, out);
}

void ShareBroker::Impl::forget(NodeId node, std::uint64_t count) {
    if (table.forget(node, count)) {
        open.close(node);
        listings.drop(node);
        if (watcher) {
            watcher->unwatch(node);
        }
    }
}

void ShareBroker::Impl::batchForget(const Request& request) {
    if (request.body.size() < sizeof(lower::BatchForgetIn)) {
        return;
    }
    const auto head = loadLe<lower::BatchForgetIn>(request.body);
    const ByteSpan list = request.body.subspan(sizeof head);
    if (list.size() != std::size_t{head.count} * sizeof(lower::ForgetOne)) {
        return;
    }
    for (std::size_t at = 0; at < list.size(); at += sizeof(lower::ForgetOne)) {
        const auto one = loadLe<lower::ForgetOne>(list, at);
        forget(one.nodeid, one.nlookup);
    }
}

int ShareBroker::watchDescriptor() const {
    return m_impl->watcher && !m_impl->revoked ? m_impl->watcher->fd() : -1;
}

void ShareBroker::onHostEvents() {
    m_impl->onHostEvents();
}

void ShareBroker::invalidateAll() {
    m_impl->invalidateAll();
}

void ShareBroker::revoke() {
    m_impl->revoked = true;
    m_impl->open.closeAll();
    m_impl->listings.clear();
    m_impl->folder.close();
    for (auto& read : m_impl->deferred) { // answered at the next runDeferred()
        read.forRecord = false;
        read.again = Clock::time_point::min();
    }
}

bool ShareBroker::isRevoked() const {
    return m_impl->revoked;
}

std::size_t ShareBroker::nodes() const {
    return m_impl->table.size();
}

} // namespace carrel::clerk

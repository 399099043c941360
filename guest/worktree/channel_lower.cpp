// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/channel_lower.h"

#include "guest/protocol/share_path.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>

namespace carrel::worktree {
namespace {

using namespace carrel::lower;
using Clock = std::chrono::steady_clock;

template <class T> void put(Bytes& out, const T& value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), raw, raw + sizeof value);
}

// The clerk may say any validity; more than a day is a day.
std::chrono::nanoseconds validity(std::uint64_t seconds, std::uint32_t ns) {
    constexpr std::uint64_t kDaySeconds = 86400;
    return std::chrono::seconds(std::min(seconds, kDaySeconds)) +
           std::chrono::nanoseconds(std::min<std::uint32_t>(ns, 999'999'999));
}

// A share that is mounted again has the stream of the one before it, whose answers may still be on their way: they
// must not be taken for answers to the new one's questions.
std::uint64_t firstUnique() {
    static std::atomic<std::uint64_t> made{0};
    return 2 + (made++ << 40U);
}

LowerEntry entryFrom(const EntryOut& out) {
    return {out.nodeid, out.attr, validity(out.entryValid, out.entryValidNsec),
            validity(out.attrValid, out.attrValidNsec)};
}

bool plausible(const Attr& attr) {
    const auto type = attr.mode & 0170000U;
    return (type == 0100000U || type == 0040000U || type == 0120000U) &&
           attr.size <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) &&
           attr.mtimensec < 1'000'000'000 && attr.ctimensec < 1'000'000'000;
}

// More pages in a row than this without one name for us: no folder is like that.
constexpr int kMaxEmptyPages = 16;
constexpr std::size_t kForgetsTogether = 256;

struct Page {
    std::vector<LowerDirEntry> entries;
    std::vector<std::uint64_t>
        unwanted; // nodes of names that nobody can use: each counts as a lookup all the same
    std::uint64_t last = 0;
    bool whole = true;
};

Page pageFrom(ByteSpan rest, std::uint64_t cookie) {
    Page page;
    page.last = cookie;
    page.entries.reserve(rest.size() / (sizeof(DirentPlus) + 8)); // what is moved when it grows costs more than its room
    while (!rest.empty()) {
        if (rest.size() < sizeof(DirentPlus)) {
            page.whole = false;
            break;
        }
        const auto head = loadLe<DirentPlus>(rest);
        const std::size_t whole = sizeof head + head.dirent.namelen;
        if (head.dirent.namelen == 0 || head.dirent.namelen > kMaxNameBytes || whole > rest.size() ||
            head.dirent.off == page.last) { // the same place again: an end that never comes
            page.whole = false;
            break;
        }
        page.last = head.dirent.off;
        const auto name = asText(rest.subspan(sizeof head, head.dirent.namelen));
        if (isValidName(name) && (head.entry.nodeid == 0 || plausible(head.entry.attr))) {
            page.entries.push_back({std::string(name), entryFrom(head.entry), head.dirent.off});
        } else if (head.entry.nodeid != 0) {
            page.unwanted.push_back(head.entry.nodeid);
        }
        rest = rest.subspan(std::min((whole + 7) & ~std::size_t{7}, rest.size()));
    }
    if (!page.whole) {
        for (const auto& item : page.entries) {
            if (item.entry.node != 0) {
                page.unwanted.push_back(item.entry.node);
            }
        }
    } else if (!page.entries.empty()) {
        page.entries.back().cookie = page.last;
    }
    return page;
}

} // namespace

struct ChannelLower::Impl {
    struct Answer {
        bool arrived = false; // false: given up, `error` says EIO
        int error = EIO;
        bool inWindow = false;
        Bytes body;
        std::uint64_t asked = 0; // given up: the last epoch in which it may have been asked
    };

    // Shared, so that a waiter can be woken after the lock is let go: woken under it, it would only wait again, and each
    // switch costs as much as the work.
    struct Pending {
        Bytes request;
        std::uint32_t asked = 0; // bytes of a read
        std::optional<ReadWindow::Part> part;
        std::function<void(SysResult<Bytes>)> done; // of a read ahead: nobody waits
        Answer answer;
        std::condition_variable ready;
    };
    using PendingPtr = std::shared_ptr<Pending>;

    Send send;
    std::chrono::milliseconds doorTimeout;
    std::shared_ptr<ReadWindow> window;
    std::mutex sendMutex; // one message at a time, in order
    std::mutex mutex;
    std::uint64_t nextUnique = firstUnique();
    std::map<std::uint64_t, PendingPtr> pending;
    std::vector<ForgetOne> forgets; // not sent yet; fewer than kForgetsTogether
    std::uint64_t epoch = 0;        // 0: none has begun
    bool stopped = false;
    std::mutex eventsMutex;
    LowerEvents* events = nullptr;

    static Bytes message(Opcode opcode, std::uint64_t unique, std::uint64_t node, ByteSpan body) {
        InHeader header{};
        header.len = static_cast<std::uint32_t>(sizeof header + body.size());
        header.opcode = static_cast<std::uint32_t>(opcode);
        header.unique = unique;
        header.nodeid = node;
        Bytes out;
        out.reserve(header.len);
        put(out, header);
        out.insert(out.end(), body.begin(), body.end());
        return out;
    }

    // To the clerk of that epoch alone: what was given up since must not reach the next one (ReadWindow).
    void post(std::uint64_t to, const std::vector<Bytes>& messages) {
        auto given = takeForgets();
        const std::lock_guard lock(sendMutex);
        if (!given) {
            send(to, messages);
            return;
        }
        std::vector<Bytes> all{std::move(*given)};
        all.insert(all.end(), messages.begin(), messages.end());
        send(to, all);
    }
    // Nodes come to be forgotten by the thousand, and nobody waits for it: they go with the next request, or together.
    std::optional<Bytes> takeForgets() {
        std::vector<ForgetOne> all;
        {
            const std::lock_guard lock(mutex);
            all.swap(forgets);
        }
        if (all.empty()) {
            return std::nullopt;
        }
        Bytes body;
        put(body, BatchForgetIn{static_cast<std::uint32_t>(all.size()), 0});
        for (const auto& one : all) {
            put(body, one);
        }
        return message(Opcode::BatchForget, 0, 0, body);
    }
    void post(std::uint64_t to, Bytes bytes) {
        std::vector<Bytes> one;
        one.push_back(std::move(bytes));
        post(to, one);
    }

    SysResult<Bytes> call(Opcode opcode, std::uint64_t node, ByteSpan body) {
        auto answer = exchange(opcode, node, body);
        if (answer.error != 0 || answer.inWindow) {
            return sysFail(answer.inWindow ? EIO : answer.error);
        }
        return std::move(answer.body);
    }

    // Under the mutex.
    std::uint64_t enter(Opcode opcode, std::uint64_t node, ByteSpan body, const PendingPtr& item) {
        const std::uint64_t unique = nextUnique;
        nextUnique += 2; // as the kernel does: odd ones are interrupts
        item->request = message(opcode, unique, node, body);
        pending.emplace(unique, item);
        return unique;
    }

    Answer exchange(Opcode opcode, std::uint64_t node, ByteSpan body) {
        const auto mine = std::make_shared<Pending>();
        std::uint64_t unique = 0;
        std::uint64_t now = 0;
        {
            const std::lock_guard lock(mutex);
            if (stopped) {
                return {};
            }
            unique = enter(opcode, node, body, mine);
            now = epoch;
        }
        if (now != 0) {
            post(now, mine->request);
        }
        std::unique_lock lock(mutex);
        const auto deadline = Clock::now() + doorTimeout;
        const bool done =
            mine->ready.wait_until(lock, deadline, [&] { return mine->answer.arrived || stopped; });
        pending.erase(unique);
        mine->answer.asked = epoch; // not in a later one: it is no longer pending
        if (!done) {
            now = epoch;
            lock.unlock();
            put64(now, node, unique); // nobody wants the answer any more
        }
        return std::move(mine->answer); // as it was made, when it has not arrived
    }

    // READ or READDIRPLUS.
    SysResult<Bytes> read(Opcode opcode, std::uint64_t node, ReadIn in) {
        auto part = window ? window->lend(in.size) : std::nullopt;
        in.fh = part ? part->offset() + 1 : 0;
        Bytes body;
        put(body, in);
        auto answer = exchange(opcode, node, body);
        if (part && !answer.arrived) {
            part->abandon(answer.asked);
        }
        return bytesOf(std::move(answer), part, in.size);
    }

    void readAhead(std::vector<AheadRead> reads) {
        std::vector<Bytes> messages;
        std::vector<AheadRead> refused;
        std::uint64_t now = 0;
        {
            const std::lock_guard lock(mutex);
            now = epoch;
            for (auto& read : reads) {
                if (stopped) {
                    refused.push_back(std::move(read));
                    continue;
                }
                const auto item = std::make_shared<Pending>();
                item->asked = std::min(read.size, kMaxRead);
                if (auto part = window ? window->lend(item->asked) : std::nullopt) {
                    item->part.emplace(std::move(*part));
                }
                item->done = std::move(read.done);
                ReadIn in{};
                in.size = item->asked;
                in.fh = item->part ? item->part->offset() + 1 : 0;
                Bytes body;
                put(body, in);
                enter(Opcode::Read, read.node, body, item);
                if (now != 0) {
                    messages.push_back(item->request);
                }
            }
        }
        if (!messages.empty()) {
            post(now, messages);
        }
        for (const auto& read : refused) {
            read.done(sysFail(EIO));
        }
    }

    // The bytes of a READ, from wherever the answer says that they are.
    static SysResult<Bytes> bytesOf(Answer answer, const std::optional<ReadWindow::Part>& part,
                                    std::uint32_t asked) {
        if (answer.error != 0) {
            return sysFail(answer.error);
        }
        if (answer.inWindow) {
            if (!part || answer.body.size() != sizeof(WindowOut)) {
                return sysFail(EIO);
            }
            const auto size = loadLe<WindowOut>(answer.body).size;
            const auto bytes = size > asked ? ByteSpan() : part->first(size);
            answer.body.assign(bytes.begin(), bytes.end());
            if (answer.body.size() != size) {
                return sysFail(EIO);
            }
        }
        if (answer.body.size() > asked) {
            return sysFail(EIO);
        }
        return std::move(answer.body);
    }

    void put64(std::uint64_t to, std::uint64_t node, std::uint64_t unique) {
        Bytes body;
        put(body, unique);
        post(to, message(Opcode::Interrupt, unique | 1U, node, body));
    }

    void event(std::int32_t code, ByteSpan body) {
        const std::lock_guard lock(eventsMutex);
        if (events == nullptr) {
            return;
        }
        if (code == static_cast<std::int32_t>(Notify::InvalInode) &&
            body.size() == sizeof(NotifyInvalInodeOut)) {
            events->nodeChanged(loadLe<NotifyInvalInodeOut>(body).ino);
        } else if (code == static_cast<std::int32_t>(Notify::InvalEntry) &&
                   body.size() > sizeof(NotifyInvalEntryOut)) {
            const auto head = loadLe<NotifyInvalEntryOut>(body);
            auto name = asText(body.subspan(sizeof head));
            name.remove_suffix(name.ends_with('\0') ? 1 : 0);
            if (name.size() == head.namelen && isValidName(name)) {
                events->entryChanged(head.parent, name);
            }
        }
    }
};

ChannelLower::ChannelLower(Send send, std::chrono::milliseconds doorTimeout,
                           std::shared_ptr<ReadWindow> window)
    : m_impl(std::make_unique<Impl>()) {
    m_impl->send = std::move(send);
    m_impl->doorTimeout = doorTimeout;
    m_impl->window = std::move(window);
}

ChannelLower::~ChannelLower() {
    stop();
}

void ChannelLower::stop() {
    std::vector<Impl::PendingPtr> ahead;
    {
        const std::lock_guard lock(m_impl->mutex);
        m_impl->stopped = true;
        for (auto at = m_impl->pending.begin(); at != m_impl->pending.end();) {
            at->second->ready.notify_all();
            if (at->second->done) {
                if (at->second->part) {
                    at->second->part->abandon(m_impl->epoch);
                }
                ahead.push_back(std::move(at->second));
                at = m_impl->pending.erase(at);
            } else {
                ++at;
            }
        }
    }
    for (const auto& item : ahead) {
        item->done(sysFail(EIO));
    }
}

void ChannelLower::onEpoch(std::uint64_t epoch) {
    InitIn init{};
    init.major = kProtocolMajor;
    init.minor = kProtocolMinor;
    Bytes body;
    put(body, init);
    std::vector<Bytes> again;
    {
        const std::lock_guard lock(m_impl->mutex);
        if (epoch <= m_impl->epoch) {
            return; // whoever mounts a share and the channel's own thread both tell of it
        }
        m_impl->epoch = epoch;
        again.push_back(Impl::message(Opcode::Init, m_impl->nextUnique, 0, body));
        m_impl->nextUnique += 2;
        for (const auto& [unique, pending] : m_impl->pending) {
            if (!pending->answer.arrived) {
                again.push_back(pending->request);
            }
        }
    }
    if (m_impl->window) {
        m_impl->window->onEpoch(epoch);
    }
    m_impl->post(epoch, again);
    const std::lock_guard lock(m_impl->eventsMutex);
    if (m_impl->events != nullptr) {
        m_impl->events->everythingChanged();
    }
}

void ChannelLower::onMessage(ByteSpan message) {
    if (message.size() < sizeof(OutHeader)) {
        return;
    }
    const auto header = loadLe<OutHeader>(message);
    const auto body = message.subspan(sizeof header);
    if (header.len != message.size()) {
        return;
    }
    if (header.unique == 0) {
        m_impl->event(header.error, body);
        return;
    }
    Impl::PendingPtr item;
    {
        const std::lock_guard lock(m_impl->mutex);
        const auto it = m_impl->pending.find(header.unique);
        if (it == m_impl->pending.end() || it->second->answer.arrived) {
            return; // INIT's, a second answer after an epoch, or one that nobody waits for any more
        }
        item = it->second;
        auto& answer = item->answer;
        answer.error = 0;
        if (header.error < 0 && header.error > -4096) {
            answer.error = -header.error;
        } else if (header.error != 0 && header.error != kInWindow) {
            answer.error = EIO;
        } else {
            answer.inWindow = header.error == kInWindow;
            answer.body.assign(body.begin(), body.end());
        }
        answer.arrived = true;
        if (item->done) {
            m_impl->pending.erase(it);
        }
    }
    if (item->done) {
        item->done(Impl::bytesOf(std::move(item->answer), item->part, item->asked));
    } else {
        item->ready.notify_all();
    }
}

SysResult<LowerEntry> ChannelLower::lookup(std::uint64_t parent, std::string_view name) {
    Bytes body = toBytes(name);
    body.push_back(std::byte{0});
    const auto reply = m_impl->call(Opcode::Lookup, parent, body);
    if (!reply) {
        return sysFail(reply.error());
    }
    if (reply->size() != sizeof(EntryOut)) {
        return sysFail(EIO);
    }
    const auto out = loadLe<EntryOut>(*reply);
    if (out.nodeid != 0 && !plausible(out.attr)) {
        forget(out.nodeid, 1); // it counts as a lookup all the same
        return sysFail(EIO);
    }
    return entryFrom(out);
}

SysResult<Attr> ChannelLower::getattr(std::uint64_t node) {
    Bytes body;
    put(body, GetattrIn{});
    const auto reply = m_impl->call(Opcode::Getattr, node, body);
    if (!reply) {
        return sysFail(reply.error());
    }
    if (reply->size() != sizeof(AttrOut) || !plausible(loadLe<AttrOut>(*reply).attr)) {
        return sysFail(EIO);
    }
    return loadLe<AttrOut>(*reply).attr;
}

SysResult<std::string> ChannelLower::readlink(std::uint64_t node) {
    const auto reply = m_impl->call(Opcode::Readlink, node, {});
    if (!reply) {
        return sysFail(reply.error());
    }
    const auto text = asText(*reply);
    if (text.empty() || text.size() > kMaxPathBytes || text.find('\0') != std::string_view::npos) {
        return sysFail(EIO);
    }
    return std::string(text);
}

SysResult<Bytes> ChannelLower::read(std::uint64_t node, std::uint64_t offset, std::uint32_t size) {
    ReadIn in{};
    in.offset = offset;
    in.size = std::min(size, kMaxRead);
    return m_impl->read(Opcode::Read, node, in);
}

void ChannelLower::readAhead(std::vector<AheadRead> reads) {
    m_impl->readAhead(std::move(reads));
}

SysResult<LowerPage> ChannelLower::readdirplus(std::uint64_t node, std::uint64_t cookie) {
    ReadIn in{};
    in.offset = cookie;
    in.size = 256 * 1024;
    for (int count = 0; count < kMaxEmptyPages; ++count) {
        const auto reply = m_impl->read(Opcode::Readdirplus, node, in);
        if (!reply) {
            return sysFail(reply.error());
        }
        auto page = pageFrom(*reply, in.offset);
        for (const auto unwanted : page.unwanted) {
            forget(unwanted, 1);
        }
        if (!page.whole) {
            return sysFail(EIO);
        }
        const bool last = reply->size() + kLongestDirent <= in.size;
        if (last || !page.entries.empty()) {
            return LowerPage{std::move(page.entries), last};
        }
        in.offset = page.last; // only "." and "..": go on, an empty answer would mean the end
    }
    return sysFail(EIO);
}

SysResult<StatfsOut> ChannelLower::statfs() {
    const auto reply = m_impl->call(Opcode::Statfs, kRootNode, {});
    if (!reply) {
        return sysFail(reply.error());
    }
    if (reply->size() != sizeof(StatfsOut)) {
        return sysFail(EIO);
    }
    return loadLe<StatfsOut>(*reply);
}

void ChannelLower::forget(std::uint64_t node, std::uint64_t lookups) {
    std::uint64_t now = 0;
    {
        const std::lock_guard lock(m_impl->mutex);
        now = m_impl->epoch;
        if (now == 0 || m_impl->stopped) {
            return;
        }
        m_impl->forgets.push_back({node, lookups});
        if (m_impl->forgets.size() < kForgetsTogether) {
            return;
        }
    }
    m_impl->post(now, std::vector<Bytes>());
}

void ChannelLower::setEvents(LowerEvents* events) {
    const std::lock_guard lock(m_impl->eventsMutex);
    m_impl->events = events;
}

} // namespace carrel::worktree

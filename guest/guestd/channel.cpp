// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/channel.h"

#include <array>
#include <chrono>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024; // a virtio port gives 4 KiB at most, a socket more

tl::unexpected<Error> epochOver(const std::string& name) {
    return fail(ErrorCode::Unavailable, "the host's end of the " + name + " channel is another one now");
}

} // namespace

Channel::Channel(UniqueFd descriptor, Options options)
    : m_fd(std::move(descriptor))
    , m_options(std::move(options))
    , m_mux(Side::Guest,
            Mux::Events{
                .data =
                    [this](std::uint32_t stream, Bytes&& data) {
                        record({ChannelEvent::Kind::Data, 0, stream, 0, std::move(data)});
                    },
                .end =
                    [this](std::uint32_t stream) {
                        record({ChannelEvent::Kind::End, 0, stream, 0, {}});
                    },
                .reset =
                    [this](std::uint32_t stream, std::uint32_t reason) {
                        m_asked.erase(stream);
                        record({ChannelEvent::Kind::Reset, 0, stream, reason, {}});
                    },
                .writable =
                    [this](std::uint32_t stream) {
                        if (m_options.tellWritable == TellWritable::Yes || m_asked.erase(stream) > 0) {
                            record({ChannelEvent::Kind::Writable, 0, stream, 0, {}});
                        }
                    },
                .epoch =
                    [this](const Epoch&) {
                        ++m_epoch;
                        m_asked.clear();
                        record({ChannelEvent::Kind::Epoch, 0, 0, 0, {}});
                    },
                // The host sees it too and begins a new epoch; until then there is nothing to do.
                .spoilt = [](std::string_view) {},
                .accept = [this](std::uint32_t stream) { return m_options.accept(stream); },
            },
            Mux::Options{.ringIn = m_options.ring}) {}

Channel::~Channel() {
    stop();
}

void Channel::record(ChannelEvent event) {
    event.epoch = m_epoch;
    m_events.push_back(std::move(event));
}

Status Channel::start() {
    m_wake = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    m_epoll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!m_wake || !m_epoll) {
        return failErrno("preparing the " + m_options.name + " channel");
    }
    const int flags = ::fcntl(m_fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(m_fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return failErrno("preparing the " + m_options.name + " channel");
    }
    // Edge-triggered: a port without a host end reports a hang-up for as long as that lasts, and a
    // level-triggered wait would spin. The arrival of a host end, of data and of room each wake the edge.
    epoll_event port{};
    port.events = EPOLLIN | EPOLLET; // room matters only while something waits for it, see writeLocked
    port.data.fd = m_fd.get();
    epoll_event wakeUp{};
    wakeUp.events = EPOLLIN;
    wakeUp.data.fd = m_wake.get();
    if (::epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, m_fd.get(), &port) != 0 ||
        ::epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, m_wake.get(), &wakeUp) != 0) {
        return failErrno("watching the " + m_options.name + " channel");
    }
    {
        const std::lock_guard lock(m_mutex);
        m_mux.announceRestart();
    }
    m_thread = std::thread([this] { run(); });
    return {};
}

void Channel::stop() {
    m_stop = true;
    wake();
    wakeWaiters();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

void Channel::wake() {
    if (m_wake) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t done = ::write(m_wake.get(), &one, sizeof one);
    }
}

void Channel::run() {
    while (!m_stop) {
        const bool more = readAll();
        deliver();
        writeAll();
        deliver();
        if (more) {
            continue;
        }
        std::array<epoll_event, 2> ready;
        const int count = ::epoll_wait(m_epoll.get(), ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < count; ++i) {
            if (ready[static_cast<std::size_t>(i)].data.fd == m_wake.get()) {
                std::uint64_t value = 0;
                [[maybe_unused]] const ssize_t got = ::read(m_wake.get(), &value, sizeof value);
            }
        }
    }
}

// True when there may be more: the read is cut into turns so that answers go out in between.
bool Channel::readAll() {
    constexpr std::size_t kTurn = 1024 * 1024;
    std::array<std::byte, kReadBytes> buffer;
    std::size_t total = 0;
    while (total < kTurn) {
        const ssize_t got = ::read(m_fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false; // 0: no host end now
        }
        total += static_cast<std::size_t>(got);
        const std::lock_guard lock(m_mutex);
        const EpochNumber before = m_epoch;
        m_mux.feed({buffer.data(), static_cast<std::size_t>(got)});
        if (m_epoch != before) {
            m_progress.notify_all();
        }
    }
    return true;
}

void Channel::writeAll() {
    const std::lock_guard lock(m_mutex);
    writeLocked();
}

void Channel::writeLocked() {
    for (;;) {
        if (m_pendingDone == m_pending.size()) {
            m_pending = m_mux.takeOutput();
            m_pendingDone = 0;
            if (m_pending.empty()) {
                break;
            }
        }
        const ssize_t done =
            ::write(m_fd.get(), m_pending.data() + m_pendingDone, m_pending.size() - m_pendingDone);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            break; // no room or no host end; the edge tells when that changes
        }
        m_pendingDone += static_cast<std::size_t>(done);
    }
    watchForRoom(m_pendingDone < m_pending.size() ? RoomWanted::Yes : RoomWanted::No);
    m_progress.notify_all();
}

// Each message that the host takes makes room: to be woken for it every time costs as much as the answer.
void Channel::watchForRoom(RoomWanted wanted) {
    if (wanted == m_roomWanted) {
        return;
    }
    m_roomWanted = wanted;
    epoll_event port{};
    port.events = EPOLLIN | EPOLLET | (wanted == RoomWanted::Yes ? EPOLLOUT : 0U);
    port.data.fd = m_fd.get();
    // Looks at once, too: room that came in between is not missed.
    (void)::epoll_ctl(m_epoll.get(), EPOLL_CTL_MOD, m_fd.get(), &port);
}

void Channel::deliver() {
    std::vector<ChannelEvent> events;
    {
        const std::lock_guard lock(m_mutex);
        events.swap(m_events);
    }
    for (auto& event : events) {
        m_options.handler(std::move(event));
    }
}

EpochNumber Channel::epoch() const {
    const std::lock_guard lock(m_mutex);
    return m_epoch;
}

template <class Function> Channel::Sent Channel::within(EpochNumber epoch, Function function) {
    {
        const std::lock_guard lock(m_mutex);
        if (epoch != m_epoch || !m_mux.isOpen()) {
            return Sent::Gone;
        }
        function();
        if (!m_mux.hasOutput()) {
            return Sent::Queued; // e.g. credit that is kept until it is worth a frame
        }
        // Here and now: a request that waits for another thread to carry it out costs two switches more. What
        // finds no room goes with the next edge of the descriptor.
        writeLocked();
        if (m_events.empty()) {
            return Sent::Queued;
        }
    }
    wake(); // events are delivered on the channel's own thread
    return Sent::Queued;
}

Channel::Sent Channel::openStream(EpochNumber epoch, std::uint32_t stream, StreamKind kind) {
    return within(epoch, [&] { m_mux.openStream(stream, kind); });
}

Status Channel::sendMessage(EpochNumber epoch, std::uint32_t stream, ByteSpan message) {
    Status status;
    if (within(epoch, [&] { status = m_mux.sendMessage(stream, message); }) == Sent::Gone) {
        return epochOver(m_options.name);
    }
    return status;
}

Status Channel::sendMessages(EpochNumber epoch, std::uint32_t stream, const std::vector<Bytes>& messages) {
    Status status;
    const auto sendAll = [&] {
        for (const auto& message : messages) {
            status = m_mux.sendMessage(stream, message);
            if (!status) {
                return;
            }
        }
    };
    if (within(epoch, sendAll) == Sent::Gone) {
        return epochOver(m_options.name);
    }
    return status;
}

Status Channel::sendBytes(EpochNumber epoch, std::uint32_t stream, ByteSpan bytes) {
    Status status;
    if (within(epoch, [&] { status = m_mux.sendBytes(stream, bytes); }) == Sent::Gone) {
        return epochOver(m_options.name);
    }
    return status;
}

Channel::Sent Channel::sendEnd(EpochNumber epoch, std::uint32_t stream) {
    return within(epoch, [&] {
        m_asked.erase(stream);
        m_mux.sendEnd(stream);
    });
}

Channel::Sent Channel::sendReset(EpochNumber epoch, std::uint32_t stream, std::uint32_t reason) {
    return within(epoch, [&] {
        m_asked.erase(stream);
        m_mux.sendReset(stream, reason);
    });
}

Channel::Sent Channel::consumed(EpochNumber epoch, std::uint32_t stream, std::size_t bytes) {
    return within(epoch, [&] { m_mux.consumed(stream, bytes); });
}

std::optional<std::size_t> Channel::queued(EpochNumber epoch, std::uint32_t stream) const {
    const std::lock_guard lock(m_mutex);
    if (epoch != m_epoch || !m_mux.isOpen()) {
        return std::nullopt;
    }
    return m_mux.queued(stream);
}

bool Channel::tellWhenWritable(EpochNumber epoch, std::uint32_t stream) {
    const std::lock_guard lock(m_mutex);
    if (epoch != m_epoch || !m_mux.isOpen() || m_mux.queued(stream) == 0) {
        return false;
    }
    m_asked.insert(stream);
    return true;
}

Status Channel::waitQueuedBelow(EpochNumber epoch, std::uint32_t stream, std::size_t bytes,
                                const std::function<bool()>& cancelled) {
    std::unique_lock lock(m_mutex);
    for (;;) {
        if (m_stop || epoch != m_epoch || !m_mux.isOpen()) {
            return epochOver(m_options.name);
        }
        if (cancelled()) {
            return fail(ErrorCode::Cancelled, "the host no longer wants it");
        }
        if (m_mux.queued(stream) < bytes) {
            return {};
        }
        m_progress.wait(lock);
    }
}

void Channel::wakeWaiters() {
    const std::lock_guard lock(m_mutex);
    m_progress.notify_all();
}

void Channel::flush(std::chrono::milliseconds limit) {
    std::unique_lock lock(m_mutex);
    m_progress.wait_for(lock, limit,
                        [this] { return m_pendingDone == m_pending.size() && !m_mux.hasOutput(); });
}

} // namespace carrel::guestd

// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/session_server.h"

#include "guest/protocol/control.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace carrel::guestd {

SessionServer::SessionServer(SpawnerSource spawners)
    : m_spawners(std::move(spawners))
    , m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

SessionServer::~SessionServer() {
    stop();
}

std::optional<StreamKind> SessionServer::accept(std::uint32_t stream) {
    const std::uint32_t number = stream / control::kSessionStreams;
    if (number < 1 || number > control::kMaxSessions) {
        return std::nullopt;
    }
    switch (stream % control::kSessionStreams) {
    case control::kSessionControl:
        return StreamKind::Messages;
    case control::kSessionStdin:
        return StreamKind::Bytes;
    default:
        return std::nullopt; // output goes the other way
    }
}

Status SessionServer::start(Channel& channel) {
    if (!m_wake) {
        return fail(ErrorCode::Io, "making the session server's wake-up failed");
    }
    m_channel = &channel;
    m_thread = std::thread([this] { run(); });
    return {};
}

void SessionServer::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(m_wake.get(), &one, sizeof one);
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

void SessionServer::handle(ChannelEvent&& event) {
    {
        // Bounded: data by the streams' credit, the rest by the number of streams.
        const std::lock_guard lock(m_mutex);
        m_inbox.push_back(std::move(event));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(m_wake.get(), &one, sizeof one);
}

void SessionServer::run() {
    std::vector<pollfd> wait;
    for (;;) {
        wait.clear();
        wait.push_back({m_wake.get(), POLLIN, 0});
        for (const auto& [number, session] : m_sessions) {
            session->collectPoll(wait);
        }
        for (const auto& session : m_leaving) {
            session->collectPoll(wait);
        }
        ::poll(wait.data(), wait.size(), -1);
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(m_wake.get(), &count, sizeof count);
        std::vector<ChannelEvent> events;
        {
            const std::lock_guard lock(m_mutex);
            if (m_stop) {
                break;
            }
            events.swap(m_inbox);
        }
        for (auto& event : events) {
            take(event);
        }
        sweep();
    }
    newEpoch(m_epoch + 1);
}

void SessionServer::newEpoch(EpochNumber epoch) {
    for (auto& [number, session] : m_sessions) {
        session->hangUp();
        m_leaving.push_back(std::move(session));
    }
    m_sessions.clear();
    m_over.clear();
    m_epoch = epoch;
}

Session* SessionServer::sessionFor(std::uint32_t number) {
    auto& session = m_sessions[number];
    if (!session) {
        session = std::make_unique<Session>(*m_channel, m_epoch, number);
    }
    return session.get();
}

void SessionServer::take(ChannelEvent& event) {
    if (event.kind == ChannelEvent::Kind::Epoch) {
        newEpoch(event.epoch);
        return;
    }
    if (event.epoch != m_epoch || event.kind == ChannelEvent::Kind::Writable) {
        return; // Writable: sweep() looks at every session anyway
    }
    const std::uint32_t number = event.stream / control::kSessionStreams;
    const std::uint32_t which = event.stream % control::kSessionStreams;
    const bool isControl = which == control::kSessionControl;
    const bool isKnown = m_sessions.contains(number);
    if (event.kind == ChannelEvent::Kind::Data && isControl) {
        m_channel->consumed(m_epoch, event.stream, event.data.size());
        m_over.erase(number); // used again: only a message of its own makes it a new session
        const auto spawner = m_spawners();
        sessionFor(number)->control(asText(event.data), spawner.get());
        return;
    }
    if (!isKnown && m_over.contains(number)) {
        if (event.kind == ChannelEvent::Kind::Data) {
            m_channel->sendReset(m_epoch, event.stream, EPIPE);
        }
        return;
    }
    switch (event.kind) {
    case ChannelEvent::Kind::Data:
        sessionFor(number)->input(std::move(event.data));
        break;
    case ChannelEvent::Kind::End:
        if (which == control::kSessionStdin) {
            sessionFor(number)->inputEnded();
        }
        break; // the end of the control stream says only that no more signals will come
    case ChannelEvent::Kind::Reset:
        if (isKnown) {
            sessionFor(number)->streamReset(which);
            if (isControl) {
                m_leaving.push_back(std::move(m_sessions[number]));
                m_sessions.erase(number);
                m_over.insert(number);
            }
        }
        break;
    default:
        break;
    }
}

void SessionServer::sweep() {
    for (auto at = m_sessions.begin(); at != m_sessions.end();) {
        at->second->advance();
        if (at->second->state() == Session::State::Over) {
            m_over.insert(at->first);
            at = m_sessions.erase(at);
        } else {
            ++at;
        }
    }
    for (auto& session : m_leaving) {
        session->advance();
    }
    std::erase_if(m_leaving, [](const auto& session) { return session->state() == Session::State::Over; });
}

} // namespace carrel::guestd

// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/session_relay.h"

#include "guest/protocol/rpc.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

namespace carrel::clerk {

namespace json = boost::json;
using control::kSessionControl;
using control::kSessionStderr;
using control::kSessionStdin;
using control::kSessionStdout;
using control::kSessionStreams;

namespace {

constexpr JsonLimits kSessionMessageLimits{16 * 1024, 4}; // of the caller's messages
constexpr std::uint32_t kCancelledByPeer = 125; // ECANCELED, Linux numbering (frame.h)

} // namespace

std::shared_ptr<SessionRelay> SessionRelay::create(boost::asio::io_context& loop, std::uint32_t session,
                                                   UniqueFd socket, std::shared_ptr<ChannelPump> guest, Ended ended) {
    std::shared_ptr<SessionRelay> relay(new SessionRelay(session, std::move(guest), std::move(ended)));
    relay->attach(loop, std::move(socket));
    return relay;
}

SessionRelay::SessionRelay(std::uint32_t session, std::shared_ptr<ChannelPump> guest, Ended ended)
    : m_session(session), m_guest(std::move(guest)), m_ended(std::move(ended)) {}

SessionRelay::~SessionRelay() {
    if (m_caller) {
        m_caller->closeAfterFlush();
    }
}

void SessionRelay::attach(boost::asio::io_context& loop, UniqueFd socket) {
    const std::weak_ptr<SessionRelay> weak = shared_from_this();
    Mux::Events events;
    events.accept = [](std::uint32_t stream) -> std::optional<StreamKind> {
        if (stream == callerStream(kSessionControl)) {
            return StreamKind::Messages;
        }
        if (stream == callerStream(kSessionStdin)) {
            return StreamKind::Bytes;
        }
        return std::nullopt;
    };
    events.data = [weak](std::uint32_t stream, Bytes&& data) {
        if (auto self = weak.lock()) {
            self->callerData(stream, std::move(data));
        }
    };
    events.end = [weak](std::uint32_t stream) {
        if (auto self = weak.lock()) {
            self->callerEnd(stream);
        }
    };
    events.writable = [weak](std::uint32_t stream) {
        auto self = weak.lock();
        const std::uint32_t part = stream - callerStream(0);
        if (self && part < kSessionStreams && self->m_owedToGuest[part] > 0) {
            self->m_guest->mux().consumed(self->guestStream(part), std::exchange(self->m_owedToGuest[part], 0));
            self->m_guest->flushSoon();
        }
        if (self) {
            self->maybeFinish();
        }
    };
    m_caller = ChannelPump::create(loop, std::move(socket), ChannelPump::Peer::LocalSocket, std::move(events), {},
                                   [weak](const std::string&) {
                                       if (auto self = weak.lock()) {
                                           self->callerGone();
                                       }
                                   });
    m_caller->start(kLocalEpochTag);
    m_caller->mux().openStream(callerStream(kSessionControl), StreamKind::Messages);
    m_caller->mux().openStream(callerStream(kSessionStdout), StreamKind::Bytes);
    m_caller->mux().openStream(callerStream(kSessionStderr), StreamKind::Bytes);
}

Status SessionRelay::start(const json::object& startMessage) {
    Mux& mux = m_guest->mux();
    mux.openStream(guestStream(kSessionControl), StreamKind::Messages);
    for (const auto part : {kSessionStdin, kSessionStdout, kSessionStderr}) {
        mux.openStream(guestStream(part), StreamKind::Bytes);
    }
    auto sent = mux.sendMessage(guestStream(kSessionControl), asBytes(json::serialize(startMessage)));
    m_guest->flushSoon();
    return sent;
}

void SessionRelay::callerData(std::uint32_t stream, Bytes&& data) {
    const std::size_t size = data.size();
    if (stream == callerStream(kSessionStdin)) {
        m_owedToCaller += size;
        if (!m_guest->mux().sendBytes(guestStream(kSessionStdin), data)) {
            callerGone();
            return;
        }
        m_guest->flushSoon();
        return;
    }
    // Only these two, rebuilt from what they mean: nothing of the caller's text goes on as it is.
    auto message = parseJsonObject(asText(data), kSessionMessageLimits);
    m_caller->mux().consumed(stream, size);
    if (!message) {
        callerGone();
        return;
    }
    JsonFields fields(*message, "session");
    json::object out;
    if (const auto signal = fields.optionalNumber("signal", 64)) {
        out["signal"] = *signal;
    } else if (const auto* resize = fields.optionalObject("resize")) {
        JsonFields inner(*resize, "resize");
        out["resize"] = {{"rows", inner.number("rows", 10000)}, {"cols", inner.number("cols", 10000)}};
        if (!inner.finish()) {
            callerGone();
            return;
        }
    }
    if (out.empty() || !fields.finish()) {
        callerGone();
        return;
    }
    (void)m_guest->mux().sendMessage(guestStream(kSessionControl), asBytes(json::serialize(out))).has_value();
    m_guest->flushSoon();
}

void SessionRelay::callerEnd(std::uint32_t stream) {
    if (stream == callerStream(kSessionStdin)) {
        m_guest->mux().sendEnd(guestStream(kSessionStdin));
        m_guest->flushSoon();
    }
}

void SessionRelay::guestWritable(std::uint32_t part) {
    if (part == kSessionStdin && m_owedToCaller > 0) {
        m_caller->mux().consumed(callerStream(kSessionStdin), std::exchange(m_owedToCaller, 0));
        m_caller->flushSoon();
    }
}

void SessionRelay::guestData(std::uint32_t part, Bytes&& data) {
    const std::size_t size = data.size();
    if (part == kSessionStdin || m_finished) {
        m_guest->mux().consumed(guestStream(part), size);
        return;
    }
    if (part != kSessionControl) {
        m_owedToGuest[part] += size;
        if (!m_caller->mux().sendBytes(callerStream(part), data)) {
            callerGone();
            return;
        }
        m_caller->flushSoon();
        return;
    }
    m_guest->mux().consumed(guestStream(part), size);
    m_guest->flushSoon();
    auto outcome = sessionOutcome(asText(data));
    if (outcome.empty()) {
        tellCaller({{"started", json::object{}}});
        return;
    }
    m_outcome = std::move(outcome);
    m_exited = true;
    if (m_outcome.contains("error")) {
        tellCaller(m_outcome);
        m_outputEnded[kSessionStdout] = m_outputEnded[kSessionStderr] = true;
    } else {
        tellCaller({{"exit", m_outcome}});
    }
    maybeFinish();
}

void SessionRelay::guestEnd(std::uint32_t part) {
    if (part == kSessionStdout || part == kSessionStderr) {
        m_outputEnded[part] = true;
        m_caller->mux().sendEnd(callerStream(part));
        m_caller->flushSoon();
        maybeFinish();
    }
}

void SessionRelay::guestReset(std::uint32_t part) {
    if (part == kSessionControl) {
        guestGone("the agent's machine ended the session");
        return;
    }
    if (part == kSessionStdin) {
        // The command no longer reads: what the caller still sends is taken and dropped.
        if (m_owedToCaller > 0) {
            m_caller->mux().consumed(callerStream(kSessionStdin), std::exchange(m_owedToCaller, 0));
            m_caller->flushSoon();
        }
        return;
    }
    guestEnd(part);
}

void SessionRelay::guestGone(const std::string& why) {
    if (m_finished) {
        return;
    }
    if (!m_exited) {
        m_exited = true;
        m_outcome = {{"error", toJson(Error{ErrorCode::Unavailable, why,
                                            "Look at the command's effects and run it again if need be", 0, {}})}};
        tellCaller(m_outcome);
    }
    m_outputEnded.fill(true);
    maybeFinish();
}

void SessionRelay::callerGone() {
    if (m_finished) {
        return;
    }
    if (!m_exited) {
        m_guest->mux().sendReset(guestStream(kSessionControl), kCancelledByPeer);
        m_guest->flushSoon();
        m_outcome = {{"error", toJson(Error{ErrorCode::Cancelled, "the caller went away", {}, 0, {}})}};
    }
    finish();
}

void SessionRelay::tellCaller(const json::object& message) {
    (void)m_caller->mux().sendMessage(callerStream(kSessionControl), asBytes(json::serialize(message))).has_value();
    m_caller->flushSoon();
}

// Over when the outcome is known, all output has ended, and the caller has been handed every byte.
void SessionRelay::maybeFinish() {
    if (m_finished || !m_exited || !m_outputEnded[kSessionStdout] || !m_outputEnded[kSessionStderr]) {
        return;
    }
    for (std::uint32_t part = 0; part < kSessionStreams; ++part) {
        if (m_caller->mux().queued(callerStream(part)) > 0) {
            return; // `writable` brings us back
        }
    }
    finish();
}

void SessionRelay::finish() {
    if (std::exchange(m_finished, true)) {
        return;
    }
    // Our half of each stream as well, or they would count for as long as the channel lives.
    for (std::uint32_t part = 0; part < kSessionStreams; ++part) {
        m_guest->mux().sendEnd(guestStream(part));
    }
    m_guest->flushSoon();
    m_ended(m_session, m_outcome);
}

} // namespace carrel::clerk

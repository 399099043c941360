// SPDX-License-Identifier: Apache-2.0
#include "app/terminal/guest_session.h"

#include "app/api/exec_words.h"

namespace carrel::terminal {

using api::terminal::Ended;

GuestSession::GuestSession()
    : m_mux(Side::Host, events(), Mux::Options{.maxMessage = api::kMaxExecWord}) {
    m_mux.beginLocal(api::kExecTag);
    m_mux.openStream(api::kExecControl, StreamKind::Messages);
    m_mux.openStream(api::kExecStdin, StreamKind::Bytes);
}

Mux::Events GuestSession::events() {
    Mux::Events events;
    events.data = [this](std::uint32_t stream, Bytes&& data) {
        if (stream == api::kExecStdout) {
            m_output += asText(data);
            return; // its credit goes back when it was taken
        }
        const auto size = data.size();
        if (stream == api::kExecControl) {
            onControl(asText(data));
        } // a session with a terminal writes no errors apart
        m_mux.consumed(stream, size);
    };
    events.end = [this](std::uint32_t stream) { m_outputEnded = m_outputEnded || stream == api::kExecStdout; };
    events.reset = [this](std::uint32_t stream, std::uint32_t /*reason*/) {
        m_outputEnded = m_outputEnded || stream == api::kExecStdout;
        if (stream == api::kExecControl) {
            endAs({Ended::How::Lost, 0, {}});
        }
    };
    events.spoilt = [this](std::string_view /*why*/) {
        m_outputEnded = true;
        endAs({Ended::How::Broken, 0, {}});
    };
    events.accept = [](std::uint32_t stream) -> std::optional<StreamKind> {
        return stream == api::kExecStdout || stream == api::kExecStderr ? std::optional(StreamKind::Bytes) : std::nullopt;
    };
    return events;
}

void GuestSession::onControl(std::string_view text) {
    const auto word = api::execWord(text);
    if (!word) {
        endAs({Ended::How::Broken, 0, {}});
    } else if (const auto* error = std::get_if<Error>(&*word)) {
        m_outputEnded = true;
        endAs({Ended::How::Failed, 0, *error});
    } else if (const auto* exited = std::get_if<api::ExecExited>(&*word)) {
        endAs({Ended::How::Exited, static_cast<std::uint8_t>(exited->code), {}});
    } else if (const auto* signalled = std::get_if<api::ExecSignalled>(&*word)) {
        endAs({Ended::How::Signalled, static_cast<std::uint8_t>(signalled->number), {}});
    }
}

void GuestSession::endAs(Ended how) {
    if (!m_end) {
        m_end = std::move(how);
    }
}

void GuestSession::channelEnded() {
    m_outputEnded = true;
    endAs({Ended::How::Lost, 0, {}});
}

void GuestSession::taken(std::size_t bytes) {
    m_at += bytes;
    if (m_at == m_output.size()) {
        m_output.clear();
        m_at = 0;
    }
    m_mux.consumed(api::kExecStdout, bytes);
}

bool GuestSession::type(std::string_view bytes) {
    if (m_end) {
        return true; // nobody is there to read it, and the window is about to be told
    }
    if (m_mux.queued(api::kExecStdin) + bytes.size() > kMaxInputQueued) {
        return false;
    }
    (void)m_mux.sendBytes(api::kExecStdin, asBytes(bytes));
    return true;
}

void GuestSession::resize(std::uint16_t rows, std::uint16_t columns) {
    (void)m_mux.sendMessage(api::kExecControl, asBytes(api::execResize(rows, columns)));
}

// The word of the end has its own stream and may overtake output that waits for credit.
std::optional<Ended> GuestSession::ended() const {
    return m_end && output().empty() && (m_outputEnded || m_end->how == Ended::How::Lost || m_end->how == Ended::How::Broken)
               ? m_end
               : std::nullopt;
}

} // namespace carrel::terminal

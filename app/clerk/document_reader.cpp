// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/document_reader.h"

#include "guest/protocol/rpc.h"
#include "guest/protocol/share_path.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <unistd.h>

namespace carrel::clerk {

namespace json = boost::json;
using control::kSessionControl;
using control::kSessionStderr;
using control::kSessionStdin;
using control::kSessionStdout;

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kAhead = 512 * 1024;        // handed to the channel and not yet taken by the guest
constexpr std::uint32_t kCancelledByPeer = 125;   // ECANCELED, Linux numbering (frame.h)

Status writeAll(int file, std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t put = ::pwrite(file, text.data() + at, text.size() - at, static_cast<off_t>(at));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return failErrno("handing on a document's text");
        }
        at += static_cast<std::size_t>(put);
    }
    return {};
}

} // namespace

std::string_view wholeLines(std::string_view text) {
    if (const auto end = text.rfind('\n'); end != std::string_view::npos) {
        return text.substr(0, end + 1);
    }
    constexpr std::size_t kLongestCharacter = 4; // RFC 3629
    for (std::size_t less = 0; less < kLongestCharacter && less < text.size(); ++less) {
        if (const auto shorter = text.substr(0, text.size() - less); isUtf8(shorter)) {
            return shorter;
        }
    }
    return text; // no text at all
}

bool isPlainLines(std::string_view text) {
    return isUtf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f;
    });
}

DocumentReader::DocumentReader(std::uint32_t session, std::shared_ptr<ChannelPump> guest, Setup setup, Done done)
    : m_session(session)
    , m_guest(std::move(guest))
    , m_setup(std::move(setup))
    , m_done(std::move(done)) {}

void DocumentReader::start(const json::array& argv) {
    Mux& mux = m_guest->mux();
    mux.openStream(stream(kSessionControl), StreamKind::Messages);
    for (const auto part : {kSessionStdin, kSessionStdout, kSessionStderr}) {
        mux.openStream(stream(part), StreamKind::Bytes);
    }
    const json::object start{{"start", {{"argv", argv}, {"env", json::object{}}, {"cwd", "/"}, {"tty", nullptr}}}};
    if (auto sent = mux.sendMessage(stream(kSessionControl), asBytes(json::serialize(start))); !sent) {
        finish(fail(std::move(sent).error()));
        return;
    }
    sendSome();
}

void DocumentReader::sendSome() {
    Mux& mux = m_guest->mux();
    Bytes piece(kPiece);
    while (!m_inputOver && mux.queued(stream(kSessionStdin)) < kAhead) {
        const ssize_t got = ::pread(m_setup.document.get(), piece.data(), piece.size(), static_cast<off_t>(m_sent));
        if (got < 0) {
            finish(failErrno("reading the document that was frozen"));
            return;
        }
        m_inputOver = got == 0;
        if (m_inputOver) {
            mux.sendEnd(stream(kSessionStdin));
        } else if (!mux.sendBytes(stream(kSessionStdin), ByteSpan(piece).first(static_cast<std::size_t>(got)))) {
            m_inputOver = true; // the command reads no more; its end says why
        }
        m_sent += static_cast<std::uint64_t>(got);
    }
    m_guest->flushSoon();
}

void DocumentReader::guestWritable(std::uint32_t part) {
    if (part == kSessionStdin && m_done) {
        sendSome();
    }
}

void DocumentReader::guestData(std::uint32_t part, Bytes&& data) {
    m_guest->mux().consumed(stream(part), data.size());
    m_guest->flushSoon();
    if (!m_done) {
        return;
    }
    if (part == kSessionStdout) {
        takeText(data);
    } else if (part == kSessionControl && m_outcome.empty()) {
        m_outcome = sessionOutcome(asText(data));
        if (m_outcome.contains("error")) {
            m_textOver = true;
        }
    }
    maybeFinish();
}

void DocumentReader::takeText(ByteSpan data) {
    const auto room = static_cast<std::size_t>(m_setup.maxText) - m_text.size();
    m_text += asText(data.first(std::min(room, data.size())));
    if (data.size() > room) {
        m_cut = true;
        m_textOver = true;
        m_outcome = {{"code", 0}};
    }
}

void DocumentReader::guestEnd(std::uint32_t part) {
    if (part == kSessionStdout) {
        m_textOver = true;
        maybeFinish();
    }
}

void DocumentReader::guestReset(std::uint32_t part) {
    if (part == kSessionStdin) {
        m_inputOver = true;
    } else if (part == kSessionControl) {
        guestGone("the viewer's machine broke off the reading");
    } else {
        guestEnd(part);
    }
}

void DocumentReader::guestGone(const std::string& why) {
    if (m_done) {
        finish(fail(ErrorCode::Unavailable, why));
    }
}

void DocumentReader::maybeFinish() {
    if (m_done && m_textOver && !m_outcome.empty()) {
        finish(conclude());
    }
}

Result<json::object> DocumentReader::conclude() {
    if (const auto* error = m_outcome.if_contains("error")) {
        return fail(errorFrom(error->get_object()));
    }
    const std::string_view text = m_cut ? wholeLines(m_text) : std::string_view(m_text);
    if (!isPlainLines(text)) {
        return fail(ErrorCode::Malformed, "what the viewer's machine sent is no text");
    }
    CARREL_TRY(writeAll(m_setup.text.get(), text));
    json::object out = m_outcome;
    out["size"] = text.size();
    out["cut"] = m_cut;
    return out;
}

void DocumentReader::finish(Result<json::object> outcome) {
    const auto done = std::exchange(m_done, nullptr);
    if (!done) {
        return;
    }
    Mux& mux = m_guest->mux();
    if (m_cut || !outcome) {
        mux.sendReset(stream(kSessionControl), kCancelledByPeer); // ends the command
    }
    // Our half of each stream as well, or they would count for as long as the channel lives.
    for (std::uint32_t part = 0; part < control::kSessionStreams; ++part) {
        mux.sendEnd(stream(part));
    }
    m_guest->flushSoon();
    done(m_session, std::move(outcome));
}

} // namespace carrel::clerk

// SPDX-License-Identifier: Apache-2.0
// The two ends, what moves between them, and how it ends.
#include "app/relay/http_road.h"

namespace carrel::relay {

namespace {

constexpr std::size_t kPiece = 16 * 1024;

std::size_t feedAll(End& end, ByteSpan wire, const std::function<void()>& pump) {
    std::size_t total = 0;
    for (;;) {
        const auto took = end.feed(wire.subspan(total));
        total += took;
        pump();
        if (took == 0 || total == wire.size()) {
            return total;
        }
    }
}

bool writeSome(ByteQueue& from, End& to) {
    const auto count = from.empty() ? 0 : to.write(from.front());
    from.drop(count);
    return count > 0;
}

} // namespace

HttpRoad::HttpRoad(std::unique_ptr<End> guest, std::unique_ptr<End> host, Settings settings, Events events)
    : m_settings(std::move(settings))
    , m_events(std::move(events))
    , m_guest(std::move(guest))
    , m_host(std::move(host))
    , m_since(m_events.now())
    , m_headSince(m_since)
    , m_lastMove(m_since) {}

std::size_t HttpRoad::fromGuest(ByteSpan wire) {
    return isOver() ? wire.size() : feedAll(*m_guest, wire, [this] { pump(); });
}

std::size_t HttpRoad::fromHost(ByteSpan wire) {
    return isOver() ? wire.size() : feedAll(*m_host, wire, [this] { pump(); });
}

void HttpRoad::guestEnded() {
    m_guest->feedEnd();
    pump();
}

void HttpRoad::hostEnded() {
    m_host->feedEnd();
    pump();
}

Bytes HttpRoad::takeForGuest(std::size_t most) {
    auto out = m_guest->takeOutput(most);
    if (!out.empty()) {
        pump();
    }
    return out;
}

Bytes HttpRoad::takeForHost(std::size_t most) {
    auto out = m_host->takeOutput(most);
    if (!out.empty()) {
        pump();
    }
    return out;
}

bool HttpRoad::isGuestOutputOver() const {
    return (m_guestClosed || isOver()) && !m_guest->hasOutput();
}

bool HttpRoad::isHostOutputOver() const {
    return (m_hostClosed || isOver()) && !m_host->hasOutput();
}

void HttpRoad::pump() {
    if (m_pumping) {
        return;
    }
    m_pumping = true;
    for (bool again = true; again && !isOver();) {
        again = fill();
        again = stepRequest() || again;
        again = stepResponse() || again;
        again = flush() || again;
    }
    m_pumping = false;
    if (m_request == RequestState::Head && m_fromGuest.empty()) {
        for (auto* queue : {&m_fromGuest, &m_fromHost, &m_toGuest, &m_toHost}) {
            queue->rest();
        }
        m_guest->rest();
        m_host->rest();
    }
}

bool HttpRoad::fill() {
    bool got = false;
    if (m_fromGuest.size() < kMaxHead) {
        got = m_guest->read(m_fromGuest, kPiece) > 0;
    }
    if (m_fromHost.size() < kMaxHead) {
        got = m_host->read(m_fromHost, kPiece) > 0 || got;
    }
    if (m_life == Life::Lingering || m_life == Life::Ending) {
        m_fromGuest.clear(); // nobody takes it any more
        m_fromHost.clear();
    } else if (m_guest->state() == End::State::Failed) {
        breakOff(m_guest->why());
    } else if (m_usage && m_request == RequestState::Sent && m_guest->peerEnd() != End::PeerEnd::No) {
        // A program that hangs up while a model answers wants no more of it, and what the model goes on to say would be paid for.
        // (A half-closed connection looks the same; no client of these interfaces makes one.)
        breakOff("guest");
    }
    return got;
}

bool HttpRoad::flush() {
    bool wrote = writeSome(m_toHost, *m_host);
    wrote = writeSome(m_toGuest, *m_guest) || wrote;
    if (m_rawGuestEnded && !m_hostClosed && m_toHost.empty()) {
        m_host->close();
        m_hostClosed = true;
    }
    if (m_rawHostEnded && !m_guestClosed && m_toGuest.empty()) {
        m_guest->close();
        m_guestClosed = true;
    }
    if (wrote) {
        moved();
    }
    if (m_life == Life::Running && m_guestClosed && m_hostClosed) {
        end("ended");
    }
    if ((m_life != Life::Ending && m_life != Life::Lingering) || !m_toGuest.empty()) {
        return wrote;
    }
    m_guest->close();
    m_host->close();
    m_guestClosed = m_hostClosed = true;
    if (m_life == Life::Ending || m_guest->peerEnd() != End::PeerEnd::No || m_guest->state() == End::State::Failed) {
        m_life = Life::Over;
    }
    return wrote;
}

void HttpRoad::refuse(Refusal refusal) {
    if (m_events.refused) {
        m_events.refused(m_number, refusal);
    }
    if (m_response == ResponseState::Body || m_response == ResponseState::Raw) {
        breakOff(refusal.text); // a page in the middle of another one is none
        return;
    }
    tellUse(ModelUsage::End::Refused);
    // After the host's faults, and with a body on its way, nobody can say where the next request begins.
    const bool keeps = refusal.status == 403 && m_response == ResponseState::None && m_request == RequestState::Asking && m_head.keepsAlive &&
                       m_head.body.kind == BodyEnd::Kind::None;
    const auto after = keeps ? After::KeepAlive : After::Close;
    m_toGuest.append(m_settings.guard ? m_settings.guard->page(refusal, m_head.method, after)
                                      : refusalPage(refusal, m_settings.origin, m_head.method, after));
    if (keeps) {
        m_request = RequestState::Head;
        m_since = m_events.now();
        return;
    }
    m_toHost.clear();
    m_watch.reset();
    forgetSecret();
    m_life = Life::Lingering;
    m_how = "refused";
    m_since = m_events.now();
}

void HttpRoad::refuseFor(const HttpFault& fault) {
    refuse({fault.status, fault.status >= 502 && fault.status <= 504 ? "bad-answer" : "bad-request", fault.why});
}

void HttpRoad::end(std::string how) {
    tellUse(ModelUsage::End::Refused); // what has been answered has been told
    m_life = Life::Ending;
    m_how = std::move(how);
    m_since = m_events.now();
    m_toHost.clear();
    m_watch.reset();
    forgetSecret();
}

void HttpRoad::forgetSecret() {
    m_scrubbed += m_scrubber.found();
    m_scrubber = {};
}

void HttpRoad::tellUse(ModelUsage::End how) {
    if (const auto usage = std::exchange(m_usage, nullptr); usage && m_events.used) {
        m_events.used(m_number, usage->finish(how));
    }
}

void HttpRoad::breakOff(std::string how) {
    // A host that has the request works on it, whether or not anybody waits for the answer.
    tellUse(m_request == RequestState::Sent || m_response == ResponseState::Body ? ModelUsage::End::Cut : ModelUsage::End::Refused);
    m_life = Life::Over;
    m_broken = true;
    m_how = std::move(how);
    m_watch.reset();
    forgetSecret();
    for (auto* queue : {&m_fromGuest, &m_fromHost, &m_toGuest, &m_toHost}) {
        queue->clear();
    }
}

void HttpRoad::cut() {
    if (!isOver()) {
        breakOff("cut");
    }
}

std::optional<HttpRoad::Due> HttpRoad::due() const {
    const auto& bounds = m_settings.bounds;
    switch (m_life) {
    case Life::Over:
        return std::nullopt;
    case Life::Ending:
    case Life::Lingering:
        // As long as it takes what is left of a body, it has the time of a body.
        return Due{m_toGuest.empty() ? m_since + bounds.linger : m_lastMove + bounds.still, Late::Linger};
    case Life::Running:
        break;
    }
    if (m_guest->state() == End::State::Opening || m_host->state() == End::State::Opening) {
        return Due{m_since + bounds.handshake, Late::Handshake};
    }
    if (m_request == RequestState::Raw) {
        return Due{m_lastMove + bounds.raw, Late::Still};
    }
    if (m_response == ResponseState::Body || m_request == RequestState::Body) {
        return Due{m_lastMove + bounds.still, Late::Still};
    }
    if (m_response == ResponseState::Head) {
        return m_headBegan ? Due{m_headSince + bounds.head, Late::Answer} : Due{m_lastMove + bounds.answer, Late::Answer};
    }
    if (m_request == RequestState::Head) {
        return m_headBegan ? Due{m_headSince + bounds.head, Late::Head} : Due{m_since + bounds.idle, Late::Idle};
    }
    return std::nullopt; // whoever was asked says when it is too late
}

std::optional<HttpRoad::Clock::time_point> HttpRoad::deadline() const {
    const auto next = due();
    return next ? std::optional(next->at) : std::nullopt;
}

void HttpRoad::tick() {
    const auto next = due();
    if (!next || m_events.now() < next->at) {
        return;
    }
    switch (next->what) {
    case Late::Linger:
        m_life = Life::Over;
        m_broken = !m_toGuest.empty();
        return;
    case Late::Idle:
        end("idle");
        break;
    case Late::Head:
        refuse({408, "timed-out", "The request's head did not come in time"});
        break;
    case Late::Answer:
        refuse({504, "timed-out", "The host did not answer in time"});
        break;
    case Late::Still:
        breakOff("timed out");
        break;
    case Late::Handshake:
        if (m_request == RequestState::Read) {
            const bool tls = m_settings.origin.scheme == Scheme::Https;
            refuse({504, "timed-out", tls ? "The host did not agree on TLS in time" : "The host was not reached in time"});
        } else {
            breakOff("timed out");
        }
        break;
    }
    pump();
}

} // namespace carrel::relay

// SPDX-License-Identifier: Apache-2.0
// From the host to the program.
#include "app/relay/http_road.h"

#include <algorithm>
#include <cstdio>

namespace carrel::relay {

namespace {

constexpr std::size_t kMaxInterim = 16; // 100 and its like before one response

} // namespace

bool HttpRoad::stepResponse() {
    if (m_life != Life::Running) {
        return false;
    }
    switch (m_response) {
    case ResponseState::None:
        return waitForRequest();
    case ResponseState::Head:
        return takeResponseHead();
    case ResponseState::Body:
        return takeResponseBody();
    case ResponseState::Raw:
        return relayRaw(m_fromHost, m_toGuest, *m_host, m_rawHostEnded);
    }
    return false;
}

bool HttpRoad::waitForRequest() {
    if (!m_fromHost.empty()) {
        breakOff("the host spoke without being asked"); // it would be taken for the answer to the next request
        return false;
    }
    // A host that has gone between two requests: the program makes a new connection. One that is gone while a request waits is told
    // with the answer to that.
    if (m_host->state() != End::State::Opening && m_host->peerEnd() != End::PeerEnd::No && m_request == RequestState::Head) {
        end("far end");
    }
    return false;
}

void HttpRoad::responseEndsEarly() {
    if (m_host->state() == End::State::Failed) {
        refuse({502, "bad-answer", m_host->why()});
    } else if (m_number > 1 && m_fromHost.empty()) {
        // As a host closes that has waited long enough: programs then ask again by themselves (RFC 9112, section 9.3.1).
        end("far end");
    } else {
        refuse({502, "bad-answer", "The host ended the connection without an answer"});
    }
}

bool HttpRoad::takeResponseHead() {
    if (m_fromHost.empty()) {
        if (m_host->peerEnd() != End::PeerEnd::No || m_host->state() == End::State::Failed) {
            responseEndsEarly();
        }
        return false;
    }
    if (!m_headBegan) {
        m_headBegan = true;
        m_headSince = m_events.now();
    }
    const auto text = asText(m_fromHost.front());
    const auto size = m_responseSeeker.look(text);
    if (!size) {
        refuse({502, "bad-answer", "From the host: " + size.error().why});
        return true;
    }
    if (*size == 0) {
        if (m_host->peerEnd() != End::PeerEnd::No || m_host->state() == End::State::Failed) {
            responseEndsEarly();
        }
        return false;
    }
    auto head = readResponse(text.substr(0, *size), m_head.method);
    m_fromHost.drop(*size);
    m_responseSeeker.restart();
    m_headBegan = false;
    moved();
    if (!head) {
        refuse({502, "bad-answer", "From the host: " + head.error().why});
        return true;
    }
    if (head->status < 200) {
        return takeInterim(*head);
    }
    if (isHeld(*head)) {
        return true;
    }
    const bool isCoded = std::any_of(head->fields.begin(), head->fields.end(), [](const Field& field) {
        return isField(field, "content-encoding") && !isSameWord(field.value, "identity");
    });
    if (!m_scrubber.isIdle() && isCoded && head->body.kind != BodyEnd::Kind::None) {
        refuse({502, "bad-answer", "The host sent its answer in a coding, in which the credential could not be found, though it was asked for none"});
        return true;
    }
    if (m_usage) {
        m_usage->response(head->status, head->fields);
    }
    m_responseBody = BodyReader(head->body);
    sendResponseHead(*head);
    m_response = ResponseState::Body;
    return true;
}

bool HttpRoad::isHeld(ResponseHead& head) {
    auto no = m_settings.guard ? m_settings.guard->response(head, m_head) : std::nullopt;
    if (no) {
        refuse(std::move(*no));
    }
    return no.has_value();
}

bool HttpRoad::takeInterim(ResponseHead& head) {
    if (++m_interim > kMaxInterim || (head.status == 101 && !(head.isWebSocket && m_head.wantsWebSocket))) {
        refuse({502, "bad-answer", "The host switched to another protocol, or gave too many interim answers"});
        return true;
    }
    if (head.status == 100 && m_head.expectsContinue) {
        m_toGuest.append("HTTP/1.1 100 Continue\r\n\r\n");
        m_head.expectsContinue = false; // said once
    }
    if (head.status == 101 && !isHeld(head)) {
        m_toGuest.append("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
        for (const auto& field : head.fields) {
            m_toGuest.append(field.name + ": " + m_scrubber.scrubbed(field.value) + "\r\n");
        }
        m_toGuest.append("\r\n");
        m_request = RequestState::Raw;
        m_response = ResponseState::Raw;
    }
    return true;
}

void HttpRoad::sendResponseHead(ResponseHead& head) {
    const bool isHttp11 = m_head.version == Version::Http11;
    m_responseFraming = isHttp11 && (head.body.kind == BodyEnd::Kind::Chunked || head.body.kind == BodyEnd::Kind::Connection) ? Framing::Chunked
                                                                                                                              : Framing::Plain;
    // An answer before the request has come whole: the host may not read the rest.
    m_closesAfter = !isHttp11 || !m_head.keepsAlive || !head.keepsAlive || head.body.kind == BodyEnd::Kind::Connection ||
                    m_request != RequestState::Sent;
    m_toGuest.append("HTTP/1.1 " + std::to_string(head.status) + " " + m_scrubber.scrubbed(head.reason) + "\r\n");
    for (const auto& field : head.fields) {
        m_toGuest.append(field.name + ": " + m_scrubber.scrubbed(field.value) + "\r\n");
    }
    if (m_responseFraming == Framing::Chunked) {
        m_toGuest.append("Transfer-Encoding: chunked\r\n");
    }
    m_toGuest.append(m_closesAfter ? "Connection: close\r\n\r\n" : "\r\n");
}

void HttpRoad::sendBody(ByteSpan data) {
    if (data.empty()) {
        return;
    }
    if (m_responseFraming == Framing::Plain) {
        m_toGuest.append(data);
        return;
    }
    char size[20];
    const int length = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
    m_toGuest.append(std::string_view(size, static_cast<std::size_t>(length)));
    m_toGuest.append(data);
    m_toGuest.append("\r\n");
}

bool HttpRoad::takeResponseBody() {
    if (m_toGuest.size() >= kMostHeld) {
        return false;
    }
    if (m_responseBody.isDone()) {
        finishExchange();
        return true;
    }
    const auto step = m_responseBody.next(m_fromHost.front());
    if (!step) {
        breakOff("From the host: " + step.error().why);
        return false;
    }
    if (step->taken == 0) {
        if (m_host->state() == End::State::Failed) {
            breakOff(m_host->why());
        } else if (m_host->peerEnd() == End::PeerEnd::Clean && m_responseBody.mayEndHere()) {
            finishExchange();
            return true;
        } else if (m_host->peerEnd() != End::PeerEnd::No) {
            breakOff("far end"); // the program must not take a part for the whole
        }
        return false;
    }
    if (m_usage && !step->data.empty()) {
        m_usage->response(step->data);
    }
    if (m_scrubber.isIdle()) {
        sendBody(step->data);
    } else if (m_responseFraming == Framing::Plain) {
        m_scrubber.pass(step->data, m_toGuest);
    } else {
        ByteQueue clean;
        m_scrubber.pass(step->data, clean);
        sendBody(clean.front());
    }
    m_fromHost.drop(step->taken);
    moved();
    return true;
}

void HttpRoad::finishExchange() {
    ByteQueue clean;
    m_scrubber.finish(clean);
    sendBody(clean.front());
    forgetSecret();
    tellUse(ModelUsage::End::Whole);
    if (m_responseFraming == Framing::Chunked) {
        m_toGuest.append("0\r\n\r\n");
    }
    m_response = ResponseState::None;
    m_since = m_events.now();
    if (!m_closesAfter) {
        m_request = RequestState::Head;
        return;
    }
    const bool stillSends = m_request == RequestState::Body;
    end("ended");
    m_life = stillSends ? Life::Lingering : m_life;
}

bool HttpRoad::relayRaw(ByteQueue& from, ByteQueue& to, End& source, bool& ended) {
    if (from.empty()) {
        if (source.state() == End::State::Failed) {
            breakOff(source.why());
        } else if (!ended && source.peerEnd() != End::PeerEnd::No) {
            if (&source == m_host.get()) {
                m_scrubber.finish(to);
            } else if (m_watch && !isFine(m_watch->finish(to))) {
                return false;
            }
            ended = true;
        }
        return false;
    }
    if (to.size() >= kMostHeld) {
        return false;
    }
    if (&source == m_host.get()) {
        m_scrubber.pass(from.front(), to);
    } else if (!m_watch) {
        to.append(from.front());
    } else if (!isFine(m_watch->raw(from.front(), to))) {
        return false;
    }
    from.clear();
    moved();
    return true;
}

} // namespace carrel::relay

// SPDX-License-Identifier: Apache-2.0
// From the program to the host.
#include "app/relay/http_road.h"

#include "app/relay/model_paths.h"

#include <algorithm>

namespace carrel::relay {

namespace {

const std::vector<Placeholder> kNoPlaceholders;

void appendField(ByteQueue& to, std::string_view name, std::string_view value) {
    to.append(name);
    to.append(": ");
    to.append(value);
    to.append("\r\n");
}

void appendChunk(ByteQueue& to, ByteSpan data) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string size;
    for (auto left = data.size(); left > 0; left >>= 4U) {
        size.insert(size.begin(), kDigits[left & 15U]);
    }
    to.append(size + "\r\n");
    to.append(data);
    to.append("\r\n");
}

// A header that a secret may go into: none by which a message's bounds, or whom it is for, are told.
bool mayCarrySecret(std::string_view header) {
    for (const auto* name : {"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"}) {
        if (isSameWord(header, name)) {
            return false;
        }
    }
    return isToken(header);
}

} // namespace

bool HttpRoad::stepRequest() {
    if (m_life != Life::Running) {
        return false;
    }
    switch (m_request) {
    case RequestState::Head:
        return takeRequestHead();
    case RequestState::Read:
        return askWhenHostIsThere();
    case RequestState::Body:
        return takeRequestBody();
    case RequestState::Raw:
        return relayRaw(m_fromGuest, m_toHost, *m_guest, m_rawGuestEnded);
    default:
        return false;
    }
}

bool HttpRoad::takeRequestHead() {
    const bool ended = m_guest->peerEnd() != End::PeerEnd::No;
    if (m_fromGuest.empty()) {
        if (ended) {
            end("ended");
        }
        return false;
    }
    if (!m_headBegan) {
        m_headBegan = true;
        m_headSince = m_events.now();
        m_head = {};
    }
    const auto text = asText(m_fromGuest.front());
    const auto size = m_requestSeeker.look(text);
    if (!size) {
        ++m_number;
        refuseFor(size.error());
        return true;
    }
    if (*size == 0) {
        if (ended) {
            breakOff("guest");
        }
        return false;
    }
    ++m_number;
    auto head = readRequest(text.substr(0, *size), m_settings.origin);
    m_fromGuest.drop(*size);
    m_requestSeeker.restart();
    m_headBegan = false;
    if (!head) {
        refuseFor(head.error());
        return true;
    }
    m_head = std::move(*head);
    if (auto no = m_settings.guard ? m_settings.guard->request(m_head) : std::nullopt) {
        refuse(std::move(*no));
        return true;
    }
    m_request = RequestState::Read;
    m_since = m_events.now(); // a host that is only connected to now has its time
    m_watch.reset();
    if (m_settings.canaries) {
        if (const auto found = canaryIn(*m_settings.canaries, m_head)) {
            foundCanary(*found);
            return true;
        }
        if (m_head.wantsWebSocket) {
            removeFields(m_head.fields, "sec-websocket-extensions"); // what is compressed within it could not be searched
        }
        if (m_head.body.kind != BodyEnd::Kind::None || m_head.wantsWebSocket) {
            m_watch = std::make_unique<CanaryWatch>(m_settings.canaries, m_head);
        }
    }
    if (m_events.wanted) {
        m_events.wanted();
    }
    return true;
}

void HttpRoad::foundCanary(const CanaryFound& found) {
    if (m_events.canary) {
        m_events.canary(m_number, found);
    }
    breakOff("canary");
}

// False: it is over.
bool HttpRoad::isFine(const CanaryWatch::Verdict& verdict) {
    if (verdict.found) {
        foundCanary(*verdict.found);
    } else if (verdict.refused) {
        refuse({403, "packed", *verdict.refused});
    }
    return verdict.isFine();
}

bool HttpRoad::askWhenHostIsThere() {
    // A secret is asked for only when it can be used: the host's certificate has been verified.
    if (m_host->state() == End::State::Failed) {
        refuse({502, "unreachable", m_host->why()});
        return true;
    }
    if (m_host->state() == End::State::Opening) {
        return false;
    }
    const auto& known = m_settings.placeholders ? *m_settings.placeholders : kNoPlaceholders;
    m_request = RequestState::Asking;
    m_events.ask({m_number, m_head.method, m_head.target.path, placeholdersIn(m_head.fields, known), ownKeysIn(m_head.fields, known)});
    return true;
}

void HttpRoad::answer(std::uint64_t request, RequestAnswer answer) {
    if (m_life != Life::Running || m_request != RequestState::Asking || request != m_number) {
        return;
    }
    auto refusal = answer.verdict == Verdict::Deny ? std::optional(Refusal{403, answer.outcome, answer.text}) : std::nullopt;
    if (!refusal && answer.meter == Meter::On) {
        m_usage = std::make_unique<ModelUsage>(m_head.method, m_head.target.path);
        if (auto why = whyUncountable(m_head)) {
            refusal = {403, "uncountable", std::move(*why)};
        }
    }
    if (!refusal && (m_host->state() != End::State::Open || m_host->peerEnd() != End::PeerEnd::No)) {
        refusal = {503, "closed", "The host closed the connection before the request was let through; ask it again"};
    }
    if (!refusal && (answer.inject || answer.binding == Binding::Bound)) {
        refusal = prepareBound(answer);
    }
    if (refusal) {
        refuse(std::move(*refusal));
    } else {
        if (answer.inject || answer.meter == Meter::On) {
            askReadable();
        }
        sendRequestHead(answer);
    }
    pump();
}

std::optional<Refusal> HttpRoad::prepareBound(RequestAnswer& answer) {
    const auto& known = m_settings.placeholders ? *m_settings.placeholders : kNoPlaceholders;
    const auto* inject = answer.inject ? &*answer.inject : nullptr;
    const std::string header = inject != nullptr ? inject->header : "";
    if (const auto own = ownKeysIn(m_head.fields, known, header); !own.empty()) {
        return Refusal{403, "another-key", "The request carries a key of its own in " + own.front() +
                                               ", and this host takes none but the credential that is bound to it"};
    }
    std::string placeholder;
    if (inject != nullptr) {
        if (m_settings.origin.scheme != Scheme::Https) {
            return Refusal{403, "unprotected", "A credential is never sent without TLS"};
        }
        if (!mayCarrySecret(header) || inject->value.empty() || inject->value.size() > kMaxSecret || !isFieldValue(view(inject->value))) {
            return Refusal{403, "credential", "The credential does not fit into a header field"};
        }
        for (const auto& each : known) {
            placeholder = each.name == inject->credential || inject->credential.empty() ? each.text : placeholder;
            const bool isThere = std::any_of(m_head.fields.begin(), m_head.fields.end(), [&](const Field& field) {
                return (isField(field, header) || mayHoldKey(field.name)) && holdsPlaceholder(field.value, placeholder);
            });
            if (isThere) {
                break;
            }
            placeholder.clear();
        }
        if (placeholder.empty()) {
            return Refusal{403, "misplaced", "The credential's placeholder stands in no header field that holds a key, like " + header};
        }
    }
    std::erase_if(m_head.fields, [&](const Field& field) {
        return isOfIdentity(field.name) || (!header.empty() && isField(field, header)) || placeholdersIn({field}, known).size() > 0;
    });
    if (inject == nullptr) {
        return std::nullopt;
    }
    auto secrets = secretsIn(view(inject->value));
    if (!inject->secret.empty()) {
        secrets.push_back(inject->secret);
    }
    for (const auto& secret : secrets) {
        m_scrubber.add(view(secret), placeholder);
    }
    return std::nullopt;
}

// What comes back must be readable, and whole: a part at a time, no part would be found in it.
void HttpRoad::askReadable() {
    for (const auto* name : {"accept-encoding", "range", "if-range", "sec-websocket-extensions"}) {
        removeFields(m_head.fields, name);
    }
    m_head.fields.push_back({"Accept-Encoding", "identity"});
}

void HttpRoad::sendRequestHead(const RequestAnswer& answer) {
    m_toHost.append(m_head.method + " " + m_head.target.path + m_head.target.query + " HTTP/1.1\r\n");
    appendField(m_toHost, "Host", m_settings.origin.text());
    for (const auto& field : m_head.fields) {
        appendField(m_toHost, field.name, field.value);
    }
    if (m_head.body.kind == BodyEnd::Kind::Chunked) {
        appendField(m_toHost, "Transfer-Encoding", "chunked");
    }
    if (m_head.expectsContinue) {
        appendField(m_toHost, "Expect", "100-continue");
    }
    if (m_head.wantsWebSocket) {
        appendField(m_toHost, "Connection", "Upgrade");
        appendField(m_toHost, "Upgrade", "websocket");
    } else if (!m_head.keepsAlive || m_head.version == Version::Http10) {
        appendField(m_toHost, "Connection", "close");
    }
    if (answer.inject) {
        m_toHost.append(answer.inject->header);
        m_toHost.append(": ");
        m_toHost.appendSecret(view(answer.inject->value));
        m_toHost.append("\r\n");
    }
    m_toHost.append("\r\n");
    m_requestBody = BodyReader(m_head.body);
    m_request = m_requestBody.isDone() ? RequestState::Sent : RequestState::Body;
    m_response = ResponseState::Head;
    m_interim = 0;
    moved();
}

bool HttpRoad::takeRequestBody() {
    if (m_toHost.size() >= kMostHeld) {
        return false;
    }
    const auto step = m_requestBody.next(m_fromGuest.front());
    if (!step) {
        refuseFor(step.error());
        return true;
    }
    if (step->taken == 0) {
        if (m_guest->peerEnd() != End::PeerEnd::No) {
            breakOff("guest"); // half a body is none
        }
        return false;
    }
    if (!step->data.empty() && !passRequestBody(step->data)) {
        return true;
    }
    m_fromGuest.drop(step->taken);
    if (m_requestBody.isDone() && !endRequestBody()) {
        return true;
    }
    moved();
    return true;
}

// False: it is over, and of this piece nothing has gone on; what has is no whole request, and no host works on it.
bool HttpRoad::putRequestBody(ByteSpan data) {
    if (data.empty()) {
        return true;
    }
    if (m_usage) {
        m_usage->request(data);
        if (auto why = m_usage->whyNotOn()) {
            refuse({403, "uncountable", std::move(*why)});
            return false;
        }
    }
    if (m_head.body.kind == BodyEnd::Kind::Chunked) {
        appendChunk(m_toHost, data);
    } else {
        m_toHost.append(data);
    }
    return true;
}

bool HttpRoad::passRequestBody(ByteSpan data) {
    if (!m_watch) {
        return putRequestBody(data);
    }
    ByteQueue clean;
    return isFine(m_watch->body(data, clean)) && putRequestBody(clean.front());
}

bool HttpRoad::endRequestBody() {
    if (m_watch) {
        ByteQueue clean;
        if (!isFine(m_watch->finish(clean)) || !putRequestBody(clean.front())) {
            return false;
        }
        m_watch.reset(); // a request for a WebSocket has no body: its watch goes on
    }
    m_toHost.append(m_head.body.kind == BodyEnd::Kind::Chunked ? "0\r\n\r\n" : "");
    m_request = RequestState::Sent;
    return true;
}

} // namespace carrel::relay

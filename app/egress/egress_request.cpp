// SPDX-License-Identifier: Apache-2.0
// Requests on a connection that is read: each is judged before a byte of it goes on, and a credential's value is handed out for one
// request at a time. All on the Egress's own thread, but for asked().
#include "app/egress/egress.h"

#include "app/relay/secret_pipe.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <array>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;
using Clock = std::chrono::steady_clock;

Status Egress::asked(std::uint64_t clerk, RequestWord word) {
    auto one = std::make_shared<Asked>();
    one->number = word.request;
    one->method = std::move(word.method);
    one->path = std::move(word.path);
    one->placeholders = std::move(word.placeholders);
    one->ownKeys = std::move(word.ownKeys);
    StreamPtr stream;
    {
        const std::lock_guard lock(m_mutex);
        auto its = readBy(clerk, word.number, "a clerk asks for a request where there is none to ask for");
        if (!its || !*its) {
            return its ? Status() : fail(std::move(its).error());
        }
        stream = std::move(*its);
        if (stream->asked) {
            return fail(ErrorCode::Malformed, "a clerk asks for a request before another is answered");
        }
        stream->asked = one;
    }
    post([this, stream, one] { judge(stream, one); });
    return {};
}

bool Egress::takeAsked(const StreamPtr& stream, const AskedPtr& asked) {
    const std::lock_guard lock(m_mutex);
    const bool there = isThere(stream) && stream->asked == asked;
    if (there) {
        stream->asked.reset();
    }
    return there;
}

void Egress::judge(const StreamPtr& stream, const AskedPtr& asked) {
    {
        const std::lock_guard lock(m_mutex);
        if (!isThere(stream) || stream->asked != asked) {
            return;
        }
        asked->waitsFor = 0;
    }
    if (const auto no = limitNow()) {
        return refuseRequest(stream, asked, *no);
    }
    if (!std::exchange(asked->looked, true)) {
        if (const auto no = look(stream, *asked)) {
            return refuseRequest(stream, asked, *no);
        }
    }
    for (auto& need : asked->needs) {
        if (need.permitted) {
            continue;
        }
        const auto permitted = permit(stream, asked, need);
        if (!permitted) {
            return refuseRequest(stream, asked, permitted.error());
        }
        if (*permitted == Permit::Waits) {
            return;
        }
    }
    allowRequest(stream, asked);
}

// What it needs to be allowed; or why no rule and no person is asked about it.
std::optional<Egress::No> Egress::look(const StreamPtr& stream, Asked& asked) {
    const auto host = stream->to.hostText();
    Need need;
    need.item.agent = m_to.agent;
    need.item.session = m_to.session;
    need.item.action = policy::Action::Network;
    need.item.fields = {{"host", host}, {"port", std::to_string(stream->to.port)}, {"method", asked.method}, {"path", asked.path}};
    // Whatever else is held against its path: one that is spelled otherwise would pass by it.
    if (const bool judged = stream->byRequest || !asked.placeholders.empty(); judged && !policy::check(need.item)) {
        return No{Outcome::Denied, "the request is not in a form that can be judged: its path has an empty step, perhaps"};
    }
    std::vector<Credential> bound;
    if (m_to.credentials) {
        auto found = m_to.credentials->boundTo(host);
        if (!found) {
            return No{Outcome::Denied, "what is known of credentials cannot be read now"};
        }
        bound = std::move(*found);
    }
    asked.bound = !bound.empty();
    std::sort(asked.placeholders.begin(), asked.placeholders.end());
    asked.placeholders.erase(std::unique(asked.placeholders.begin(), asked.placeholders.end()), asked.placeholders.end());
    for (const auto& name : asked.placeholders) {
        const auto at = std::find_if(bound.begin(), bound.end(), [&](const Credential& each) { return each.name == name; });
        if (at == bound.end()) {
            alert(stream, name, "its placeholder was sent to a host that it is not bound to for this agent");
            return No{Outcome::Denied, "a placeholder of a credential was sent that is not for this host"};
        }
        if (stream->treat != Treat::Terminate) {
            alert(stream, name, "its placeholder was sent without TLS");
            return No{Outcome::Denied, "a credential is only sent with TLS: use https"};
        }
        asked.credential = *at;
    }
    if (asked.placeholders.size() > 1) {
        return No{Outcome::Denied, "a request has one credential at most"};
    }
    if (asked.bound && !asked.ownKeys.empty()) {
        alert(stream, bound.front().name, "another key was sent to a host that it is bound to, in the field " + plainText(asked.ownKeys.front(), kMaxGivenName));
        return No{Outcome::Denied, "another key: this host gets no other than the owner's credential for it"};
    }
    if (asked.credential && !reaches(*asked.credential, asked.method, asked.path)) {
        return No{Outcome::Denied, "the credential is not for that method and path"};
    }
    if (stream->byRequest) {
        need.item.risk = stream->needs.front().item.risk;
        need.riskReason = stream->needs.front().riskReason;
        asked.needs.push_back(need);
    }
    if (asked.credential) {
        need.item.action = policy::Action::Credential;
        need.item.fields = {{"name", asked.credential->name}, {"host", host}};
        need.item.risk = policy::Risk::Routine;
        need.riskReason.clear();
        asked.needs.push_back(std::move(need));
    }
    return std::nullopt;
}

Status Egress::recordUse(const StreamPtr& stream, const Asked& asked) {
    const auto now = Clock::now();
    if (now - m_usesMinute >= std::chrono::minutes(1)) {
        m_usesMinute = now;
        m_uses = 0;
    }
    if (++m_uses > kMaxUses) {
        return fail(ErrorCode::LimitExceeded, "this agent uses credentials faster than it can be written down");
    }
    if (!m_to.decided) {
        return fail(ErrorCode::Unavailable, "it cannot be written down, so it does not happen");
    }
    activity::Event event;
    event.kind = EventKind::CredentialUsed;
    event.subject = asked.credential->name;
    event.detail = {{"host", stream->to.hostText()}, {"port", stream->to.port}, {"method", asked.method}, {"path", asked.path}};
    if (const auto& need = asked.needs.back(); need.rule != 0) {
        event.detail["rule"] = need.rule;
    } else {
        event.detail["approval"] = need.approval;
    }
    return m_to.decided(std::move(event)) ? Status() : fail(ErrorCode::Io, "it cannot be written down, so it does not happen");
}

void Egress::endRequestGrants(const StreamPtr& stream) {
    std::vector<std::uint64_t> ids;
    {
        const std::lock_guard lock(m_mutex);
        ids.swap(stream->requestGrants);
    }
    for (const auto id : ids) {
        m_to.grants->remove(id);
    }
}

void Egress::allowRequest(const StreamPtr& stream, const AskedPtr& asked) {
    json::object answer{{"number", stream->number}, {"request", asked->number}, {"allow", true}};
    UniqueFd secrets;
    endRequestGrants(stream); // the last one is over
    // What allows it may end while it goes on: then the connection does.
    if (auto granted = grant(stream, asked->needs, &Stream::requestGrants); !granted) {
        endRequestGrants(stream);
        return refuseRequest(stream, asked, {Outcome::Denied, granted.error().message});
    }
    if (asked->credential) {
        const auto value = m_to.credentials->book().value(*asked->credential);
        if (!value) { // which store, and how it is opened, is the owner's to know
            return refuseRequest(stream, asked, {Outcome::Denied, "the owner has to unlock the credentials first"});
        }
        if (auto recorded = recordUse(stream, *asked); !recorded) {
            return refuseRequest(stream, asked,
                                 {recorded.error().code == ErrorCode::LimitExceeded ? Outcome::Limit : Outcome::Denied, recorded.error().message});
        }
        const auto whole = headerValue(*asked->credential, *value);
        answer.emplace("inject", json::object{{"header", asked->credential->header}, {"credential", asked->credential->name}});
        const std::array texts{relay::view(whole), value->reveal()};
        auto pipe = relay::pipeOf(texts);
        if (!pipe) {
            return refuseRequest(stream, asked, {Outcome::Limit, "this computer has no room for another request with a credential"});
        }
        secrets = std::move(*pipe);
        m_to.credentials->book().used(asked->credential->name);
    } else if (asked->bound) {
        answer.emplace("bound", true);
    }
    {
        const std::lock_guard lock(m_mutex);
        if (!isThere(stream) || stream->asked != asked) {
            return;
        }
        stream->asked.reset();
        stream->uses = asked->credential ? asked->credential->name : std::string();
    }
    tellEffect(asked->needs, policy::EffectState::Done, "");
    say(stream->clerk, "net.answer", std::move(answer), secrets.get());
}

void Egress::refuseRequest(const StreamPtr& stream, const AskedPtr& asked, No no) {
    const auto text = plainText(no.text, kMaxOutcomeText);
    if (takeAsked(stream, asked)) {
        {
            const std::lock_guard lock(m_mutex);
            m_traffic.failed(stream->to.text(), no.outcome, text, Clock::now());
        }
        say(stream->clerk, "net.answer",
            {{"number", stream->number}, {"request", asked->number}, {"allow", false}, {"outcome", toString(no.outcome)}, {"text", text}});
        m_news.notify_all();
    }
    tellEffect(asked->needs, policy::EffectState::Failed, text);
}

void Egress::alert(const StreamPtr& stream, const std::string& credential, const std::string& why) {
    const auto name = plainText(credential, kMaxGivenName);
    if (m_alerted.size() >= kMaxAlerts || !m_alerted.insert(name + " " + stream->to.text() + " " + why).second) {
        return;
    }
    activity::Event event;
    event.kind = EventKind::CredentialRefused;
    event.subject = name;
    event.detail = {{"alert", true}, {"host", stream->to.hostText()}, {"port", stream->to.port}, {"why", why}};
    m_to.record(std::move(event));
}

Status Egress::tellTrust(std::uint64_t clerk) {
    if (m_trusting == clerk) {
        return {};
    }
    if (!m_to.credentials) {
        return fail(ErrorCode::Unsupported, "this agent has no certificate authority");
    }
    const auto authority = m_to.credentials->authority();
    if (!authority) {
        return fail(authority.error());
    }
    const auto roots = m_to.roots();
    if (!roots) {
        return fail(roots.error());
    }
    const std::array texts{relay::view(authority->keyPem)};
    const auto key = relay::pipeOf(texts);
    if (!key) {
        return fail(key.error());
    }
    say(clerk, "net.trust", {}, roots->get());
    say(clerk, "net.authority", {{"certificate_pem", authority->certificatePem}}, key->get());
    m_trusting = clerk;
    return {};
}

void Egress::tellPlaceholders(std::uint64_t clerk, IfNone ifNone) {
    const auto all = m_to.credentials ? m_to.credentials->placeholders() : Result<std::vector<AgentCredentials::Placeholder>>();
    tellTexts(clerk, "net.placeholders", all.map([](const std::vector<AgentCredentials::Placeholder>& placeholders) {
        std::vector<NamedText> out;
        for (const auto& each : placeholders) {
            out.push_back({each.of.name, each.text});
        }
        return out;
    }), ifNone, "the placeholders of credentials could not be told to the clerk");
}

void Egress::credentialsChanged() {
    postWithClerk([this](std::uint64_t clerk) {
        tellPlaceholders(clerk, IfNone::Say);
        cutWhatIsOtherNow();
    });
}

// A connection that goes through unread though a credential is bound to its host now, or that has one which is gone.
void Egress::cutWhatIsOtherNow() {
    if (!m_to.credentials) {
        return;
    }
    std::vector<std::pair<StreamPtr, std::string>> open; // with what it uses
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, stream] : m_streams) {
            if (stream->phase == Phase::Open) {
                open.emplace_back(stream, stream->uses);
            }
        }
    }
    for (const auto& [stream, uses] : open) {
        const auto bound = m_to.credentials->boundTo(stream->to.hostText());
        const bool unread = stream->treat == Treat::Raw || stream->treat == Treat::Tls;
        if (!bound || (unread && !bound->empty())) {
            cut(stream, "a credential was bound to that host: connect anew");
        } else if (!uses.empty() && std::none_of(bound->begin(), bound->end(), [&uses = uses](const Credential& each) { return each.name == uses; })) {
            cut(stream, "the credential of that connection was taken away");
        }
    }
}

} // namespace carrel::egress

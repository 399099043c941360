// SPDX-License-Identifier: Apache-2.0
// Whether a connection may be made: by the mode, the rules, a person. All on the Egress's own thread.
#include "app/egress/egress.h"

#include "app/policy/approval_words.h"

#include <algorithm>

namespace carrel::egress {

using policy::Answer;
using policy::Approval;
using policy::ApprovalState;
using policy::EffectState;
using policy::Submitted;
using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned kMaxTurns = 3; // a decision came, and others had used it up

// What it is known by: of a request without its path, for the rule that allows it is one for many.
std::string placeOf(const policy::Request& item) {
    if (item.action == policy::Action::Credential) {
        return item.fields.at("name") + " at " + item.fields.at("host");
    }
    const auto method = item.fields.find("method");
    return item.fields.at("host") + " port " + item.fields.at("port") + (method == item.fields.end() ? "" : " " + method->second);
}

// What a person is asked about.
std::string aboutOf(const policy::Request& item) {
    const auto path = item.fields.find("path");
    return std::string(toString(item.action)) + " " + placeOf(item) + (path == item.fields.end() ? "" : " " + path->second);
}

} // namespace

policy::Request Egress::requestFor(const Address& address, std::uint16_t port, policy::Risk risk) const {
    policy::Request out;
    out.agent = m_to.agent;
    out.session = m_to.session;
    out.action = policy::Action::Network;
    out.risk = risk;
    out.fields = {{"host", address.text()}, {"port", std::to_string(port)}};
    return out;
}

void Egress::decide(const StreamPtr& stream) {
    {
        const std::lock_guard lock(m_mutex);
        if (!isThere(stream)) {
            return;
        }
        stream->phase = Phase::Deciding;
        stream->waitsFor = 0;
    }
    if (const auto no = limitNow()) {
        return refuse(stream, *no);
    }
    // An address is judged like one that a name leads to.
    if (const auto* address = stream->to.address(); address != nullptr && !stream->looked) {
        const auto own = m_to.ownNetworks();
        if (!own) {
            return refuse(stream, {Outcome::Denied, "it cannot be told now which addresses are this computer's own"});
        }
        auto special = specialOf(*address);
        special = special ? special : own->specialOf(*address);
        if (special && special->naming == Naming::Never) {
            return refuse(stream, {Outcome::Denied, "that is an address of " + std::string(special->what)});
        }
        auto& need = stream->needs.front();
        if (special) {
            need.item.risk = policy::Risk::High;
            need.riskReason = "It is an address of " + std::string(special->what) + ", and not of the internet";
        }
        stream->candidates = {{*address, stream->to.port}};
        stream->looked = true;
    }
    if (!stream->treated) {
        chooseTreat(stream);
    }
    for (auto& need : stream->needs) {
        if (need.permitted) {
            continue;
        }
        const auto permitted = permit(stream, nullptr, need);
        if (!permitted) {
            return refuse(stream, permitted.error());
        }
        if (*permitted == Permit::Waits) {
            return;
        }
    }
    lookUp(stream);
}

namespace {

constexpr std::uint16_t kHttp = 80, kHttps = 443;

// A name is held to what is said inside, where that can be read. An address stands for whoever is there.
Treat treatOf(const Destination& to) {
    if (to.address() != nullptr) {
        return Treat::Raw;
    }
    return to.port == kHttps ? Treat::Tls : to.port == kHttp ? Treat::Http : Treat::Raw;
}

} // namespace

void Egress::chooseTreat(const StreamPtr& stream) {
    stream->treated = true;
    auto& item = stream->needs.front().item;
    auto read = m_to.rules->asRead(item);
    // What cannot be read about credentials is taken for one that is bound here: judge() then refuses.
    const auto bound = m_to.credentials ? m_to.credentials->boundTo(stream->to.hostText()) : Result<std::vector<Credential>>();
    const bool binds = !bound || !bound->empty();
    stream->treat = treatOf(stream->to);
    if ((read || binds) && stream->treat != Treat::Http) {
        stream->treat = Treat::Terminate;
    }
    if (read) {
        stream->byRequest = true;
        item = std::move(*read);
    }
}

bool Egress::mayDecideAnew() {
    const auto now = Clock::now();
    if (now - m_minute >= std::chrono::minutes(1)) {
        m_minute = now;
        m_newDecisions = 0;
    }
    return ++m_newDecisions <= kMaxNewDecisions;
}

tl::expected<Egress::Permit, Egress::No> Egress::permit(const StreamPtr& stream, const AskedPtr& asked, Need& need) {
    const auto mode = [&] {
        const std::lock_guard lock(m_mutex);
        return m_mode;
    }();
    if (mode == NetMode::Offline) {
        return tl::unexpected(No{Outcome::Offline, "the agent has no network"});
    }
    const auto verdict = m_to.rules->decide(std::span(&need.item, 1));
    if (verdict.answer == Answer::Ask && mode == NetMode::Allowlist) {
        return tl::unexpected(No{Outcome::Denied, "no rule of the owner's allows it"});
    }
    if (verdict.answer == Answer::Allow && verdict.rule) {
        if (m_known.contains({placeOf(need.item), verdict.rule->id})) {
            need.permitted = true;
            need.rule = verdict.rule->id;
            return Permit::Yes;
        }
        if (!mayDecideAnew()) {
            return tl::unexpected(No{Outcome::Limit, "this agent connects to more and more hosts, faster than it can be written down"});
        }
    }
    // The owner is shown so many at a time and no more: whoever comes next waits for one of these to be answered.
    if (verdict.answer == Answer::Ask && !reasonAskedFor(need.item) && !m_to.queue->hasRoom(m_to.agent)) {
        return standInLine(stream, asked);
    }
    return submitted(stream, asked, need);
}

tl::expected<Egress::Permit, Egress::No> Egress::standInLine(const StreamPtr& stream, const AskedPtr& asked) {
    {
        const std::lock_guard lock(m_mutex);
        const auto others = std::ranges::count_if(m_streams, [](const auto& each) { return isInLine(*each.second); });
        if (static_cast<std::size_t>(others) >= kMaxInLine) {
            return tl::unexpected(No{Outcome::Limit, "too many hosts wait to be asked about already: wait for one of them"});
        }
        if (asked) {
            asked->inLine = true;
        } else {
            stream->phase = Phase::Waiting; // for none yet
            stream->waitsFor = 0;
        }
    }
    // One may have been answered before anybody saw that it is waited for: approvalChanged() comes on another thread.
    if (m_to.queue->hasRoom(m_to.agent)) {
        post([this] { nextInLine(); });
    }
    return Permit::Waits;
}

// There may be room in the queue.
void Egress::nextInLine() {
    std::vector<std::pair<StreamPtr, AskedPtr>> all;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, stream] : m_streams) {
            if (isInLine(*stream)) {
                all.emplace_back(stream, stream->asked);
                if (stream->asked) {
                    stream->asked->inLine = false;
                }
            }
        }
    }
    for (const auto& [stream, asked] : all) { // those for which there is no room stand in line again
        if (asked) {
            judge(stream, asked);
        } else {
            decide(stream);
        }
    }
}

std::optional<std::string> Egress::reasonAskedFor(const policy::Request& item) const {
    const std::lock_guard lock(m_mutex);
    for (const auto& [number, stream] : m_streams) {
        const bool byRequest = stream->asked && stream->asked->waitsFor != 0;
        if (!byRequest && (stream->phase != Phase::Waiting || isInLine(*stream))) {
            continue;
        }
        const auto& needs = byRequest ? stream->asked->needs : stream->needs;
        const auto same = std::ranges::find_if(needs, [&](const Need& need) { return !need.permitted && need.item == item; });
        if (same != needs.end()) {
            return same->riskReason;
        }
    }
    return std::nullopt;
}

// By the queue, which writes down what it answers before it does.
tl::expected<Egress::Permit, Egress::No> Egress::submitted(const StreamPtr& stream, const AskedPtr& asked, Need& need) {
    const auto place = placeOf(need.item);
    const auto about = aboutOf(need.item);
    policy::Ask ask;
    ask.agent = m_to.agent;
    ask.session = m_to.session;
    ask.action = need.item.action;
    ask.about = about;
    ask.items = {need.item};
    ask.evidence = {files::Sha256::of(about), asked ? "request" : "connection"};
    // Another name may lead to the same address, and that is one question, in the words of who asked first.
    need.riskReason = reasonAskedFor(need.item).value_or(need.riskReason);
    ask.riskReason = need.riskReason;
    const auto answer = m_to.queue->submit(std::move(ask));
    if (!answer) {
        return tl::unexpected(No{Outcome::Denied, answer.error().code == ErrorCode::Malformed
                                                      ? "it is not asked for in a form that can be judged"
                                                      : "it cannot be written down, so it does not happen"});
    }
    switch (answer->kind) {
    case Submitted::Kind::Denied:
        return tl::unexpected(No{Outcome::Denied, answer->why});
    case Submitted::Kind::TurnedAway:
        return tl::unexpected(No{Outcome::Limit, answer->why});
    case Submitted::Kind::Allowed:
        if (answer->id == 0 && answer->rule) {
            if (m_known.size() >= kMaxKnownDecisions) {
                m_known.clear(); // they are written down once more
            }
            m_known.insert({place, answer->rule->id});
            need.permitted = true;
            need.rule = answer->rule->id;
            return Permit::Yes;
        }
        break;
    case Submitted::Kind::Waiting:
        break;
    }
    NetMode mode{};
    {
        const std::lock_guard lock(m_mutex);
        mode = m_mode;
        if (mode == NetMode::Ask && asked) {
            asked->waitsFor = answer->id;
        } else if (mode == NetMode::Ask) {
            stream->phase = Phase::Waiting;
            stream->waitsFor = answer->id;
        }
    }
    if (mode != NetMode::Ask) { // since it was looked at
        if (answer->kind == Submitted::Kind::Waiting) {
            (void)m_to.queue->withdraw(m_to.agent, answer->id).has_value();
        }
        return tl::unexpected(No{mode == NetMode::Offline ? Outcome::Offline : Outcome::Denied, "no rule of the owner's allows it"});
    }
    // It may have been answered before anybody knew that it is waited for.
    post([this, id = answer->id] { settle(id); });
    return Permit::Waits;
}

void Egress::settle(std::uint64_t id) {
    std::vector<std::pair<StreamPtr, AskedPtr>> waiting;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, stream] : m_streams) {
            if (stream->phase == Phase::Waiting && stream->waitsFor == id) {
                waiting.emplace_back(stream, nullptr);
            } else if (stream->asked && stream->asked->waitsFor == id) {
                waiting.emplace_back(stream, stream->asked);
            }
        }
    }
    if (waiting.empty()) {
        return;
    }
    const auto approval = m_to.queue->find(id);
    if (!approval) {
        const No no{Outcome::Closed, "what was asked is no longer known: try again"};
        for (const auto& [stream, asked] : waiting) {
            if (asked) {
                refuseRequest(stream, asked, no);
            } else {
                refuse(stream, no);
            }
        }
        return;
    }
    if (approval->state == ApprovalState::Open) {
        return;
    }
    // With a rule for later it goes by that, so that it ends with it. Which is kept a moment after the decision, or cannot be: both
    // are told, and settle it. Whoever joined in between waits, too, or it would go on when that rule has ended.
    const auto& decision = approval->decision;
    if (approval->state == ApprovalState::Allowed && decision && decision->rule && decision->ruleId == 0) {
        return;
    }
    for (const auto& [stream, asked] : waiting) {
        settled(stream, asked, *approval);
    }
}

void Egress::settled(const StreamPtr& stream, const AskedPtr& asked, const Approval& approval) {
    const auto no = [&](Outcome outcome, std::string text) {
        return asked ? refuseRequest(stream, asked, {outcome, std::move(text)}) : refuse(stream, {outcome, std::move(text)});
    };
    switch (approval.state) {
    case ApprovalState::Open:
        return;
    case ApprovalState::Denied:
        return no(Outcome::Denied, policy::toldAgent(approval));
    case ApprovalState::Expired:
        return no(Outcome::Expired, policy::toldAgent(approval));
    case ApprovalState::Cancelled:
        return no(Outcome::Closed, policy::toldAgent(approval));
    case ApprovalState::Allowed:
        break;
    }
    auto& needs = asked ? asked->needs : stream->needs;
    auto& turns = asked ? asked->turns : stream->turns;
    const auto need = std::find_if(needs.begin(), needs.end(), [](const Need& each) { return !each.permitted; });
    if (need == needs.end()) {
        return;
    }
    const bool begun = m_to.queue->begin(approval.id, std::vector{need->item}).has_value();
    if (begun) {
        need->effectOf = approval.id;
    }
    if (begun && (!approval.decision || approval.decision->ruleId == 0)) {
        need->permitted = true;
        need->approval = approval.id;
        need->untilMs = approval.decision ? approval.decision->untilMs : std::nullopt;
    } else if (++turns > kMaxTurns) {
        return no(Outcome::Denied, "it was allowed for others, and not for this connection: try again");
    }
    // Else the rules are asked, or a person once more: it joined after the question was looked at.
    if (asked) {
        judge(stream, asked);
    } else {
        decide(stream);
    }
}

} // namespace carrel::egress

// SPDX-License-Identifier: Apache-2.0
// What clerks say, and how connections end.
#include "app/egress/egress.h"

#include "app/egress/break_off.h"
#include "app/egress/forwards.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <array>
#include <sys/socket.h>

namespace carrel::egress {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint64_t kEndsCounted = 1; // the kernel counts the end of a direction

// Of those of a clerk's words (link.h, net.closed) that the owner should know of: it was connected, and came to nothing.
struct Fault {
    std::string_view how;
    Outcome outcome;
    std::string_view words;
};
const Fault* faultOf(std::string_view how) {
    static constexpr std::array kFaults{
        Fault{"sni", Outcome::Denied, "it did not name this host in the open when it began TLS"},
        Fault{"http", Outcome::Denied, "what it sent is not in the order that HTTP has, or for another host"},
        Fault{"host tls", Outcome::Unreachable, "the host's certificate or its TLS was not accepted"},
        Fault{"answer", Outcome::Unreachable, "the host's answer was none that could be passed on"},
        Fault{"tls", Outcome::Unreachable, "there was nothing to end its TLS with"},
        Fault{"packed", Outcome::Denied, "what it sent was compressed so that it could not be searched for canaries"},
        Fault{"timed out", Outcome::TimedOut, "one side let the other wait too long"}};
    const auto* const found = std::find_if(kFaults.begin(), kFaults.end(), [&](const Fault& each) { return each.how == how; });
    return found == kFaults.end() ? nullptr : found;
}

} // namespace

Status Egress::told(std::uint64_t clerk, const std::string& method, const json::object& params) {
    struct Take {
        Egress& self;
        std::uint64_t clerk;
        Status operator()(const OpenWord& word) const { return self.opened(clerk, word); }
        Status operator()(const ClosedWord& word) const { return self.closed(clerk, word); }
        Status operator()(RequestWord& word) const { return self.asked(clerk, std::move(word)); }
        Status operator()(const CanaryWord& word) const { return self.canaryTold(clerk, word); }
        Status operator()(const UsedWord& word) const { return self.usedTold(clerk, word); }
        Status operator()(const ForwardClosedWord& word) const { // the kernel counts, which cannot be lied to
            self.m_forwards->closed(clerk, word.closed.number);
            return {};
        }
    };
    auto word = netWordFrom(method, params);
    return word ? std::visit(Take{*this, clerk}, *word) : fail(std::move(word).error());
}

Status Egress::opened(std::uint64_t clerk, const OpenWord& word) {
    const auto number = word.number;
    auto stream = std::make_shared<Stream>(Stream{clerk, number, {Address(Address::V4Bytes{}), 0}});
    auto to = Destination::parse(word.host, word.port);
    std::optional<No> no;
    if (!to) { // the machine's doing, perhaps, which must not bring down its clerk
        no = No{Outcome::Denied, to.error().message};
    } else {
        stream->to = std::move(*to);
        Need need;
        need.item.agent = m_to.agent;
        need.item.session = m_to.session;
        need.item.action = policy::Action::Network;
        need.item.fields = {{"host", stream->to.hostText()}, {"port", std::to_string(stream->to.port)}};
        stream->needs.push_back(std::move(need));
    }
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped || clerk != m_clerk) {
            return {};
        }
        if (m_streams.contains(number)) {
            return fail(ErrorCode::Malformed, "a clerk uses a number twice");
        }
        if (m_work.size() >= kMaxOwed) {
            return fail(ErrorCode::LimitExceeded, "a clerk asks faster than it is answered");
        }
        const auto open = static_cast<std::size_t>(
            std::count_if(m_streams.begin(), m_streams.end(), [](const auto& each) { return each.second->phase == Phase::Open; }));
        if (m_streams.size() >= kMaxStreams) {
            no = No{Outcome::Limit, "too many connections of this agent are open"};
        } else if (m_streams.size() - open >= kMaxWaiting) {
            no = No{Outcome::Limit, "too many connections of this agent wait"};
        }
        stream->shown = ++*m_to.numbers;
        stream->tally = m_tally;
        m_streams.emplace(number, stream);
    }
    post([this, stream, no = std::move(no)] {
        if (no) {
            refuse(stream, *no);
        } else {
            decide(stream);
        }
    });
    return {};
}

Status Egress::closed(std::uint64_t clerk, const ClosedWord& word) {
    const auto* const fault = faultOf(word.how);
    StreamPtr stream;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_streams.find(word.number);
        if (clerk == m_clerk && at != m_streams.end()) { // else it was cut at the same time
            stream = at->second;
        }
    }
    if (stream && take(stream)) {
        ended(stream, word.bytes);
        if (fault != nullptr) {
            const std::lock_guard lock(m_mutex);
            m_traffic.failed(stream->to.text(), fault->outcome, std::string(fault->words), Clock::now());
        }
    }
    return {};
}

bool Egress::take(const StreamPtr& stream) {
    const std::lock_guard lock(m_mutex);
    const bool there = isThere(stream);
    if (there) {
        m_streams.erase(stream->number);
    }
    return there;
}

void Egress::tellTexts(std::uint64_t clerk, std::string_view method, const Result<std::vector<NamedText>>& all, IfNone ifNone, const char* trouble) {
    if (!all) {
        activity::Event event;
        event.kind = activity::EventKind::EngineNote;
        event.subject = trouble;
        event.detail = {{"error", all.error().text()}};
        m_to.record(std::move(event));
        return;
    }
    json::array list;
    for (const auto& each : *all) {
        list.push_back({{"name", each.name}, {"text", each.text}});
    }
    if (ifNone == IfNone::Say || !list.empty()) {
        say(clerk, method, {{"list", std::move(list)}});
    }
}

void Egress::postWithClerk(std::function<void(std::uint64_t clerk)> work) {
    post([this, work = std::move(work)] {
        const auto clerk = [&] {
            const std::lock_guard lock(m_mutex);
            return m_clerk;
        }();
        work(clerk);
    });
}

Result<Egress::StreamPtr> Egress::readBy(std::uint64_t clerk, std::uint64_t number, const char* what) const {
    const auto at = m_streams.find(number);
    if (m_stopped || clerk != m_clerk || at == m_streams.end()) {
        return StreamPtr();
    }
    const auto& stream = at->second;
    if (stream->phase != Phase::Open || (stream->treat != Treat::Terminate && stream->treat != Treat::Http)) {
        return fail(ErrorCode::Malformed, what);
    }
    if (m_work.size() >= kMaxOwed) {
        return fail(ErrorCode::LimitExceeded, "a clerk asks faster than it is answered");
    }
    return stream;
}

bool Egress::isThere(const StreamPtr& stream) const {
    const auto at = m_streams.find(stream->number);
    return at != m_streams.end() && at->second == stream;
}

void Egress::letGo(const StreamPtr& stream) {
    std::vector<std::uint64_t> grants;
    {
        const std::lock_guard lock(m_mutex);
        grants.swap(stream->grants);
        grants.insert(grants.end(), stream->requestGrants.begin(), stream->requestGrants.end());
        stream->requestGrants.clear();
    }
    for (const auto id : grants) {
        m_to.grants->remove(id);
    }
}

void Egress::tellEffect(std::vector<Need>& needs, policy::EffectState state, const std::string& words) {
    for (auto& need : needs) {
        if (const auto id = std::exchange(need.effectOf, 0); id != 0) {
            m_to.queue->finished(id, state, words);
        }
    }
}

// It is out of the list, so that nobody else ends it, too.
void Egress::ended(const StreamPtr& stream, std::optional<SocketCounts> told) {
    stream->stop.request_stop();
    UniqueFd socket;
    AskedPtr asked;
    bool late = false; // its clerk has been settled with
    {
        const std::lock_guard lock(m_mutex);
        asked.swap(stream->asked);
        socket = std::move(stream->socket);
        const auto now = Clock::now();
        if (stream->phase == Phase::Open) {
            const auto counted = countsOf(socket.get());
            auto bytes = counted ? since(stream->before, *counted) : SocketCounts{};
            if (told) {
                bytes.sent += bytes.queued; // the kernel goes on delivering it
            }
            stream->tally->ended += bytes.sent + bytes.received; // by the kernel alone
            if (told) {
                // The clerk counts to the byte, and the kernel cannot be lied to: more than it says is believed, less is not.
                const auto believed = [](std::uint64_t kernel, std::uint64_t clerk) {
                    return kernel > clerk && kernel - clerk > kEndsCounted ? kernel : clerk;
                };
                bytes = {believed(bytes.sent, told->sent), believed(bytes.received, told->received)};
            }
            // Whoever else has a descriptor of it, and whatever it said: a clerk does not go on with what nobody lists any more.
            if (told) {
                (void)::shutdown(socket.get(), SHUT_RDWR);
            } else {
                breakOff(socket.get());
            }
            late = stream->tally != m_tally;
            m_traffic.ended(stream->to.text(), stream->unchecked, bytes, now);
        } else {
            m_traffic.failed(stream->to.text(), Outcome::Closed, "whoever asked has gone", now);
        }
    }
    if (late) {
        (void)count(*stream->tally);
    }
    letGo(stream);
    post([this, stream, asked] {
        tellEffect(stream->needs, policy::EffectState::Failed, "Whoever asked has gone");
        if (asked) {
            tellEffect(asked->needs, policy::EffectState::Failed, "Whoever asked has gone");
        }
    });
    m_news.notify_all();
}

void Egress::refuse(const StreamPtr& stream, No no) {
    if (!take(stream)) {
        return;
    }
    stream->stop.request_stop();
    const auto text = plainText(no.text, kMaxOutcomeText);
    {
        const std::lock_guard lock(m_mutex);
        // What is no destination has no name that could be shown.
        m_traffic.failed(stream->to.port == 0 ? std::string() : stream->to.text(), no.outcome, text, Clock::now());
    }
    letGo(stream);
    post([this, stream, outcome = no.outcome, text] {
        tellEffect(stream->needs, policy::EffectState::Failed, text);
        say(stream->clerk, "net.refused", {{"number", stream->number}, {"outcome", toString(outcome)}, {"text", text}});
    });
}

bool Egress::cut(const StreamPtr& stream, const std::string& why) {
    if (!take(stream)) {
        return false;
    }
    bool open = false;
    {
        const std::lock_guard lock(m_mutex);
        open = stream->phase == Phase::Open;
    }
    ended(stream, std::nullopt);
    const auto text = plainText(why, kMaxOutcomeText);
    post([this, clerk = stream->clerk, number = stream->number, text, open] {
        if (open) {
            say(clerk, "net.cut", {{"number", number}, {"text", text}});
        } else {
            say(clerk, "net.refused", {{"number", number}, {"outcome", toString(Outcome::Denied)}, {"text", text}});
        }
    });
    return true;
}

Result<LiveConnection> Egress::cut(std::uint64_t number) {
    StreamPtr stream;
    std::optional<LiveConnection> was;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = std::find_if(m_streams.begin(), m_streams.end(), [&](const auto& each) { return each.second->shown == number; });
        if (at != m_streams.end() && at->second->phase == Phase::Open) {
            stream = at->second;
            was = describe(*stream);
        }
    }
    if (!stream || !cut(stream, "the owner cut it")) {
        return fail(ErrorCode::NotFound, "that connection is over already");
    }
    return std::move(*was);
}

void Egress::say(std::uint64_t clerk, std::string_view method, json::object params, int descriptor) {
    std::shared_ptr<ClerkLine> line;
    {
        const std::lock_guard lock(m_mutex);
        if (clerk != m_clerk) {
            return;
        }
        line = m_line;
    }
    if (line) {
        line->say(method, std::move(params), descriptor);
    }
}

} // namespace carrel::egress

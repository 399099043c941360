// SPDX-License-Identifier: Apache-2.0
// Canaries: the clerk is told which there are, and tells of one that a request holds. On the Egress's own thread, but for canaryTold().
#include "app/egress/egress.h"

#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;

namespace {

constexpr std::size_t kMaxGivenName = 64, kMaxGivenWord = 16;

// One of the words that link.h has; anything else is a problem.
template <class Word> Word wordFrom(JsonFields& fields, const char* name, std::initializer_list<Word> words) {
    const auto given = fields.string(name, kMaxGivenWord);
    for (const auto each : words) {
        if (toString(each) == given) {
            return each;
        }
    }
    fields.problem(name, "is none that there is");
    return *words.begin();
}

} // namespace

void Egress::tellCanaries(std::uint64_t clerk, bool evenNone) {
    const auto all = m_to.canaries != nullptr ? m_to.canaries->of(m_to.agent) : Result<std::vector<Canary>>();
    if (!all) {
        activity::Event event;
        event.kind = EventKind::EngineNote;
        event.subject = "the canaries could not be told to the clerk, and none is looked for";
        event.detail = {{"error", all.error().text()}};
        m_to.record(std::move(event));
        return;
    }
    json::array list;
    for (const auto& each : *all) {
        list.push_back({{"name", each.name}, {"text", each.text}});
    }
    if (evenNone || !list.empty()) {
        say(clerk, "net.canaries", {{"list", std::move(list)}});
    }
}

void Egress::canariesChanged() {
    post([this] {
        const auto clerk = [&] {
            const std::lock_guard lock(m_mutex);
            return m_clerk;
        }();
        tellCanaries(clerk, true);
    });
}

Status Egress::canaryTold(std::uint64_t clerk, const json::object& params) {
    using relay::CanaryForm;
    using relay::CanaryPlace;
    JsonFields fields(params, "net.canary");
    const auto number = fields.number("number");
    (void)fields.number("request");
    const auto name = fields.string("name", kMaxGivenName);
    const auto where = wordFrom(fields, "where", {CanaryPlace::Target, CanaryPlace::Field, CanaryPlace::Body});
    const auto form = wordFrom(fields, "form", {CanaryForm::Plain, CanaryForm::Base64, CanaryForm::Hex, CanaryForm::Percent, CanaryForm::Gzip});
    CARREL_TRY(fields.finish());
    StreamPtr stream;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_streams.find(number);
        if (m_stopped || clerk != m_clerk || at == m_streams.end()) {
            return {}; // it was cut at the same time
        }
        stream = at->second;
        const bool isRead = stream->phase == Phase::Open && (stream->treat == Treat::Terminate || stream->treat == Treat::Http);
        if (!isRead || std::exchange(stream->canary, true)) {
            return fail(ErrorCode::Malformed, "a clerk tells of a canary where it sees none, or twice");
        }
        if (m_work.size() >= kMaxOwed) {
            return fail(ErrorCode::LimitExceeded, "a clerk asks faster than it is answered");
        }
    }
    post([this, stream, name, where, form] { canaryLeft(stream, name, where, form); });
    return {};
}

void Egress::canaryLeft(const StreamPtr& stream, const std::string& name, relay::CanaryPlace where, relay::CanaryForm form) {
    const auto all = m_to.canaries != nullptr ? m_to.canaries->of(m_to.agent) : Result<std::vector<Canary>>();
    const bool isOne = all && std::any_of(all->begin(), all->end(), [&](const Canary& each) { return each.name == name; });
    cut(stream, "a request held a canary"); // the clerk has, if it keeps its word
    if (!isOne || !m_to.alarm) {
        return; // it was taken away a moment ago
    }
    std::optional<activity::Event> event;
    if (m_canaries < kMaxAlerts) { // what is beyond is among the sums, and pauses the agent all the same
        ++m_canaries;
        event.emplace();
        event->kind = EventKind::CanaryLeft;
        event->subject = name;
        event->detail = {{"alert", true},
                         {"risk", policy::toString(policy::Risk::High)},
                         {"host", stream->to.hostText()},
                         {"port", stream->to.port},
                         {"where", relay::toString(where)},
                         {"form", relay::toString(form)}};
    }
    m_to.alarm(std::move(event), plainText("a request for " + stream->to.text() + " held the canary " + name, kMaxOutcomeText));
}

} // namespace carrel::egress

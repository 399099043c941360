// SPDX-License-Identifier: Apache-2.0
// Canaries: the clerk is told which there are, and tells of one that a request holds. On the Egress's own thread, but for canaryTold().
#include "app/egress/egress.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;

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

Status Egress::canaryTold(std::uint64_t clerk, const CanaryWord& word) {
    StreamPtr stream;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_streams.find(word.number);
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
    post([this, stream, word] { canaryLeft(stream, word.name, word.where, word.form); });
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

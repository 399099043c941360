// SPDX-License-Identifier: Apache-2.0
// Canaries: the clerk is told which there are, and tells of one that a request holds. On the Egress's own thread, but for canaryTold().
#include "app/egress/egress.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;

void Egress::tellCanaries(std::uint64_t clerk, IfNone ifNone) {
    const auto all = m_to.canaries != nullptr ? m_to.canaries->of(m_to.agent) : Result<std::vector<Canary>>();
    tellTexts(clerk, "net.canaries", all.map([](const std::vector<Canary>& canaries) {
        std::vector<NamedText> out;
        for (const auto& each : canaries) {
            out.push_back({each.name, each.text});
        }
        return out;
    }), ifNone, "the canaries could not be told to the clerk, and none is looked for");
}

void Egress::canariesChanged() {
    postWithClerk([this](std::uint64_t clerk) { tellCanaries(clerk, IfNone::Say); });
}

Status Egress::canaryTold(std::uint64_t clerk, const CanaryWord& word) {
    StreamPtr stream;
    {
        const std::lock_guard lock(m_mutex);
        auto its = readBy(clerk, word.number, "a clerk tells of a canary where it sees none");
        if (!its || !*its) {
            return its ? Status() : fail(std::move(its).error());
        }
        stream = std::move(*its);
        if (std::exchange(stream->canary, true)) {
            return fail(ErrorCode::Malformed, "a clerk tells of a canary twice");
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

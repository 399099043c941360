// SPDX-License-Identifier: Apache-2.0
// The agent program in the agent's machine: what is said to it and what it tells, by way of the clerk.
#include "app/agents/agent.h"

#include "guest/protocol/plain_text.h"

namespace carrel::agents {

Result<std::vector<talk::Update>> Agent::talk(const talk::Call& call, std::stop_token stop) {
    auto at = readyDoor();
    if (!at) {
        return fail(std::move(at).error());
    }
    if (!(*at)->alive()) {
        const std::lock_guard operation(m_operation);
        if (auto working = workingDoor(stop); !working) {
            return fail(std::move(working).error());
        }
    }
    const auto* asked = std::get_if<talk::Updates>(&call);
    const auto patience = m_services.patience.talking + (asked == nullptr ? std::chrono::seconds(0) : asked->most);
    const auto answer = (*at)->request(talk::methodOf(call), talk::paramsOf(call), {}, std::move(stop), patience);
    if (!answer) {
        return fail(answer.error());
    }
    return asked == nullptr ? std::vector<talk::Update>() : talk::updatesFrom(asked->after, *answer);
}

Result<std::uint64_t> Agent::noteTask(activity::EventKind kind, std::string subject, boost::json::object detail,
                                      activity::Provenance provenance) {
    payOwed();
    const auto recorded = m_log->append(eventOf(kind, plainText(subject, activity::kMaxSubjectBytes), std::move(detail), provenance));
    if (!recorded) {
        return fail(recorded.error().wrap("The activity log could not be written, so nothing was done", "Make room on the disk, then try again"));
    }
    return recorded->seq;
}

} // namespace carrel::agents

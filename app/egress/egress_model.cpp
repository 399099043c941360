// SPDX-License-Identifier: Apache-2.0
// Requests to models: whether there is a budget left for one, and what it used, as the clerk says. A clerk can say of each request that it
// let through what it used, once, and of nothing else.
#include "app/egress/egress.h"

namespace carrel::egress {

std::optional<Egress::No> Egress::budgetNow(const Destination& to) const {
    auto why = m_to.mayAskModel && isModel(to) ? m_to.mayAskModel() : std::nullopt;
    return why ? std::optional(No{Outcome::Limit, std::move(*why)}) : std::nullopt;
}

void Egress::owesUse(const StreamPtr& stream, std::uint64_t request) {
    if (m_owedUses.size() >= kMaxOwedUses) { // of connections that were cut, and of which it told nothing
        m_owedUses.erase(m_owedUses.begin());
    }
    m_owedUses.insert_or_assign(stream->number, OwedUse{request, stream->to});
}

Status Egress::modelTold(std::uint64_t clerk, const ModelWord& word) {
    std::optional<OwedUse> owed;
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped || clerk != m_clerk) {
            return {};
        }
        const auto at = m_owedUses.find(word.number);
        if (at == m_owedUses.end() || at->second.request != word.request) {
            return fail(ErrorCode::Malformed, "a clerk tells what a request used that it was not to count");
        }
        owed = std::move(at->second);
        m_owedUses.erase(at);
    }
    if (m_to.modelUsed) { // here, so that it counts before the next request is judged, and whatever stop() drops
        m_to.modelUsed(owed->to, word.use);
    }
    return {};
}

// A clerk has gone without a word about them. What they used nobody knows: they count as requests.
void Egress::usesLost(const OwedUses& lost) const {
    for (const auto& [number, owed] : lost) {
        if (m_to.modelUsed) {
            m_to.modelUsed(owed.to, {.model = {}, .counted = relay::ModelUse::Counted::Estimated});
        }
    }
}

} // namespace carrel::egress

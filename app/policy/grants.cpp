// SPDX-License-Identifier: Apache-2.0
#include "app/policy/grants.h"

namespace carrel::policy {

std::string Grants::ends(Kept& kept, Moment now) {
    auto& grant = kept.grant;
    if ((grant.untilMs && now.wallMs >= *grant.untilMs) || (kept.endsAt && now.steadyMs >= *kept.endsAt)) {
        return "The time that it was allowed for is over";
    }
    const auto verdict = m_rules.decide(grant.items);
    if (verdict.trouble) {
        return "There is trouble with the rules, and nothing is allowed meanwhile";
    }
    if (verdict.answer == Answer::Deny) {
        return "A rule denies it by now";
    }
    if (verdict.answer == Answer::Allow && verdict.rule) {
        grant.rule = verdict.rule->id;
        return {};
    }
    return grant.approval != 0 || grant.unlessDenied ? std::string() : "The rule that allowed it has ended";
}

Result<std::uint64_t> Grants::add(Grant grant, Cut cut) {
    const std::lock_guard lock(m_mutex);
    if (m_kept.size() >= kMaxGrants) {
        return fail(ErrorCode::LimitExceeded, "Too much goes on at once", "Close some of the agents' connections");
    }
    const auto now = m_clock.now();
    Kept kept{std::move(grant), std::move(cut), std::nullopt};
    if (kept.grant.untilMs) { // a clock that is set back lengthens nothing
        kept.endsAt = now.steadyMs + (*kept.grant.untilMs - now.wallMs);
    }
    if (auto why = ends(kept, now); !why.empty()) {
        return fail(ErrorCode::Refused, std::move(why));
    }
    m_kept.emplace(m_next, std::move(kept));
    return m_next++;
}

void Grants::remove(std::uint64_t id) {
    const std::lock_guard lock(m_mutex);
    m_kept.erase(id);
}

void Grants::cutAll(std::vector<Ended> ended) {
    for (const auto& each : ended) {
        each.kept.cut(each.kept.grant, each.why);
    }
}

void Grants::recheck() {
    std::vector<Ended> ended;
    {
        const std::lock_guard lock(m_mutex);
        const auto now = m_clock.now();
        for (auto at = m_kept.begin(); at != m_kept.end();) {
            auto why = ends(at->second, now);
            if (why.empty()) {
                ++at;
                continue;
            }
            ended.push_back({std::move(at->second), std::move(why)});
            at = m_kept.erase(at);
        }
    }
    cutAll(std::move(ended));
}

void Grants::endSession(const std::string& agent, const std::string& session) {
    std::vector<Ended> ended;
    {
        const std::lock_guard lock(m_mutex);
        for (auto at = m_kept.begin(); at != m_kept.end();) {
            if (at->second.grant.agent != agent || at->second.grant.session != session) {
                ++at;
                continue;
            }
            ended.push_back({std::move(at->second), "The agent's session has ended"});
            at = m_kept.erase(at);
        }
    }
    cutAll(std::move(ended));
}

std::vector<Grant> Grants::list() const {
    const std::lock_guard lock(m_mutex);
    std::vector<Grant> out;
    for (const auto& [id, kept] : m_kept) {
        out.push_back(kept.grant);
    }
    return out;
}

} // namespace carrel::policy

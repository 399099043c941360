// SPDX-License-Identifier: Apache-2.0
// Shares of mode auto: what auto_rules.h covers is frozen, decided on in the log, applied and settled as by
// the owner's own word, when nothing was staged for a little while and nobody is about to decide on a review
// of that share.
#include "app/agents/agent.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kLookPatience{10};
constexpr std::chrono::seconds kAfterFailure{30};
constexpr std::chrono::minutes kAfterDenial{5}; // rules change seldom, and looking again copies what waits again

std::int64_t nowNs() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::uint64_t numberIn(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

} // namespace

// A person looks at a review of these: what is in it stays as it is until they have decided, or gone away.
void Agent::holdAuto(const std::vector<ShareRecord>& shares) {
    const std::lock_guard lock(m_mutex);
    for (const auto& share : shares) {
        m_auto[share.id].held = Clock::now() + kAutoDecisionTime;
    }
}

void Agent::endHold(const std::vector<ShareRecord>& shares) {
    const std::lock_guard lock(m_mutex);
    for (const auto& share : shares) {
        m_auto[share.id].held = {};
    }
}

std::vector<Agent::AutoFull> Agent::autoFull() const {
    const auto of = record();
    const std::lock_guard lock(m_mutex);
    std::vector<AutoFull> out;
    for (const auto& share : of.shares) {
        const auto state = m_auto.find(share.id);
        if (share.mode == ShareMode::Auto && state != m_auto.end() && state->second.fullUntilMs) {
            out.push_back({share.name, *state->second.fullUntilMs});
        }
    }
    return out;
}

// From the supervisor, with m_operation held.
void Agent::tendAuto(Door& at) {
    for (const auto& share : record().shares) {
        if (share.mode == ShareMode::Auto && !share.revoked) {
            AutoShare* state = nullptr;
            {
                const std::lock_guard lock(m_mutex); // autoFull() looks through the map
                state = &m_auto[share.id];
            }
            tendAutoShare(at, share, *state);
        }
    }
}

void Agent::tendAutoShare(Door& at, const ShareRecord& share, AutoShare& state) {
    const auto began = Clock::now();
    if (began < state.nextLook || began < state.held) {
        return;
    }
    const auto least = lookForAuto(at, share, state);
    // All of it counts, also what was settled: a guest must not keep m_operation from who wants to stop it.
    const auto ended = Clock::now();
    state.nextLook = ended + std::max<Clock::duration>(m_services.patience.autoShare * (ended - began), least);
}

// Answers how long the next look waits at least.
std::chrono::milliseconds Agent::lookForAuto(Door& at, const ShareRecord& share, AutoShare& state) {
    const auto now = Clock::now();
    const auto& patience = m_services.patience;
    const auto claims = listChanges(at, share, {}, kLookPatience, IfBetween::GiveUp);
    if (!claims) {
        const bool between =
            claims.error().code == ErrorCode::Unavailable; // else a review says what is wrong
        return between ? patience.autoQuiet : std::chrono::milliseconds(kAfterFailure);
    }
    if (auto mark = markOf(*claims); mark != state.seen) {
        state.seen = std::move(mark);
        state.since = Clock::now();
        return patience.autoLook;
    }
    if (now - state.since < patience.autoQuiet || (state.handled == state.seen && now < state.retry)) {
        return patience.autoLook;
    }
    state.handled = state.seen;
    state.retry = Clock::time_point::max(); // unless a part of what follows says earlier
    if (auto settled = settleByRule(at, share, state, *claims); !settled) {
        state.retry = Clock::now() + kAfterFailure;
        m_services.complain(name() + ": auto mode of " + share.name + ": " + settled.error().text());
    }
    return patience.autoLook;
}

// The decisions of the last period. One that cannot be read is no use.
Result<AutoUse> Agent::autoUse(std::uint32_t share) {
    constexpr std::int64_t kPeriodNs = std::chrono::nanoseconds(kAutoPeriod).count();
    activity::Query query;
    query.sinceNs = nowNs() - kPeriodNs;
    query.kinds = {EventKind::ApplyDecided};
    AutoUse use;
    for (;;) {
        auto events = m_log->query(query);
        if (!events) {
            return fail(std::move(events).error());
        }
        for (const auto& each : *events) {
            query.afterSeq = each.seq;
            const auto& detail = each.event.detail;
            const auto* by = detail.if_contains("by");
            if (by == nullptr || !by->is_string() ||
                by->get_string() != json::string_view(kByAuto.data(), kByAuto.size()) ||
                numberIn(detail, "share_id") != share) {
                continue;
            }
            use.files += numberIn(detail, "files");
            use.folders += numberIn(detail, "folders");
            use.bytes += numberIn(detail, "bytes");
            if (use.freeAtNs == 0) {
                use.freeAtNs = each.event.timeNs + kPeriodNs;
            }
        }
        if (events->size() < activity::kMaxQueryEvents) {
            return use;
        }
    }
}

// Of these, what the owner's rules deny nothing of, with all that is in the way of it. Nothing: the rules cannot be read.
std::vector<const files::FrozenEntry*> Agent::leftByRules(const ShareRecord& share, AutoShare& state,
                                                          std::vector<const files::FrozenEntry*> covered) const {
    if (!m_services.maySettle) {
        return covered;
    }
    const auto agent = id();
    const auto of = session();
    std::set<SharePath> waiting;
    std::vector<const files::FrozenEntry*> left;
    for (const auto* entry : covered) { // in order of path: a folder before what is in it
        bool below = false; // of a new folder that waits there is no place for it
        for (SharePath up = entry->path.parent(); !below && !up.isRoot(); up = up.parent()) {
            below = waiting.contains(up);
        }
        const auto may = below ? MaySettle::Waits : m_services.maySettle(agent, of, share, *entry);
        if (may == MaySettle::Nothing) {
            state.retry = std::min(state.retry, Clock::now() + kAfterFailure);
            return {};
        }
        if (may == MaySettle::Yes) {
            left.push_back(entry);
        } else {
            waiting.insert(entry->path);
        }
    }
    if (!waiting.empty()) {
        state.retry = std::min<Clock::time_point>(state.retry, Clock::now() + kAfterDenial);
    }
    return left;
}

// Once, until there is room again.
void Agent::tellFull(const ShareRecord& share, AutoShare& state, const AutoUse& use, std::size_t waiting) {
    std::optional<std::int64_t> until;
    if (waiting > 0) {
        const auto freeAt =
            use.freeAtNs != 0 ? use.freeAtNs : nowNs() + std::chrono::nanoseconds(kAutoPeriod).count();
        until = freeAt / 1'000'000;
        const auto left = std::chrono::nanoseconds(std::max<std::int64_t>(freeAt - nowNs(), 0));
        state.retry = std::min<Clock::time_point>(state.retry, Clock::now() + left + std::chrono::seconds(1));
    }
    bool news = false;
    {
        const std::lock_guard lock(m_mutex);
        news = until && !state.fullUntilMs;
        state.fullUntilMs = until;
    }
    if (news) {
        noteAfter(EventKind::EngineNote, "auto mode has reached its bound, so the rest waits for review",
                  {{"share", share.name},
                   {"waiting", waiting},
                   {"files_an_hour", kAutoFiles},
                   {"bytes_an_hour", kAutoBytes},
                   {"until", activity::formatTime(*until * 1'000'000)}});
    }
}

Status Agent::settleByRule(Door& at, const ShareRecord& share, AutoShare& state,
                           const std::vector<ChangeEntry>& claims) {
    auto use = autoUse(share.id);
    if (!use) {
        return fail(std::move(use).error());
    }
    const auto pick = pickForAuto(claims, share.id, *m_own, *use);
    if (pick.claims.empty()) {
        tellFull(share, state, *use, pick.full);
        return {};
    }
    auto set = freezeClaims(at, share, pick.claims, [](std::string_view, std::string_view) {}, {},
                            m_services.patience.autoAnswer);
    if (!set) {
        return fail(std::move(set).error());
    }
    OpenedReview opened;
    opened.id = set->id; // of this share alone; no review of the book's, which nobody may lose by it
    opened.shares.push_back(share);
    opened.sets.push_back(std::move(*set));
    std::vector<EntryView> chosen;
    std::uint64_t folders = 0;
    std::uint64_t bytes = 0;
    // The owner's standing word for the share is no word above the owner's rules: a deny among them holds here, too.
    for (const auto* entry : leftByRules(share, state, coveredByAuto(opened.sets.front(), share.id, *m_own))) {
        chosen.push_back({&opened.shares.front(), entry});
        folders += entry->wanted.kind == files::NodeKind::Directory ? 1 : 0;
        bytes += entry->wanted.kind == files::NodeKind::File ? entry->wanted.size : 0;
    }
    const Review frozen{{}, {{share.id, opened.id}}};
    if (chosen.empty()) {
        forgetUnused({frozen});
        tellFull(share, state, *use, pick.full);
        return {};
    }
    // I5, and what counts against the bounds.
    CARREL_TRY(note(EventKind::ApplyDecided, opened.id,
                    {{"entries", chosen.size()},
                     {"by", kByAuto},
                     {"rule", "auto mode of " + share.name},
                     {"share_id", share.id},
                     {"files", chosen.size() - folders},
                     {"folders", folders},
                     {"bytes", bytes}}));
    auto done = applyChosen(opened, chosen, kByAuto, [](std::string_view, std::string_view) {});
    forgetUnused({frozen});
    if (!done) {
        return fail(std::move(done).error());
    }
    if (use = autoUse(share.id); !use) {
        return fail(std::move(use).error());
    }
    tellFull(share, state, *use, pick.full);
    return {};
}

} // namespace carrel::agents

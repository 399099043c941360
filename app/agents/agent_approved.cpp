// SPDX-License-Identifier: Apache-2.0
// What the queue of approvals needs of an agent: what a session is, which reviews somebody is asked about, and what became
// of an apply, or of a folder, that was allowed.
#include "app/agents/agent.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <limits>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;

std::string Agent::session() const {
    return record().session;
}

std::string Agent::newSession() {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
        return {}; // no session: nothing can be allowed for one
    }
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const auto byte : bytes) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 15U];
    }
    return out;
}

void Agent::tellSessionEnded(const std::string& session) {
    if (!session.empty() && m_services.sessionEnded) {
        m_services.sessionEnded(id(), session);
    }
}

void Agent::keepReview(const std::string& id) {
    const std::lock_guard lock(m_mutex);
    m_keptReviews.insert(id);
}

void Agent::letGoOfReview(const std::string& id) {
    const std::lock_guard lock(m_mutex);
    m_keptReviews.erase(id);
}

std::set<std::string> Agent::keptReviews() const {
    const std::lock_guard lock(m_mutex);
    return m_keptReviews;
}

void Agent::tellOwnerDecided(const std::string& review) {
    if (m_services.ownerDecided) {
        m_services.ownerDecided(id(), review);
    }
}

// The last decision by that request, the time of the next one on the same review, and what the log knows of its end.
struct Agent::DecidedApply {
    activity::Recorded event;
    std::int64_t untilNs = std::numeric_limits<std::int64_t>::max();
    std::optional<bool> made; // it came to its end: was anything made of it
};

Result<std::optional<Agent::DecidedApply>> Agent::decidedApply(std::uint64_t approval) {
    std::optional<DecidedApply> decided;
    activity::Query query;
    query.kinds = {EventKind::ApplyDecided, EventKind::ApplyDone};
    for (;;) {
        auto page = m_log->query(query);
        if (!page) {
            return fail(std::move(page).error());
        }
        if (page->empty()) {
            return decided;
        }
        for (auto& each : *page) {
            query.afterSeq = each.seq;
            const auto& detail = each.event.detail;
            const auto* of = detail.if_contains("approval");
            const bool last = decided && decided->untilNs == std::numeric_limits<std::int64_t>::max();
            const bool same = last && each.event.subject == decided->event.event.subject;
            if (each.event.kind == EventKind::ApplyDone) {
                const auto* made = detail.if_contains("done");
                if (same && !decided->made) {
                    decided->made = made != nullptr && *made != json::value(0U);
                }
            } else if (of != nullptr && *of == json::value(approval)) {
                decided = DecidedApply{std::move(each)};
            } else if (same) {
                decided->untilNs = each.event.timeNs;
            }
        }
    }
}

// The decision is in the log before anything happens, and names the sets that are to be applied; the journals say what became
// of each. An apply that was interrupted after that is finished before this is asked (recoverApplies).
Result<Agent::ApplyStood> Agent::appliedBy(std::uint64_t approval) {
    const std::lock_guard operation(m_operation);
    const auto decided = decidedApply(approval);
    if (!decided) {
        return fail(decided.error());
    }
    if (!*decided) {
        return ApplyStood::NeverBegan;
    }
    const auto& one = **decided;
    if (one.made) {
        return *one.made ? ApplyStood::Finished : ApplyStood::Partly;
    }
    const auto applies = m_review->applies();
    if (!applies) {
        return fail(applies.error());
    }
    const auto* sets = one.event.event.detail.if_contains("sets");
    std::size_t wanted = 0;
    std::size_t begun = 0;
    bool made = false;
    bool whole = true;
    for (const auto& set : sets != nullptr && sets->is_array() ? sets->get_array() : json::array{}) {
        ++wanted;
        // What the same set was applied for before, and taken back again, is not this.
        const auto at = std::find_if(applies->begin(), applies->end(), [&](const files::ApplySummary& each) {
            return set == json::value(each.set) && each.undoes.empty() && each.finished && each.atNs >= one.event.event.timeNs &&
                   each.atNs < one.untilNs;
        });
        if (at == applies->end()) {
            continue;
        }
        const auto report = m_review->report(at->id);
        if (!report) {
            return fail(report.error());
        }
        ++begun;
        for (const auto& entry : report->entries) {
            made = made || entry.outcome == files::Outcome::Applied;
            whole = whole && entry.outcome != files::Outcome::NotRun; // given up in its middle
        }
    }
    if (begun == wanted && wanted > 0) {
        return made && whole ? ApplyStood::Finished : ApplyStood::Partly;
    }
    if (m_applyLeft) {
        return fail(ErrorCode::Unavailable, "that apply was interrupted, and it is not settled yet",
                    "Mend what is wrong with the folder or its disk, and start Carrel again");
    }
    return begun == 0 ? ApplyStood::NeverBegan : ApplyStood::Partly;
}

std::optional<std::string> Agent::shareName(std::uint32_t id) const {
    for (const auto& share : record().shares) {
        if (share.id == id) {
            return share.name;
        }
    }
    return std::nullopt;
}

// The event comes first and the record after it: an event alone has given nothing, and its share's id was given anew.
Result<std::optional<std::string>> Agent::givenBy(std::uint64_t approval) {
    const std::lock_guard operation(m_operation);
    std::uint64_t given = 0; // the share's id
    activity::Query query;
    query.kinds = {EventKind::ShareAdded};
    for (;;) {
        const auto page = m_log->query(query);
        if (!page) {
            return fail(page.error());
        }
        if (page->empty()) {
            break;
        }
        for (const auto& each : *page) {
            query.afterSeq = each.seq;
            const auto& detail = each.event.detail;
            const auto* id = detail.if_contains("id");
            if (id == nullptr || !id->is_number()) {
                continue;
            }
            const auto share = id->to_number<std::uint64_t>();
            const auto* of = detail.if_contains("approval");
            if (of != nullptr && *of == json::value(approval)) {
                given = share;
            } else if (given == share) {
                given = 0;
            }
        }
    }
    return given == 0 ? std::nullopt : shareName(static_cast<std::uint32_t>(given));
}

} // namespace carrel::agents

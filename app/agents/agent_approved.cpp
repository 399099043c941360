// SPDX-License-Identifier: Apache-2.0
// What the queue of approvals needs of an agent: what a session is, which reviews somebody is asked about, and what became
// of an apply, or of a folder, that was allowed.
#include "app/agents/agent.h"

#include <openssl/rand.h>

#include <array>

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
    const std::lock_guard operation(m_operation);
    m_keptReviews.insert(id);
}

void Agent::letGoOfReview(const std::string& id) {
    const std::lock_guard operation(m_operation);
    m_keptReviews.erase(id);
}

// The decision is in the log before anything happens, and says which number the apply was to get. An apply that was
// interrupted after that is finished, and numbered, before this is asked (recoverApplies).
Result<Agent::ApplyStood> Agent::appliedBy(std::uint64_t approval) {
    const std::lock_guard operation(m_operation);
    std::optional<activity::Recorded> decided;
    bool done = false;
    activity::Query query;
    query.kinds = {EventKind::ApplyDecided, EventKind::ApplyDone};
    for (;;) {
        auto page = m_log->query(query);
        if (!page) {
            return fail(std::move(page).error());
        }
        if (page->empty()) {
            break;
        }
        for (auto& each : *page) {
            query.afterSeq = each.seq;
            if (each.event.kind == EventKind::ApplyDone) {
                done = done || (decided && each.event.subject == decided->event.subject);
                continue;
            }
            const auto* of = each.event.detail.if_contains("approval");
            if (of != nullptr && *of == json::value(approval)) {
                decided = std::move(each);
                done = false;
            }
        }
    }
    if (!decided) {
        return ApplyStood::NeverBegan;
    }
    if (done) {
        return ApplyStood::Finished;
    }
    if (m_applyLeft) {
        return fail(ErrorCode::Unavailable, "that apply was interrupted, and it is not settled yet",
                    "Mend what is wrong with the folder or its disk, and start Carrel again");
    }
    const auto* number = decided->event.detail.if_contains("number");
    const auto* apply = number != nullptr && number->is_number() ? m_book->apply(number->to_number<std::uint64_t>()) : nullptr;
    // One that was interrupted is numbered without its review: the number is enough, for decisions come one after the other.
    const bool finished = apply != nullptr && apply->undoes == 0 &&
                          (apply->review.empty() || apply->review == decided->event.subject);
    return finished ? ApplyStood::Finished : ApplyStood::NeverBegan;
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

// SPDX-License-Identifier: Apache-2.0
#include "app/policy/approval_log.h"

namespace carrel::policy {

using activity::EventKind;

namespace {

const std::vector<EventKind>& kinds() {
    static const std::vector<EventKind> kAll{
        EventKind::ApprovalAsked,    EventKind::ApprovalChanged, EventKind::ApprovalRepeated, EventKind::ApprovalShown,
        EventKind::ApprovalDecided,  EventKind::ApprovalEnded,   EventKind::ApprovalReopened, EventKind::ApprovalEffect,
        EventKind::ApprovalsTurnedAway, EventKind::RuleKept,     EventKind::RuleAnswered};
    return kAll;
}

std::string subjectOf(const ApprovalRecord& record) {
    if (const auto* asked = std::get_if<record::Asked>(&record.what)) {
        return asked->about;
    }
    if (const auto* answered = std::get_if<record::RuleAnswered>(&record.what)) {
        return answered->about;
    }
    return record.id == 0 ? "" : "request " + std::to_string(record.id);
}

} // namespace

activity::Event eventOf(const ApprovalRecord& record) {
    activity::Event event;
    event.kind = activity::eventKindFrom(kindOf(record)).value_or(EventKind::EngineNote);
    event.provenance = activity::Provenance::Host;
    event.subject = subjectOf(record);
    event.detail = detailOf(record);
    event.timeNs = record.atMs * 1'000'000;
    return event;
}

Result<ApprovalRecord> recordOf(const std::string& agent, const activity::Event& event) {
    if (event.provenance != activity::Provenance::Host) {
        return fail(ErrorCode::Malformed, "A row about a request says that a guest wrote it");
    }
    return recordFrom(activity::toString(event.kind), agent, event.timeNs / 1'000'000, event.detail);
}

Result<ReadApprovals> readApprovals(const std::string& agent, activity::ActivityLog& log) {
    ReadApprovals out;
    activity::Query query;
    query.kinds = kinds();
    for (;;) {
        auto page = log.query(query);
        if (!page) {
            return fail(std::move(page).error());
        }
        for (const auto& each : *page) {
            query.afterSeq = each.seq;
            auto record = recordOf(agent, each.event);
            if (record) {
                out.records.push_back(std::move(*record));
            } else {
                out.damaged.push_back(record.error().wrap("Row " + std::to_string(each.seq) + " of the log cannot be read"));
            }
        }
        if (page->size() < activity::kMaxQueryEvents) {
            return out;
        }
    }
}

} // namespace carrel::policy

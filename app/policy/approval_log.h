// SPDX-License-Identifier: Apache-2.0
// Records of requests as events of an agent's activity log. Their provenance is the host: the host saw the request, and what
// the agent says of it stands in the detail as claimed_reason (invariant I9).
// Thread: pure functions; readApprovals() reads the log, from any thread.
#pragma once

#include "app/activity/activity_log.h"
#include "app/policy/approval_record.h"

namespace carrel::policy {

[[nodiscard]] activity::Event eventOf(const ApprovalRecord& record);
// Malformed: an event of another kind, or not of that form.
[[nodiscard]] Result<ApprovalRecord> recordOf(const std::string& agent, const activity::Event& event);

struct ReadApprovals {
    std::vector<ApprovalRecord> records; // oldest first
    std::vector<Error> damaged;          // rows that cannot be read: as if they were not there
};
// All of an agent's. They are few: at most so many are opened in a minute, and repeats and denials are counted in rows.
[[nodiscard]] Result<ReadApprovals> readApprovals(const std::string& agent, activity::ActivityLog& log);

} // namespace carrel::policy

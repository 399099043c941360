// SPDX-License-Identifier: Apache-2.0
// What is written down of the requests that cross a boundary, one row each, before it takes effect (invariant I5). The
// rows of an agent, in their order, are all there is to know of its requests: a queue is rebuilt from them after a restart
// (ApprovalQueue::recover), and attention is counted from them (Attention).
//
//   kind                  about                                                     written
//   approval.asked        a request was opened                                      before anybody is asked
//   approval.changed      it is asked again with other content                      before the new content is shown
//   approval.repeated     it was asked again, just the same, 2, 4, 8, … times       meanwhile: only a count
//   approval.shown        a person was shown it                                     afterwards
//   approval.decided      allowed or denied, by whom, for how long, with which rule before the effect
//   rule.kept             the decision's rule is in the rules' file; or is not      after the rule counts, or is given up
//   approval.ended        expired or cancelled                                      as it happens; owed where it cannot be
//   approval.reopened     an expired one is open again                              before it is
//   approval.effect       how what was allowed ended                                afterwards, or by the next start
//   rule.answered         a rule allowed, or denied, without asking                 allowed: before the effect; denied: counted
//   approval.turned_away  that many were cancelled unasked: too many, too soon      counted
//
// Of one request the order is: asked, then any of changed, repeated, shown; then decided or ended; after decided rule.kept
// and effects; after ended, and after an effect that never began, reopened, and so on. ApprovalBook holds to that.
// Thread: values, pure functions.
#pragma once

#include "app/policy/approval.h"

#include <boost/json/object.hpp>

#include <variant>

namespace carrel::policy {

namespace record {
struct Asked {
    std::string session, task;
    Action action = Action::Apply;
    std::string about;
    Question question;
    friend bool operator==(const Asked&, const Asked&) = default;
};
struct Changed {
    std::string session;
    Action action = Action::Apply;
    std::uint64_t revision = 0;
    Question question;
    friend bool operator==(const Changed&, const Changed&) = default;
};
struct Repeated {
    std::uint64_t asked = 0;
    friend bool operator==(const Repeated&, const Repeated&) = default;
};
struct Shown {
    std::string where; // "notification", "command line", …
    friend bool operator==(const Shown&, const Shown&) = default;
};
struct Decided {
    DecisionFacts facts;   // without ruleId, where a rule is yet to be kept
    files::Sha256 digest;  // what was decided on
    std::uint64_t asked = 0;
    std::uint64_t waitedMs = 0; // measured, not the difference of two times that can be set
    friend bool operator==(const Decided&, const Decided&) = default;
};
struct RuleKept {
    std::uint64_t ruleId = 0; // 0: it was not
    std::string why;
    friend bool operator==(const RuleKept&, const RuleKept&) = default;
};
struct Ended {
    EndReason reason = EndReason::NoAnswer;
    std::uint64_t asked = 0;
    std::uint64_t waitedMs = 0;
    friend bool operator==(const Ended&, const Ended&) = default;
};
struct Reopened {
    std::string by;
    friend bool operator==(const Reopened&, const Reopened&) = default;
};
struct EffectEnded {
    EffectState state = EffectState::Done;
    std::string words;
    friend bool operator==(const EffectEnded&, const EffectEnded&) = default;
};
struct RuleAnswered {
    std::string session;
    Action action = Action::Apply;
    std::string about;
    files::Sha256 digest;
    Effect effect = Effect::Deny;
    std::uint64_t ruleId = 0; // 0: trouble with the rules denied it
    std::string trouble;
    std::uint64_t count = 1;  // denied: this one, and others since the last row
    friend bool operator==(const RuleAnswered&, const RuleAnswered&) = default;
};
struct TurnedAway {
    std::uint64_t count = 0; // since the last row
    std::int64_t sinceMs = 0;
    friend bool operator==(const TurnedAway&, const TurnedAway&) = default;
};
} // namespace record

struct ApprovalRecord {
    std::uint64_t id = 0; // of the request; 0: of none
    std::string agent;    // in whose log it stands
    std::int64_t atMs = 0;
    std::variant<record::Asked, record::Changed, record::Repeated, record::Shown, record::Decided, record::RuleKept,
                 record::Ended, record::Reopened, record::EffectEnded, record::RuleAnswered, record::TurnedAway>
        what;
    friend bool operator==(const ApprovalRecord&, const ApprovalRecord&) = default;
};

[[nodiscard]] std::string_view kindOf(const ApprovalRecord& record); // "approval.asked"
// What stands in the row beside its agent and time.
[[nodiscard]] boost::json::object detailOf(const ApprovalRecord& record);
// Malformed: not of that form. Strict, as everything that is read.
[[nodiscard]] Result<ApprovalRecord> recordFrom(std::string_view kind, std::string agent, std::int64_t atMs,
                                                const boost::json::object& detail);

// Where the records are kept. append() answers when it is on the disk; an error: it is not, and will not be.
// Thread: any; may block. Must not call back into the queue.
class ApprovalSink {
public:
    virtual ~ApprovalSink() = default;
    [[nodiscard]] virtual Status append(const ApprovalRecord& record) = 0;
};

} // namespace carrel::policy

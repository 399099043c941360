// SPDX-License-Identifier: Apache-2.0
// A request that a person is asked about: one type for every boundary that an agent can ask to cross (design section 8).
//
//   state      what it means                                              goes on to
//   open       waits for a person                                         allowed, denied, expired, cancelled
//   allowed    its effect may begin, as often as was decided              (open: it never began, and Carrel has restarted)
//   denied     a person, or a rule, said no                               -
//   expired    nobody answered in time: no, but no one said so            open, by the owner
//   cancelled  the agent took it back, its session ended, it has gone     -
//
// What the host saw and what the agent says are kept apart: `claim` is the agent's word and is shown as such; nothing is
// ever matched against it. Text of names may be the guest's: through DisplayText before a person sees it.
// Thread: values, pure functions.
#pragma once

#include "app/files/sha256.h"
#include "app/policy/rule.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace carrel::policy {

enum class ApprovalState { Open, Allowed, Denied, Expired, Cancelled };
enum class Scope { Once, Session, Agent, Everywhere };
enum class EndReason { NoAnswer, Withdrawn, SessionOver, EngineEnded, Gone };
// Of what was allowed. Unsettled: begun, and not known yet how it ended (a folder that cannot be reached).
enum class EffectState { None, Done, Failed, NeverBegan, Unsettled };

[[nodiscard]] std::string_view toString(ApprovalState state);
[[nodiscard]] std::string_view toString(Scope scope);
[[nodiscard]] std::string_view toString(EndReason reason);
[[nodiscard]] std::string_view toString(EffectState state);
[[nodiscard]] std::string_view toString(Risk risk);
[[nodiscard]] std::optional<Scope> scopeFrom(std::string_view text);
[[nodiscard]] std::optional<EndReason> endReasonFrom(std::string_view text);
[[nodiscard]] std::optional<EffectState> effectStateFrom(std::string_view text);
[[nodiscard]] std::optional<Risk> riskFrom(std::string_view text);

// Whether the request means something when the session is over and when the engine has restarted: what is staged can
// still be applied, a folder be given. A connection that waited has gone.
[[nodiscard]] bool isLasting(Action action);
// What is allowed is Carrel's own to do, once; whoever asked is told when it is done.
[[nodiscard]] bool isCarriedOut(Action action);
// A person says yes each time, and no rule does; one that denies counts.
[[nodiscard]] bool isByPersonAlone(Action action);
struct Approval;
// The owner says with the answer which folder it is.
[[nodiscard]] bool isToBeChosen(const Approval& approval);

inline constexpr std::size_t kMaxClaimCharacters = 280; // design section 8
inline constexpr std::size_t kMaxAboutBytes = 1024;     // one row of a list, and what like requests are known by
inline constexpr std::size_t kMaxReasonBytes = 512;     // why the risk is high: the host's words, with a name in it
inline constexpr std::size_t kMaxReferenceBytes = 256;
inline constexpr std::size_t kMaxTaskBytes = 128;
inline constexpr std::size_t kMaxByBytes = 128;
inline constexpr std::size_t kMaxItems = 100'000;          // of one request: as many changes as a person never reads
inline constexpr std::size_t kMaxKeptItems = 16;           // with the request; the others where the evidence is
inline constexpr std::size_t kMaxKeptItemBytes = 24 * 1024; // all of them as JSON text, so that a row of the log holds them
inline constexpr std::size_t kMaxCoverBytes = 8 * 1024;    // the covering rule as text

// What is decided on: the digest of every byte of it, and the host's own name for where it is kept.
struct Evidence {
    files::Sha256 digest;
    std::string reference;
    friend bool operator==(const Evidence&, const Evidence&) = default;
};

// As it comes in. Everything but the claim is the host's own.
struct Ask {
    std::string agent;
    std::string session;
    std::string task; // what the agent worked on, for counting; may be empty
    Action action = Action::Apply;
    std::string about; // the same for the same thing asked again; longer than kMaxAboutBytes it ends in its hash
    std::vector<Request> items;
    Evidence evidence;
    std::string riskReason;
    std::string claim; // as the guest sent it: any bytes
};

// What of a request can change while it is open: the agent asks for the same thing again with other content.
struct Question {
    Risk risk = Risk::Routine;
    std::string riskReason;
    std::vector<Request> items; // the first of them
    std::uint64_t itemCount = 0;
    Evidence evidence;
    std::string claim;
    std::optional<Rule> cover; // would allow it; none: no rule can say it
    friend bool operator==(const Question&, const Question&) = default;
    [[nodiscard]] bool complete() const { return items.size() == itemCount; }
};

struct DecisionFacts {
    Effect effect = Effect::Deny;
    Scope scope = Scope::Once;
    std::optional<std::int64_t> untilMs; // since 1970: no longer than that
    std::string by;                      // who, in words: "ada at the command line"; "rule 7"
    std::uint64_t uses = 0;              // how often its effect may begin
    std::optional<Rule> rule;            // that is to be kept; of a scope other than once
    std::uint64_t ruleId = 0;            // that was kept for it, or that decided; 0: none
    std::int64_t atMs = 0;
    friend bool operator==(const DecisionFacts&, const DecisionFacts&) = default;
};

struct Approval {
    std::uint64_t id = 0; // of one home
    std::string agent;
    std::string session;
    std::string task;
    Action action = Action::Apply;
    std::string about;
    Question question;
    std::uint64_t revision = 1; // counted up by each change of the question
    std::uint64_t asked = 1;    // how often, this question
    ApprovalState state = ApprovalState::Open;
    std::int64_t askedMs = 0; // since 1970: when it was opened
    std::int64_t closedMs = 0;
    bool shown = false;       // to a person, since it was opened
    bool sessionOver = false;
    std::optional<DecisionFacts> decision;
    std::optional<EndReason> ended; // expired or cancelled
    EffectState effect = EffectState::None;
    std::uint64_t effectsEnded = 0;
    std::string effectWords;
    std::int64_t showUntilMs = 0; // open: when it will expire, by the clock of now; only to be shown
    friend bool operator==(const Approval&, const Approval&) = default;
};

// A rule decided, and nobody looked at it; not a person, with a rule to be kept.
[[nodiscard]] bool isByRule(const Approval& approval);

// Bounds everything, refuses what the host itself got wrong (Malformed, InvalidArgument, LimitExceeded: treat as denied),
// makes the claim one line, and finds the risk and the covering rule.
struct PreparedAsk {
    std::string agent, session, task;
    Action action = Action::Apply;
    std::string about;
    Question question;
    std::vector<Request> items; // all of them
};
[[nodiscard]] Result<PreparedAsk> prepare(Ask ask);

// At most kMaxClaimCharacters, UTF-8, one line: what would break it becomes a space.
[[nodiscard]] std::string claimOf(std::string_view raw);

// The narrowest rule that allows all of them to whoever asks (no agent, no session); none: no rule can say it, as of a name
// that is not UTF-8, or of more paths at high risk than a person reads.
[[nodiscard]] std::optional<Rule> coveringRule(std::span<const Request> items);
// That rule for a decision. Once: none.
[[nodiscard]] std::optional<Rule> scopedRule(const Rule& cover, Effect effect, Scope scope, const Approval& of,
                                             std::optional<std::int64_t> untilMs);

} // namespace carrel::policy

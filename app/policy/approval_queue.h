// SPDX-License-Identifier: Apache-2.0
// The queue of approvals (design section 8): everything that an agent asks to do beyond its own machine comes here, and is
// answered by a rule, by a person, or by nobody in time, which is a no as well and is told as what it is.
//
// How whoever carries out an effect uses it:
//   submit()   Allowed: begin() it (where it has a number) and do it. Waiting: wait(), then the same. Anything else: do not.
//   begin()    right before the effect; it says no where the decision does not reach so far, or a rule denies by now
//   finished() how it ended
// The order of the records makes invariant I5 hold: an answer that allows is given after its record is on the disk. Where it
// cannot be written, nothing is allowed. What only takes away (expired, cancelled, denied) counts although it cannot be
// written, and is owed to the log.
//
// A decision names what it was taken on: the digest of the evidence, and how often it had been asked. To allow what has
// changed since is refused. To deny it once is not: that gives nothing away, and an agent could otherwise keep a person
// from saying no by changing its mind. Of several who decide at once the first wins, and the others are told who that was.
//
// Countdown: kPatience (kLastingPatience) from when the request was opened, by the steady clock (clock.h). hold() gives a
// person who looks at it kHeld from then on. A restart begins it anew: nobody could answer while there was no engine.
//
// Owner: the engine. Thread: any. Blocks for the disk (one lock around state and record: prompts are rare) and for what the
// services block for. The listener and the services are called without the lock, the sink with it.
#pragma once

#include "app/policy/approval_book.h"
#include "app/policy/flood_guard.h"
#include "app/policy/rules.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>

namespace carrel::policy {

inline constexpr std::chrono::minutes kPatience{2};        // a program waits meanwhile
inline constexpr std::chrono::hours kLastingPatience{1};   // isLasting()
inline constexpr std::chrono::hours kHeld{1};
inline constexpr std::chrono::minutes kUseWithin{10};      // from an allow to begin()
inline constexpr std::chrono::seconds kChangeEvery{2};     // of one request; twice as long after each change
inline constexpr unsigned kMostChangeDoublings = 8;        // to eight and a half minutes
inline constexpr std::chrono::seconds kTurnedAwayEvery{60}; // a row about them, of one agent

// The things of a request as the host sees them now: of what lasts, for they may be gone; of the rest, where the queue did not
// keep them all. NotFound: they are no longer there, and so nothing can be allowed of them. Thread: any; may block.
class Evidences {
public:
    virtual ~Evidences() = default;
    [[nodiscard]] virtual Result<std::vector<Request>> itemsOf(const Approval& approval) = 0;
};

// Told of each state after it is in the log, or owed to it. `number` counts up: of two calls the one with the greater one is newer.
class ApprovalListener {
public:
    virtual ~ApprovalListener() = default;
    virtual void changed(const Approval& approval, std::uint64_t number) = 0;
    virtual void rulesChanged() {} // told by whoever changes them, not by the queue
};

// After a restart: what became of what was allowed. An error: it is not known yet (a folder that cannot be reached).
class EffectStandings {
public:
    enum class Stands { Finished, NeverBegan, Partly };
    virtual ~EffectStandings() = default;
    [[nodiscard]] virtual Result<Stands> standing(const Approval& approval) = 0;
    // Of one that is finished: as finished() would have had it.
    [[nodiscard]] virtual std::string words(const Approval& /*approval*/) { return "Finished, as was found after a restart"; }
};

struct ApprovalServices { // all outlive the queue
    const Clock& clock;
    Rules& rules;
    ApprovalSink& sink;
    Evidences& evidences;
    ApprovalListener* listener = nullptr;
};

struct Submitted {
    enum class Kind { Allowed, Denied, Waiting, TurnedAway };
    Kind kind = Kind::Denied;
    std::uint64_t id = 0;         // the request; 0: a rule answered, or nobody is asked
    std::optional<Rule> rule;     // that answered
    std::string why;              // Denied, TurnedAway: in plain words, for the agent; names no rule's content
    std::optional<Error> trouble; // with the rules, that denies everything: for the owner
};

struct DecisionWanted {
    std::uint64_t id = 0;
    Effect effect = Effect::Deny;
    Scope scope = Scope::Once;
    std::optional<std::chrono::milliseconds> lasting; // from now; what was allowed is over then
    files::Sha256 digest;    // of the evidence that the person looked at
    std::uint64_t revision = 0; // of the question, likewise; 0: the digest says enough
    std::uint64_t asked = 1; // and how often it had been asked then
    std::string by;          // who, in words
    std::optional<Rule> rule; // instead of the covering one: its fields and note count
};

struct Decided { // with a rule: reconsider() is due
    Approval approval;
    std::optional<Error> ruleTrouble; // the decision stands for this request, and its rule could not be kept
};

struct Recovered {
    std::vector<Error> misfits;       // rows that were not taken
    std::vector<Approval> reopened;   // allowed, and never begun: a person is asked once more
    std::vector<Approval> unsettled;  // finished() is owed
    std::vector<Approval> rulesLost;  // decided for longer, and the rule is not there
};

class ApprovalQueue {
public:
    explicit ApprovalQueue(const ApprovalServices& to);
    ~ApprovalQueue();
    ApprovalQueue(const ApprovalQueue&) = delete;
    ApprovalQueue& operator=(const ApprovalQueue&) = delete;

    // For whoever carries out effects. An error: as denied.
    [[nodiscard]] Result<Submitted> submit(Ask ask);
    // Whether one question more of that agent's would be taken beside those that are open (kMaxOpen). Only for now.
    [[nodiscard]] bool hasRoom(std::string_view agent) const;
    // Until it is no longer open (Done: and what was allowed has ended), `most` has passed or stop: then it is as it is.
    // NotFound: no request of that agent.
    enum class Until { Answered, Done };
    [[nodiscard]] Result<Approval> wait(std::string_view agent, std::uint64_t id, std::stop_token stop,
                                        std::chrono::milliseconds most, Until until = Until::Answered);
    // `items`: what it is about at this moment, where whoever begins it knows that (and holds what itemsOf() would wait for, or
    // was told only now). AlreadyExists: it has begun as often as it was allowed.
    [[nodiscard]] Status begin(std::uint64_t id, std::optional<std::vector<Request>> items = {});
    void finished(std::uint64_t id, EffectState state, std::string words);
    // What it is about is no longer there, as the owner has decided on it otherwise. Closed already: nothing happens.
    void gone(std::uint64_t id);
    // The agent takes it back. Closed already: nothing happens.
    [[nodiscard]] Status withdraw(std::string_view agent, std::uint64_t id);
    // Lasting requests stay open. Rules for that session go; an error: they could not, and mean nothing any more.
    [[nodiscard]] Result<std::vector<Rule>> sessionEnded(const std::string& agent, const std::string& session);

    // For the owner.
    [[nodiscard]] Result<Decided> decide(const DecisionWanted& wanted); // approval_decide.cpp
    // The rule that it would make, to be shown before.
    [[nodiscard]] Result<std::optional<Rule>> ruleOf(const DecisionWanted& wanted) const;
    [[nodiscard]] Status reopen(std::uint64_t id, const std::string& by);
    void shown(std::uint64_t id, const std::string& where);
    void hold(std::uint64_t id);
    [[nodiscard]] std::vector<Approval> list(bool closedToo) const; // by number
    [[nodiscard]] Result<Approval> find(std::uint64_t id) const;
    [[nodiscard]] std::vector<FloodGuard::Away> turnedAway() const;
    // Rules have changed: what is open of that agent and answered by one now is settled.
    void reconsider(std::string_view agent);

    // What is due by now; answers when it wants to be called next, by the steady clock. To be called at least once a minute.
    std::int64_t tick();

    // approval_recover.cpp. Of every agent before anything is submitted, since numbers go on from the highest there is;
    // `session`: that goes on, empty: none. A row whose number another agent's log has as well is a misfit.
    [[nodiscard]] Recovered recover(const std::string& agent, const std::string& session,
                                    const std::vector<ApprovalRecord>& records, EffectStandings& effects);
    void forget(const std::string& agent); // it is deleted, and its log with it

private:
    struct Live { // what a restart need not know
        std::int64_t openedAt = 0;
        std::int64_t deadline = 0;
        std::int64_t changedAt = 0;
        std::int64_t useUntil = 0;
        std::uint64_t begun = 0;
    };
    class Turn; // holds the lock; tells the listener when it has let go of it
    enum class IfNot { Fail, Owe, Skip };

    [[nodiscard]] Result<Submitted> allowedByRule(const PreparedAsk& ask, const Rule& rule);
    [[nodiscard]] Submitted deniedByRule(const PreparedAsk& ask, const Rules::Verdict& verdict);
    [[nodiscard]] Result<Submitted> askPerson(const PreparedAsk& ask);
    [[nodiscard]] Result<Submitted> join(Turn& turn, const Approval& open, const PreparedAsk& ask);
    [[nodiscard]] Submitted turnAway(const std::string& agent, Moment now, std::string why);
    [[nodiscard]] bool stands(const Approval& allowed, const PreparedAsk& ask, Moment now) const;

    [[nodiscard]] Result<const Approval*> decidable(const DecisionWanted& wanted) const;
    [[nodiscard]] Status mayAllow(const Approval& seen);
    [[nodiscard]] Result<std::optional<Rule>> ruleFor(const Approval& of, const DecisionWanted& wanted) const;
    [[nodiscard]] Status record(Turn& turn, const Approval& of, DecisionFacts facts, IfNot ifNot);
    [[nodiscard]] std::optional<Error> keepRule(std::uint64_t id, const Rule& rule);
    [[nodiscard]] Result<std::vector<Request>> itemsOf(const Approval& of) const;
    [[nodiscard]] static Result<std::vector<Request>> whole(const Approval& of, std::vector<Request> items);
    void settleByRule(const Approval& seen, const Rules::Verdict& verdict);
    void end(Turn& turn, const Approval& of, EndReason reason);

    // Under the lock.
    [[nodiscard]] Status write(std::uint64_t id, const std::string& agent, decltype(ApprovalRecord::what) what, IfNot ifNot);
    [[nodiscard]] bool payOwed(const std::string& agent);
    [[nodiscard]] Approval copyOf(const Approval& of) const;
    [[nodiscard]] std::uint64_t waited(std::uint64_t id) const;
    void startCountdown(const Approval& of);

    const ApprovalServices m_to;
    mutable std::mutex m_mutex; // guards everything below
    std::condition_variable_any m_changed;
    ApprovalBook m_book;
    FloodGuard m_flood;
    std::map<std::uint64_t, Live> m_live;
    std::map<std::string, std::deque<ApprovalRecord>> m_owed; // by agent
    std::uint64_t m_told = 0;
};

} // namespace carrel::policy

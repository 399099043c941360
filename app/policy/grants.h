// SPDX-License-Identifier: Apache-2.0
// What is going on now because it was allowed: connections, mounts, forwarded ports. When what allowed it ends (the rule is
// removed, its time is over, its session ends, a rule that denies is made, the rules' file is tampered with) whoever carries
// it out is told, and cuts it.
//
// A grant by a rule goes on while some rule allows it. One by a person's decision goes on until its own end, or until a rule
// denies it. add() asks the rules once more, under the same lock as recheck(): between the answer and the grant no change of
// the rules goes unseen.
//
// Owner: the engine. Thread: any. `cut` is called without the lock, once, on the thread that ran recheck(), and never after
// remove() has returned for it on that same thread; it must not throw.
#pragma once

#include "app/policy/clock.h"
#include "app/policy/rules.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace carrel::policy {

inline constexpr std::size_t kMaxGrants = 100'000; // of all agents; past that nothing more begins

struct Grant {
    std::string agent;
    std::string session;
    std::vector<Request> items;  // what goes on, as it was decided on
    std::uint64_t approval = 0;  // the request that a person allowed; 0: by a rule
    std::uint64_t rule = 0;      // that allows it; 0: none
    std::optional<std::int64_t> untilMs; // since 1970
    bool unlessDenied = false; // nothing has to allow it, since something else does: only a rule that denies it ends it
};

class Grants {
public:
    using Cut = std::function<void(const Grant& grant, const std::string& why)>;
    Grants(Rules& rules, const Clock& clock)
        : m_rules(rules)
        , m_clock(clock) {}

    // Right before it begins. Refused, Expired: it does not reach any more; do not begin.
    [[nodiscard]] Result<std::uint64_t> add(Grant grant, Cut cut);
    void remove(std::uint64_t id); // it has ended by itself
    // After every change of the rules, and at least once a second: ends come, and the file may be changed by others.
    void recheck();
    void endSession(const std::string& agent, const std::string& session);
    [[nodiscard]] std::vector<Grant> list() const;

private:
    struct Kept {
        Grant grant;
        Cut cut;
        std::optional<std::int64_t> endsAt; // by the steady clock
    };
    struct Ended {
        Kept kept;
        std::string why;
    };
    // Why it ends; empty: it goes on. May put another rule in its place.
    [[nodiscard]] std::string ends(Kept& kept, Moment now);
    void cutAll(std::vector<Ended> ended);

    Rules& m_rules;
    const Clock& m_clock;
    mutable std::mutex m_mutex;
    std::map<std::uint64_t, Kept> m_kept;
    std::uint64_t m_next = 1;
};

} // namespace carrel::policy

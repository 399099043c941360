// SPDX-License-Identifier: Apache-2.0
// The rules of one home, as the queue of approvals needs them. Implemented by RuleBook, and by tests.
// Thread: any; may block for the disk and the keyring.
#pragma once

#include "app/policy/decide.h"
#include "guest/protocol/result.h"

#include <optional>
#include <span>
#include <vector>

namespace carrel::policy {

class Rules {
public:
    struct Verdict {
        Answer answer = Answer::Deny;
        std::optional<Rule> rule;     // that decided
        std::optional<Error> trouble; // that denies everything
    };
    virtual ~Rules() = default;
    // Of all of them together (decideAll), at this moment.
    [[nodiscard]] virtual Verdict decide(std::span<const Request> requests) = 0;
    // decide.h, asRead(), by the rules of this moment. While there is trouble with them: none, and everything is denied.
    [[nodiscard]] virtual std::optional<Request> asRead(const Request& connection) = 0;
    // Durable before it answers. The number is given; what is given as one is not looked at.
    [[nodiscard]] virtual Result<Rule> add(Rule rule) = 0;
    // One that says just the same, whatever its number; none: nothing says that.
    [[nodiscard]] virtual Result<std::optional<Rule>> find(const Rule& like) = 0;
    // Those of the agent that were for a session other than that one (empty: for any). Answers what has gone.
    [[nodiscard]] virtual Result<std::vector<Rule>> endSessions(std::string_view agent, std::string_view but) = 0;
};

} // namespace carrel::policy

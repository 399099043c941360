// SPDX-License-Identifier: Apache-2.0
// What the rules say of a request. A rule that denies wins over every one that allows, whatever their order or
// breadth; where no rule speaks, a person is asked. So another deny never allows more, and another allow never
// overrules a deny (TestDecide). Thread: pure functions.
#pragma once

#include "app/policy/rule.h"

#include <optional>

namespace carrel::policy {

enum class Answer { Allow, Deny, Ask };
[[nodiscard]] std::string_view toString(Answer answer);

struct Decision {
    Answer answer = Answer::Ask;
    const Rule* rule = nullptr; // that decided; of the rules that were given. The one with the smallest number of several
};

[[nodiscard]] Decision decide(std::span<const Rule> rules, const Request& request, std::int64_t nowMs);
// Of what happens as one, or not at all (an apply of many files): denied where one of them is, allowed where every one is.
// Of nothing: asked.
[[nodiscard]] Decision decideAll(std::span<const Rule> rules, std::span<const Request> requests, std::int64_t nowMs);

// A connection whose requests will be read, each of which is decided on again: of a connection by its host and port alone. None: no
// rule speaks of methods or paths there, so the connection is all there is to decide. Else what stands for it: the connection as it
// was given where that is allowed whatever is sent, or one request that a rule allows; where there is none, the plainest one.
[[nodiscard]] std::optional<Request> asRead(std::span<const Rule> rules, const Request& connection, std::int64_t nowMs);

} // namespace carrel::policy

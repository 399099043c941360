// SPDX-License-Identifier: Apache-2.0
#include "app/policy/decide.h"

namespace carrel::policy {

std::string_view toString(Answer answer) {
    switch (answer) {
    case Answer::Allow:
        return "allow";
    case Answer::Deny:
        return "deny";
    case Answer::Ask:
        return "ask";
    }
    return "ask";
}

Decision decide(std::span<const Rule> rules, const Request& request, std::int64_t nowMs) {
    const Rule* allows = nullptr;
    const Rule* denies = nullptr;
    for (const auto& rule : rules) {
        const Rule*& best = rule.effect == Effect::Deny ? denies : allows;
        if ((best == nullptr || rule.id < best->id) && matches(rule, request, nowMs)) {
            best = &rule;
        }
    }
    return denies != nullptr   ? Decision{Answer::Deny, denies}
           : allows != nullptr ? Decision{Answer::Allow, allows}
                               : Decision{};
}

Decision decideAll(std::span<const Rule> rules, std::span<const Request> requests, std::int64_t nowMs) {
    Decision all;
    bool asked = requests.empty();
    for (const auto& request : requests) {
        const auto one = decide(rules, request, nowMs);
        if (one.answer == Answer::Deny) {
            return one;
        }
        asked = asked || one.answer == Answer::Ask;
        all = one;
    }
    return asked ? Decision{} : all;
}

} // namespace carrel::policy

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

namespace {

constexpr const char* kPlainMethod = "GET";
constexpr const char* kPlainPath = "/";

std::vector<std::string> valuesOf(const Rule& rule, std::string_view field, const char* otherwise) {
    const auto at = rule.fields.find(field);
    return at == rule.fields.end() ? std::vector<std::string>{otherwise} : at->second;
}

} // namespace

std::optional<Request> asRead(std::span<const Rule> rules, const Request& connection, std::int64_t nowMs) {
    const auto with = [&](const std::string& method, const std::string& path) {
        auto out = connection;
        out.fields["method"] = method;
        out.fields["path"] = path;
        return out;
    };
    bool speaks = false;
    std::optional<Request> allowed;
    for (const auto& rule : rules) {
        if (rule.action != Action::Network || (!rule.fields.contains("method") && !rule.fields.contains("path"))) {
            continue;
        }
        auto whole = rule;
        whole.fields.erase("method");
        whole.fields.erase("path");
        if (!matches(whole, connection, nowMs)) {
            continue;
        }
        speaks = true;
        if (rule.effect == Effect::Deny || allowed) {
            continue;
        }
        for (const auto& method : valuesOf(rule, "method", kPlainMethod)) {
            for (const auto& path : valuesOf(rule, "path", kPlainPath)) {
                if (auto one = with(method, path); !allowed && decide(rules, one, nowMs).answer == Answer::Allow) {
                    allowed = std::move(one);
                }
            }
        }
    }
    if (!speaks || decide(rules, connection, nowMs).answer == Answer::Allow) {
        return speaks ? std::optional(connection) : std::nullopt;
    }
    return allowed ? std::move(allowed) : with(kPlainMethod, kPlainPath);
}

} // namespace carrel::policy

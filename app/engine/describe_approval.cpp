// SPDX-License-Identifier: Apache-2.0
#include "app/engine/describe_approval.h"

#include "app/activity/event.h"
#include "app/api/display_text.h"
#include "app/policy/approval_words.h"
#include "app/policy/rules_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace carrel::engine {

namespace json = boost::json;
using policy::Approval;
using policy::ApprovalState;

namespace {

// A log may hold any number, and what stands in nanoseconds ends in 2262.
std::string timeOf(std::int64_t ms) {
    constexpr std::int64_t kLatest = INT64_MAX / 1'000'000;
    return activity::formatTime(std::clamp<std::int64_t>(ms, 0, kLatest) * 1'000'000);
}

json::object describe(const policy::DecisionFacts& facts) {
    json::object out{{"effect", toString(facts.effect)},
                     {"scope", toString(facts.scope)},
                     {"by", api::asUtf8(facts.by)},
                     {"at", timeOf(facts.atMs)}};
    if (facts.untilMs) {
        out["until"] = timeOf(*facts.untilMs);
    }
    if (facts.ruleId != 0) {
        out["rule"] = facts.ruleId;
    }
    return out;
}

// One that nobody types without having looked: the agent chooses the names of its files.
bool isPlainWord(std::string_view text) {
    constexpr std::size_t kLeast = 4, kMost = 40;
    constexpr std::array<std::string_view, 8> kReflexes{"allow", "yes!", "sure", "okay", "true", "enter", "always", "confirm"};
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return text.size() >= kLeast && text.size() <= kMost && text.front() != '-' &&
           std::find(kReflexes.begin(), kReflexes.end(), lower) == kReflexes.end() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

} // namespace

json::object describeApproval(const Approval& of, const NameOfAgent& nameOf) {
    const auto& question = of.question;
    const auto name = nameOf(of.agent);
    json::object out{{"id", of.id},
                     {"agent", name},
                     {"action", toString(of.action)},
                     {"state", toString(of.state)},
                     {"risk", toString(question.risk)},
                     {"words", api::asUtf8(describe(of, name))},
                     {"claim", api::asUtf8(question.claim)},
                     {"items", question.itemCount},
                     {"asked", of.asked},
                     {"revision", of.revision},
                     {"digest", question.evidence.digest.hex()},
                     {"session_over", of.sessionOver},
                     {"shown", of.shown},
                     {"asked_at", timeOf(of.askedMs)},
                     {"can_be_rule", question.cover.has_value()}};
    if (of.action == policy::Action::Network && !question.items.empty()) {
        const auto& fields = question.items.front().fields;
        out["destination"] = {{"host", api::asUtf8(fields.at("host"))}, {"port", api::asUtf8(fields.at("port"))}};
    }
    if (!question.riskReason.empty()) {
        out["risk_reason"] = api::asUtf8(question.riskReason);
    }
    if (of.state == ApprovalState::Open) {
        out["expires"] = timeOf(of.showUntilMs);
    } else if (of.closedMs != 0) {
        out["closed_at"] = timeOf(of.closedMs);
    }
    if (of.ended) {
        out["ended"] = toString(*of.ended);
    }
    if (of.decision) {
        out["decision"] = describe(*of.decision);
    }
    if (of.effect != policy::EffectState::None) {
        out["effect"] = {{"state", toString(of.effect)}, {"words", api::asUtf8(of.effectWords)}};
    }
    return out;
}

json::array describeThings(const Approval& of) {
    json::array out;
    for (const auto& item : of.question.items) {
        json::object thing;
        for (const auto& [name, value] : item.fields) {
            thing[name] = api::asUtf8(value);
        }
        out.push_back(std::move(thing));
    }
    return out;
}

std::string confirmWord(const Approval& of, const std::string& agentName) {
    for (const auto& item : of.question.items) {
        if (item.risk != policy::Risk::High) {
            continue;
        }
        for (const char* field : {"path", "host", "name", "folder", "port"}) {
            const auto at = item.fields.find(field);
            if (at == item.fields.end()) {
                continue;
            }
            auto word = at->second.substr(at->second.rfind('/') + 1);
            if (field == std::string_view("port")) { // a short one, too
                word = "port-" + word;
            }
            if (isPlainWord(word)) {
                return word;
            }
        }
    }
    return agentName;
}

json::object describeRule(const policy::Rule& rule, const NameOfAgent& nameOf) {
    json::object fields;
    for (const auto& [name, values] : rule.fields) {
        json::array list;
        for (const auto& value : values) {
            list.push_back(json::string(api::asUtf8(value)));
        }
        fields[name] = std::move(list);
    }
    auto name = rule.agent.empty() ? std::string() : nameOf(rule.agent);
    if (!name.empty() && name == rule.agent) {
        name = "that is not here (" + rule.agent + ")"; // deleted, or of another home
    }
    json::object out{{"id", rule.id},
                     {"effect", toString(rule.effect)},
                     {"action", toString(rule.action)},
                     {"session", !rule.session.empty()},
                     {"high", rule.high},
                     {"fields", std::move(fields)},
                     {"words", api::asUtf8(describe(rule, name))},
                     {"toml", api::asUtf8(policy::toToml(rule))}};
    if (!rule.agent.empty()) {
        out["agent"] = name;
        out["agent_id"] = rule.agent;
    }
    if (rule.untilMs) {
        out["until"] = timeOf(*rule.untilMs);
    }
    if (!rule.note.empty()) {
        out["note"] = api::asUtf8(rule.note);
    }
    return out;
}

json::object describeTrouble(const Error& error) {
    json::object out{{"message", api::asUtf8(error.text())}};
    if (!error.hint.empty()) {
        out["remedy"] = api::asUtf8(error.hint);
    }
    return out;
}

json::object describeAttention(const policy::Attention::Key& key, const policy::AttentionCounts& counts, const NameOfAgent& nameOf) {
    return {{"day", key.day},
            {"agent", key.agent.empty() ? std::string() : nameOf(key.agent)},
            {"task", api::asUtf8(key.task)},
            {"asked", counts.asked},
            {"shown", counts.shown},
            {"merged", counts.merged},
            {"answered", counts.answered},
            {"by_rule", counts.byRule},
            {"expired", counts.expired},
            {"cancelled", counts.cancelled},
            {"turned_away", counts.turnedAway},
            {"waited_ms", counts.waitedMs}};
}

} // namespace carrel::engine

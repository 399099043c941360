// SPDX-License-Identifier: Apache-2.0
#include "app/engine/read_rule.h"

#include "guest/protocol/strict_json.h"

#include <chrono>
#include <cstdio>

namespace carrel::engine {

namespace json = boost::json;

namespace {

// "2026-12-01T12:00:00Z", with or without milliseconds.
std::optional<std::int64_t> millisecondsOf(const std::string& text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, milli = 0, end = 0;
    if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &end) != 6) {
        return std::nullopt;
    }
    if (const auto rest = text.substr(static_cast<std::size_t>(end)); rest != "Z") {
        int more = 0;
        if (std::sscanf(rest.c_str(), ".%3dZ%n", &milli, &more) != 1 || rest.size() != 5 || more != 5) {
            return std::nullopt;
        }
    }
    using namespace std::chrono;
    const year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                              std::chrono::day(static_cast<unsigned>(day)));
    if (!date.ok() || year < 1970 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return std::nullopt;
    }
    const auto at = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + milliseconds(milli);
    return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

} // namespace

Result<policy::Rule> readRule(Engine& engine, const api::Call& call, const json::object& wanted) {
    JsonFields fields(wanted, "rule");
    policy::Rule rule;
    const auto effect = policy::effectFrom(fields.string("effect", 16));
    const auto action = policy::actionFrom(fields.string("action", 16));
    const auto agent = fields.optionalString("agent", 256);
    const auto until = fields.optionalString("until", 40);
    rule.high = fields.optionalBoolean("high");
    rule.note = fields.optionalString("note", policy::kMaxNoteBytes).value_or("");
    if (const auto* given = fields.optionalObject("fields")) {
        JsonFields values(*given, "fields");
        for (const auto& member : *given) {
            rule.fields[std::string(member.key())] = values.strings(member.key(), policy::kMaxValues, policy::kMaxValueBytes);
        }
        CARREL_TRY(values.finish());
    }
    if (!effect) {
        fields.problem("effect", "is neither allow nor deny");
    }
    if (!action) {
        fields.problem("action", "is none of: apply, folder, network, credential, forward, program");
    }
    if (until) {
        rule.untilMs = millisecondsOf(*until);
        if (!rule.untilMs) {
            fields.problem("until", "is no time of the form 2026-12-01T12:00:00Z");
        }
    }
    CARREL_TRY(fields.finish());
    rule.effect = *effect;
    rule.action = *action;
    if (agent) {
        auto found = engine.agentFor(call, *agent);
        if (!found) {
            return fail(std::move(found).error());
        }
        rule.agent = (*found)->id();
    }
    CARREL_TRY(policy::check(rule));
    return rule;
}

} // namespace carrel::engine

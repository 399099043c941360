// SPDX-License-Identifier: Apache-2.0
// Verbs of the network: how an agent reaches it and how much it may carry, what goes on there, and sets of rules to begin from. All of them the owner's.
#include "app/engine/describe_approval.h"
#include "app/engine/engine.h"

#include "app/egress/presets.h"
#include "guest/protocol/strict_json.h"

namespace carrel::engine {

namespace json = boost::json;

namespace {

json::object describeLive(const egress::LiveConnection& live) {
    json::object out{{"number", live.number},
                     {"host", live.to.hostText()},
                     {"port", live.to.port},
                     {"address", live.at ? json::value(live.at->address.text()) : json::value(nullptr)},
                     {"treat", toString(live.treat)},
                     {"sent", live.bytes.sent},
                     {"received", live.bytes.received},
                     {"age_ms", live.age.count()}};
    if (live.rule != 0) {
        out["rule"] = live.rule;
    }
    if (live.approval != 0) {
        out["approval"] = live.approval;
    }
    return out;
}

json::array describeRules(Engine& engine, const std::vector<policy::Rule>& rules) {
    json::array out;
    for (const auto& rule : rules) {
        out.push_back(describeRule(rule, namesOf(engine)));
    }
    return out;
}

// The mode as it is, or as it is from now on.
Result<json::value> mode(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "net.mode");
    const auto name = fields.string("agent", 256);
    const auto wanted = fields.optionalString("mode", 16);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    if (wanted) {
        const auto to = egress::netModeFrom(*wanted);
        if (!to) {
            return fail(to.error());
        }
        CARREL_TRY((*agent)->setNetwork(*to));
    }
    return json::object{{"agent", (*agent)->name()}, {"mode", toString((*agent)->network())}};
}

json::object describeLimits(agents::Agent& agent) {
    const auto now = agent.limitsNow();
    return {{"rate", now.limits.rate}, {"day", now.limits.day}, {"used", std::min(now.used, egress::kMostLimit)}};
}

// The limits as they are, or as they are from now on.
Result<json::value> limit(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "net.limit");
    const auto name = fields.string("agent", 256);
    const auto rate = fields.optionalNumber("rate");
    const auto day = fields.optionalNumber("day");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    if (rate || day) {
        CARREL_TRY((*agent)->setLimits(rate, day));
    }
    return json::object{{"agent", (*agent)->name()}, {"limits", describeLimits(**agent)}};
}

Result<json::value> live(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "net.live");
    const auto name = fields.string("agent", 256);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto now = (*agent)->networkNow();
    json::array connections;
    for (const auto& each : now.live) {
        connections.push_back(describeLive(each));
    }
    return json::object{{"agent", (*agent)->name()},
                        {"mode", toString((*agent)->network())},
                        {"waiting", now.waiting},
                        {"limits", describeLimits(**agent)},
                        {"connections", std::move(connections)}};
}

Result<json::value> cut(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "net.cut");
    const auto name = fields.string("agent", 256);
    const auto number = fields.number("number");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto was = (*agent)->cutConnection(number);
    if (!was) {
        return fail(was.error());
    }
    return json::object{{"agent", (*agent)->name()}, {"connection", describeLive(*was)}};
}

Result<json::value> presets(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "net.presets").finish());
    json::array out;
    for (const auto name : egress::kNetworkPresets) {
        const auto one = egress::networkPreset(name);
        if (!one) {
            return fail(one.error());
        }
        out.push_back({{"name", one->name}, {"description", one->description}, {"rules", describeRules(engine, one->set.rules)}});
    }
    return json::object{{"presets", std::move(out)}};
}

// Its rules become the owner's, of this agent. Those that say the same already stay as they are.
Result<json::value> allow(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "net.allow");
    const auto name = fields.string("agent", 256);
    const auto preset = fields.string("preset", 64);
    const bool only = fields.optionalBoolean("preview");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    auto one = egress::networkPreset(preset);
    if (!one) {
        return fail(std::move(one).error());
    }
    auto& rules = engine.approvals().rules();
    std::vector<policy::Rule> come;
    std::uint64_t there = 0;
    for (auto rule : one->set.rules) {
        rule.id = 0;
        rule.agent = (*agent)->id();
        const auto like = rules.find(rule);
        if (!like) {
            return fail(like.error());
        }
        if (*like) {
            ++there;
            continue;
        }
        if (!only) {
            auto kept = rules.add(std::move(rule));
            if (!kept) {
                engine.approvals().rulesChanged(); // those before it count
                return fail(std::move(kept).error());
            }
            rule = std::move(*kept);
        }
        come.push_back(std::move(rule));
    }
    if (!only && !come.empty()) {
        engine.approvals().rulesChanged();
    }
    return json::object{{"agent", (*agent)->name()},
                        {"mode", toString((*agent)->network())},
                        {"rules", describeRules(engine, come)},
                        {"there", there}};
}

} // namespace

void addNetworkVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("net.mode", mode);
    add("net.limit", limit);
    add("net.live", live);
    add("net.cut", cut);
    add("net.presets", presets);
    add("net.allow", allow);
}

} // namespace carrel::engine

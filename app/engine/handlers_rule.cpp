// SPDX-License-Identifier: Apache-2.0
// Verbs of the rules. All of them the owner's (app/api/roles.h). A rule that comes or goes is written into the log of each agent
// that it is about before it counts (invariant I5); one for every agent into all of them.
#include "app/engine/describe_approval.h"
#include "app/engine/engine.h"
#include "app/engine/read_rule.h"

#include "app/policy/presets.h"
#include "app/policy/rules_text.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

namespace carrel::engine {

namespace json = boost::json;
using activity::EventKind;
using policy::Rule;

namespace {

constexpr std::size_t kMaxImportBytes = 1024 * 1024;
constexpr std::size_t kMaxFieldBytes = 4096;

json::array describeAll(Engine& engine, const std::vector<Rule>& rules) {
    json::array out;
    for (const auto& rule : rules) {
        out.push_back(describeRule(rule, namesOf(engine)));
    }
    return out;
}

// Owe: what only takes away is not held up by one agent's log that is full; it is told, and written when that is possible.
enum class IfNot { Refuse, Owe };

Status note(Engine& engine, EventKind kind, const Rule& rule, IfNot ifNot = IfNot::Refuse,
            std::string_view by = agents::kByOwner) {
    const auto described = describeRule(rule, namesOf(engine));
    const std::string words(described.at("words").as_string());
    const json::object detail{{"rule", rule.id}, {"toml", described.at("toml")}, {"by", by}};
    for (const auto& agent : engine.allAgents()) {
        if (!rule.agent.empty() && rule.agent != agent->id()) {
            continue;
        }
        if (ifNot == IfNot::Owe) {
            agent->noteRuleOwing(kind, words, detail);
        } else {
            CARREL_TRY(agent->noteRule(kind, words, detail));
        }
    }
    return {};
}

void changed(Engine& engine) {
    engine.approvals().rulesChanged();
}

Result<json::value> list(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "rule.list").finish());
    const auto all = engine.approvals().rules().rules();
    if (!all) {
        return json::object{{"rules", json::array{}}, {"trouble", describeTrouble(all.error())}};
    }
    return json::object{{"rules", describeAll(engine, all->rules)}};
}

Result<json::value> show(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "rule.show");
    const auto id = fields.number("id");
    CARREL_TRY(fields.finish());
    const auto all = engine.approvals().rules().rules();
    if (!all) {
        return fail(all.error());
    }
    for (const auto& rule : all->rules) {
        if (rule.id == id) {
            return json::object{{"rule", describeRule(rule, namesOf(engine))}};
        }
    }
    return fail(ErrorCode::NotFound, "There is no rule of the number " + std::to_string(id), "See: carrel rules list");
}

Result<Rule> wantedRule(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), call.verb());
    const auto& wanted = fields.object("rule");
    CARREL_TRY(fields.finish());
    return readRule(engine, call, wanted);
}

Result<json::value> preview(Engine& engine, api::Call& call) {
    const auto rule = wantedRule(engine, call);
    return rule ? Result<json::value>(json::object{{"rule", describeRule(*rule, namesOf(engine))}}) : fail(rule.error());
}

Result<json::value> add(Engine& engine, api::Call& call) {
    auto rule = wantedRule(engine, call);
    if (!rule) {
        return fail(std::move(rule).error());
    }
    const auto kept = engine.approvals().rules().add(std::move(*rule));
    if (!kept) {
        return fail(kept.error());
    }
    changed(engine);
    return json::object{{"rule", describeRule(*kept, namesOf(engine))}};
}

Result<json::value> remove(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "rule.remove");
    const auto id = fields.number("id");
    CARREL_TRY(fields.finish());
    const auto gone = engine.approvals().rules().remove(id, [&](const Rule& each) { return recordRemoval(engine, each); });
    if (!gone) {
        return fail(gone.error());
    }
    changed(engine);
    return json::object{{"rule", describeRule(*gone, namesOf(engine))}};
}

Result<json::value> test(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "rule.test");
    policy::Request request;
    const auto name = fields.optionalString("agent", 256);
    const auto action = policy::actionFrom(fields.string("action", 16));
    request.risk = fields.optionalBoolean("high") ? policy::Risk::High : policy::Risk::Routine;
    if (const auto* given = fields.optionalObject("fields")) {
        JsonFields values(*given, "fields");
        for (const auto& member : *given) {
            request.fields[std::string(member.key())] = values.string(member.key(), kMaxFieldBytes);
        }
        CARREL_TRY(values.finish());
    }
    if (!action) {
        fields.problem("action", "is none of: apply, folder, network, credential, forward, program");
    }
    CARREL_TRY(fields.finish());
    request.action = *action;
    request.agent = "any"; // the id of none: rules for one agent do not speak
    if (name) {
        auto agent = engine.agentFor(call, *name);
        if (!agent) {
            return fail(std::move(agent).error());
        }
        request.agent = (*agent)->id();
        request.session = (*agent)->session();
    }
    if (const auto good = policy::check(request); !good) {
        return fail(ErrorCode::InvalidArgument, good.error().message, "See \"carrel rules test --help\" for what each action has");
    }
    const auto verdict = engine.approvals().rules().decide(std::span(&request, 1));
    json::object out{{"answer", toString(verdict.answer)}};
    if (verdict.rule) {
        out["rule"] = describeRule(*verdict.rule, namesOf(engine));
    }
    if (verdict.trouble) {
        out["trouble"] = describeTrouble(*verdict.trouble);
    }
    return out;
}

Result<json::value> exportAll(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "rule.export").finish());
    const auto all = engine.approvals().rules().rules();
    if (!all) {
        return fail(all.error());
    }
    return json::object{{"toml", policy::toToml(*all)}};
}

Result<json::value> presets(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "rule.presets").finish());
    json::array out;
    for (const auto name : policy::kPresets) {
        const auto one = policy::preset(name);
        if (!one) {
            return fail(one.error());
        }
        out.push_back({{"name", one->name}, {"description", one->description}, {"rules", describeAll(engine, one->set.rules)}});
    }
    return json::object{{"presets", std::move(out)}};
}

Result<json::value> import(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "rule.import");
    const auto toml = fields.optionalString("toml", kMaxImportBytes);
    const auto name = fields.optionalString("preset", 64);
    const bool only = fields.optionalBoolean("preview");
    if (toml.has_value() == name.has_value()) {
        fields.problem("toml", "or preset has to be given, and not both");
    }
    CARREL_TRY(fields.finish());
    Result<policy::RuleSet> set = fail(ErrorCode::Internal, "");
    if (toml) {
        set = policy::rulesFrom(*toml);
    } else {
        auto one = policy::preset(*name);
        set = one ? Result<policy::RuleSet>(std::move(one->set)) : fail(std::move(one).error());
    }
    if (!set) {
        return fail(std::move(set).error());
    }
    for (auto& rule : set->rules) {
        asItIs(rule);
        if (const auto named = engine.agent(rule.agent); named && !engine.agentById(rule.agent)) {
            rule.agent = (*named)->id(); // written by hand
        }
        CARREL_TRY(policy::check(rule));
    }
    if (only) {
        const auto now = engine.approvals().rules().rules();
        return json::object{{"rules", describeAll(engine, set->rules)},
                            {"gone", now ? describeAll(engine, now->rules) : json::array{}}};
    }
    const auto replaced = engine.approvals().rules().reset(set->rules, [&](const policy::RuleBook::Replaced& rules) -> Status {
        for (const auto& rule : rules.gone) {
            CARREL_TRY(note(engine, EventKind::RuleRemoved, rule));
        }
        for (const auto& agent : engine.allAgents()) {
            CARREL_TRY(agent->noteRule(EventKind::RuleReplaced, name ? "the rules called " + *name : "rules that were imported",
                                       {{"gone", rules.gone.size()}, {"come", rules.come.size()}, {"by", agents::kByOwner}}));
        }
        for (const auto& rule : rules.come) {
            CARREL_TRY(note(engine, EventKind::RuleAdded, rule));
        }
        return {};
    });
    if (!replaced) {
        return fail(replaced.error());
    }
    changed(engine);
    return json::object{{"rules", describeAll(engine, replaced->come)}, {"gone", describeAll(engine, replaced->gone)}};
}

} // namespace

Status recordRule(Engine& engine, policy::RuleBook::Change change, const Rule& rule) {
    return change == policy::RuleBook::Change::Added ? note(engine, EventKind::RuleAdded, rule)
                                                     : note(engine, EventKind::RuleRemoved, rule, IfNot::Owe, "session");
}

// Without an allow less is possible, so that goes ahead whatever the logs say. Without a deny more is.
Status recordRemoval(Engine& engine, const Rule& rule) {
    return note(engine, EventKind::RuleRemoved, rule, rule.effect == policy::Effect::Allow ? IfNot::Owe : IfNot::Refuse);
}

void recordRuleGone(Engine& engine, const Rule& rule, std::string_view with) {
    (void)note(engine, EventKind::RuleRemoved, rule, IfNot::Owe, with).has_value();
}

void addRuleVerbs(Engine& engine, api::Handlers& to) {
    const auto put = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    put("rule.list", list);
    put("rule.show", show);
    put("rule.preview", preview);
    put("rule.add", add);
    put("rule.remove", remove);
    put("rule.test", test);
    put("rule.export", exportAll);
    put("rule.presets", presets);
    put("rule.import", import);
}

} // namespace carrel::engine

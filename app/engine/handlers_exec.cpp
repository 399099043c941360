// SPDX-License-Identifier: Apache-2.0
// Verbs of which programs run in an agent's machine. All of them the owner's (app/api/roles.h). What is on the lists is rules, of the
// action program: they are kept, sealed and written down as all rules are.
#include "app/engine/describe_approval.h"
#include "app/engine/engine.h"

#include "app/exec/gate_orders.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using activity::EventKind;
using policy::Effect;
using policy::Rule;

namespace {

using AgentPtr = std::shared_ptr<agents::Agent>;

bool isAbout(const Rule& rule, const agents::Agent& agent) {
    return rule.action == policy::Action::Program && (rule.agent.empty() || rule.agent == agent.id()) &&
           (rule.session.empty() || rule.session == agent.session());
}

void describe(const Rule& rule, json::array& deny, json::array& allow) {
    const auto contents = rule.fields.find("sha256");
    const std::vector<std::string> every{""};
    for (const auto& sha256 : contents == rule.fields.end() ? every : contents->second) {
        json::object one{{"sha256", sha256.empty() ? json::value(nullptr) : json::value(sha256)},
                         {"note", rule.note},
                         {"rule", rule.id},
                         {"scope", rule.agent.empty() ? "everywhere" : rule.session.empty() ? "agent" : "session"}};
        if (rule.effect == Effect::Allow && rule.high) {
            one["code"] = true;
        }
        if (rule.untilMs) {
            one["until"] = activity::formatTime(*rule.untilMs * 1'000'000);
        }
        (rule.effect == Effect::Deny ? deny : allow).push_back(std::move(one));
    }
}

// The answer of each of these verbs (common.json, programsNow).
Result<json::value> described(Engine& engine, agents::Agent& agent) {
    const auto settings = agent.programSettings();
    json::array deny, allow;
    json::object out{{"agent", agent.name()}, {"mode", exec::toString(settings.mode)}, {"unknown", exec::toString(settings.unknown)}};
    if (const auto rules = engine.approvals().rules().rules()) {
        for (const auto& rule : rules->rules) {
            if (isAbout(rule, agent)) {
                describe(rule, deny, allow);
            }
        }
    } else {
        out["trouble"] = describeTrouble(rules.error());
    }
    for (const auto& each : exec::deniedByCarrel()) {
        deny.push_back({{"sha256", each.sha256}, {"note", each.name}, {"rule", nullptr}, {"scope", "carrel"}});
    }
    for (const auto& sha256 : engine.approvals().allowedOnce(agent.id(), agent.session())) {
        allow.push_back({{"sha256", sha256}, {"note", ""}, {"rule", nullptr}, {"scope", "session"}});
    }
    const auto image = engine.programsOf(agent.image());
    out["image_programs"] = image && *image ? json::value((*image)->size()) : json::value(nullptr);
    out["in_force"] = agent.programsTold();
    if (const auto installed = agent.installedPackages(); installed && !installed->empty()) {
        json::array packages;
        for (const auto& each : *installed) {
            packages.push_back({{"package", each.name}, {"version", each.version}, {"programs", each.programs.size()}, {"time", activity::formatTime(each.atMs * 1'000'000)}});
        }
        out["installed"] = std::move(packages);
    }
    out["deny"] = std::move(deny);
    out["allow"] = std::move(allow);
    return out;
}

Result<json::value> show(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "programs.show");
    const auto name = fields.string("agent", 256);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    return agent ? described(engine, **agent) : fail(agent.error());
}

Result<json::value> set(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "programs.set");
    const auto name = fields.string("agent", 256);
    const auto mode = fields.optionalString("mode", 16);
    const auto unknown = fields.optionalString("unknown", 16);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    auto settings = (*agent)->programSettings();
    const auto wantedMode = mode ? exec::modeFrom(*mode) : settings.mode;
    const auto wantedUnknown = unknown ? exec::unknownFrom(*unknown) : settings.unknown;
    if (!wantedMode || !wantedUnknown) {
        return fail(ErrorCode::InvalidArgument, wantedMode ? "What is unknown is asked about or refused" : "There is no such mode of programs",
                    wantedMode ? "Use ask or refuse" : "Use observe, deny or allow");
    }
    CARREL_TRY((*agent)->setProgramSettings({*wantedMode, *wantedUnknown}));
    return described(engine, **agent);
}

// To the machines that it is about, before the answer. One that does not answer now is told as soon as it does; the answer says so.
void tell(Engine& engine, const Rule& rule) {
    engine.approvals().rulesChanged();
    for (const auto& agent : engine.allAgents()) {
        if ((rule.agent.empty() || rule.agent == agent->id()) && agent->state() == agents::AgentState::Ready) {
            (void)agent->tellPrograms().has_value();
        }
    }
}

struct Wanted {
    AgentPtr agent;
    std::string sha256;
    bool everywhere = false;
    bool code = false; // it may make code in memory, too
    bool ofImage = false; // also where the image brought it
    std::string note;
};

Result<Wanted> read(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), call.verb());
    Wanted out;
    const auto name = fields.string("agent", 256);
    out.sha256 = fields.string("sha256", 64);
    out.everywhere = fields.optionalBoolean("everywhere");
    if (call.verb() == "programs.allow") {
        out.code = fields.optionalBoolean("code");
    }
    if (call.verb() == "programs.deny") {
        out.ofImage = fields.optionalBoolean("of_image");
    }
    if (call.verb() != "programs.remove") {
        out.note = fields.optionalString("note", policy::kMaxNoteBytes).value_or("");
    }
    CARREL_TRY(fields.finish());
    if (!exec::isContent(out.sha256)) {
        return fail(ErrorCode::InvalidArgument, "That is not the SHA-256 of a program: 64 hexadecimal digits, in lower case",
                    "sha256sum prints it; the timeline shows it with each program");
    }
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    out.agent = std::move(*agent);
    return out;
}

// Of a script the timeline tells the interpreter's content, and a machine may name any: who denies a shell or Python by that would find
// that hardly anything runs any more.
Status mayDeny(Engine& engine, const Wanted& wanted) {
    const auto image = engine.programsOf(wanted.agent->image());
    if (wanted.ofImage || !image || !*image) {
        return {};
    }
    const auto of = std::find_if((*image)->begin(), (*image)->end(), [&](const auto& each) { return each.sha256 == wanted.sha256; });
    if (of == (*image)->end()) {
        return {};
    }
    return fail(ErrorCode::Conflict,
                "That is " + plainText(of->name, 200) + " of the agent's image. A script runs under the content of what reads it; without that, much in the machine would not run",
                "If that is what you want: carrel policy exec deny " + wanted.agent->name() + " " + wanted.sha256 + " --of-image");
}

Result<json::value> put(Engine& engine, api::Call& call, Effect effect) {
    const auto wanted = read(engine, call);
    if (!wanted) {
        return fail(wanted.error());
    }
    if (effect == Effect::Deny) {
        CARREL_TRY(mayDeny(engine, *wanted));
    }
    auto& book = engine.approvals().rules();
    const auto all = book.rules();
    if (!all) {
        return fail(all.error());
    }
    const auto& carrels = exec::deniedByCarrel();
    if (effect == Effect::Allow && std::any_of(carrels.begin(), carrels.end(), [&](const auto& each) { return each.sha256 == wanted->sha256; })) {
        return fail(ErrorCode::Refused, "Carrel itself denies that program", "Only the mode observe lets it run: carrel policy exec set " + wanted->agent->name() + " observe");
    }
    for (const auto& rule : all->rules) {
        const auto contents = rule.fields.find("sha256");
        const bool same = isAbout(rule, *wanted->agent) && contents != rule.fields.end() &&
                          std::find(contents->second.begin(), contents->second.end(), wanted->sha256) != contents->second.end();
        if (!same) {
            continue;
        }
        if (effect == Effect::Allow && rule.effect == Effect::Deny) { // which would win, and nobody would see why
            return fail(ErrorCode::Conflict, "That program is denied, by rule " + std::to_string(rule.id),
                        "Take that away first: carrel policy exec remove " + wanted->agent->name() + " " + wanted->sha256 + (rule.agent.empty() ? " --everywhere" : ""));
        }
        if (rule.effect == effect && rule.session.empty() && !rule.untilMs && (rule.agent.empty() || !wanted->everywhere) &&
            (rule.high || !wanted->code)) {
            return described(engine, *wanted->agent); // it is so already
        }
    }
    Rule rule;
    rule.effect = effect;
    rule.action = policy::Action::Program;
    rule.agent = wanted->everywhere ? "" : wanted->agent->id();
    rule.fields["sha256"] = {wanted->sha256};
    rule.high = wanted->code;
    rule.note = wanted->note;
    const auto kept = book.add(std::move(rule));
    if (!kept) {
        return fail(kept.error());
    }
    tell(engine, *kept);
    return described(engine, *wanted->agent);
}

Result<json::value> allow(Engine& engine, api::Call& call) {
    return put(engine, call, Effect::Allow);
}

Result<json::value> deny(Engine& engine, api::Call& call) {
    return put(engine, call, Effect::Deny);
}

// Rules that name that content and nothing else, of this agent, or of all.
Result<json::value> remove(Engine& engine, api::Call& call) {
    const auto wanted = read(engine, call);
    if (!wanted) {
        return fail(wanted.error());
    }
    auto& book = engine.approvals().rules();
    const auto all = book.rules();
    if (!all) {
        return fail(all.error());
    }
    bool any = false;
    for (const auto& rule : all->rules) {
        const auto contents = rule.fields.find("sha256");
        if (!isAbout(rule, *wanted->agent) || rule.agent.empty() != wanted->everywhere || contents == rule.fields.end() ||
            contents->second != std::vector<std::string>{wanted->sha256}) {
            continue;
        }
        const auto gone = book.remove(rule.id, [&](const Rule& each) { return recordRemoval(engine, each); });
        if (!gone) {
            return fail(gone.error());
        }
        any = true;
        tell(engine, *gone);
    }
    if (!any) {
        return fail(ErrorCode::NotFound, "No rule is about that program alone" + std::string(wanted->everywhere ? ", for every agent" : ", for this agent"),
                    wanted->everywhere ? "See: carrel rules list" : "One for every agent goes with --everywhere; see: carrel rules list");
    }
    return described(engine, *wanted->agent);
}

} // namespace

void addExecVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("programs.allow", allow);
    add("programs.deny", deny);
    add("programs.remove", remove);
    add("programs.set", set);
    add("programs.show", show);
}

} // namespace carrel::engine

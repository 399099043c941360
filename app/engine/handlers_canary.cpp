// SPDX-License-Identifier: Apache-2.0
// Verbs of canaries. All of them the owner's (app/api/roles.h). Nothing is written into a folder of the owner's by them: where a canary
// goes is told, and the owner puts it there.
#include "app/engine/engine.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using activity::EventKind;
using egress::Canary;

namespace {

enum class Text { Told, Kept };

json::object describe(Engine& engine, const Canary& of, Text text) {
    json::array agents;
    for (const auto& id : of.agents) {
        agents.emplace_back(namesOf(engine)(id));
    }
    return {{"name", of.name},
            {"text", text == Text::Told ? json::value(of.text) : json::value(nullptr)},
            {"agents", std::move(agents)},
            {"planted", of.planted},
            {"env", of.variable ? json::value(*of.variable) : json::value(nullptr)},
            {"created", activity::formatTime(of.createdMs * 1'000'000)}};
}

json::object told(Engine& engine, const Canary& of) {
    return {{"canary", describe(engine, of, Text::Told)}};
}

// Into the logs of the agents that it is for, before it counts (I5); without its text.
egress::CanaryBook::Before noted(Engine& engine, EventKind kind, const egress::CanaryBook::Planting& said = {}) {
    return [&engine, kind, said](const Canary& of) -> Status {
        json::object detail{{"by", agents::kByOwner}, {"agents", of.agents.empty() ? "all" : "some"}};
        if (said.planted) {
            detail["planted"] = *said.planted;
        }
        if (said.variable) {
            detail["env"] = *said.variable;
        }
        for (const auto& agent : engine.allAgents()) {
            if (isFor(of, agent->id())) {
                CARREL_TRY(agent->noteCanary(kind, of.name, detail));
            }
        }
        return {};
    };
}

Result<json::value> add(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "canary.add");
    Canary wanted;
    wanted.name = fields.string("name", 64);
    const auto text = fields.optionalString("text", egress::kMaxCanaryText);
    const auto shape = fields.optionalString("shape", 16);
    std::vector<std::string> names;
    for (const auto& each : fields.optionalArray("agents", egress::kMaxCanaryAgents)) {
        if (!each.is_string()) {
            fields.problem("agents", "holds something that is no name");
            break;
        }
        names.emplace_back(each.get_string());
    }
    CARREL_TRY(fields.finish());
    if (text && shape) {
        return fail(ErrorCode::InvalidArgument, "A canary has a text of yours, or one that is made in a shape", "Leave one of them out");
    }
    const auto kind = egress::canaryShapeFrom(shape.value_or("token"));
    if (!kind) {
        return fail(ErrorCode::InvalidArgument, "There is no such shape of a canary", "Use token, text or aws");
    }
    for (const auto& name : names) {
        const auto agent = engine.agent(name);
        if (!agent) {
            return fail(agent.error());
        }
        if (wanted.agents.empty() || !isFor(wanted, (*agent)->id())) {
            wanted.agents.push_back((*agent)->id());
        }
    }
    auto made = text ? Result<std::string>(*text) : egress::newCanaryText(*kind);
    if (!made) {
        return fail(std::move(made).error());
    }
    wanted.text = std::move(*made);
    const auto kept = engine.canaries().add(std::move(wanted), noted(engine, EventKind::CanaryAdded));
    return kept ? Result<json::value>(told(engine, *kept)) : fail(kept.error());
}

Result<json::value> list(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "canary.list");
    const auto text = fields.optionalBoolean("texts") ? Text::Told : Text::Kept;
    CARREL_TRY(fields.finish());
    const auto all = engine.canaries().list();
    if (!all) {
        return fail(all.error());
    }
    json::array out;
    for (const auto& each : *all) {
        out.push_back(describe(engine, each, text));
    }
    return json::object{{"canaries", std::move(out)}};
}

// A credential of that variable would be in its place, and the canary nowhere.
Status refuseTaken(Engine& engine, const std::string& name, const std::string& variable) {
    const auto canaries = engine.canaries().list();
    const auto credentials = engine.credentials().list();
    if (!canaries || !credentials) {
        return fail(!canaries ? canaries.error() : credentials.error());
    }
    const auto at = std::find_if(canaries->begin(), canaries->end(), [&](const Canary& each) { return each.name == name; });
    for (const auto& each : *credentials) {
        const bool meet = at != canaries->end() && (at->agents.empty() || each.agents.empty() ||
                                                    std::any_of(at->agents.begin(), at->agents.end(), [&](const auto& agent) { return isFor(each, agent); }));
        if (each.variable == variable && meet) {
            return fail(ErrorCode::AlreadyExists, "The credential " + each.name + " has the variable " + variable + " already", "Choose another one");
        }
    }
    return {};
}

Result<json::value> plant(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "canary.plant");
    const auto name = fields.string("name", 64);
    const egress::CanaryBook::Planting where{fields.optionalString("at", egress::kMaxPlanted), fields.optionalString("env", 64)};
    CARREL_TRY(fields.finish());
    if (where.variable) {
        CARREL_TRY(refuseTaken(engine, name, *where.variable));
    }
    const auto planted = engine.canaries().plant(name, where, where.planted || where.variable ? noted(engine, EventKind::CanaryPlanted, where) : egress::CanaryBook::Before());
    return planted ? Result<json::value>(told(engine, *planted)) : fail(planted.error());
}

Result<json::value> remove(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "canary.remove");
    const auto name = fields.string("name", 64);
    CARREL_TRY(fields.finish());
    const auto gone = engine.canaries().remove(name, noted(engine, EventKind::CanaryRemoved));
    return gone ? Result<json::value>(told(engine, *gone)) : fail(gone.error());
}

} // namespace

void addCanaryVerbs(Engine& engine, api::Handlers& to) {
    const auto put = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    put("canary.add", add);
    put("canary.list", list);
    put("canary.plant", plant);
    put("canary.remove", remove);
}

} // namespace carrel::engine

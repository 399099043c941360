// SPDX-License-Identifier: Apache-2.0
// The brake: agent.pause and agent.resume, of one agent and of all.
#include "app/engine/engine.h"

#include "app/api/display_text.h"
#include "guest/protocol/strict_json.h"

#include <system_error>
#include <thread>

namespace carrel::engine {

namespace json = boost::json;
using agents::Agent;
using agents::AgentState;
using AgentPtr = std::shared_ptr<Agent>;

namespace {

std::string_view nameOf(Agent::PauseOutcome outcome) {
    switch (outcome) {
    case Agent::PauseOutcome::Paused:
        return "paused";
    case Agent::PauseOutcome::WasPaused:
        return "already-paused";
    case Agent::PauseOutcome::NotRunning:
        break;
    }
    return "not-running";
}

std::string_view nameOf(Agent::ResumeOutcome outcome) {
    return outcome == Agent::ResumeOutcome::Resumed ? "resumed" : "not-paused";
}

using Deed = std::function<Result<std::string_view>(Agent& agent)>;

Result<json::value> one(Engine& engine, api::Call& call, const Deed& deed) {
    JsonFields fields(call.params(), call.verb());
    const auto name = fields.string("agent", 256);
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    const auto outcome = deed(**agent);
    if (!outcome) {
        return fail(outcome.error());
    }
    return json::object{{"agent", (*agent)->describe()}, {"outcome", *outcome}};
}

// Each by itself and all at the same time: none waits for another's machine. `idle`: what is said of one that has nothing to do
// with it, which no thread is spent on.
Result<json::value> all(Engine& engine, api::Call& call, std::string_view idle, const std::function<bool(AgentState)>& concerns,
                        const Deed& deed) {
    CARREL_TRY(JsonFields(call.params(), call.verb()).finish());
    const auto agents = engine.agentsFor(call);
    std::vector<json::object> told(agents.size());
    const auto doOne = [&](std::size_t at) {
        auto& agent = *agents[at];
        const auto outcome = deed(agent);
        auto& out = told[at];
        out = {{"name", agent.name()}, {"outcome", outcome ? *outcome : "failed"}};
        if (!outcome) {
            out["why"] = api::asUtf8(outcome.error().text());
            out["hint"] = api::asUtf8(outcome.error().hint);
        }
        call.progress(outcome ? *outcome : "failed", agent.name() + ": " + (outcome ? std::string(*outcome) : outcome.error().text()));
    };
    {
        std::vector<std::size_t> left; // for which this computer had no room
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < agents.size(); ++i) {
            if (!concerns(agents[i]->state())) {
                told[i] = {{"name", agents[i]->name()}, {"outcome", idle}};
                continue;
            }
            try {
                threads.emplace_back([&doOne, i] { doOne(i); });
            } catch (const std::system_error&) {
                left.push_back(i);
            }
        }
        for (const auto at : left) {
            doOne(at);
        }
    }
    json::array list;
    for (std::size_t i = 0; i < agents.size(); ++i) {
        told[i]["state"] = toString(agents[i]->state());
        list.push_back(std::move(told[i]));
    }
    return json::object{{"agents", std::move(list)}};
}

Result<std::string_view> pauseOne(Agent& agent) {
    const auto outcome = agent.pause();
    return outcome ? Result<std::string_view>(nameOf(*outcome)) : fail(outcome.error());
}

Deed resuming(api::Call& call) {
    return [&call](Agent& agent) -> Result<std::string_view> {
        const auto outcome = agent.resume(progressOf(call), call.stop());
        return outcome ? Result<std::string_view>(nameOf(*outcome)) : fail(outcome.error());
    };
}

Result<json::value> pause(Engine& engine, api::Call& call) {
    return one(engine, call, pauseOne);
}

Result<json::value> resume(Engine& engine, api::Call& call) {
    return one(engine, call, resuming(call));
}

Result<json::value> pauseAll(Engine& engine, api::Call& call) {
    const auto mayRun = [](AgentState state) { return state != AgentState::Created && state != AgentState::Stopped; };
    return all(engine, call, nameOf(Agent::PauseOutcome::NotRunning), mayRun, pauseOne);
}

Result<json::value> resumeAll(Engine& engine, api::Call& call) {
    const auto paused = [](AgentState state) { return state == AgentState::Paused; };
    return all(engine, call, nameOf(Agent::ResumeOutcome::NotPaused), paused, resuming(call));
}

} // namespace

void addPauseVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("agent.pause", pause);
    add("agent.resume", resume);
    add("agent.pause_all", pauseAll);
    add("agent.resume_all", resumeAll);
}

} // namespace carrel::engine

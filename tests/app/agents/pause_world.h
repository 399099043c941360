// SPDX-License-Identifier: Apache-2.0
// An agent that is paused and resumed, and what there is to see of that.
#pragma once

#include "tests/app/agents/agent_world.h"

namespace carrel::agents::test {

using Paused = Agent::PauseOutcome;
using Resumed = Agent::ResumeOutcome;

inline StandInClerks::Answer never(const boost::json::object&) {
    return std::nullopt;
}

struct PauseWorld : AgentWorld {
    using AgentWorld::AgentWorld;
    // In the order that they happen: "clock", "resume", and what a test adds.
    std::mutex seenMutex;
    std::vector<std::string> seen;

    void see(const std::string& what) {
        const std::lock_guard lock(seenMutex);
        seen.push_back(what);
    }
    std::vector<std::string> takeSeen() {
        const std::lock_guard lock(seenMutex);
        return std::exchange(seen, {});
    }
    void watchResume() {
        clerks.on("clock", [this](const boost::json::object&) {
            see("clock");
            return boost::json::object{};
        });
        world->before(machineId(), hypervisor::FakeCall::Resume, [this]() -> Status {
            see("resume");
            return {};
        });
    }
    Result<Paused> pause() {
        return within(std::chrono::seconds(60), "pause", [this] { return agent->pause(); });
    }
    Result<Resumed> resume() {
        return within(std::chrono::seconds(60), "resume", [this] { return agent->resume(quiet, {}); });
    }
    [[nodiscard]] bool paused() const { return agent->state() == AgentState::Paused && machine() == hypervisor::MachineState::Paused; }
    [[nodiscard]] std::optional<hypervisor::MachineState> machine() const {
        const auto state = world->stateOf(machineId());
        return state ? std::optional(*state) : std::nullopt;
    }
    [[nodiscard]] std::vector<activity::Event> states() const {
        activity::Query query;
        query.kinds = {activity::EventKind::VmState};
        std::vector<activity::Event> out;
        const auto found = agent->log().query(query);
        for (const auto& each : found ? *found : std::vector<activity::Recorded>{}) {
            out.push_back(each.event);
        }
        return out;
    }
    [[nodiscard]] std::string lastState() const { return states().back().subject; }
    void noteState(const char* subject) const {
        activity::Event event;
        event.kind = activity::EventKind::VmState;
        event.provenance = activity::Provenance::Host;
        event.subject = subject;
        if (!agent->log().append(std::move(event))) {
            qFatal("the log cannot be written");
        }
    }
    [[nodiscard]] AgentRecord kept() const { return load(services.agentsFolder / agent->id() / "agent.json").value(); }
    Result<std::uint32_t> exec(UniqueFd& caller) {
        return within(std::chrono::seconds(60), "exec", [&] { return agent->exec({{"argv", boost::json::array{"true"}}}, caller); });
    }
};

template <class T> bool saysPaused(const Result<T>& result, ErrorCode code = ErrorCode::Refused) {
    return !result && result.error().code == code && result.error().text().find("the agent ann is paused") != std::string::npos &&
           result.error().hint == "Resume it with: carrel resume ann";
}

template <class T> const char* textOf(const Result<T>& result) {
    static std::string text;
    text = result ? "it was done" : result.error().text();
    return text.c_str();
}

} // namespace carrel::agents::test

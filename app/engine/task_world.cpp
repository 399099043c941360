// SPDX-License-Identifier: Apache-2.0
#include "app/engine/task_world.h"

#include "app/engine/engine.h"
#include "app/providers/access.h"
#include "app/tasks/programs.h"

#include <chrono>

namespace carrel::engine {

namespace fs = std::filesystem;
using agents::Agent;
using agents::AgentState;

namespace {

class Hands final : public tasks::AgentHands {
public:
    explicit Hands(std::shared_ptr<Agent> agent)
        : m_agent(std::move(agent))
        , m_id(m_agent->id())
        , m_name(m_agent->name()) {}

    std::string id() const override { return m_id; }
    std::string name() const override { return m_name; }
    fs::path folder() const override { return m_agent->tasksFolder(); }
    Machine machine() const override {
        switch (m_agent->state()) {
        case AgentState::Ready:
            return Machine::Ready;
        case AgentState::Paused:
            return Machine::Paused;
        case AgentState::Starting:
        case AgentState::Stopping:
            return Machine::Coming;
        case AgentState::Created:
        case AgentState::Stopped:
        case AgentState::Failed:
            break;
        }
        return Machine::Off;
    }
    std::string pausedWhy() const override { return m_agent->pausedWhy(); }
    Status startMachine(std::stop_token stop) override {
        const auto started = m_agent->start([](std::string_view, std::string_view) {}, std::move(stop));
        return started ? Status() : Status(fail(started.error()));
    }
    Result<bool> pauseMachine(const std::string& why) override {
        const auto paused = m_agent->pause(agents::Pauser::Budget, why);
        return paused ? Result<bool>(*paused == Agent::PauseOutcome::Paused) : fail(paused.error());
    }
    Status resumeMachine(std::stop_token stop) override {
        const auto resumed = m_agent->resume([](std::string_view, std::string_view) {}, std::move(stop));
        return resumed ? Status() : Status(fail(resumed.error()));
    }
    Result<std::vector<talk::Update>> talk(const talk::Call& call, std::stop_token stop) override { return m_agent->talk(call, std::move(stop)); }
    Result<std::map<std::string, std::string>> environment() override { return m_agent->ownEnvironment(); }
    std::string workFolder() const override { return m_agent->workFolder(); }
    Result<std::uint64_t> note(activity::EventKind kind, std::string subject, boost::json::object detail, activity::Provenance provenance) override {
        return m_agent->noteTask(kind, std::move(subject), std::move(detail), provenance);
    }
    Result<std::vector<std::string>> showFiles(std::uint64_t task, const std::vector<fs::path>& files) override { return m_agent->attach(task, files); }
    std::uint64_t staged() override { return m_agent->countStaged({}); }

private:
    std::shared_ptr<Agent> m_agent;
    const std::string m_id, m_name;
};

Status isThere(const Agent& agent, const std::string& name) {
    const auto program = tasks::findProgram(name);
    if (!program) {
        return fail(program.error());
    }
    const auto all = agent.programs();
    const auto has = all.find(program->name);
    if (!program->install || (has != all.end() && has->second == program->install->version)) {
        return {};
    }
    return fail(ErrorCode::NotFound, program->title + " " + program->install->version + " is not installed in the machine of " + agent.name(),
                "Install it: carrel task install " + agent.name() + " " + program->name);
}

Result<tasks::Brain> brainOf(Engine& engine, const std::string& agentId, const std::string& program, const std::string& wanted) {
    const auto agent = engine.agentById(agentId);
    if (!agent) {
        return fail(ErrorCode::NotFound, "the agent is gone");
    }
    const auto name = agent->provider();
    if (name.empty()) {
        const auto all = engine.providers().list();
        if (!all) {
            return fail(all.error());
        }
        if (all->empty()) {
            return fail(ErrorCode::NotFound, "there is no model yet", "Add one: carrel provider add NAME --preset anthropic, then: carrel provider use " + agent->name() + " NAME");
        }
        const auto which = wanted.empty() ? all->front().name : wanted;
        return fail(ErrorCode::NotFound, "agent " + agent->name() + " has no model yet", "Let it use one: carrel provider use " + agent->name() + " " + which);
    }
    if (!wanted.empty() && wanted != name) {
        return fail(ErrorCode::Refused, "agent " + agent->name() + " uses the model " + name + ", and the task wants " + wanted,
                    "Let it use that: carrel provider use " + agent->name() + " " + wanted);
    }
    const auto provider = engine.providers().find(name);
    if (!provider) {
        return fail(provider.error());
    }
    const auto credentials = agent->credentials();
    auto environment = providers::environmentFor(*provider, credentials.get());
    if (!environment) {
        return fail(std::move(environment).error());
    }
    CARREL_TRY(isThere(*agent, program));
    return tasks::brainOf(program, name, *environment);
}

std::string keyOf(std::uint64_t task) {
    return std::to_string(task);
}

providers::Budget budgetOf(const tasks::TaskBudget& of) {
    providers::Budget out;
    out.tokens = of.tokens;
    out.money = of.microDollars;
    if (of.wallSeconds) {
        out.time = providers::Seconds(*of.wallSeconds);
    }
    if (of.cpuSeconds) {
        out.cpu = providers::Seconds(*of.cpuSeconds);
    }
    return out;
}

tasks::UsedSoFar usedOf(Engine& engine, const std::string& agent, std::uint64_t task) {
    const auto used = engine.usage().used(agent, keyOf(task));
    if (!used) {
        return {};
    }
    tasks::UsedSoFar out{used->requests, used->input + used->cacheRead + used->cacheWrite, used->output, std::nullopt, used->estimated != 0};
    if (used->unpriced == 0) {
        char text[40];
        (void)std::snprintf(text, sizeof text, "%llu.%06llu", static_cast<unsigned long long>(used->cost / 1'000'000),
                            static_cast<unsigned long long>(used->cost % 1'000'000));
        out.dollars = text;
    }
    return out;
}

// What is used up gets as much again, from now on.
providers::Budget raised(const providers::Budget& of, const providers::Used& used) {
    auto out = of;
    if (out.tokens && used.tokens() >= *out.tokens) {
        out.tokens = used.tokens() + *out.tokens;
    }
    if (out.money && used.cost >= *out.money) {
        out.money = used.cost + *out.money;
    }
    if (out.time && used.time >= *out.time) {
        out.time = used.time + *out.time;
    }
    if (out.cpu && used.cpu >= *out.cpu) {
        out.cpu = used.cpu + *out.cpu;
    }
    return out;
}

Status moreBudget(Engine& engine, const std::string& agent, std::uint64_t task) {
    auto& usage = engine.usage();
    const auto budget = usage.budgetOf(agent, keyOf(task));
    const auto used = usage.used(agent, keyOf(task));
    if (budget && used && providers::standing(*budget, *used)) {
        if (auto more = raised(*budget, *used); !(more == *budget)) {
            CARREL_TRY(usage.setBudget(agent, keyOf(task), more));
        } else { // of money, and the price is not known: that bound cannot be kept
            more.money.reset();
            CARREL_TRY(usage.setBudget(agent, keyOf(task), more));
        }
    }
    const auto whole = usage.budgetOf(agent);
    const auto all = usage.used(agent);
    if (!whole || !all) {
        return fail(whole ? all.error() : whole.error());
    }
    if (providers::standing(*whole, *all)) {
        return usage.setBudget(agent, *whole); // which counts from nothing again
    }
    return {};
}

} // namespace

tasks::World taskWorld(Engine& engine, std::function<void(const std::string&, std::uint64_t, tasks::Attention)> attention) {
    tasks::World out;
    out.agent = [&engine](const std::string& id) -> tasks::AgentPtr {
        auto agent = engine.agentById(id);
        return agent ? std::make_shared<Hands>(std::move(agent)) : nullptr;
    };
    out.brain = [&engine](const std::string& agent, const std::string& program, const std::string& provider) {
        return brainOf(engine, agent, program, provider);
    };
    out.useBegins = [&engine](const std::string& agent, std::uint64_t task) { engine.usage().begin(agent, keyOf(task)); };
    out.useEnds = [&engine](const std::string& agent, std::uint64_t task) { engine.usage().end(agent, keyOf(task)); };
    out.ticks = [&engine](const std::string& agent) { engine.usage().tick(agent); };
    out.used = [&engine](const std::string& agent, std::uint64_t task) { return usedOf(engine, agent, task); };
    out.overBudget = [&engine](const std::string& agent, std::uint64_t task) -> std::optional<std::string> {
        const auto over = engine.usage().over(agent, keyOf(task)); // not of the last one, which may have used up its own
        return over ? std::optional(over->text) : std::nullopt;
    };
    out.moreBudget = [&engine](const std::string& agent, std::uint64_t task) { return moreBudget(engine, agent, task); };
    out.setBudget = [&engine](const std::string& agent, std::uint64_t task, const tasks::TaskBudget& budget) {
        return engine.usage().setBudget(agent, keyOf(task), budgetOf(budget));
    };
    out.attention = std::move(attention);
    out.nowMs = [] { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); };
    out.complain = engine.services().complain;
    return out;
}

} // namespace carrel::engine

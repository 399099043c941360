// SPDX-License-Identifier: Apache-2.0
// What tasks need of the world around them: of an agent and its machine, of who its model is, of what was used, and of the owner's
// attention. The composition fills it (app/engine/task_world.h); tests play it. Thread: any, unless it says otherwise.
#pragma once

#include "app/activity/event.h"
#include "app/tasks/task.h"
#include "guest/protocol/agent_talk.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>

namespace carrel::tasks {

class AgentHands {
public:
    virtual ~AgentHands() = default;
    // These three never change.
    [[nodiscard]] virtual std::string id() const = 0;
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual std::filesystem::path folder() const = 0; // of its tasks; there

    enum class Machine { Off, Coming, Ready, Paused };
    [[nodiscard]] virtual Machine machine() const = 0;
    [[nodiscard]] virtual std::string pausedWhy() const = 0; // empty: its owner has, or it is not paused
    // Blocks until it is ready. An error: it is not, and why.
    [[nodiscard]] virtual Status startMachine(std::stop_token stop) = 0;
    // For a budget that is used up. False: it was paused already, whoever by, or does not run.
    [[nodiscard]] virtual Result<bool> pauseMachine(const std::string& why) = 0;
    [[nodiscard]] virtual Status resumeMachine(std::stop_token stop) = 0;

    // As Agent::talk().
    [[nodiscard]] virtual Result<std::vector<talk::Update>> talk(const talk::Call& call, std::stop_token stop) = 0;
    [[nodiscard]] virtual Result<std::map<std::string, std::string>> environment() = 0;
    [[nodiscard]] virtual std::string workFolder() const = 0;
    // Durable when it returns; the event's number.
    [[nodiscard]] virtual Result<std::uint64_t> note(activity::EventKind kind, std::string subject, boost::json::object detail,
                                                     activity::Provenance provenance) = 0;
    // Copies of them are in the agent's machine, to be read, when it returns; where, in the same order.
    [[nodiscard]] virtual Result<std::vector<std::string>> showFiles(std::uint64_t task, const std::vector<std::filesystem::path>& files) = 0;
    [[nodiscard]] virtual std::uint64_t staged() = 0; // changes that wait for review, as far as is known
};
using AgentPtr = std::shared_ptr<AgentHands>;

// Who works: the program, and what its environment holds of the model.
struct Brain {
    std::string program, provider;
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
};

struct UsedSoFar {
    std::uint64_t requests = 0, inputTokens = 0, outputTokens = 0;
    std::optional<std::string> dollars = "0.000000"; // none: a model without a price was used
    bool estimated = false;
};

// Why the owner is to look at a task.
enum class Attention {
    None, // not any more
    Permission,
    Budget,
    Machine,
    Provider,
    Review, // it is done, and its changes wait
    Done,
    Failed
};

struct World {
    // Who the agent is by now; null: it is deleted.
    std::function<AgentPtr(const std::string& agentId)> agent;
    // Empty names: the agent's own choice. NotFound: there is no model yet, or no such program; in words with what to do.
    std::function<Result<Brain>(const std::string& agentId, const std::string& program, const std::string& provider)> brain;
    // What is counted from begin to end, by agent, is this task's.
    std::function<void(const std::string& agentId, std::uint64_t task)> useBegins, useEnds;
    // A leaf: it takes no lock of anybody's who calls a lane.
    std::function<UsedSoFar(const std::string& agentId, std::uint64_t task)> used;
    // Of the task under way, about once a second: its time is counted, too.
    std::function<void(const std::string& agentId)> ticks;
    // None, or why the agent's or the task's budget lets nothing more be asked of a model; a sentence without its full stop.
    std::function<std::optional<std::string>(const std::string& agentId, std::uint64_t task)> overBudget;
    // As much again of what is used up.
    std::function<Status(const std::string& agentId, std::uint64_t task)> moreBudget;
    // An error: the task must not begin.
    std::function<Status(const std::string& agentId, std::uint64_t task, const TaskBudget& budget)> setBudget;
    std::function<void(const std::string& agentId, std::uint64_t task, Attention why)> attention;
    std::function<std::int64_t()> nowMs; // since 1970
    std::function<void(std::string_view)> complain; // the engine's own log
};

} // namespace carrel::tasks

// SPDX-License-Identifier: Apache-2.0
// What each agent, and each task of it, has used, as it is counted at the door (app/egress: Setup::modelUsed) and by the hypervisor, and
// whether a budget is left. Kept in each agent's folder (usage.json), so that no new engine begins to count anew.
//
// Order: what a request used is written down before the next request of that agent is judged. An engine that is killed in between has
// lost what that one request used, and nothing of what was counted before. Time and processor time are written down with it, at the end of
// a task, and every kKeepTime: that much of them is lost at most.
// Fails closed: while a file cannot be read, its agent may not ask a model, since a budget of its may be in it, until the owner sets one
// (or none); while it cannot be written, neither, if there is a budget.
//
// For whoever runs tasks (app/tasks): begin() when a task begins to work, or goes on; end() when it is over, or waits for somebody; tick()
// about once a second in between, which counts time. Time, and processor time, pass between begin() and end() alone, and from one look to
// the next within them. Of models what is used is the agent's and that task's, also after end(), until another begins: what a task's program
// has left running goes on asking, and is held to that task's budget. One task of an agent at a time. After each look at over() that is not none: pause. A listener hears of each count, and must not wait: it may ask the book.
//
//   book.begin(agent, task);
//   if (const auto over = book.over(agent, task)) { pause, and ask the owner: over->text }
//   book.end(agent, task);
//
// Owner: the engine; outlives the networks and the tasks. Agents are known by their ids. Thread: any; each call that counts or sets blocks
// for the disk.
#pragma once

#include "app/providers/budget.h"
#include "app/providers/prices.h"

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>

namespace carrel::providers {

// Of each agent: those with a budget that have not begun, which are never dropped; then the newest with a budget; then the newest of the
// others. A task's own record keeps what it used.
inline constexpr std::size_t kMaxTasksKept = 128;
inline constexpr Seconds kKeepTime{10};

class UsageBook {
public:
    struct Setup {
        std::function<std::filesystem::path(const std::string& agent)> file;
        const Prices* prices = &Prices::builtIn();
        // Processor time of that agent's machine so far; none: it has none now. It may begin anew with a new machine.
        std::function<std::optional<std::chrono::nanoseconds>(const std::string& agent)> cpuTime = {};
        std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
        std::function<std::int64_t()> wallMs = {}; // since 1970; none: this computer's
    };
    explicit UsageBook(Setup setup);

    void begin(const std::string& agent, const std::string& task);
    void tick(const std::string& agent);
    void end(const std::string& agent, const std::string& task); // without effect where that one is not under way
    // One request to a model. An error: it counts, and is not written down yet.
    [[nodiscard]] Status count(const std::string& agent, const relay::ModelUse& use, Paid paid);

    // An error: what there is cannot be read.
    [[nodiscard]] Result<Used> used(const std::string& agent);                            // since its budget was set
    [[nodiscard]] Result<Used> used(const std::string& agent, const std::string& task);   // nothing: it is not known any more
    [[nodiscard]] Result<Budget> budgetOf(const std::string& agent);
    [[nodiscard]] Result<Budget> budgetOf(const std::string& agent, const std::string& task);
    [[nodiscard]] Result<std::int64_t> since(const std::string& agent); // ms since 1970; 0: from its beginning on
    // Of an agent: what it has used counts from nothing again. Durable when it returns; an error, in words for the owner: nothing has
    // changed, and the task is not held to it, so that it should not begin. LimitExceeded: as many tasks as are kept wait with budgets;
    // one that will not begin any more is set to none, which always has room.
    [[nodiscard]] Status setBudget(const std::string& agent, const Budget& budget);
    [[nodiscard]] Status setBudget(const std::string& agent, const std::string& task, const Budget& budget);

    // Of the agent's budget and of that of the task under way, or the last one, the first that is used up; whose it is, is said: "The budget … of this
    // agent …". Also where it cannot be told.
    [[nodiscard]] std::optional<Over> over(const std::string& agent);
    // Likewise, of a task that may not have begun: whether it may.
    [[nodiscard]] std::optional<Over> over(const std::string& agent, const std::string& task);
    // Why its programs may not ask a model now, as they are told it.
    [[nodiscard]] std::optional<std::string> whyNotAsk(const std::string& agent);

    using Listener = std::function<void(const std::string& agent)>;
    void onCounted(Listener listener); // before anything is counted
    void forget(const std::string& agent); // it was deleted: the file is not this book's to remove

private:
    struct Part {
        Budget budget;
        Used used;
        bool hasBegun = false;
        [[nodiscard]] bool mustStay() const { return !hasBegun && !budget.isNone(); }
    };
    struct Agent {
        Part all;
        std::int64_t sinceMs = 0;
        std::map<std::string, Part> tasks;
        std::vector<std::string> order;  // of the tasks, the newest last
        std::optional<Error> unreadable; // then nothing of it is known
        bool isChanged = false;          // since it was written
        bool hasFailed = false;          // to be written, the last time
        // Of what goes on.
        std::string task;           // under way, or the last that was; empty: none has been since the engine began
        bool isUnderWay = false;    // it
        std::chrono::steady_clock::time_point looked{}, kept{};
        std::chrono::nanoseconds time{0}, cpu{0}; // that are no second yet
        std::optional<std::chrono::nanoseconds> cpuAt;
    };
    // m_mutex is held in all of these.
    [[nodiscard]] Agent& of(const std::string& agent);
    [[nodiscard]] Agent read(const std::filesystem::path& file) const;
    [[nodiscard]] Status write(const std::string& name, Agent& agent);
    [[nodiscard]] Part& taskOf(Agent& agent, const std::string& task);
    [[nodiscard]] std::optional<Over> standingOf(const std::string& name, Agent& agent, const std::string& task);
    [[nodiscard]] static bool hasBudget(const Agent& agent);
    void pass(Agent& agent, std::optional<std::chrono::nanoseconds> cpu);
    [[nodiscard]] Result<Part> partOf(const std::string& agent, const std::string& task);

    [[nodiscard]] std::optional<std::chrono::nanoseconds> cpuOf(const std::string& agent) const;
    void tell(const std::string& agent) const;

    const Setup m_to;
    Listener m_listener;
    std::mutex m_mutex;
    std::map<std::string, Agent> m_agents;
};

} // namespace carrel::providers

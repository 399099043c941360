// SPDX-License-Identifier: Apache-2.0
// The tasks of one agent: kept in its folder, a file each (task.h) with its story beside it (story.h), and done one after the other by a
// thread of this lane. It starts the agent's machine, starts an agent program for the task, tells it what the user said, fetches what it
// does, and answers what it asks leave for.
//
// What an interruption leaves: the program goes on in its machine while no engine runs, and the next one fetches what it missed. Where the
// program is gone, too (its machine was stopped, or broke), it is started again with the same conversation and told to go on.
// A decision is in the agent's activity log before it takes effect (I5): a turn that begins, an answer, a cancel.
// Ownership: the desk's. Thread: any; the verbs do not wait for the machine, except cancel() and answer(), which wait for its guest's word.
#pragma once

#include "app/tasks/hands.h"
#include "app/tasks/story.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace carrel::tasks {

struct NewTask {
    std::string text;
    std::vector<std::filesystem::path> files; // on this computer
    std::string program, provider;            // empty: the agent's own
    Permissions permissions = Permissions::Allow;
    std::int64_t atMs = 0;                    // 0: now
    std::uint64_t everyS = 0;
    TaskBudget budget;
};

// As a verb tells of it.
struct TaskView {
    TaskRecord record;
    UsedSoFar used;
    std::uint64_t workedMs = 0; // with the turn that goes on
};

class Lane {
public:
    struct Pace { // of waiting; tests are quicker
        std::chrono::seconds poll{5};                   // of one agent.updates
        std::chrono::milliseconds again{300};           // after an answer that says to ask again
        std::chrono::milliseconds look{30'000};         // at the clock, for what is scheduled
        std::chrono::milliseconds cancelPatience{30'000}; // until a program that does not heed it is ended
    };
    // Reads what there is; a task whose file cannot be read is told to `complain` and left alone. `changed`: a task is other than before.
    [[nodiscard]] static Result<std::unique_ptr<Lane>> open(World world, AgentPtr hands, std::function<void()> changed, Pace pace);
    ~Lane(); // stops
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    // InvalidArgument, LimitExceeded, and what the log or the disk say.
    [[nodiscard]] Result<TaskView> add(const NewTask& wanted);
    [[nodiscard]] Result<TaskView> say(std::uint64_t id, const std::string& text, const std::vector<std::filesystem::path>& files);
    // Also of one that is over: nothing happens.
    [[nodiscard]] Result<TaskView> cancel(std::uint64_t id);
    // Conflict: it does not wait for that any more.
    [[nodiscard]] Result<TaskView> answer(std::uint64_t id, std::uint64_t request, const std::optional<std::string>& option);
    [[nodiscard]] Result<TaskView> goOn(std::uint64_t id);
    [[nodiscard]] Result<TaskView> find(std::uint64_t id) const;
    [[nodiscard]] std::vector<TaskView> list() const; // newest first
    [[nodiscard]] Result<std::shared_ptr<Story>> story(std::uint64_t id);
    // Something that a task may wait for has changed: the machine, a provider, what was counted.
    void wake();
    // Lets go of what goes on, which goes on: the engine ends, or the agent is deleted.
    void stop();

private:
    using Steady = std::chrono::steady_clock;
    enum class How { TurnOver, Lost, LetGo }; // how following a turn came to its end; Lost: the program is gone. LetGo: stop, or it waits

    Lane(World world, AgentPtr hands, std::function<void()> changed, Pace pace);
    [[nodiscard]] Status load();
    [[nodiscard]] std::filesystem::path fileOf(std::uint64_t id) const;
    [[nodiscard]] TaskView viewOf(const TaskRecord& record) const; // m_mutex is held
    [[nodiscard]] Result<TaskRecord*> findIn(std::uint64_t id);    // likewise
    // Changes it and keeps that; what cannot be kept is told to the engine's log, for it has happened.
    void update(std::uint64_t id, const std::function<void(TaskRecord&)>& change);
    static void settleState(TaskRecord& task); // of one that is open: what it waits for decides
    [[nodiscard]] TaskRecord record(std::uint64_t id) const;
    // The same, and it is kept with the next change that is.
    void touch(std::uint64_t id, const std::function<void(TaskRecord&)>& change);
    void bump(std::uint64_t id); // m_mutex is held
    void toldChanged() const { m_changed(); }
    [[nodiscard]] std::int64_t now() const { return m_world.nowMs(); }

    // lane_work.cpp: on the lane's thread.
    void run();
    void settle(std::uint64_t id);
    void beginDue();
    void endStray();
    [[nodiscard]] std::optional<std::uint64_t> next(AgentHands::Machine machine) const; // m_mutex is held
    void knock(); // likewise
    void work(std::uint64_t id);
    [[nodiscard]] bool bringMachine(std::uint64_t id);
    enum class Program { Same, Anew, None };
    [[nodiscard]] Program bringProgram(std::uint64_t id, const Brain& brain);
    [[nodiscard]] Status startProgram(std::uint64_t id, const Brain& brain);
    [[nodiscard]] bool awaitStarted(std::uint64_t id);
    [[nodiscard]] bool beginTurn(std::uint64_t id);
    [[nodiscard]] bool tell(std::uint64_t id);
    void endTurn(std::uint64_t id, const talk::TurnEnded& ended);
    void failTask(std::uint64_t id, std::string message, std::string hint);
    void cancelled(std::uint64_t id);
    void waitFor(std::uint64_t id, Waiting waiting);
    void waitForMachine(std::uint64_t id, const Error& error);
    [[nodiscard]] bool mayTryAgain(std::uint64_t id, const std::string& why); // else it has failed
    [[nodiscard]] How machineGone(std::uint64_t id); // it is paused, stopped or on its way there
    [[nodiscard]] bool machineEnds() const; // or has ended
    void waitForPaused(std::uint64_t id);
    void pause(std::chrono::milliseconds most); // until something happens
    [[nodiscard]] bool isCancelled(std::uint64_t id) const;

    // lane_turn.cpp: likewise.
    [[nodiscard]] How follow(std::uint64_t id);
    [[nodiscard]] std::optional<How> fetch(std::uint64_t id);
    [[nodiscard]] std::optional<How> take(std::uint64_t id, const talk::Update& update);
    [[nodiscard]] std::optional<How> brokenOffByBudget(std::uint64_t id);
    void programGone(std::uint64_t id);
    void decide(std::uint64_t id, const talk::Permission& permission);
    void noteTool(std::uint64_t id, const talk::Tool& tool);
    [[nodiscard]] std::optional<How> minded(std::uint64_t id); // cancels and budgets
    [[nodiscard]] bool takeGoOn(std::uint64_t id);
    void rest(std::uint64_t id, bool rests);
    [[nodiscard]] std::optional<How> spent(std::uint64_t id, const std::string& why);

    World m_world;
    AgentPtr m_hands; // not called while m_mutex is held: it may knock while locks of its own are
    const std::string m_agent, m_name;
    const std::filesystem::path m_folder;
    std::function<void()> m_changed;
    Pace m_pace;
    mutable std::mutex m_mutex;
    std::condition_variable m_wake;
    std::map<std::uint64_t, TaskRecord> m_tasks;
    std::map<std::uint64_t, std::shared_ptr<Story>> m_stories; // those that were asked for lately
    std::set<std::uint64_t> m_cancels, m_goOns;
    struct Patience { // with a machine that was there, and did not do
        unsigned failed = 0; // since the owner's last word
        Steady::time_point notBefore{};
    };
    std::map<std::uint64_t, Patience> m_patience;
    std::uint64_t m_highest = 0; // number of a file in the folder, also of one that cannot be read
    std::uint64_t m_knocks = 0; // of wake(), and of verbs
    std::uint64_t m_now = 0;    // the task that is worked on
    std::optional<Steady::time_point> m_turnSince;
    bool m_stopped = false;
    std::stop_source m_stop, m_startStop;

    // The thread's own.
    std::uint64_t m_seenKnocks = 0;
    std::uint64_t m_live = 0; // the run that goes on, as far as is known
    std::optional<Steady::time_point> m_cancelSaid;
    std::uint64_t m_toolsNoted = 0, m_answered = 0; // in this turn
    bool m_spent = false; // a budget was used up in this turn
    bool m_rests = false; // the turn waits for the owner, and its time does not pass
    std::optional<talk::Started> m_started;
    std::optional<talk::Ended> m_ended;
    std::thread m_thread;
};

} // namespace carrel::tasks

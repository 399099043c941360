// SPDX-License-Identifier: Apache-2.0
// Runs agent programs for the host, one at a time (guest/protocol/agent_talk.h). Each call is answered at once, but agent.updates, which
// is when there is something or its time is over: from this thread, so that nobody else waits. One of these waits at a time; whoever asks
// anew takes the place of the one before, which is answered that there is nothing: a clerk that is gone does not ask again.
//
//   Idle      no run yet
//   running   a run goes on (agent_run.h)
//   over      it has ended; what it told stays until the next one
//   ending    end() was called: no run begins any more
//
// Ownership: borrows what its settings refer to, until stop(). Thread: one of its own; everything here may be called from any.
#pragma once

#include "guest/runner/agent_run.h"

#include <deque>
#include <thread>

namespace carrel::runner {

class AgentRunner {
public:
    using Answer = Result<boost::json::value>;
    using Reply = std::function<void(Answer answer)>; // called once, on the runner's thread or the caller's
    static constexpr std::size_t kMostCalls = 64;     // that wait for the runner's thread
    struct Settings {
        AgentFiles::Spawners spawners; // null: the agent's account does not stand
        std::string fileProgram = "/run/carrel/bin/carrel-ask";
        RunBounds bounds;
    };

    explicit AgentRunner(Settings settings);
    ~AgentRunner(); // stop()
    AgentRunner(const AgentRunner&) = delete;
    AgentRunner& operator=(const AgentRunner&) = delete;

    // NotFound: no such run. Conflict: another run, or a turn, goes on. Unavailable. LimitExceeded: too many calls wait.
    void call(talk::Call call, Reply reply);
    // The agent's account was made anew: nothing of what ran there is left.
    void accountEnded();
    // Ends the run as its program likes it best, and waits for that, some seconds at most. For good.
    void end();
    // Kills it, and ends the thread. Who still waits is answered Cancelled.
    void stop();

private:
    using Clock = AgentRun::Clock;
    struct Asked {
        talk::Call call;
        Reply reply;
    };
    struct Waiter {
        Reply reply;
        std::uint64_t after = 0;
        Clock::time_point until;
    };

    void run();
    void wake() const;
    void take(Asked asked, Clock::time_point now);
    [[nodiscard]] Status start(const talk::Start& start, Clock::time_point now);
    [[nodiscard]] Result<AgentRun*> find(std::uint64_t run);
    void takeUpdates(const talk::Updates& wanted, Reply reply, Clock::time_point now);
    void tellWaiter(Clock::time_point now);
    void releaseWaiter(Answer answer);
    [[nodiscard]] bool runGoesOn() const { return m_run && m_run->state() != AgentRun::State::Ended; }
    [[nodiscard]] int timeoutFrom(Clock::time_point now) const;

    Settings m_settings;
    UniqueFd m_wake;
    // The runner's thread's own.
    Reaper m_reaper;
    std::unique_ptr<AgentRun> m_run;
    std::optional<Waiter> m_waiter;
    // Everybody's.
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::deque<Asked> m_asked;
    bool m_accountEnded = false;
    bool m_ends = false;
    bool m_hasEnded = false; // nothing runs, and nothing will
    bool m_stop = false;
    std::thread m_thread;
};

} // namespace carrel::runner

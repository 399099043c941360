// SPDX-License-Identifier: Apache-2.0
// What the programs of agents ask (guest/protocol/ask.h), answered from the approvals: what Services::asked is set to. An
// agent learns of its own requests only, in words that hold no name and no word of the host's.
//
// Each question has a thread of its own, for it may wait for a person, a disk or a machine, and one agent's must not wait for
// another's. Of one agent: ask::kMaxUnderWay at once, and so many that make the host look at what is staged, at once and in a
// minute. More are refused, and told so.
//
// Owner: the engine; gone before what it is given. Thread: any.
#pragma once

#include "app/agents/asked.h"
#include "app/engine/approvals.h"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace carrel::engine {

class AgentAsks {
public:
    static constexpr std::size_t kMaxLooks = 3;           // at once: as many requests as may be open
    static constexpr std::size_t kMaxLooksPerMinute = 20; // each freezes what is staged

    struct Setup {
        Approvals& approvals;
        std::function<Approvals::AgentPtr(std::string_view id)> findAgent; // none: no agent has it
        std::function<void(std::string_view line)> complain;               // to the engine's own log
    };
    explicit AgentAsks(Setup setup);
    ~AgentAsks(); // stops
    AgentAsks(const AgentAsks&) = delete;
    AgentAsks& operator=(const AgentAsks&) = delete;

    // Answers from another thread, or at once. Never waits for anybody.
    void asked(const std::string& agent, const ask::Question& question, agents::AnswerAsk answer);
    // Ends every wait: those who wait are told how it stands, and ask again when there is an engine. Nothing new is taken.
    void callOff();
    // The same, and waits until all have their answer. What is being carried out is finished first; a clerk that takes no
    // answer holds it up until it is ended.
    void stop();

private:
    using Answer = Result<ask::Standings>;
    using Clock = std::chrono::steady_clock;
    struct One {
        std::string agent;
        bool looks = false; // at what is staged
        bool answered = false; // its place is another's
        bool done = false;
        std::jthread thread;
    };
    [[nodiscard]] Status mayTake(const std::string& agent, const ask::Question& question); // m_mutex is held
    [[nodiscard]] std::vector<std::jthread> takeDone();                                    // likewise
    [[nodiscard]] Answer answerTo(const std::string& agent, const ask::Question& question, const std::stop_token& stop);
    [[nodiscard]] Answer apply(const std::string& agent, const ask::Apply& question, const std::stop_token& stop);
    [[nodiscard]] Answer folder(const std::string& agent, const ask::Folder& question);
    [[nodiscard]] Answer forward(const std::string& agent, const ask::Forward& question);
    [[nodiscard]] Answer program(const std::string& agent, const ask::Program& question, const std::stop_token& stop);
    [[nodiscard]] Answer installed(const std::string& agent, const ask::Installed& question);
    [[nodiscard]] Answer wait(const std::string& agent, const ask::Wait& question, const std::stop_token& stop);
    [[nodiscard]] Answer withdraw(const std::string& agent, const ask::Withdraw& question);
    [[nodiscard]] Answer why(const std::string& agent, const ask::Why& question);
    [[nodiscard]] tl::unexpected<Error> failed(const Approvals::AgentPtr& agent, const Error& error);

    const Setup m_to;
    std::mutex m_mutex; // guards what follows; nothing is called with it held
    bool m_stopped = false;
    std::uint64_t m_next = 1;
    std::map<std::uint64_t, One> m_running;
    std::map<std::string, std::deque<Clock::time_point>> m_looks; // of the last minute, by agent
};

// How a request stands, for the agent. What was allowed and is not done yet is still open; what was allowed and not done is
// not told as allowed.
[[nodiscard]] ask::Standing standingOf(const policy::Approval& approval);

} // namespace carrel::engine

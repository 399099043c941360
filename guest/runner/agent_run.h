// SPDX-License-Identifier: Apache-2.0
// One run of an agent program: its process, the conversation with it, its file and terminal abilities, and what the host is told.
//
//   Starting   its process was made; it has no session yet
//   Ready      it waits for a prompt
//   Prompting  a turn goes on
//   Ending     it is being ended, or has ended: its input is closed, then SIGTERM, then SIGKILL; what it wrote is still read
//   Ended      `ended` was told; the book stays until the next run
//
// What goes wrong, and what becomes of it: a program that is not there, or cannot run; one that does not speak the protocol, or another
// version of it, or no session in time; a line that never ends; an output that ends while the program goes on; an end by itself, in a
// turn or not: each is `ended` with a sentence, after `turn_ended` where a turn went on. What it prints where only messages belong is told,
// a hundred lines of it. One that says more than the host fetches waits, as long as the bounds say, and then some is lost.
//
// Thread: the runner's, except for what acp::Peer calls, which goes through the inbox. Nothing here waits.
#pragma once

#include "guest/acp/peer.h"
#include "guest/runner/acp_client.h"
#include "guest/runner/agent_terminals.h"
#include "guest/runner/inbox.h"
#include "guest/runner/update_book.h"

#include <chrono>

namespace carrel::runner {

struct RunBounds {
    UpdateBook::Bounds book;
    std::size_t lineBytes = 8 * 1024 * 1024;                     // of a message of the agent's
    std::chrono::milliseconds toBegin = std::chrono::minutes(5); // until it has a session, since it last said something; emulated machines are slow
    std::chrono::milliseconds bookFull{2000};                    // so long nothing is read before something is lost
    std::chrono::milliseconds toEnd{3000};                       // by itself, once its input has ended
    std::chrono::milliseconds toTerminate{2000};                 // after SIGTERM
    std::chrono::milliseconds toGo{2000};                        // after SIGKILL: then it is left behind
    std::chrono::milliseconds toFinish{2000}; // between the end of its output and that of its process, whichever comes first
    std::chrono::milliseconds terminalPause{200}; // between two looks at what its terminals show
};

struct RunSurroundings {
    AgentFiles::Spawners spawners;
    std::string fileProgram; // where carrel-ask lies in the agent's root
    RunBounds bounds;
    int wake = -1; // an eventfd(2) of the runner's
};

class AgentRun final : private AcpLine, private AcpOwner, private acp::Handler {
public:
    enum class State { Starting, Ready, Prompting, Ending, Ended };
    using Clock = std::chrono::steady_clock;

    AgentRun(talk::Start start, RunSurroundings at, Reaper& reaper);
    ~AgentRun() override; // kills it
    AgentRun(const AgentRun&) = delete;
    AgentRun& operator=(const AgentRun&) = delete;

    // Unavailable: the agent's account does not stand; then this is to be thrown away. What else hinders it is told as `ended`.
    [[nodiscard]] Status begin(Clock::time_point now);
    [[nodiscard]] State state() const;
    [[nodiscard]] std::uint64_t number() const { return m_start.run; }
    [[nodiscard]] UpdateBook& book() { return m_book; }

    // Conflict, InvalidArgument: see AcpClient.
    [[nodiscard]] Status prompt(const talk::Prompt& prompt);
    void cancel();
    [[nodiscard]] Status permit(const talk::Permit& permit);
    [[nodiscard]] Status setMode(const std::string& mode);
    void end(std::string how, Clock::time_point now); // nothing, where it ends already
    // All processes of the agent's have ended with its first one.
    void accountEnded();

    void collectPoll(std::vector<pollfd>& into) const;
    void advance(Clock::time_point now);
    [[nodiscard]] std::optional<Clock::time_point> nextLook() const; // at the latest

private:
    enum class Force { None, InputEnded, Terminated, Killed };
    // AcpLine
    void call(std::string_view method, boost::json::object params, Done done) override;
    void notify(std::string_view method, boost::json::object params) override;
    void answer(const acp::Id& id, acp::Outcome outcome) override;
    // AcpOwner
    void tell(talk::What what) override { m_book.add(std::move(what)); }
    void failed(std::string how) override { m_failed = std::move(how); }
    [[nodiscard]] bool ability(const acp::Request& request) override;
    void cancelAbility(const acp::Id& id) override;
    // acp::Handler, on the reading thread
    void request(acp::Request request) override;
    void notification(acp::Notification notification) override;
    void unreadable(std::string_view line, const Error& why) override;
    void ended(const Error& why) override;

    void takeWork(Clock::time_point now);
    void takeErrors();
    void showTerminals(Clock::time_point now);
    void look(Clock::time_point now);
    void lookAtLine(Clock::time_point now);
    void lookAtProcess(Clock::time_point now);
    void press(Clock::time_point now);
    void closeLine();
    void dropProcesses();
    void finish();
    [[nodiscard]] std::string howItEnded() const;

    talk::Start m_start;
    RunSurroundings m_at;
    Reaper& m_reaper;
    UpdateBook m_book;
    std::uint64_t m_lastTurn = 0; // that was asked for
    std::unique_ptr<Inbox> m_inbox;
    std::unique_ptr<Child> m_child; // null once it has ended
    std::unique_ptr<acp::Peer> m_peer;
    std::unique_ptr<AgentFiles> m_files;
    std::unique_ptr<AgentTerminals> m_terminals;
    std::unique_ptr<AcpClient> m_client;
    OutputTail m_said;
    std::optional<Clock::time_point> m_bookFullSince, m_lineOverSince, m_exitSince, m_terminalsShown;
    bool m_terminalsChanged = false;
    Clock::time_point m_now, m_lastSign; // the last look; when it last said something
    std::optional<Error> m_lineOver;
    std::optional<std::string> m_failed; // by the client, to be dealt with
    std::optional<std::string> m_how;
    Force m_force = Force::None;
    Clock::time_point m_forceNext;
    std::optional<Exit> m_exit;
    bool m_isOver = false;
};

} // namespace carrel::runner

// SPDX-License-Identifier: Apache-2.0
// The client's side of the Agent Client Protocol, version 1 (agentclientprotocol.com), for one agent program and one session in it: what
// is asked of the agent, what it asks, and what it tells. Does no input or output: that is the line's (agent_run.h, with acp::Peer).
//
//   Beginning  initialize, perhaps authenticate, session/new or session/load
//   Ready      prompt() may be called
//   Prompting  a turn goes on; cancel() ends it when the agent says so
//   Failed     it cannot be spoken with; told once by Owner::failed()
//
// An agent that can go on with a session and cannot with this one gets a new one; `started` says which it was. One that wants to be
// logged in is, by a way that it offers and that needs no person: one that names a variable which its environment has.
// After cancel(), each question of that turn is answered `cancelled`, those that come later, too.
//
// Ownership: borrows the line and the owner, which must outlive it. Thread: one.
#pragma once

#include "guest/acp/message.h"
#include "guest/protocol/agent_talk.h"
#include "guest/runner/session_teller.h"

#include <map>
#include <set>

namespace carrel::runner {

class AcpLine {
public:
    virtual ~AcpLine() = default;
    using Done = std::function<void(acp::Outcome)>;
    virtual void call(std::string_view method, boost::json::object params, Done done) = 0;
    virtual void notify(std::string_view method, boost::json::object params) = 0;
    virtual void answer(const acp::Id& id, acp::Outcome outcome) = 0;
};

class AcpOwner {
public:
    virtual ~AcpOwner() = default;
    virtual void tell(talk::What what) = 0;
    virtual void failed(std::string how) = 0; // a sentence
    // Whether it is a file's or a terminal's and is answered by whoever does these.
    [[nodiscard]] virtual bool ability(const acp::Request& request) = 0;
    virtual void cancelAbility(const acp::Id& id) = 0;
};

class AcpClient {
public:
    enum class State { Beginning, Ready, Prompting, Failed };
    static constexpr std::size_t kMostQuestions = 16; // that are open at a time
    struct Wanted {
        std::string cwd;
        std::optional<std::string> load;
        std::set<std::string, std::less<>> variables; // names, of the agent's environment
    };

    AcpClient(Wanted wanted, AcpLine& line, AcpOwner& owner, ToolStates::TerminalText terminalText);

    void begin();
    // Of the agent.
    void request(const acp::Request& request);
    void notification(const acp::Notification& notification);
    void unreadable(std::string_view line, const Error& why);
    void terminalChanged(std::string_view terminal) { m_teller.terminalChanged(terminal); }

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] std::uint64_t turn() const { return m_teller.turn(); }
    // Of the host. Conflict: the state is another. InvalidArgument: the option or the mode is none of those that were told.
    [[nodiscard]] Status prompt(const talk::Prompt& prompt);
    void cancel();
    [[nodiscard]] Status permit(const talk::Permit& permit);
    [[nodiscard]] Status setMode(const std::string& mode);
    // The agent program is no more, or will not be listened to: the turn and the open questions are over, which is told.
    void gone(std::string_view how);

private:
    struct Question {
        acp::Id id;
        std::set<std::string, std::less<>> options;
    };
    void initialized(const acp::Outcome& outcome);
    void openSession();
    void sessionOpened(const acp::Outcome& outcome, bool wasLoad);
    void logIn(const acp::Problem& why);
    void loggedIn(const acp::Outcome& outcome, const std::string& method);
    void turnEnded(const acp::Outcome& outcome);
    void ask(const acp::Request& request);
    void closeQuestion(std::map<std::uint64_t, Question>::iterator at, const std::optional<std::string>& option);
    void closeQuestions();
    void fail(std::string how);

    Wanted m_wanted;
    AcpLine& m_line;
    AcpOwner& m_owner;
    SessionTeller m_teller;
    State m_state = State::Beginning;
    acp::InitializeResult m_agent;
    std::string m_session;
    bool m_loading = false; // what comes is the replay
    bool m_wasLoggedIn = false;
    bool m_isCancelled = false;
    std::set<std::string, std::less<>> m_modes;
    std::map<std::uint64_t, Question> m_questions; // by the number that the host knows
    std::uint64_t m_nextQuestion = 1;
    std::size_t m_printed = 0; // lines that were no messages
};

} // namespace carrel::runner

// SPDX-License-Identifier: Apache-2.0
// The terminal ability that an agent program may ask its client for (Agent Client Protocol, "Terminals"): commands that run in the agent's
// account, whose output is kept to a bound. There is no terminal device: nothing to type at. A command without arguments that is no
// single word is a line for the shell, as agents write it.
//
//   terminal/create is answered when it is known whether the command runs
//   terminal/release kills what is left of its process group; so does the end of this object
//
// Thread: one.
#pragma once

#include "guest/acp/message.h"
#include "guest/runner/agent_files.h"
#include "guest/runner/output_tail.h"

#include <map>

namespace carrel::runner {

class AgentTerminals {
public:
    static constexpr std::size_t kMostTerminals = 32;
    static constexpr std::size_t kMostOutput = 1024 * 1024; // of each; what outputByteLimit asks for is less
    static constexpr std::size_t kMostWaiting = 8;          // for the end of the same one
    struct Surroundings {
        AgentFiles::Spawners spawners;
        std::map<std::string, std::string> environment; // whole
        std::string cwd;
    };

    AgentTerminals(Surroundings at, Reaper& reaper, AgentFiles::Answer answer)
        : m_at(std::move(at))
        , m_reaper(reaper)
        , m_answer(std::move(answer)) {}

    [[nodiscard]] static bool isMethod(std::string_view method);
    void request(const acp::Request& request);
    void cancel(const acp::Id& id); // a wait
    // Nothing: there is no such one.
    [[nodiscard]] std::optional<std::string> textOf(std::string_view terminal) const;
    [[nodiscard]] bool haveChanged() const;
    // Those whose output or state has changed since the last call.
    [[nodiscard]] std::vector<std::string> takeChanged();
    void collectPoll(std::vector<pollfd>& into) const;
    void advance();

private:
    struct Terminal {
        std::unique_ptr<Child> child;
        OutputTail output;
        std::optional<acp::Id> created; // to be answered
        std::vector<acp::Id> waiting;
        bool hasChanged = false;
        bool isOver = false; // the command has ended and its output was read
    };
    [[nodiscard]] Status create(const acp::Request& request);
    [[nodiscard]] Result<Terminal*> find(const acp::Request& request, std::string* id = nullptr);
    [[nodiscard]] Status answerAbout(const acp::Request& request);
    // False: its command never ran, and whoever asked for it knows.
    [[nodiscard]] bool advance(const std::string& id, Terminal& terminal);

    Surroundings m_at;
    Reaper& m_reaper;
    AgentFiles::Answer m_answer;
    std::map<std::string, Terminal, std::less<>> m_terminals;
    std::uint64_t m_next = 1;
};

} // namespace carrel::runner

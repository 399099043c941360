// SPDX-License-Identifier: Apache-2.0
// What an agent program says of its session (session/update), as what is told of it: talk::What. Whatever is not known, or cannot be
// told as what it is, becomes `other`, with its own name and text: nothing is dropped but the agent's echo of the user's own words.
// Thread: one.
#pragma once

#include "guest/acp/session.h"
#include "guest/runner/tool_states.h"

namespace carrel::runner {

class SessionTeller {
public:
    using Tell = std::function<void(talk::What what)>;
    SessionTeller(Tell tell, ToolStates::TerminalText terminalText)
        : m_tell(std::move(tell))
        , m_tools(std::move(terminalText)) {}

    void beginTurn(std::uint64_t turn);
    [[nodiscard]] std::uint64_t turn() const { return m_turn; } // the present one, or the last; 0 before the first
    void update(const acp::Update& update);
    void other(std::string_view name, const boost::json::value& content);
    void other(std::string_view name, std::string text);
    // The call that a question is about, which is told, too; its id, and a title for the question.
    struct AboutTool {
        std::string id, title;
    };
    [[nodiscard]] AboutTool aboutTool(const boost::json::object& toolCall);
    void terminalChanged(std::string_view terminal);
    // A mode that is not that of before is told.
    void modeIs(std::string_view mode);
    void knownMode(std::string mode) { m_mode = std::move(mode); } // without telling

private:
    template <class Piece> void chunk(const acp::Update& update, std::string& lastMessage);
    void plan(const acp::Update& update);

    Tell m_tell;
    ToolStates m_tools;
    std::uint64_t m_turn = 0;
    std::string m_mode;
    std::string m_textMessage, m_thoughtMessage; // by messageId, the last of each kind in this turn
};

} // namespace carrel::runner

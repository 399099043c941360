// SPDX-License-Identifier: Apache-2.0
// The tool calls of an agent, each as a whole state: put together from what the agent says piece by piece (`tool_call`, then
// `tool_call_update` with what has changed, agentclientprotocol.com "Tool Calls"). Fields of the wrong kind are passed over, as the
// protocol's own reader does. So many are remembered; of one that is forgotten, an update begins a new state. Thread: one.
#pragma once

#include "guest/protocol/agent_update.h"

#include <boost/json/object.hpp>

#include <functional>
#include <list>

namespace carrel::runner {

class ToolStates {
public:
    // What there is of a terminal's output; nothing: there is no such terminal (any more).
    using TerminalText = std::function<std::optional<std::string>(std::string_view terminal)>;
    explicit ToolStates(TerminalText terminalText)
        : m_terminalText(std::move(terminalText)) {}

    // Nothing: it does not say which call it is.
    [[nodiscard]] std::optional<talk::Tool> merge(std::uint64_t turn, const boost::json::object& update);
    // Those that show that terminal, with what it says now.
    [[nodiscard]] std::vector<talk::Tool> showing(std::string_view terminal);

private:
    struct Piece {
        std::string terminal; // empty: the text is the tool's own
        std::string text;     // of a terminal: what it last said
    };
    struct Known {
        talk::Tool tool; // without its output
        std::vector<Piece> content;
        std::string rawOutput; // shown where there is no content
    };
    [[nodiscard]] Known& known(std::uint64_t turn, std::string_view id);
    void readContent(Known& into, const boost::json::array& content) const;
    [[nodiscard]] talk::Tool shown(Known& of) const;

    TerminalText m_terminalText;
    std::list<Known> m_known; // the one that was last spoken of first
};

// A field of a message in which any may be of another kind; then it is as if it were not there.
[[nodiscard]] std::optional<std::string_view> textIn(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::object* objectIn(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::array* arrayIn(const boost::json::object& object, std::string_view key);

} // namespace carrel::runner

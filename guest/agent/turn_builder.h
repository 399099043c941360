// SPDX-License-Identifier: Apache-2.0
// Puts a turn together from what arrives of it. Thread: one at a time.
#pragma once

#include "guest/agent/model_turn.h"
#include "guest/agent/turn_failure.h"

#include <map>

namespace carrel::agent {

struct TurnLimits {
    std::size_t bytes = 8 * 1024 * 1024;     // of one turn, thoughts and tool inputs included
    std::size_t toolInput = 4 * 1024 * 1024; // of one call: a file that is written is in it
    std::size_t tools = 64;                  // calls in one turn
    std::size_t parts = 4096;
};

class TurnBuilder {
public:
    explicit TurnBuilder(TurnLimits limits = {})
        : m_limits(limits) {}

    // TooMuch: a bound was passed. Malformed: input for a call that was never begun.
    [[nodiscard]] TurnStatus add(const Delta& delta);
    // The whole turn; a call whose input is no JSON object says so in ToolUse::problem. Empty: there is neither a word nor a call in it.
    [[nodiscard]] TurnResult<ModelTurn> finish();
    // What there is of a turn that was broken off: its words. Calls that did not run, and thoughts that lead to none, are left out.
    [[nodiscard]] Message spokenSoFar() const;
    [[nodiscard]] const Usage& usage() const { return m_turn.usage; }

private:
    struct Call {
        std::size_t part = 0; // in the message
        std::string json;
    };
    [[nodiscard]] TurnStatus count(std::size_t bytes);
    [[nodiscard]] TurnStatus addText(const std::string& text);
    [[nodiscard]] TurnStatus begin(const ToolBegun& begun);
    [[nodiscard]] TurnStatus addInput(const ToolInput& input);
    void read(Call& call);

    TurnLimits m_limits;
    ModelTurn m_turn;
    std::map<std::size_t, Call> m_calls; // by place
    std::size_t m_bytes = 0;
};

// The name as both interfaces take it back: what does not fit is replaced.
[[nodiscard]] std::string fittingName(std::string_view name);
[[nodiscard]] bool isBlank(std::string_view text);

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// What a model can have done. Thread: run() on threads of the loop, several at a time; the rest is read-only.
#pragma once

#include "guest/agent/model_turn.h"

#include <stop_token>

namespace carrel::agent {

enum class ToolEnd { Done, Failed };

struct ToolOutcome {
    std::string text; // for the model; whatever bytes, of any length: the loop makes it fit
    ToolEnd end = ToolEnd::Done;
};

class Tool {
public:
    virtual ~Tool() = default;
    [[nodiscard]] virtual const ToolSpec& spec() const = 0;
    // Judges `input` itself: nobody has held it against the schema. Comes back soon after `stop`.
    [[nodiscard]] virtual ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) = 0;
};

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// What a model can have done. Thread: run() on threads of the loop, several at a time; the rest is read-only.
#pragma once

#include "guest/agent/model_turn.h"

#include "guest/protocol/result.h"

#include <optional>
#include <stop_token>

namespace carrel::agent {

enum class ToolEnd { Done, Failed };

// What a tool did to a file, to be shown to a person.
struct FileChange {
    std::string path;               // absolute
    std::optional<std::string> before; // nothing: there was none
    std::string after;
};
inline constexpr std::size_t kMostShownChange = 256 * 1024; // bytes of either text: of longer ones none is told

struct ToolOutcome {
    std::string text; // for the model; whatever bytes, of any length: the loop makes it fit
    ToolEnd end = ToolEnd::Done;
    std::optional<FileChange> change;
};

class Tool {
public:
    virtual ~Tool() = default;
    [[nodiscard]] virtual const ToolSpec& spec() const = 0;
    // Judges `input` itself: nobody has held it against the schema. Comes back soon after `stop`.
    [[nodiscard]] virtual ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) = 0;
};

// Whoever may say that a call is not to be run. Thread: as Tool::run(); it may take as long as a person does, and comes back soon after
// `stop`.
class Gate {
public:
    virtual ~Gate() = default;
    // The error's words are for the model.
    [[nodiscard]] virtual Status allows(const ToolUse& call, const std::stop_token& stop) = 0;
};

} // namespace carrel::agent

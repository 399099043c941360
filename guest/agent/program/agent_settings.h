// SPDX-License-Identifier: Apache-2.0
// What the agent is told by its environment:
//   CARREL_MODEL_API     anthropic or openai: how the model is spoken with
//   CARREL_MODEL_URL     where: https://api.example.org, http://localhost:11434/v1
//   CARREL_MODEL         its name
//   CARREL_MODEL_KEY     sent as the key; in a machine of Carrel's a placeholder. May be absent
//   CARREL_MODEL_WINDOW  tokens that it reads and writes at most. May be absent
//   CARREL_AGENT_HOME    where conversations lie; $HOME/.local/share/carrel-agent where it is absent
//   CARREL_AGENT_MODE    work or ask (agent_session.h); work where it is absent
// Thread: values.
#pragma once

#include "guest/agent/http_address.h"

#include <functional>
#include <optional>

namespace carrel::agent {

enum class ModelApi { Anthropic, OpenAi };

enum class WorkMode {
    Work, // does what the task calls for: the machine is the wall, and the review comes at the end
    Ask,  // asks before each command and each change
};
[[nodiscard]] std::string_view toString(WorkMode mode);
[[nodiscard]] std::optional<WorkMode> workModeFrom(std::string_view text);

struct ModelSettings {
    ModelApi api = ModelApi::Anthropic;
    HttpAddress address;
    std::string name;
    std::string key;
    std::uint64_t window = 0; // tokens; 0: nobody knows
};

struct AgentSettings {
    std::string home; // absolute
    WorkMode mode = WorkMode::Work;
    // Refused: no model is set. InvalidArgument: what is set cannot be used.
    Result<ModelSettings> model;
};

// `variable`: getenv(3), or what a test says; null: it is not set. InvalidArgument: the home or the mode.
[[nodiscard]] Result<AgentSettings> agentSettings(const std::function<const char*(const char*)>& variable);

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// What an agent needs to use a provider: the rules that let it there, the credential for its key, and what its programs are told.
// Thread: pure functions, but for environmentFor(), which blocks for the disk.
#pragma once

#include "app/egress/credentials/agent_credentials.h"
#include "app/policy/rule.h"
#include "app/providers/presets.h"

#include <map>

namespace carrel::providers {

// By these the agent reaches the provider's host and port, and may use its key there; nothing else. They are told by their note from
// what the owner wrote, and go when the agent uses another provider. `agent`: its id.
[[nodiscard]] std::vector<policy::Rule> rulesFor(const Provider& provider, const std::string& agent);
// One of those that rulesFor() gives, whatever its number.
[[nodiscard]] bool isOfProvider(const policy::Rule& rule, const Provider& provider);

// Of its key, bound to its host, for any agent that a rule lets. Malformed: this build is damaged.
[[nodiscard]] Result<egress::Credential> credentialFor(const Provider& provider);

// For the programs of an agent that uses this provider, the agent itself first of all:
//   CARREL_MODEL_API     anthropic, openai or gemini
//   CARREL_MODEL_URL     as the machine reaches it: this computer's own servers by egress::kOwnComputer
//   CARREL_MODEL         the model's name
//   CARREL_MODEL_KEY     what stands for the key in this agent's machine; empty where none is needed
//   CARREL_MODEL_WINDOW  tokens; absent: nobody has said
// `credentials`: that agent's; null: this home has none. NotFound: the key's credential is gone, or not for this agent.
[[nodiscard]] Result<std::map<std::string, std::string>> environmentFor(const Provider& provider, egress::AgentCredentials* credentials);

} // namespace carrel::providers

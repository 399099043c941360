// SPDX-License-Identifier: Apache-2.0
// A credential that comes or goes, with all that belongs to it: by its own verbs, and as the key of a model provider. It is written into
// the log of each agent that may use it before it counts (invariant I5), and its rules go with it.
// Thread: those of handlers.
#pragma once

#include "app/engine/engine.h"

namespace carrel::engine {

// What was handed in through the intake as `secret` (secret_intake.h) becomes its value. Rules that were for one of its name before go.
[[nodiscard]] Result<egress::Credential> keepCredential(Engine& engine, const egress::Credential& wanted, std::uint64_t secret);

struct DroppedCredential {
    egress::Credential credential;
    std::string left; // what could not be taken away, a sentence; empty: nothing
};
// Less is possible without it: that goes ahead whatever a log says.
[[nodiscard]] Result<DroppedCredential> dropCredential(Engine& engine, const std::string& name);

// Those that may use it, as far as the credential itself says.
[[nodiscard]] std::vector<std::shared_ptr<agents::Agent>> agentsOf(Engine& engine, const egress::Credential& of);
// The rules are others now.
void tellRulesChanged(Engine& engine);

} // namespace carrel::engine

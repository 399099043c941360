// SPDX-License-Identifier: Apache-2.0
// How a question of a program in an agent's machine is answered (guest/protocol/ask.h). Thread: any.
#pragma once

#include "guest/protocol/ask.h"

#include <functional>

namespace carrel::agents {

// May be called from any thread, once, at once or much later; a second answer is dropped, and so is one to a clerk that has
// gone. When the last copy goes without an answer, the question is answered Unavailable. Standings: exactly one, but for
// ask.why. An error is told to the agent with its message, its causes and its hint, so no word of the host's own may be in it.
// May block for a moment, as every message to a clerk.
using AnswerAsk = std::function<void(const Result<ask::Standings>& answer)>;

} // namespace carrel::agents

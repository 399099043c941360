// SPDX-License-Identifier: Apache-2.0
// What the tasks of app/tasks need, by what the engine has: agents and their machines, providers, what is counted at the door.
// Thread: any.
#pragma once

#include "app/tasks/hands.h"

namespace carrel::engine {

class Engine;

// `attention` as in World. The engine outlives it.
[[nodiscard]] tasks::World taskWorld(Engine& engine, std::function<void(const std::string&, std::uint64_t, tasks::Attention)> attention);

} // namespace carrel::engine

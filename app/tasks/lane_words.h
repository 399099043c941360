// SPDX-License-Identifier: Apache-2.0
// Words of a lane. Thread: pure functions.
#pragma once

#include "app/tasks/task.h"

namespace carrel::tasks {

[[nodiscard]] std::string sentence(const std::string& text); // with its full stop
// What a program says is its claim: quoted, in one line, where it stands among Carrel's own words.
[[nodiscard]] std::string quoted(std::string text, const std::string& more);
[[nodiscard]] Trouble troubleOf(const talk::TurnEnded& ended); // of a turn that came to nothing

} // namespace carrel::tasks

// SPDX-License-Identifier: Apache-2.0
// The loop of carrel-player: pieces of a recording on one side (app/api/player_wire.h), pictures for a window on the other
// (app/api/terminal_wire.h), a screen between them. It confines itself before the first piece, whose bytes are a guest's (invariant
// I1), as carrel-terminal does; a piece of no form that can be read ends it, and nothing of that is drawn. Nothing can be typed. One
// thread, one poll(2).
#pragma once

#include "guest/protocol/unique_fd.h"

namespace carrel::recording {

// Until the window goes, or a piece could not be read and the window was told. The process's exit status: 0 after either, 1 where it
// could not confine itself or the window sent nonsense.
[[nodiscard]] int play(UniqueFd pieces, UniqueFd window);

} // namespace carrel::recording

// SPDX-License-Identifier: Apache-2.0
// The loop of carrel-recorder: between a terminal's caller and the clerk that has its session. Bytes pass both ways as they are; what
// the guest wrote is recorded on the way (cast_writer.h) and handed to the engine in pieces that it never looks into
// (recorder_wire.h). It confines itself before the first byte of the guest's (invariant I1), as carrel-terminal does. A terminal that
// cannot be recorded ends: where a side breaks the protocol, the engine goes, or takes nothing more. One thread, one poll(2).
#pragma once

#include "guest/protocol/unique_fd.h"

namespace carrel::recording {

// Until a side goes. The process's exit status: 0, or 1 where it could not confine itself or somebody said nonsense.
[[nodiscard]] int run(UniqueFd caller, UniqueFd clerk, UniqueFd engine);

} // namespace carrel::recording

// SPDX-License-Identifier: Apache-2.0
// The signals that end guestd: SIGTERM from carrel-init, SIGUSR1 from guestd itself where the host asked for it.
#pragma once

namespace carrel::guestd {

void blockEndSignals(); // before any thread exists, so that all inherit it: waitForEndSignal() alone takes them
[[nodiscard]] int waitForEndSignal();

} // namespace carrel::guestd

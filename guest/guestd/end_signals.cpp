// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/end_signals.h"

#include <csignal>

namespace carrel::guestd {

namespace {
sigset_t endSignals() {
    sigset_t out;
    sigemptyset(&out);
    sigaddset(&out, SIGTERM);
    sigaddset(&out, SIGUSR1);
    return out;
}
} // namespace

void blockEndSignals() {
    const auto ending = endSignals();
    ::sigprocmask(SIG_BLOCK, &ending, nullptr);
}

int waitForEndSignal() {
    const auto ending = endSignals();
    int number = 0;
    while (::sigwait(&ending, &number) != 0) {
    }
    return number;
}

} // namespace carrel::guestd

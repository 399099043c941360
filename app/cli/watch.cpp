// SPDX-License-Identifier: Apache-2.0
#include "app/cli/watch.h"

#include <csignal>
#include <unistd.h>

namespace carrel::cli {

namespace {
// Async-signal-safe (signal-safety(7)).
extern "C" void endWatch(int) {
    ::_exit(0);
}
} // namespace

void endOnInterrupt() {
    struct sigaction action {};
    action.sa_handler = endWatch;
    (void)::sigaction(SIGINT, &action, nullptr);
}

} // namespace carrel::cli

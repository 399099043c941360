// SPDX-License-Identifier: Apache-2.0
// carrel-guestd: everything the host can ask of a machine of Carrel's, started by carrel-init. With the
// argument "agent-init" it is the first process of the agent's own PID namespace instead, and with "viewer" it serves a
// disposable machine that turns documents into text (viewer_machine.h).
#include "guest/guestd/end_signals.h"
#include "guest/guestd/guest_machine.h"
#include "guest/guestd/last_hand.h"
#include "guest/guestd/viewer_machine.h"

#include <csignal>
#include <fstream>
#include <malloc.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace carrel::guestd;

void prepareProcess() {
    // No memory image, and no look at this process's memory, also not at its forked children's before their
    // exec.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::umask(077);
    std::ofstream("/proc/self/oom_score_adj") << "-900"; // the agent's programs go first when memory runs out
    ::signal(SIGPIPE, SIG_IGN);
    blockEndSignals();
}

int serve() {
    prepareProcess();
    leaveLastHand(kWorkspace, kLastHandLock);
    sayStage("guestd");
    GuestMachine machine;
    if (const auto started = machine.start(); !started) {
        say("failed start: " + started.error().text());
        return 1;
    }
    sayStage("channels");
    static_cast<void>(machine.waitForEnd());
    // No unwinding: a request that still waits for the host must not hold up the end. carrel-init kills what
    // is left.
    ::_exit(0);
}

int serveViewer() {
    prepareProcess();
    ViewerMachine machine;
    if (const auto started = machine.start(); !started) {
        say("failed start: " + started.error().text());
        return 1;
    }
    sayStage("channels");
    static_cast<void>(waitForEndSignal()); // most often the host has cut the power before
    ::_exit(0);
}

} // namespace

int main(int count, char** arguments) {
    if (count == 2 && std::string_view(arguments[1]) == "agent-init") {
        runAgentInit();
    }
    if (::getppid() != 1 || ::getuid() != 0) {
        say("this serves a machine of Carrel's and is started by carrel-init only");
        return 2;
    }
    // One heap that grows and shrinks in large steps. The many small ones that threads get by default grow a page at a time,
    // with a call of the system that every processor has to hear of.
    constexpr int kHeapStep = 1024 * 1024;
    (void)::mallopt(M_ARENA_MAX, 1);
    (void)::mallopt(M_TOP_PAD, kHeapStep);
    (void)::mallopt(M_TRIM_THRESHOLD, 4 * kHeapStep);
    return count == 2 && std::string_view(arguments[1]) == "viewer" ? serveViewer() : serve();
}

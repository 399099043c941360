// SPDX-License-Identifier: Apache-2.0
// carrel-init: PID 1 of every Carrel machine. It does little, because nothing can restart it: it makes the
// machine, starts carrel-guestd, starts it again when it dies, reaps orphans, and powers off when asked.
//
// guestd's contract: exit status 0 while the file /run/carrel/poweroff exists means "power off"; anything
// else means "start me again". SIGTERM, SIGINT (Ctrl-Alt-Del), SIGUSR1, SIGUSR2 or SIGPWR to PID 1 means
// "power off". In a viewer (carrel.viewer=1) guestd's end is the machine's: nothing there is worth a second start.
#include "guest/init/console.h"
#include "guest/init/init_logic.h"
#include "guest/init/machine.h"

#include <chrono>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace {

using namespace carrel::init;
using Clock = std::chrono::steady_clock;

sigset_t watchedSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR}) {
        sigaddset(&set, number);
    }
    return set;
}

pid_t startGuestd(const CommandLine& commandLine) {
    const pid_t child = ::fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::setsid();
        char program[] = "/sbin/carrel-guestd";
        char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        char home[] = "HOME=/root";
        char lang[] = "LANG=C.UTF-8";
        char viewer[] = "viewer";
        char* const arguments[] = {program, commandLine.viewer ? viewer : nullptr, nullptr};
        char* const environment[] = {path, home, lang, nullptr};
        ::execve(kGuestd, arguments, environment);
        failedErrno("guestd", std::string("starting ") + kGuestd);
        ::_exit(127);
    }
    if (child < 0) {
        failedErrno("guestd", "making a process");
    }
    return child;
}

// The life of the machine once it stands: one guestd at a time, until somebody asks for the end.
class Supervisor {
public:
    Supervisor(int signals, CommandLine commandLine)
        : m_signals(signals)
        , m_commandLine(std::move(commandLine)) {}

    void run() {
        while (!m_powerOff) {
            if (m_guestd <= 0 && Clock::now() >= m_startAt) {
                m_startedAt = Clock::now();
                m_guestd = startGuestd(m_commandLine);
                if (m_guestd < 0) {
                    m_startAt = Clock::now() + RestartPolicy::kLongestDelay;
                }
            }
            waitForSignal();
            reap();
        }
    }

private:
    void waitForSignal() {
        int timeout = -1;
        if (m_guestd <= 0) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(m_startAt - Clock::now());
            timeout = left.count() < 0 ? 0 : static_cast<int>(left.count()) + 1;
        }
        pollfd wait{m_signals, POLLIN, 0};
        if (::poll(&wait, 1, timeout) <= 0) {
            return;
        }
        signalfd_siginfo info{};
        if (::read(m_signals, &info, sizeof info) == sizeof info && info.ssi_signo != SIGCHLD) {
            m_powerOff = true;
        }
    }

    void reap() {
        int status = 0;
        for (;;) {
            const pid_t gone = ::waitpid(-1, &status, WNOHANG);
            if (gone <= 0) {
                return;
            }
            if (gone == m_guestd) {
                guestdEnded(status);
            }
        }
    }

    void guestdEnded(int status) {
        m_guestd = 0;
        if (m_commandLine.viewer) {
            m_powerOff = true;
            return;
        }
        const auto ranFor = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - m_startedAt);
        const auto wish = ::access(kPowerOffWish, F_OK) == 0 ? RestartPolicy::PowerOffWish::Present
                                                             : RestartPolicy::PowerOffWish::Absent;
        const ExitDecision next = m_policy.afterExit(status, ranFor, wish);
        if (next.action == AfterExit::PowerOff) {
            m_powerOff = true;
            return;
        }
        say("guestd ended with " + describeWaitStatus(status) + "; starting it again in " +
            std::to_string(next.delay.count()) + " ms");
        m_startAt = Clock::now() + next.delay;
    }

    int m_signals;
    CommandLine m_commandLine;
    pid_t m_guestd = 0;
    Clock::time_point m_startAt = Clock::now();
    Clock::time_point m_startedAt;
    RestartPolicy m_policy;
    bool m_powerOff = false;
};

bool makeMachine(const CommandLine& commandLine) {
    stage("modules");
    if (!loadModules()) {
        return false;
    }
    if (!commandLine.viewer) { // which needs no more than its disk and its port
        stage("root");
        if (!moveToTmpfsRoot() || !mountRest()) {
            return false;
        }
        raiseLimits();
    }
    stage("disk");
    return mountDisk(commandLine.disk, commandLine.viewer ? DiskUse::ReadOnly : DiskUse::Kept);
}

} // namespace

int main() {
    if (::getpid() != 1) {
        say("this is PID 1 of a Carrel machine and does nothing elsewhere");
        return 2;
    }
    openConsole();
    const bool mounted = mountEarly();
    openConsole(); // again: the device file may only now exist
    const CommandLine commandLine = parseCommandLine(readSmallFile("/proc/cmdline"));
    if (commandLine.probe) {
        say("probe ok");
        powerOffNow();
    }
    const sigset_t signals = watchedSignals();
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    ::reboot(RB_DISABLE_CAD); // Ctrl-Alt-Del becomes SIGINT
    if (!mounted || !makeMachine(commandLine)) {
        powerOff();
    }
    stage("guestd");
    Supervisor supervisor(::signalfd(-1, &signals, SFD_CLOEXEC), commandLine);
    supervisor.run();
    powerOff();
}

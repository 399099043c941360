// SPDX-License-Identifier: Apache-2.0
#include "app/cli/terminal_mode.h"

#include <csignal>
#include <cstdlib>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace carrel::cli {

namespace {

// For the exit and signal handlers, which get no argument. tcsetattr is async-signal-safe (signal-safety(7)).
termios g_saved;                    // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
volatile sig_atomic_t g_rawFd = -1; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void putBack() {
    const int fd = g_rawFd;
    if (fd >= 0) {
        g_rawFd = -1;
        ::tcsetattr(fd, TCSANOW, &g_saved); // not TCSADRAIN: a stopped terminal must not hold us
    }
}

void onDefect(int number) {
    putBack();
    ::signal(number, SIG_DFL);
    ::raise(number);
}

} // namespace

TerminalSize terminalSize(int fd) {
    winsize size{};
    TerminalSize result;
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        result = {size.ws_row, size.ws_col};
    }
    return result;
}

Status RawMode::enter(int fd) {
    if (::tcgetattr(fd, &g_saved) != 0) {
        return failErrno("cannot read the terminal's settings");
    }
    termios raw = g_saved;
    ::cfmakeraw(&raw);
    static const bool kRegistered = [] { return std::atexit(putBack) == 0; }();
    (void)kRegistered;
    g_rawFd = fd;
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS}) {
        ::signal(number, onDefect);
    }
    if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) {
        g_rawFd = -1;
        return failErrno("cannot set the terminal to raw mode");
    }
    return {};
}

void RawMode::leave() {
    putBack();
}

} // namespace carrel::cli

// SPDX-License-Identifier: Apache-2.0
// carrel-terminal: started by a window (app/api/terminal_process.h) with a session's channel and its line to that window.
#include "app/api/terminal_process.h"
#include "app/terminal/terminal.h"

#include <cstdio>
#include <sys/stat.h>

#ifdef CARREL_SANITIZED
// It looks for leaks at the end with calls that are refused by then.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "detect_leaks=0";
}
#endif

int main() {
    for (const int fd : {carrel::api::kTerminalChannel, carrel::api::kTerminalWindow}) {
        struct stat what {};
        if (::fstat(fd, &what) != 0 || !S_ISSOCK(what.st_mode)) {
            std::fputs("carrel-terminal: this program is started by a window of Carrel's, with a session. Use: carrel shell AGENT\n", stderr);
            return 2;
        }
    }
    return carrel::terminal::run(carrel::UniqueFd(carrel::api::kTerminalChannel), carrel::UniqueFd(carrel::api::kTerminalWindow));
}

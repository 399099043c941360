// SPDX-License-Identifier: Apache-2.0
// carrel-player: started by a window (app/api/terminal_process.h) with the line that pieces come by and the line for its pictures.
#include "app/api/terminal_process.h"
#include "app/recording/player.h"

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
    using namespace carrel;
    for (const int fd : {api::kTerminalChannel, api::kTerminalWindow}) {
        struct stat what {};
        if (::fstat(fd, &what) != 0 || !S_ISSOCK(what.st_mode)) {
            std::fputs("carrel-player: this program is started by a window of Carrel's, with a recording. Use: carrel record play AGENT\n", stderr);
            return 2;
        }
    }
    return recording::play(UniqueFd(api::kTerminalChannel), UniqueFd(api::kTerminalWindow));
}

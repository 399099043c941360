// SPDX-License-Identifier: Apache-2.0
// carrel-recorder: started by the engine (app/agents/recorder_process.h) between a terminal's caller and its clerk.
#include "app/recording/recorder.h"
#include "app/recording/recorder_wire.h"

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
    for (const int fd : {recording::kRecorderCaller, recording::kRecorderClerk, recording::kRecorderEngine}) {
        struct stat what {};
        if (::fstat(fd, &what) != 0 || !S_ISSOCK(what.st_mode)) {
            std::fputs("carrel-recorder: this program is started by Carrel's engine, with a terminal. Use: carrel shell AGENT\n", stderr);
            return 2;
        }
    }
    return recording::run(UniqueFd(recording::kRecorderCaller), UniqueFd(recording::kRecorderClerk), UniqueFd(recording::kRecorderEngine));
}

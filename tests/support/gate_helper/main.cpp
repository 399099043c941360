// SPDX-License-Identifier: Apache-2.0
// gate-helper WORD [FILE [COUNT]]. With "victim" it prints "ran": what the ways try to reach.
#include "tests/support/gate_helper/ways.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// Microseconds that one start and end of FILE takes, of COUNT one after the other.
int bench(char* file, int count) {
    char word[] = "nothing";
    char* const arguments[] = {file, word, nullptr};
    char* const environment[] = {nullptr};
    timespec began{};
    timespec ended{};
    ::clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < count; ++i) {
        pid_t child = 0;
        int status = 0;
        if (::posix_spawn(&child, file, nullptr, nullptr, arguments, environment) != 0 || ::waitpid(child, &status, 0) != child || status != 0) {
            return 1;
        }
    }
    ::clock_gettime(CLOCK_MONOTONIC, &ended);
    const double taken = static_cast<double>(ended.tv_sec - began.tv_sec) * 1e6 + static_cast<double>(ended.tv_nsec - began.tv_nsec) / 1e3;
    std::printf("%.1f\n", taken / count);
    return 0;
}

} // namespace

namespace carrel::test {

void say(const char* outcome) {
    std::puts(outcome);
    std::fflush(stdout);
}

void sayErrno() {
    say(::strerrorname_np(errno));
}

} // namespace carrel::test

int main(int count, char** arguments) {
    using namespace carrel::test;
    if (count < 2) {
        return 2;
    }
    const char* word = arguments[1];
    if (std::strcmp(word, "nothing") == 0) {
        return 0;
    }
    if (std::strcmp(word, "victim") == 0) {
        say("ran");
        return 0;
    }
    if (std::strcmp(word, "bench") == 0 && count == 4) {
        return bench(arguments[2], std::atoi(arguments[3]));
    }
    return tryCalls(word) || tryWay(word, count > 2 ? arguments[2] : nullptr) ? 0 : 2;
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/gate_helper/ways.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::test {

namespace {

struct Call {
    const char* name;
    long number;
    long first;
};
// With arguments that the kernel would take further than its own checks of rights, where there are such.
constexpr Call kCalls[] = {
    {"bpf", SYS_bpf, 0},
    {"kexec_load", SYS_kexec_load, 0},
    {"kexec_file_load", SYS_kexec_file_load, -1},
    {"init_module", SYS_init_module, 0},
    {"finit_module", SYS_finit_module, -1},
    {"delete_module", SYS_delete_module, 0},
    {"perf_event_open", SYS_perf_event_open, 0},
    {"userfaultfd", SYS_userfaultfd, 1},
    {"keyctl", SYS_keyctl, 0},
    {"add_key", SYS_add_key, 0},
    {"request_key", SYS_request_key, 0},
    {"io_uring_setup", SYS_io_uring_setup, 1},
    {"io_uring_enter", SYS_io_uring_enter, -1},
    {"io_uring_register", SYS_io_uring_register, -1},
    {"reboot", SYS_reboot, 0},
    {"swapon", SYS_swapon, 0},
    {"iopl", SYS_iopl, 3},
    {"modify_ldt", SYS_modify_ldt, 0},
    {"open_by_handle_at", SYS_open_by_handle_at, -1},
    {"syslog", SYS_syslog, 3},
};

// By the older architecture's numbers, which any program can make (syscall(2), int 0x80).
long oldCall(long number, long first) {
#ifdef __x86_64__
    long answer = 0;
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(number), "b"(first), "c"(0L), "d"(0L) : "memory");
    return answer;
#else
    (void)number;
    (void)first;
    return -EPERM;
#endif
}

} // namespace

bool tryCalls(const char* word) {
    if (std::strcmp(word, "calls") != 0) {
        return false;
    }
    for (const auto& call : kCalls) {
        const long answer = ::syscall(call.number, call.first, 0, 0, 0, 0, 0);
        std::printf("%s %s\n", call.name, answer >= 0 ? "done" : ::strerrorname_np(errno));
    }
    constexpr Call kOld[] = {{"bpf-32", 357, 0}, {"keyctl-32", 288, 0}, {"io_uring_setup-32", 425, 1}, {"modify_ldt-32", 123, 0}};
    for (const auto& call : kOld) {
        const long answer = oldCall(call.number, call.first);
        std::printf("%s %s\n", call.name, answer >= 0 ? "done" : ::strerrorname_np(static_cast<int>(-answer)));
    }
    const int map = ::prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 0);
    std::printf("prctl-mm %s\n", map == 0 ? "done" : ::strerrorname_np(errno));
    return true;
}

} // namespace carrel::test

// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/agent_calls.h"

#include "guest/protocol/unique_fd.h"

#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

struct Forbidden {
    const char* call;
    const char* why;
};

constexpr Forbidden kForbidden[] = {
    {"bpf", "programs in the kernel are guestd's"},
    {"perf_event_open", "it watches the kernel, and is a wide surface"},
    {"init_module", "no code enters the kernel"},
    {"finit_module", "the same"},
    {"delete_module", "the same"},
    {"kexec_load", "no other kernel"},
    {"kexec_file_load", "the same"},
    {"reboot", "the machine's end is the host's"},
    {"swapon", "the machine's memory is set up"},
    {"swapoff", "the same"},
    {"acct", "it writes to a file of the kernel's choosing"},
    {"quotactl", "disks are the machine's"},
    {"syslog", "the kernel log names addresses"},
    {"iopl", "no ports of the hardware's"},
    {"ioperm", "the same"},
    {"lookup_dcookie", "for profilers of the whole machine"},
    {"io_uring_setup", "work that the kernel does unseen by seccomp, and a wide surface; programs do without"},
    {"io_uring_enter", "the same"},
    {"io_uring_register", "the same"},
    {"userfaultfd", "it holds the kernel up in the middle of a copy, which races are won by"},
    {"process_vm_writev", "it writes to another program's memory, and can be held up in the middle of a copy"},
    {"add_key", "the kernel's keys are not told apart by namespaces"},
    {"request_key", "the same"},
    {"keyctl", "the same"},
    {"open_by_handle_at", "it opens files outside of the root"},
    {"modify_ldt", "old, and hardly ever looked at; only programs of other systems need it"},
    {"vm86", "the same"},
    {"vm86old", "the same"},
    {"uselib", "it maps a file to run past every newer check"},
    {"clock_settime", "the machine's clock is the host's"},
    {"clock_adjtime", "the same"},
    {"settimeofday", "the same"},
    {"stime", "the same"},
    {"nfsservctl", "gone from kernels"},
    {"vhangup", "for terminals of the machine's"},
};

struct Free {
    void operator()(scmp_filter_ctx context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Free>;

std::vector<sock_filter> gFilter; // written once, before anything runs

tl::unexpected<Error> failed(const std::string& doing, int answer) {
    return failErrno(doing, -answer);
}

} // namespace

Status prepareAgentCalls() {
    if (!gFilter.empty()) {
        return {};
    }
    const Context context(::seccomp_init(SCMP_ACT_ALLOW));
    if (!context) {
        return fail(ErrorCode::Internal, "there is no filter of calls for this system");
    }
    // Calls by the numbers of another architecture are filtered alike, or fail.
    (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (::seccomp_arch_native() == SCMP_ARCH_X86_64) {
        if (const int answer = ::seccomp_arch_add(context.get(), SCMP_ARCH_X86); answer != 0) {
            return failed("filtering the calls of older programs", answer);
        }
    }
    for (const auto& each : kForbidden) {
        const int number = ::seccomp_syscall_resolve_name(each.call);
        if (number == __NR_SCMP_ERROR) {
            return fail(ErrorCode::Internal, std::string("the call ") + each.call + " is not known");
        }
        if (const int answer = ::seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(EPERM), number, 0); answer != 0) {
            return failed(std::string("forbidding ") + each.call, answer);
        }
    }
    // PR_SET_MM sets which file a process runs: rights that hang on the file would follow (guest/bpf/exec_gate.bpf.c).
    const scmp_arg_cmp isMemory{0, SCMP_CMP_MASKED_EQ, 0xffffffff, PR_SET_MM};
    if (const int answer = ::seccomp_rule_add_array(context.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, &isMemory); answer != 0) {
        return failed("forbidding PR_SET_MM", answer);
    }
    // READ_IMPLIES_EXEC makes the heap executable, past every check of what memory may hold: any personality with that bit, but for
    // the one of all bits, which asks and sets nothing.
    for (unsigned bit = 0; bit < 32; ++bit) {
        if ((1U << bit) == READ_IMPLIES_EXEC) {
            continue;
        }
        const scmp_arg_cmp lacks{0, SCMP_CMP_MASKED_EQ, (1U << bit) | READ_IMPLIES_EXEC, READ_IMPLIES_EXEC};
        if (const int answer = ::seccomp_rule_add_array(context.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1, &lacks); answer != 0) {
            return failed("forbidding READ_IMPLIES_EXEC", answer);
        }
    }
    const UniqueFd file(::memfd_create("calls", MFD_CLOEXEC));
    if (!file) {
        return failErrno("making room for the filter of calls");
    }
    if (const int answer = ::seccomp_export_bpf(context.get(), file.get()); answer != 0) {
        return failed("writing the filter of calls", answer);
    }
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    std::vector<sock_filter> filter(static_cast<std::size_t>(size < 0 ? 0 : size) / sizeof(sock_filter));
    if (filter.empty() || ::pread(file.get(), filter.data(), filter.size() * sizeof(sock_filter), 0) != size) {
        return failErrno("reading the filter of calls");
    }
    gFilter = std::move(filter);
    return {};
}

bool limitAgentCalls() {
    if (gFilter.empty()) {
        errno = ENOENT;
        return false;
    }
    const sock_fprog program{static_cast<unsigned short>(gFilter.size()), gFilter.data()};
    // LOG: so that the kernel goes through audit_seccomp() for what it refuses, where it is seen (guest/bpf/watch.bpf.c).
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) == 0;
}

std::vector<std::string_view> namesOfForbiddenCalls() {
    std::vector<std::string_view> out;
    for (const auto& each : kForbidden) {
        out.emplace_back(each.call);
    }
    return out;
}

} // namespace carrel::guestd

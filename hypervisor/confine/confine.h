// SPDX-License-Identifier: Apache-2.0
// Confinement of a process of ours by the kernel: no_new_privs, Landlock (landlock(7)) for what it may see of
// the file system, seccomp (seccomp(2), libseccomp) for what it may ask of the kernel. Used by the clerk, by
// the command line while it shows a guest's output, and by the wrapper around QEMU. It can only be narrowed,
// never lifted. Fails closed: where the kernel lacks what is asked for, the call fails and the process must end.
//
// This room links nothing of the hypervisor's: it is a leaf beside guest/protocol, so that app/clerk may use it
// without gaining a way to machines.
//
// Thread: call once, from main, before any other thread exists (both mechanisms are per thread).
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <string>
#include <vector>

namespace carrel::confine {

enum class Access {
    ReadOnly,         // read files, list folders
    ReadExecute,      // the same, and execute or map as code
    ReadWrite,        // the same as ReadOnly, and write, create and remove beneath
};

struct PathRule {
    std::string path;
    Access access = Access::ReadOnly;
};

// What Landlock leaves visible; everything else of the file system is refused (EACCES). Paths that do not exist
// are an error unless `optional`.
struct FileView {
    std::vector<PathRule> required;
    std::vector<PathRule> optional;
};

enum class SyscallProfile {
    // A process that reads a guest's bytes (I1). Killed: execve, execveat, fork, vfork, clone/clone3 of a process,
    // ptrace, process_vm_*, io_uring_*, bpf, mount family, kexec, module loading, keyctl, perf_event_open,
    // userfaultfd, open_by_handle_at, personality. Refused with EPERM, so that a library that probes goes on:
    // socket, socketpair, connect, bind, listen, accept*, open of anything for writing or creating where the
    // arguments show it. Threads are refused.
    GuestReader,
    // The command line while it shows a guest's output: GuestReader, and no open at all.
    TerminalViewer,
};

struct ConfinementReport {
    int landlockAbi = 0; // 0: none
    bool seccomp = false;
    bool noNewPrivileges = false;
};

// The Landlock ABI of the running kernel; 0 where it is absent or switched off.
[[nodiscard]] int landlockAbi();

// Applies no_new_privs and the file view to the calling thread. Unsupported where the kernel has no Landlock.
[[nodiscard]] Status restrictFiles(const FileView& view);

// Applies no_new_privs and the profile to the calling thread.
[[nodiscard]] Status restrictSyscalls(SyscallProfile profile);

} // namespace carrel::confine

// SPDX-License-Identifier: Apache-2.0
// Stops a child at every system call of its that can change something on a disk, before and after it, and there kills it,
// lets the call fail unperformed, or cuts a write short. The kernel does the stopping, so that nothing depends on what
// the code under test announces of itself.
//
// A seccomp filter (SECCOMP_RET_TRACE) picks the calls, so that all others run at full speed; ptrace(2) does the rest.
// x86-64 only. Not under a sanitizer, whose runtime has calls and a tracer of its own. Thread: the caller's; the process
// must be able to fork, and nothing of it but `work` runs in the child.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace carrel::files::test {

struct Call {
    long number = 0;
    std::array<std::uint64_t, 6> args{};
    std::size_t index = 0; // of the calls that are watched
    pid_t child = 0;
    [[nodiscard]] std::string_view name() const;
};

enum class Act {
    Go,
    GoOn, // and ask again when the call is done
    Kill,
    Fail,    // not performed; its result is `error`
    Shorten, // of a write: half of it only
};
struct Order {
    Act act = Act::Go;
    int error = 0;
};

enum class Watched {
    Changing, // what can change something on a disk; opens that make or truncate among it
    AllOpens, // and every other open
    Reading,  // what looks at names and bytes
    Unknown,  // neither that nor known to be harmless: the proof that nothing is missing from the first list
};

class Watcher {
public:
    virtual ~Watcher() = default;
    virtual Order before(const Call& call) = 0;
    // After GoOn: Go or Kill. `result` as the kernel gives it: negative numbers are errors.
    virtual Order after(const Call&, long /*result*/) { return {}; }
};

struct Traced {
    bool killed = false;
    std::size_t calls = 0;
    std::string said; // what `work` returned, 60 KiB of it at most
};

// Why tracing cannot be had here; empty: it can.
[[nodiscard]] std::string whyNoTracing();

// Runs `work` in a child. Aborts the test when the child ends in any other way than by its end or by Kill.
Traced trace(const std::function<std::string()>& work, Watched watched, Watcher& watcher);

// The text that a call's path argument, or the path of its descriptor, names; for messages.
[[nodiscard]] std::string textAt(pid_t child, std::uint64_t address);
[[nodiscard]] std::string pathOf(pid_t child, int fd);

} // namespace carrel::files::test

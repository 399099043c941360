// SPDX-License-Identifier: Apache-2.0
// The control of programs by their content (exec_gate.bpf.c), as guestd holds it: what is in force is in the kernel, and stays there
// when guestd ends. A policy is a mode and what is known of contents, by SHA-256.
//
//   mode     what runs                                                                  what a program's memory may be
//   observe  everything                                                                 anything
//   deny     what is not denied, and what the kernel can read                           anything but a file's content that it did not see
//   allow    what is allowed and not denied, from a file with a name that nobody writes a file's content; of programs that make code, anything
//
// Owner: guestd. Thread: start() and apply() from one at a time; `refused` is called on a thread of the gate's own.
#pragma once

#include "guest/bpf/kernel_programs.h"

#include <array>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

namespace carrel::bpf {

using ContentHash = std::array<std::byte, 32>; // SHA-256

enum class GateMode { Observe, Deny, Allow };
enum class RefusedWhy { Denied = 1, Unknown, Unreadable, Nameless, Place, Written, Memory, Unchecked, Running, Foreign };

struct GatePolicy {
    GateMode mode = GateMode::Observe;
    std::uint64_t age = 0; // raised by the host with each change
    std::vector<ContentHash> deny;
    std::vector<ContentHash> allow;
    std::vector<ContentHash> makesCode; // of what runs: may have memory that it writes and runs, as just-in-time compilers need
};

// All of it is text of a hostile world but the hash, which the kernel made.
struct Refusal {
    RefusedWhy why = RefusedWhy::Denied;
    std::optional<ContentHash> content;
    std::uint64_t age = 0; // of the policy that refused
    std::uint32_t pid = 0;
    std::string path;                   // as the agent's root shows it; may be empty
    std::vector<std::string> startedBy; // names of processes, nearest first
};

class ProgramGate {
public:
    using Refused = std::function<void(Refusal)>;

    ProgramGate() = default;
    ~ProgramGate(); // ends the telling; what is in force stays
    ProgramGate(const ProgramGate&) = delete;
    ProgramGate& operator=(const ProgramGate&) = delete;

    // Before the agent's first process. On a machine that has just started the mode is observe.
    [[nodiscard]] Status start(Refused refused);
    // Complete and in force when it returns. What becomes denied is so before anything else changes, and what is no longer listed goes
    // last. LimitExceeded: more contents than the kernel keeps; nothing has changed then.
    [[nodiscard]] Status apply(const GatePolicy& policy);
    // What nobody was told, because too much was refused at once; since the machine started.
    [[nodiscard]] std::uint64_t lost() const;
    [[nodiscard]] KernelPrograms::Origin origin() const { return m_programs->origin(); }

private:
    [[nodiscard]] Status listen(Refused refused);

    std::optional<KernelPrograms> m_programs;
    UniqueFd m_stop;
    std::thread m_thread;
};

// What a record of the ring says; nothing where it has not the form. For the listener, and for tests.
[[nodiscard]] std::optional<Refusal> refusalFrom(ByteSpan record);

} // namespace carrel::bpf

// SPDX-License-Identifier: Apache-2.0
// The control of programs by their content (exec_gate.bpf.c), as guestd holds it: what is in force is in the kernel, and stays there
// when guestd ends.
//
// Owner: guestd. Thread: start() and apply() from one at a time; `refused` is called on a thread of the gate's own.
#pragma once

#include "guest/bpf/gate_policy.h"
#include "guest/bpf/kernel_programs.h"

#include <functional>
#include <optional>
#include <thread>

namespace carrel::bpf {

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
    // What is kept with files, to be lent to programs that tell of them. While this lives.
    [[nodiscard]] KernelPrograms::Lent lent() const;
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

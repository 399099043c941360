// SPDX-License-Identifier: Apache-2.0
// One virtual machine, from its creation to its end.
//
// Owner: whoever got it from Backend. Destroying a Machine object leaves the machine itself alone: it goes on
// and Backend::adopt finds it again (that is how an engine's restart keeps agents working).
// Thread: every function may be called from any thread, concurrently; every one blocks (milliseconds as a
// rule; start and stop up to some seconds). Never call from an event loop. Errors: Refused for a call that is
// illegal in the machine's state; Unavailable when the hypervisor cannot be reached; others as noted.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"
#include "hypervisor/api/machine_spec.h"

#include <chrono>
#include <optional>
#include <string>

namespace carrel::hypervisor {

// A machine starts once. To start the agent again, create a new machine from a fresh spec (kernel, initrd and
// accelerator may have changed in between).
//
// | state   | meaning                                  | legal calls besides the observers               |
// |---------|------------------------------------------|-------------------------------------------------|
// | Created | checked, its overlay exists, no process  | start → Paused                                  |
// | Paused  | memory held, no instruction runs         | resume → Running · stop → Stopped · openChannel |
// | Running | the guest runs                           | pause → Paused · stop → Stopped · openChannel   |
// | Stopped | gone for good; exitReport says why       | stop (does nothing)                             |
//
// By itself a machine goes only from Running or Paused to Stopped: the guest powered off, restarted or
// crashed, or the machine's process died. pause on Paused and resume on Running do nothing and succeed.
enum class MachineState { Created, Paused, Running, Stopped };
[[nodiscard]] std::string_view toString(MachineState state);

enum class ExitReason {
    GuestShutdown, // the guest powered off or asked for a restart
    Destroyed,     // stop(), or somebody else's tool ended it
    Crashed,       // the machine's process died, or the guest reported a panic
    Failed,        // it never got to run
    Unknown,       // it is gone and left no note
};
[[nodiscard]] std::string_view toString(ExitReason reason);

struct ExitReport {
    ExitReason reason = ExitReason::Unknown;
    // The last lines that the machine's process wrote about itself, at most 4 KiB, printable ASCII and
    // newlines (everything else replaced by '?'): the process is not trusted once a guest has run in it.
    std::string lastLines;
};

// Signs of life of a guest that says nothing. Each only grows while the machine lives.
struct Activity {
    std::chrono::nanoseconds cpuTime{0}; // processor time used by the machine's process
};

class Machine {
public:
    virtual ~Machine() = default;

    [[nodiscard]] virtual const MachineId& id() const = 0;
    [[nodiscard]] virtual Result<MachineState> state() = 0;

    // Builds the machine and leaves it Paused before its first instruction, so that the caller can open every
    // channel and lose no byte of the console. On an error nothing is left running.
    [[nodiscard]] virtual Status start() = 0;
    [[nodiscard]] virtual Status resume() = 0;
    [[nodiscard]] virtual Status pause() = 0;
    // Cuts the power; the overlay is flushed. An orderly end is asked of the guest over its control channel,
    // followed by waitStopped.
    [[nodiscard]] virtual Status stop() = 0;

    // A connected stream socket (close-on-exec, blocking) that the caller owns. Each channel serves one
    // connection at a time: close the old one first, or the new one stays silent until it goes. What the
    // guest sends while nobody is connected is lost for the console and waits in the guest for the others; a
    // new connection may begin in the middle of a frame. End of stream: the machine is gone.
    [[nodiscard]] virtual Result<UniqueFd> openChannel(ChannelId channel) = 0;

    // The memory that this machine shares with the host (MachineSpec::window), as a file to write to; the
    // caller owns it. NotFound: it has none, and everything goes over the channels. Legal while Paused or
    // Running.
    [[nodiscard]] virtual Result<UniqueFd> openWindow() {
        return fail(ErrorCode::NotFound, "this machine shares no memory with the host");
    }

    // Waits until the machine is Stopped; false when the patience ran out first.
    [[nodiscard]] virtual Result<bool> waitStopped(std::chrono::milliseconds patience) = 0;
    [[nodiscard]] virtual Result<Activity> activity() = 0;
    // Why it ended. Refused unless Stopped.
    [[nodiscard]] virtual Result<ExitReport> exitReport() = 0;

    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

protected:
    Machine() = default;
};

} // namespace carrel::hypervisor

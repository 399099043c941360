// SPDX-License-Identifier: Apache-2.0
// A back end without machines, for tests: the same contract as the real ones, channels are socket pairs whose
// guest ends a test takes, and failures, stalls and crashes come when the test orders them.
// Owner: FakeWorld is shared; it is what "the host" remembers, so a second FakeBackend over the same world
// finds the machines of the first, as after an engine's restart. Thread: everything may be called from any
// thread.
#pragma once

#include "hypervisor/api/backend.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace carrel::hypervisor {

enum class FakeGuest {
    AnswersProbe, // prints a line and kProbeAnswer on the console when first resumed
    Silent,       // prints nothing, ever: like a KVM that opens and does not run
};

// What a test can be in the way of.
enum class FakeCall { Pause, Resume };

// One machine as its hardware sees it.
struct FakeDomain {
    MachineSpec spec;
    MachineState state = MachineState::Created;
    ExitReport exit;
    std::map<ChannelId, UniqueFd> guestEnds; // of the newest connection
    std::chrono::nanoseconds cpuTime{0};
    bool printed = false;
};

class FakeWorld {
public:
    // What guests do, by accelerator. Default: they answer.
    void setGuest(Accelerator accelerator, FakeGuest guest);
    // The next start (of any machine) or the next openChannel fails like this.
    void failNextStart(Error error);
    void failNextOpen(Error error);
    // Called before each of that machine's pauses or resumes, with no lock held: where it takes long so does the call, and its
    // error is the call's, which then does nothing. Empty: no more.
    void before(const MachineId& id, FakeCall call, std::function<Status()> what);
    // The activity of a running machine stands still, or grows by 1 ms with each look (the default).
    void stall(const MachineId& id);
    // It runs on while it is paused: its activity grows by a second with each look.
    void runOn(const MachineId& id);
    [[nodiscard]] int looks(const MachineId& id) const; // at its activity, so far

    // The guest's end of the newest connection of a channel; NotFound when nobody connected since it was
    // taken.
    [[nodiscard]] Result<UniqueFd> takeGuestEnd(const MachineId& id, ChannelId channel);
    // The machine ends by itself; its channels close.
    [[nodiscard]] Status end(const MachineId& id, ExitReason reason, std::string lastLines = {});
    // Of a live machine.
    [[nodiscard]] Result<MachineState> stateOf(const MachineId& id) const;
    // The spec that the machine was created from.
    [[nodiscard]] Result<MachineSpec> specOf(const MachineId& id) const;

private:
    friend class FakeMachine;
    friend class FakeBackend;
    void endLocked(FakeDomain& domain, ExitReason reason, std::string lastLines);
    void printLocked(FakeDomain& domain);
    [[nodiscard]] Status mayCall(const MachineId& id, FakeCall call);

    mutable std::mutex m_mutex;
    std::condition_variable m_ended;
    std::map<MachineId, std::shared_ptr<FakeDomain>> m_live; // Paused and Running
    std::map<Accelerator, FakeGuest> m_guests;
    std::map<MachineId, bool> m_stalled;
    std::map<MachineId, bool> m_runsOn;
    std::map<MachineId, int> m_looks;
    std::map<std::pair<MachineId, FakeCall>, std::function<Status()>> m_before;
    std::optional<Error> m_nextStart;
    std::optional<Error> m_nextOpen;
};

[[nodiscard]] std::unique_ptr<Backend> makeFakeBackend(std::shared_ptr<FakeWorld> world);

} // namespace carrel::hypervisor

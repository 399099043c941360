// SPDX-License-Identifier: Apache-2.0
// Telling a person that something waits: for an answer, for a look, where it is an alarm or a task that is over. What is told is the host's own:
// nothing that an agent says of its request, and no name of a file of its. Thread: any; neither call waits for anything but a short lock, and neither fails:
// a request waits in the queue whether or not somebody could be told.
#pragma once

#include "app/policy/rule.h"

#include <cstdint>
#include <string>

namespace carrel::desktop {

// Tasks and alarms have numbers of their own, far beyond those of requests.
inline constexpr std::uint64_t kFirstTask = std::uint64_t(1) << 62U;
inline constexpr std::uint64_t kFirstAlarm = std::uint64_t(1) << 63U;

struct Waiting {
    enum class What {
        Request,
        CanaryLeft,    // alarms, both: an agent was paused for it,
        CanaryStillRuns, // or could not be
        TaskAsks,        // tasks, these seven: its program asks leave inside its machine,
        TaskBudget,      // one of its budgets is used up,
        TaskMachine,     // its machine does not run,
        TaskModel,       // it has no model to work with;
        TaskReview,      // it is done, and its changes wait,
        TaskDone,        // or there are none,
        TaskFailed       // or it is not
    };
    [[nodiscard]] bool isAlarm() const { return what == What::CanaryLeft || what == What::CanaryStillRuns; }
    [[nodiscard]] bool isTask() const { return what >= What::TaskAsks; }
    std::uint64_t id = 0;       // policy::Approval::id, or from kFirstAlarm on
    std::uint64_t revision = 1; // of the question
    std::string agentName;      // of any bytes
    policy::Action action = policy::Action::Apply;
    policy::Risk risk = policy::Risk::Routine;
    std::uint64_t items = 1; // how many things it is about
    What what = What::Request; // of an alarm and a task nothing but the agent's name counts
    std::uint64_t task = 0;    // and of the latter its number
    friend bool operator==(const Waiting&, const Waiting&) = default;
};

class Notifier {
public:
    virtual ~Notifier() = default;
    // The same id again: it has changed.
    virtual void show(const Waiting& waiting) = 0;
    // It is no longer open. An id that was never shown: nothing happens.
    virtual void withdraw(std::uint64_t id) = 0;
};

} // namespace carrel::desktop

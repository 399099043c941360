// SPDX-License-Identifier: Apache-2.0
// A terminal's carrel-recorder (app/recording/recorder.h) and the thread that keeps what it hands over, in the agent's log, without
// looking into it. The terminal ends with it: where a piece cannot be kept, nothing goes on unrecorded.
// Owner: the agent; the log outlives it. Thread: any one; the destructor waits until the recorder has handed over what it has, or for
// kPatience.
#pragma once

#include "app/activity/activity_log.h"
#include "app/recording/secret_marks.h"
#include "guest/protocol/unique_fd.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <thread>

namespace carrel::agents {

class TerminalRecorder {
public:
    static constexpr std::chrono::seconds kPatience{2};
    using Complain = std::function<void(const Error& error)>; // on the recorder's thread

    // Begins a recording and puts the recorder between both ends; takes these, whatever comes of it.
    [[nodiscard]] static Result<std::unique_ptr<TerminalRecorder>> start(const std::string& program, UniqueFd caller, UniqueFd clerk,
                                                                         activity::ActivityLog& log, const activity::RecordingStart& what,
                                                                         const recording::SecretMarks& marks, Complain complain);
    ~TerminalRecorder();
    TerminalRecorder(const TerminalRecorder&) = delete;
    TerminalRecorder& operator=(const TerminalRecorder&) = delete;

    [[nodiscard]] bool over() const { return m_over; } // all is kept, or lost
    [[nodiscard]] std::uint64_t recording() const { return m_recording; } // its number in the log

private:
    TerminalRecorder(pid_t pid, UniqueFd link, activity::ActivityLog& log, std::uint64_t recording, Complain complain);
    void keep();
    [[nodiscard]] Status keepFor();

    pid_t m_pid;
    UniqueFd m_link;
    activity::ActivityLog& m_log;
    std::uint64_t m_recording;
    Complain m_complain;
    std::atomic<bool> m_over = false;
    std::atomic<bool> m_leaving = false;
    std::thread m_thread;
};

} // namespace carrel::agents

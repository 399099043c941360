// SPDX-License-Identifier: Apache-2.0
// A terminal's carrel-recorder (app/recording/recorder.h) and the thread that keeps what it hands over, in the agent's log, without
// looking into it. The terminal ends with it: where a piece cannot be kept, nothing goes on unrecorded.
// Owner: the agent; the log and the room outlive it. Thread: any one; the destructor waits until the recorder has handed over what it has, or for
// kPatience.
#pragma once

#include "app/activity/activity_log.h"
#include "app/recording/secret_marks.h"
#include "guest/protocol/unique_fd.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>

namespace carrel::agents {

// How much of an agent's terminals is kept, in bytes as they are kept: what looks like noise cannot be compressed, and a program of
// the agent's may show as much of it as it likes, on the user's disk. What is left grows again with time. Thread: any.
class RecordingRoom {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::uint64_t kMost = 256 * 1024 * 1024;
    static constexpr std::uint64_t kPerSecond = 32 * 1024;
    explicit RecordingRoom(std::uint64_t most = kMost)
        : m_most(most)
        , m_left(most) {}
    // Takes so much, if it is there.
    [[nodiscard]] bool take(std::uint64_t bytes, Clock::time_point now = Clock::now());

private:
    std::mutex m_mutex;
    const std::uint64_t m_most;
    std::uint64_t m_left;
    Clock::time_point m_refilled = Clock::now();
};

class TerminalRecorder {
public:
    static constexpr std::chrono::seconds kPatience{2};
    using Complain = std::function<void(const Error& error)>; // on the recorder's thread

    // Begins a recording and puts the recorder between both ends; takes these, whatever comes of it.
    [[nodiscard]] static Result<std::unique_ptr<TerminalRecorder>> start(const std::string& program, UniqueFd caller, UniqueFd clerk,
                                                                         activity::ActivityLog& log, RecordingRoom& room, const activity::RecordingStart& what,
                                                                         const recording::SecretMarks& marks, Complain complain);
    ~TerminalRecorder();
    TerminalRecorder(const TerminalRecorder&) = delete;
    TerminalRecorder& operator=(const TerminalRecorder&) = delete;

    [[nodiscard]] bool over() const { return m_over; } // all is kept, or lost
    [[nodiscard]] std::uint64_t recording() const { return m_recording; } // its number in the log

private:
    TerminalRecorder(pid_t pid, UniqueFd link, activity::ActivityLog& log, RecordingRoom& room, std::uint64_t recording, Complain complain);
    void keep();
    [[nodiscard]] Status keepFor();

    pid_t m_pid;
    UniqueFd m_link;
    activity::ActivityLog& m_log;
    RecordingRoom& m_room;
    std::uint64_t m_recording;
    Complain m_complain;
    std::atomic<bool> m_over = false;
    std::atomic<bool> m_leaving = false;
    std::thread m_thread;
};

} // namespace carrel::agents

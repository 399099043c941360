// SPDX-License-Identifier: Apache-2.0
// The engine's end of one clerk: starts the process, sends requests, hands on what it tells. What comes from it is
// treated as hostile: messages are bounded and strictly read (link.h), and a clerk that breaks the form is ended.
//
// Ownership: shared by the agent and by whoever waits for an answer. Destroying it closes the link, which ends the
// process, and waits for both its end and a callback under way (a process that does not end is killed after five
// seconds). Thread: any; callbacks come on this object's own thread and must not block long; one may be the last owner.
#pragma once

#include "app/clerk/link.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>

#include <sys/types.h>

namespace carrel::agents {

// A guest that never answers must not hold up its host for ever. Generous: a full disk under emulation is flushed before a
// listing, and a large file copied. Where a person waits they can call it off sooner.
inline constexpr std::chrono::seconds kAnswerPatience{15 * 60};

class ClerkProcess {
public:
    struct Events {
        std::function<void(const std::string& method, const boost::json::object& params)> told;
        std::function<void(const std::string& how)> gone; // once, when the process has ended
    };
    using Answer = Result<boost::json::object>;

    // `program`: carrel-clerk. Its standard error goes where the engine's goes.
    [[nodiscard]] static Result<std::shared_ptr<ClerkProcess>> start(const std::string& program, Events events);
    ~ClerkProcess();
    ClerkProcess(const ClerkProcess&) = delete;
    ClerkProcess& operator=(const ClerkProcess&) = delete;

    // The answer comes through the future; Unavailable when the clerk ends before it.
    [[nodiscard]] std::future<Answer> send(std::string_view method, boost::json::object params,
                                           const std::vector<int>& descriptors = {});
    // Waits for the answer. Cancelled when asked to stop first, Expired when the patience ran out (in both cases the clerk
    // may still carry the request out).
    [[nodiscard]] Answer request(std::string_view method, boost::json::object params,
                                 const std::vector<int>& descriptors = {}, std::stop_token stop = {},
                                 std::chrono::seconds patience = kAnswerPatience);
    // Closes the link; `gone` is still called.
    void end();
    // Ends it, and no callback comes any more when this returns, whoever else still owns it: as its destruction. Within a call of
    // its own: none after that one, and `gone` is not called.
    void leave();
    // After end(): waits until the process is gone, which is soon, as one that does not end by itself is killed. Not from
    // within a call of its own.
    void waitGone();
    [[nodiscard]] bool alive() const;
    [[nodiscard]] pid_t pid() const { return m_pid; }

private:
    ClerkProcess(pid_t pid, UniqueFd link, Events events);
    void read();
    void failAll(const Error& error);

    pid_t m_pid;
    UniqueFd m_link;
    Events m_events;
    mutable std::mutex m_mutex;
    bool m_alive = true;
    std::condition_variable m_ended;
    std::uint64_t m_next = 1;
    std::unordered_map<std::uint64_t, std::promise<Answer>> m_pending;
    bool* m_readerLeft = nullptr; // the reader's own, as the next one
    bool m_waitedFor = false;
    std::thread m_reader;
};

} // namespace carrel::agents

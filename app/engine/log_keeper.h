// SPDX-License-Identifier: Apache-2.0
// Who signs the agents' logs, and keeps them as short as their owner wants.
//
//   key     the installation's, made when it is first needed and never replaced by itself. Where it cannot be had (a keyring is
//           locked), logs go on, and are signed as soon as it can; nothing is left out meanwhile.
//   signed  when a machine's session ends, when somebody asks, and now and then while there is something new.
//   limits  the owner's, of each agent: <agent folder>/log-limits.json. None: everything is kept.
//
// Owner: the engine; the agents that it looks at outlive it. Thread: any; its own one looks now and then. It takes no lock of an agent's.
#pragma once

#include "app/activity/activity_log.h"
#include "app/policy/seal.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace carrel::engine {

struct LogLimits {
    std::uint64_t bytes = 0; // 0: none
    std::uint64_t ageS = 0;  // likewise
    friend bool operator==(const LogLimits&, const LogLimits&) = default;
};
inline constexpr std::uint64_t kLeastLogBytes = 1024 * 1024;
inline constexpr std::uint64_t kMostLogBytes = std::uint64_t{1} << 50U;
inline constexpr std::uint64_t kLeastLogAgeS = 24 * 60 * 60; // what waits for an answer is younger
inline constexpr std::uint64_t kMostLogAgeS = std::uint64_t{100} * 366 * 24 * 60 * 60;

class LogKeeper {
public:
    struct Kept {
        std::filesystem::path folder; // the agent's
        std::shared_ptr<activity::ActivityLog> log;
    };
    struct Setup {
        std::unique_ptr<policy::SealKeeper> keeper;
        std::function<std::vector<Kept>()> logs; // of all agents
        std::function<void(std::string_view)> complain;
        std::chrono::milliseconds interval = std::chrono::minutes(10);
    };
    explicit LogKeeper(Setup setup);
    ~LogKeeper(); // waits for what is under way
    LogKeeper(const LogKeeper&) = delete;
    LogKeeper& operator=(const LogKeeper&) = delete;

    // Unavailable, Malformed: as the keeper says.
    [[nodiscard]] Result<activity::PublicKey> publicKey();
    // As ActivityLog::signHead(), with the key.
    [[nodiscard]] Result<activity::SignedHead> sign(activity::ActivityLog& log, std::string_view reason);

    [[nodiscard]] static Result<LogLimits> limitsOf(const std::filesystem::path& folder); // none are kept: none
    // InvalidArgument: out of bounds. Written down in the log before they count; what they leave out goes at once.
    [[nodiscard]] Status setLimits(const Kept& of, const LogLimits& limits);

    // What the thread does now and then: signs what is new, leaves out what is too much, indexes the words to search.
    void lookAfterAll();

private:
    [[nodiscard]] Result<std::shared_ptr<const activity::SigningKey>> key();
    [[nodiscard]] Status shorten(const Kept& of, const LogLimits& limits);
    void complainOnce(const Error& error);

    Setup m_setup;
    std::mutex m_keyMutex;
    std::shared_ptr<const activity::SigningKey> m_key;
    std::mutex m_complaintMutex;
    std::string m_complained; // said already, and not again until it is something else
    std::mutex m_waitMutex;
    std::condition_variable_any m_wait;
    std::jthread m_thread; // last: ends first
};

} // namespace carrel::engine

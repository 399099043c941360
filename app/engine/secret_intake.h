// SPDX-License-Identifier: Apache-2.0
// How a secret comes into the engine: through a socket of its own, so that no request, no parser and no buffer of the local interface
// ever holds it (invariant I6). secret.open makes one, whose other end goes to the caller; the caller writes the secret and closes it;
// the verb that wants it names its number.
// Ownership: the engine. Thread: any.
#pragma once

#include "app/egress/credentials/secret.h"
#include "guest/protocol/unique_fd.h"

#include <chrono>
#include <deque>
#include <mutex>

namespace carrel::engine {

inline constexpr std::size_t kMaxOpenIntakes = 16; // of all callers; the oldest one goes
inline constexpr std::chrono::seconds kIntakePatience{10};

class SecretIntake {
public:
    struct Opened {
        std::uint64_t id = 0;
        UniqueFd callersEnd;
    };
    [[nodiscard]] Result<Opened> open();
    // Once for each: waits until it is closed. NotFound: there is none of that number. Expired: its writer does not end.
    // LimitExceeded: more than a secret may be.
    [[nodiscard]] Result<relay::SecretText> take(std::uint64_t id);

private:
    struct Waiting {
        std::uint64_t id = 0;
        UniqueFd end;
    };
    std::mutex m_mutex;
    std::deque<Waiting> m_waiting;
    std::uint64_t m_next = 1;
};

} // namespace carrel::engine

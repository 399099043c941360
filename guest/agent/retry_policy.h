// SPDX-License-Identifier: Apache-2.0
// Whether, and after how long, a turn that failed is tried again. Pure: chance comes from outside, and so does the waiting (Waiter).
// Thread: one at a time.
#pragma once

#include "guest/agent/turn_failure.h"

#include <functional>
#include <stop_token>

namespace carrel::agent {

struct RetryRules {
    unsigned again = 8;        // Busy and Dropped: so often one turn is tried again at most
    unsigned noConnection = 3; // a server that is not there seldom comes by itself
    unsigned malformed = 1;    // models of one's own may write nonsense once
    unsigned empty = 1;
    std::chrono::milliseconds first{1'000}; // doubled each time
    std::chrono::milliseconds most{60'000};
    std::chrono::milliseconds mostAsked{600'000}; // a provider that asks for a longer wait is answered by telling the user
};

class RetryPolicy {
public:
    // `chance`: from 0 up to, not including, 1. Many agents that failed together must not come back together.
    explicit RetryPolicy(std::function<double()> chance, RetryRules rules = {});

    // How long to wait before the turn is tried again; nothing: it is not. `before`: how often this turn was tried again already.
    [[nodiscard]] std::optional<std::chrono::milliseconds> waitBefore(const TurnFailure& failure, unsigned before) const;

private:
    std::function<double()> m_chance;
    RetryRules m_rules;
};

enum class Waited { Whole, Stopped };
class Waiter {
public:
    virtual ~Waiter() = default;
    [[nodiscard]] virtual Waited wait(std::chrono::milliseconds time, const std::stop_token& stop) = 0;
};
// By the clock. Thread: any.
class ClockWaiter final : public Waiter {
public:
    [[nodiscard]] Waited wait(std::chrono::milliseconds time, const std::stop_token& stop) override;
};

// What an answer asks for (RFC 9110, section 10.2.3): seconds, or a date, which is taken against the answer's own `date`; and
// retry-after-ms, which OpenAI and Anthropic know. Each may be empty. Nothing: it asks for nothing, or in no known way.
[[nodiscard]] std::optional<std::chrono::milliseconds> retryAfter(std::string_view retryAfter, std::string_view retryAfterMs,
                                                                  std::string_view date);

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// Why a turn with a model did not come about: what a program needs to decide whether to try again (retry_policy.h), and the words for a
// person. Thread: values.
#pragma once

#include "guest/protocol/result.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::agent {

enum class FailureKind {
    NoConnection, // nobody answered at the address
    NoSuchHost,   // its name leads nowhere, or the certificate is another's: trying again does not help
    Dropped,      // the connection ended before the answer did, or nothing came for too long
    Busy,         // 408, 409, 425, 429, 5xx (529 among them), or the same told within the stream
    Rejected,     // any other status: the request as it is will not be answered
    Malformed,    // an answer that is not what the interface says
    TooMuch,      // an answer that passes a bound
    Empty,        // a turn without a word or a call
    Cancelled,    // asked to stop
};

struct TurnFailure {
    FailureKind kind = FailureKind::Malformed;
    int status = 0;                                      // of HTTP; 0 where there was none
    std::string type;                                    // the provider's own word, e.g. "overloaded_error"; may be empty
    std::optional<std::chrono::milliseconds> retryAfter; // what the provider asked for
    Error error;                                         // what happened, why, what to do
};

template <class T> using TurnResult = tl::expected<T, TurnFailure>;
using TurnStatus = TurnResult<void>;

[[nodiscard]] tl::unexpected<TurnFailure> failTurn(FailureKind kind, std::string message, std::string hint = {});
[[nodiscard]] tl::unexpected<TurnFailure> failTurn(FailureKind kind, Error error);
[[nodiscard]] inline tl::unexpected<TurnFailure> failTurn(TurnFailure failure) {
    return tl::unexpected<TurnFailure>(std::move(failure));
}

// What a provider answered instead of a turn, by its status (of the interfaces of Anthropic and OpenAI, and of Carrel's own refusals at
// the door), as a failure with plain words. `said`: the provider's own sentence; it is bounded and shown as such. `type`: its own word.
// `status` 0: told within a stream, by its word alone.
struct Answer {
    int status = 0;
    std::string type;
    std::string said;
    std::string carrelOutcome; // of the field X-Carrel-Outcome, where Carrel itself answered
    std::optional<std::chrono::milliseconds> retryAfter;
};
[[nodiscard]] TurnFailure failureOf(const Answer& answer);

} // namespace carrel::agent

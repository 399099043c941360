// SPDX-License-Identifier: Apache-2.0
// What a program is answered, instead of the host, where its request goes no further: plain text that a person understands, with
// lines that a program does ("outcome: denied"; also as the field X-Carrel-Outcome). Thread: pure functions.
#pragma once

#include "app/relay/http_head.h"

namespace carrel::relay {

inline constexpr std::size_t kMaxRefusalText = 500;

struct Refusal {
    int status = 403;
    std::string outcome; // one word: "denied", "expired", "another-key", "bad-request", "bad-answer", "unreachable", "timed-out", …
    std::string text;    // a sentence; what is not fit for a terminal is left out of it
};
enum class After { Close, KeepAlive };
[[nodiscard]] std::string_view reasonOf(int status); // of those that are answered here

// `method`: of the request, empty where it could not be read.
[[nodiscard]] std::string refusalPage(const Refusal& refusal, const Origin& origin, std::string_view method, After after);

} // namespace carrel::relay

// SPDX-License-Identifier: Apache-2.0
// Whoever can put a question of the model's to the user. Thread: ask() on threads of the loop, several at a time; it waits as long as the
// user takes, and comes back soon after `stop`.
#pragma once

#include "guest/protocol/result.h"

#include <stop_token>
#include <vector>

namespace carrel::agent {

struct Question {
    std::string text;                 // the model's words, not yet fit for a person's eyes
    std::vector<std::string> choices; // none: any answer. The user may always say something else
};

class Asker {
public:
    virtual ~Asker() = default;
    // In the user's words, or one of the choices. Cancelled: stopped. Refused: the user will not answer. Unavailable: nobody can be asked.
    [[nodiscard]] virtual Result<std::string> ask(const Question& question, const std::stop_token& stop) = 0;
};

} // namespace carrel::agent

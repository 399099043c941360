// SPDX-License-Identifier: Apache-2.0
// What the verbs about staged work share: reading a whole review, and asking the user. Thread: main.
#pragma once

#include "app/cli/context.h"

#include <string>
#include <string_view>

namespace carrel::cli {

// All pages of changes or diff as one answer; further pages name the set that the first one froze.
[[nodiscard]] Result<boost::json::object> allPages(Context& context, std::string_view verb,
                                                   std::string_view list, const boost::json::object& params);

// There is a terminal to ask on and to read the answer from.
[[nodiscard]] bool canAsk();

enum class Answer {
    Letter,    // y or yes
    WholeWord, // only yes: some of it is of high risk, and the question says so
};
// On standard error. The default, and the answer at the end of input, is no.
[[nodiscard]] bool asksUser(const std::string& question, Answer wanted);

} // namespace carrel::cli

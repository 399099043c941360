// SPDX-License-Identifier: Apache-2.0
// What the verbs that show and decide share: reading a whole review, asking the user, saying what was done. Thread: main.
#pragma once

#include "app/cli/context.h"

#include <optional>
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
// What was typed before a question is no answer to it: not what a person meant for a pager, or for the question before.
void forgetTyped();
// Whether exactly `word` was typed, as it is or as it is shown; never where it is empty. On standard error.
[[nodiscard]] bool asksForWord(const std::string& question, std::string_view word);
// The same of a word that was given another way. Blanks around it do not count.
[[nodiscard]] bool isTheWord(std::string_view typed, std::string_view word);

// What an apply, a discard or an undo has done, and how to take an apply back.
[[nodiscard]] std::string doneText(std::string_view agent, const boost::json::object& result, std::string_view doneWord);
// None: all of it is done.
[[nodiscard]] std::optional<Error> notDone(const boost::json::object& result, std::string_view doneWord);

} // namespace carrel::cli

// SPDX-License-Identifier: Apache-2.0
#include "app/cli/review_dialogue.h"

#include <iostream>
#include <termios.h>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

Result<json::object> allPages(Context& context, std::string_view verb, std::string_view list,
                              const json::object& params) {
    auto first = context.call(verb, params);
    if (!first) {
        return first;
    }
    const json::string key(list.data(), list.size());
    auto* all = first->if_contains(key);
    const auto* next = first->if_contains("next");
    while (all != nullptr && all->is_array() && next != nullptr && !next->is_null()) {
        json::object more = params;
        more["review"] = textAt(*first, "review");
        more["after"] = *next;
        auto page = context.call(verb, std::move(more));
        if (!page) {
            return page;
        }
        const auto& items = listAt(*page, list);
        if (items.empty()) {
            return fail(ErrorCode::Malformed, "the engine's answer has an empty page");
        }
        for (const auto& item : items) {
            all->get_array().push_back(item);
        }
        first->insert_or_assign("next", page->contains("next") ? page->at("next") : json::value());
        next = first->if_contains("next");
        all = first->if_contains(key);
    }
    return first;
}

bool canAsk() {
    return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
}

bool asksUser(const std::string& question, Answer wanted) {
    const bool risky = wanted == Answer::WholeWord;
    std::cerr << question << (risky ? " Some are of high risk. [yes/N] " : " [y/N] ") << std::flush;
    std::string answer;
    if (!std::getline(std::cin, answer)) {
        std::cerr << '\n';
        return false;
    }
    return answer == "yes" || (!risky && (answer == "y" || answer == "Y"));
}

void forgetTyped() {
    (void)::tcflush(STDIN_FILENO, TCIFLUSH); // where it is no terminal there is nothing to forget
}

bool asksForWord(const std::string& question, std::string_view word) {
    std::cerr << question << ' ' << std::flush;
    std::string typed;
    if (!std::getline(std::cin, typed)) {
        std::cerr << '\n';
        return false;
    }
    return isTheWord(typed, word);
}

bool isTheWord(std::string_view typed, std::string_view word) {
    const auto trimmed = [](std::string_view text) {
        const auto first = text.find_first_not_of(" \t\r");
        return first == std::string_view::npos ? std::string_view()
                                               : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
    };
    const auto wanted = trimmed(word);
    const auto given = trimmed(typed);
    return !wanted.empty() && (given == wanted || given == shown(wanted, kWholeColumns));
}

std::string doneText(std::string_view agent, const json::object& result, std::string_view doneWord) {
    std::string out = outcomesText(result, doneWord);
    if (const auto number = numberAt(result, "apply"); number != 0) {
        out += "Take it back with: carrel undo " + shown(agent, 40) + " " + std::to_string(number) + "\n";
    }
    return out;
}

std::optional<Error> notDone(const json::object& result, std::string_view doneWord) {
    const auto& totals = objectAt(result, "totals");
    const auto open =
        numberAt(totals, "conflicts") + numberAt(totals, "refused") + numberAt(totals, "failed");
    if (open == 0) {
        return std::nullopt;
    }
    return Error{ErrorCode::Conflict, countText(open, "change was", "changes were") + " not " + std::string(doneWord),
                 "The list above says why for each; nothing of yours was overwritten.", 0, nullptr};
}

} // namespace carrel::cli

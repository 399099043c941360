// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/script.h"

#include <algorithm>

namespace carrel::test::model {

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// As much of a text as a reader of a test's output wants to see.
std::string shown(const std::string& text) {
    constexpr std::size_t kMost = 200;
    return text.size() <= kMost ? '"' + text + '"' : '"' + text.substr(0, kMost) + "…\"";
}

std::string shouldHave(std::string_view what, const std::string& part, const std::string& text) {
    return "the " + std::string(what) + " should contain " + shown(part) + ", and is " + shown(text);
}

std::string whyNotResult(const ExpectedResult& expect, const Conversation& seen) {
    std::string others;
    for (const auto& result : seen.toolResults) {
        if (result.tool == expect.tool && has(result.text, expect.text) &&
            (seen.api == Api::OpenAi || !expect.error || *expect.error == result.error)) {
            return {};
        }
        others += (others.empty() ? "" : ", ") + result.tool + (result.error ? " (an error): " : ": ") + shown(result.text);
    }
    return "there should be a result of the tool " + expect.tool + " that contains " + shown(expect.text) +
           (!expect.error ? "" : *expect.error ? " and is an error" : " and is no error") + ", and there is " +
           (others.empty() ? "none" : others);
}

} // namespace

std::string whyNot(const Expectation& expect, const Conversation& seen) {
    if (expect.api && *expect.api != seen.api) {
        return seen.api == Api::Anthropic ? "it should come by chat completions, and came by messages" : "it should come by messages, and came by chat completions";
    }
    if (expect.stream && *expect.stream != seen.stream) {
        return seen.stream ? "it should ask for no stream, and does" : "it should ask for a stream, and does not";
    }
    if (expect.model && *expect.model != seen.model) {
        return "the model should be " + *expect.model + ", and is " + seen.model;
    }
    if (expect.system && !has(seen.system, *expect.system)) {
        return shouldHave("system prompt", *expect.system, seen.system);
    }
    if (expect.user && !has(seen.user, *expect.user)) {
        return shouldHave("last user message", *expect.user, seen.user);
    }
    for (const auto& part : expect.history) {
        if (std::none_of(seen.texts.begin(), seen.texts.end(), [&](const auto& text) { return has(text, part); })) {
            return "the conversation should contain " + shown(part) + ", and its " + std::to_string(seen.texts.size()) + " texts do not";
        }
    }
    for (const auto& tool : expect.tools) {
        if (std::find(seen.tools.begin(), seen.tools.end(), tool) == seen.tools.end()) {
            return "the tool " + tool + " should be offered, and is not";
        }
    }
    for (const auto& result : expect.toolResults) {
        if (auto why = whyNotResult(result, seen); !why.empty()) {
            return why;
        }
    }
    return {};
}

std::string Script::nameOf(std::size_t turn) const {
    return "turn " + std::to_string(turn + 1) + " of " + std::to_string(m_scenario.turns.size());
}

void Script::advance() {
    m_played = "turn " + std::to_string(m_next + 1);
    if (++m_times == m_scenario.turns[m_next].repeat) {
        ++m_next;
        m_times = 0;
    }
}

const Turn* Script::play(const Conversation& seen, const std::string& request, std::string& why) {
    for (std::size_t aside = 0; aside < m_scenario.asides.size(); ++aside) {
        if (whyNot(m_scenario.asides[aside].expect, seen).empty()) {
            m_played = "aside " + std::to_string(aside + 1);
            return &m_scenario.asides[aside];
        }
    }
    if (m_next == m_scenario.turns.size()) {
        why = "all turns have been played";
    } else if (const auto* refused = std::get_if<ExpectedRefusal>(&m_scenario.turns[m_next].what)) {
        why = nameOf(m_next) + ": it should be refused with " + std::to_string(refused->status) + ", and is good";
    } else if (why = whyNot(m_scenario.turns[m_next].expect, seen); !why.empty()) {
        why = nameOf(m_next) + ": " + why;
    }
    if (!why.empty()) {
        m_complaints.push_back(request + ": " + why);
        return nullptr;
    }
    const auto* turn = &m_scenario.turns[m_next];
    advance();
    return turn;
}

bool Script::playRefusal(const ApiError& error, const std::string& request) {
    if (m_next < m_scenario.turns.size()) {
        const auto* refused = std::get_if<ExpectedRefusal>(&m_scenario.turns[m_next].what);
        if (refused != nullptr && refused->status == error.status) {
            advance();
            return true;
        }
    }
    m_complaints.push_back(request + ": refused with " + std::to_string(error.status) + ": " + error.message);
    return false;
}

std::vector<std::string> Script::unplayed() const {
    std::vector<std::string> left;
    for (std::size_t turn = m_next; turn < m_scenario.turns.size(); ++turn) {
        const auto times = m_scenario.turns[turn].repeat - (turn == m_next ? m_times : 0);
        left.push_back(nameOf(turn) + " was never asked for" + (times > 1 ? ", " + std::to_string(times) + " times" : ""));
    }
    return left;
}

} // namespace carrel::test::model

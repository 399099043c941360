// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/ask_tool.h"

#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostQuestion = 4000; // bytes: a person reads it
constexpr std::size_t kMostChoice = 200;
constexpr std::size_t kLeastChoices = 2;
constexpr std::size_t kMostChoices = 8;
constexpr std::size_t kMostAnswer = 64 * 1024;

bool isBlank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

} // namespace

ToolOutcome AskTool::run(const boost::json::object& input, const std::stop_token& stop) {
    JsonFields of(input, "ask");
    Question question;
    question.text = of.string("question", kMostQuestion);
    if (isBlank(question.text)) {
        of.problem("question", "is empty");
    }
    for (const auto& choice : of.optionalArray("choices", kMostChoices)) {
        const auto* text = choice.if_string();
        if (text == nullptr || text->size() > kMostChoice || isBlank({text->data(), text->size()})) {
            of.problem("choices", "holds what is no text, empty or longer than " + std::to_string(kMostChoice) + " bytes");
            break;
        }
        question.choices.emplace_back(text->data(), text->size());
    }
    auto sorted = question.choices;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
        of.problem("choices", "holds the same one twice");
    }
    if (!question.choices.empty() && question.choices.size() < kLeastChoices) {
        of.problem("choices", "has only one");
    }
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    const auto answer = m_asker.ask(question, stop);
    if (!answer) {
        return failedOutcome(answer.error());
    }
    if (isBlank(*answer)) {
        return {"The user left this without an answer.", ToolEnd::Failed};
    }
    KeptEnds kept(kMostAnswer);
    kept.feed(mended(*answer));
    return {kept.text(), ToolEnd::Done};
}

} // namespace carrel::agent

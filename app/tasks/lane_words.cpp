// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/lane_words.h"

#include <algorithm>

namespace carrel::tasks {

std::string sentence(const std::string& text) {
    return text.empty() || text.back() == '.' || text.back() == '!' ? text : text + ".";
}

std::string quoted(std::string text, const std::string& more) {
    text += more.empty() ? "" : (text.empty() || text.back() == '.' ? " " : ". ") + more;
    std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    return "“" + text + "”";
}

Trouble troubleOf(const talk::TurnEnded& ended) {
    const auto says = ended.message.empty() ? std::string() : " Its program says: " + quoted(ended.message, ended.hint);
    switch (ended.stop) {
    case talk::TurnStop::MaxTokens:
        return {"The model's answer was longer than one may be." + says, "Say how to go on, or ask for less at once."};
    case talk::TurnStop::MaxTurnRequests:
        return {"The agent took as many steps as it may for one request." + says, "Say how to go on, or ask for less at once."};
    case talk::TurnStop::Refusal:
        return {"The model will not do this." + says, "Ask in another way."};
    default:
        return {"The agent could not go on." + says, "Say how to go on: the conversation is kept."};
    }
}

} // namespace carrel::tasks

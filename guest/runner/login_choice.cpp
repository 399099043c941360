// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/login_choice.h"

namespace carrel::runner {

namespace {

bool isOfName(char each) {
    return (each >= 'A' && each <= 'Z') || (each >= '0' && each <= '9') || each == '_';
}

std::string asVariable(std::string_view id) {
    std::string out;
    for (const char each : id) {
        out += each >= 'a' && each <= 'z' ? static_cast<char>(each - 'a' + 'A') : isOfName(each) ? each : '_';
    }
    return out;
}

// One of several words, as variables are written: PATH and HOME are in every text and every environment.
bool namesOne(std::string_view text, const std::set<std::string, std::less<>>& variables) {
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t end = at;
        while (end < text.size() && isOfName(text[end])) {
            ++end;
        }
        const auto word = text.substr(at, end - at);
        if (word.find('_') != std::string_view::npos && variables.contains(word)) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

} // namespace

const acp::AuthMethod* loginWithoutPerson(const std::vector<acp::AuthMethod>& ways, const std::set<std::string, std::less<>>& variables) {
    for (const auto& way : ways) {
        if (namesOne(asVariable(way.id), variables) || namesOne(way.name, variables) || namesOne(way.description, variables)) {
            return &way;
        }
    }
    return nullptr;
}

} // namespace carrel::runner

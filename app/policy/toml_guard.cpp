// SPDX-License-Identifier: Apache-2.0
#include "app/policy/toml_guard.h"

#include <algorithm>

namespace carrel::policy {
namespace {

// To the end of the string or of the line, which ends a string that lacks its end: the parser says so then.
std::size_t skipString(std::string_view text, std::size_t at) {
    const char quote = text[at++];
    while (at < text.size() && text[at] != quote && text[at] != '\n') {
        at += quote == '"' && text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n' ? 2 : 1;
    }
    return at;
}

} // namespace

std::optional<TomlTrouble> refuseStrangeToml(std::string_view text) {
    constexpr std::string_view kTable = "[[rule]]";
    std::size_t line = 1;
    bool lineBegins = true;
    bool inList = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '#') {
            at = std::min(text.find('\n', at), text.size());
        } else if (c == '"' || c == '\'') {
            if (text.substr(at, 3) == std::string(3, c)) {
                return TomlTrouble{line, "a string of several lines, which rules do not have"};
            }
            at = skipString(text, at);
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            return TomlTrouble{line, "a letter beyond ASCII that stands in no string"};
        } else if (c == '{') {
            return TomlTrouble{line, "a table within a line, which rules do not have"};
        } else if (c == '[' && lineBegins && !inList) {
            if (!text.substr(at).starts_with(kTable)) {
                return TomlTrouble{line, "a table that is not called [[rule]]"};
            }
            at += kTable.size() - 1;
        } else if (c == '[') {
            if (inList) {
                return TomlTrouble{line, "a list in a list, which rules do not have"};
            }
            inList = true;
        } else if (c == ']') {
            inList = false;
        }
        const bool ended = at < text.size() && text[at] == '\n';
        line += ended ? 1 : 0;
        lineBegins = ended || (lineBegins && (c == ' ' || c == '\t' || c == '\r'));
    }
    return std::nullopt;
}

} // namespace carrel::policy

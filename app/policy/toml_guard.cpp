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

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

// "dddd-dd": each d is a digit, everything else itself.
bool takeShape(std::string_view& word, std::string_view shape) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i >= word.size() || (shape[i] == 'd' ? !isDigit(word[i]) : word[i] != shape[i])) {
            return false;
        }
    }
    word.remove_prefix(shape.size());
    return true;
}

bool isTime(std::string_view word) {
    if (!takeShape(word, "dddd-dd-ddTdd:dd:dd")) {
        return false;
    }
    if (takeShape(word, ".d")) {
        word.remove_prefix(std::min(word.find_first_not_of("0123456789"), word.size()));
    }
    return word.empty() || word == "Z" || ((takeShape(word, "+dd:dd") || takeShape(word, "-dd:dd")) && word.empty());
}

bool isPlainValue(std::string_view word) {
    const bool number = word.size() <= 18 && std::all_of(word.begin(), word.end(), isDigit) && (word == "0" || word[0] != '0');
    return word == "true" || word == "false" || number || isTime(word);
}

bool isKey(std::string_view word) {
    return std::all_of(word.begin(), word.end(), [](char c) {
        return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    });
}

class Guard {
public:
    explicit Guard(std::string_view text)
        : m_text(text) {}

    std::optional<TomlTrouble> look() {
        while (m_at < m_text.size()) {
            if (const auto* what = step()) {
                return TomlTrouble{m_line, what};
            }
        }
        return std::nullopt;
    }

private:
    enum class Place { LineBegins, Key, Value, List, Ended };

    // One word further; what is wrong with it, or null.
    const char* step() {
        constexpr std::string_view kTable = "[[rule]]";
        const char c = m_text[m_at];
        const bool inValue = m_place == Place::Value || m_place == Place::List;
        switch (c) {
        case '\n':
            ++m_line;
            m_place = m_place == Place::List ? Place::List : Place::LineBegins;
            break;
        case ' ':
        case '\t':
            break;
        case '\r':
            if (m_text.substr(m_at, 2) != "\r\n") {
                return "a line that ends in half";
            }
            break;
        case '#':
            m_at = std::min(m_text.find('\n', m_at), m_text.size());
            return nullptr;
        case '"':
        case '\'':
            if (m_text.substr(m_at, 3) == std::string(3, c)) {
                return "a string of several lines, which rules do not have";
            }
            if (!inValue) {
                return "a string where none belongs";
            }
            m_at = std::min(skipString(m_text, m_at), m_text.size());
            m_place = m_place == Place::List ? Place::List : Place::Ended;
            if (m_at == m_text.size() || m_text[m_at] == '\n') {
                return "a string without an end";
            }
            break;
        case '=':
            if (m_place != Place::Key) {
                return "a = where none belongs";
            }
            m_place = Place::Value;
            break;
        case '[':
            if (m_place == Place::List) {
                return "a list in a list, which rules do not have";
            }
            if (m_place == Place::Value) {
                m_place = Place::List;
                break;
            }
            if (m_place != Place::LineBegins || !m_text.substr(m_at).starts_with(kTable)) {
                return "a table that is not called [[rule]]";
            }
            m_at += kTable.size();
            m_place = Place::Ended;
            return nullptr;
        case ']':
        case ',':
            if (m_place != Place::List) {
                return "a list that did not begin";
            }
            m_place = c == ']' ? Place::Ended : Place::List;
            break;
        default:
            return word();
        }
        ++m_at;
        return nullptr;
    }

    const char* word() {
        const auto end = std::min(m_text.find_first_of(" \t\r\n#\"'=[],", m_at), m_text.size());
        const auto word = m_text.substr(m_at, end - m_at);
        if (std::any_of(word.begin(), word.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
            return "a letter beyond ASCII that stands in no string";
        }
        if (m_place == Place::LineBegins && isKey(word)) {
            m_place = Place::Key;
        } else if (m_place == Place::Value && isPlainValue(word)) {
            m_place = Place::Ended;
        } else {
            return m_place == Place::List ? "something in a list that is not text" : "a word that rules do not have there";
        }
        m_at = end;
        return nullptr;
    }

    std::string_view m_text;
    std::size_t m_at = 0;
    std::size_t m_line = 1;
    Place m_place = Place::LineBegins;
};

} // namespace

std::optional<TomlTrouble> refuseStrangeToml(std::string_view text) {
    return Guard(text).look();
}

} // namespace carrel::policy

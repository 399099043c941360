// SPDX-License-Identifier: Apache-2.0
#include "app/policy/path_pattern.h"

#include "guest/protocol/share_path.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace carrel::policy {
namespace {

constexpr std::string_view kAnyFolders = "**";

std::vector<std::string> namesOf(std::string_view path) {
    std::vector<std::string> out;
    for (std::size_t at = 0;;) {
        const auto end = path.find('/', at);
        out.emplace_back(path.substr(at, end == std::string_view::npos ? end : end - at));
        if (end == std::string_view::npos) {
            return out;
        }
        at = end + 1;
    }
}

using Characters = std::vector<char32_t>;

// As UTF-8 (RFC 3629) has them; a byte that is none of it is one of its own. fnmatch(3) would go by the locale of the process.
Characters charactersOf(std::string_view text) {
    constexpr char32_t kByte = 0x110000; // beyond Unicode
    Characters out;
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        const auto one = text.substr(at, length);
        if (one.size() != length || !isUtf8(one)) {
            out.push_back(kByte + first);
            ++at;
            continue;
        }
        char32_t character = length == 1 ? first : first & (0x7fU >> length);
        for (std::size_t i = 1; i < length; ++i) {
            character = (character << 6U) | (static_cast<unsigned char>(one[i]) & 0x3fU);
        }
        out.push_back(character);
        at += length;
    }
    return out;
}

// The bracket that begins at `at`, and whether it takes the character; none: it is no bracket, for nothing closes it.
std::optional<bool> takenByBracket(const Characters& pattern, std::size_t& at, char32_t character) {
    std::size_t i = at + 1;
    const bool other = i < pattern.size() && pattern[i] == U'!';
    i += other ? 1 : 0;
    bool found = false;
    for (bool first = true; i < pattern.size() && (first || pattern[i] != U']'); first = false) {
        if (i + 2 < pattern.size() && pattern[i + 1] == U'-' && pattern[i + 2] != U']') {
            found = found || (pattern[i] <= character && character <= pattern[i + 2]);
            i += 3;
        } else {
            found = found || pattern[i] == character;
            ++i;
        }
    }
    if (i >= pattern.size()) {
        return std::nullopt;
    }
    at = i + 1;
    return found != other;
}

// glob(7) of one name, where a backslash and a dot at the beginning are letters. Goes back to the last star alone, so no
// pattern makes it slow.
bool matchesName(const Characters& pattern, const Characters& name) {
    std::size_t at = 0, in = 0;
    std::optional<std::pair<std::size_t, std::size_t>> star; // behind it, and how much it has taken
    while (in < name.size()) {
        if (at < pattern.size() && pattern[at] == U'*') {
            star = {++at, in};
            continue;
        }
        if (at < pattern.size()) {
            std::size_t next = at;
            const auto bracket = pattern[at] == U'[' ? takenByBracket(pattern, next, name[in]) : std::nullopt;
            if (bracket ? *bracket : pattern[at] == U'?' || pattern[at] == name[in]) {
                at = bracket ? next : at + 1;
                ++in;
                continue;
            }
        }
        if (!star) {
            return false;
        }
        at = star->first;
        in = ++star->second;
    }
    while (at < pattern.size() && pattern[at] == U'*') {
        ++at;
    }
    return at == pattern.size();
}

// The places in a pattern that a path leads to, as by an automaton: no pattern makes this slow.
class Walk {
public:
    explicit Walk(std::string_view pattern)
        : m_names(namesOf(pattern))
        , m_at(1, true) {
        if (m_names.back() == kAnyFolders) {
            m_names.emplace_back("*"); // something below
        }
        for (const auto& name : m_names) {
            m_characters.push_back(charactersOf(name));
        }
        m_at.resize(m_names.size() + 1);
        skip();
    }
    void take(std::string_view path) {
        for (const auto& name : namesOf(path)) {
            const auto characters = charactersOf(name);
            std::vector<bool> next(m_at.size());
            for (std::size_t i = 0; i < m_names.size(); ++i) {
                if (!m_at[i]) {
                    continue;
                }
                if (m_names[i] == kAnyFolders) {
                    next[i] = true;
                } else if (matchesName(m_characters[i], characters)) {
                    next[i + 1] = true;
                }
            }
            m_at = std::move(next);
            skip();
        }
    }
    [[nodiscard]] bool atEnd() const { return m_at.back(); }
    [[nodiscard]] bool alive() const { return std::find(m_at.begin(), m_at.end(), true) != m_at.end(); }
    // Whatever comes matches, too.
    [[nodiscard]] bool takesAll() const {
        return m_names.size() >= 2 && m_names[m_names.size() - 2] == kAnyFolders && m_names.back() == "*" && m_at[m_names.size() - 2];
    }

private:
    void skip() {
        for (std::size_t i = 0; i < m_names.size(); ++i) {
            if (m_at[i] && m_names[i] == kAnyFolders) {
                m_at[i + 1] = true;
            }
        }
    }
    std::vector<std::string> m_names;
    std::vector<Characters> m_characters; // of each name
    std::vector<bool> m_at; // by name of the pattern that would be next
};

Walk walked(std::string_view pattern, std::string_view path) {
    Walk walk(pattern);
    walk.take(path);
    return walk;
}

} // namespace

bool isPathPattern(std::string_view text) {
    const auto names = namesOf(text);
    return std::all_of(names.begin(), names.end(), [](const std::string& name) {
        return name == kAnyFolders || name.find(kAnyFolders) == std::string::npos;
    });
}

bool matchesPattern(std::string_view pattern, std::string_view path) {
    if (pattern == path && pattern.find_first_of("*?[") == std::string_view::npos) {
        return true;
    }
    return pattern == kAnyFolders || walked(pattern, path).atEnd();
}

bool reachesInto(std::string_view pattern, std::string_view folder) {
    return walked(pattern, folder).alive();
}

bool coversAllOf(std::string_view pattern, std::string_view folder) {
    const auto walk = walked(pattern, folder);
    return walk.atEnd() && walk.takesAll();
}

std::string literalPattern(std::string_view path) {
    std::string out;
    for (const char c : path) {
        if (c == '*' || c == '?' || c == '[') {
            out.append({'[', c, ']'});
        } else {
            out += c;
        }
    }
    return out;
}

bool isLiteralPattern(std::string_view pattern) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '*' || pattern[i] == '?') {
            return false;
        }
        if (pattern[i] == '[') { // of one character, that means itself
            const auto inner = pattern.substr(i, 3);
            if (inner != "[*]" && inner != "[?]" && inner != "[[]") {
                return false;
            }
            i += 2;
        }
    }
    return true;
}

} // namespace carrel::policy

// SPDX-License-Identifier: Apache-2.0
#include "app/policy/path_pattern.h"

#include <algorithm>
#include <fnmatch.h>
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

// The places in a pattern that a path leads to, as by an automaton: no pattern makes this slow.
class Walk {
public:
    explicit Walk(std::string_view pattern)
        : m_names(namesOf(pattern))
        , m_at(1, true) {
        if (m_names.back() == kAnyFolders) {
            m_names.emplace_back("*"); // something below
        }
        m_at.resize(m_names.size() + 1);
        skip();
    }
    void take(std::string_view path) {
        for (const auto& name : namesOf(path)) {
            std::vector<bool> next(m_at.size());
            for (std::size_t i = 0; i < m_names.size(); ++i) {
                if (!m_at[i]) {
                    continue;
                }
                if (m_names[i] == kAnyFolders) {
                    next[i] = true;
                } else if (::fnmatch(m_names[i].c_str(), name.c_str(), FNM_NOESCAPE) == 0) {
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

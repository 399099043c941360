// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/hidden_names.h"

#include <algorithm>

namespace carrel::clerk {

namespace {

// Linear but for one remembered '*': on a mismatch that star takes one byte more.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '/'))) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos && text[resume] != '/') {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') {
        ++p;
    }
    return p == pattern.size();
}

} // namespace

HiddenNames::HiddenNames(std::vector<std::string> patterns) {
    for (std::string& pattern : patterns) {
        while (!pattern.empty() && pattern.front() == '/') {
            pattern.erase(0, 1);
        }
        while (!pattern.empty() && pattern.back() == '/') {
            pattern.pop_back();
        }
        if (pattern.empty()) {
            continue;
        }
        auto& list = pattern.find('/') == std::string::npos ? m_names : m_paths;
        list.push_back(std::move(pattern));
    }
}

bool HiddenNames::hides(std::string_view folderPath, std::string_view name) const {
    const auto hidden = [](const std::vector<std::string>& patterns, std::string_view text) {
        return std::any_of(patterns.begin(), patterns.end(),
                           [text](const std::string& pattern) { return matches(pattern, text); });
    };
    if (hidden(m_names, name)) {
        return true;
    }
    if (m_paths.empty()) {
        return false;
    }
    std::string path(folderPath);
    if (!path.empty()) {
        path += '/';
    }
    path += name;
    return hidden(m_paths, path);
}

} // namespace carrel::clerk

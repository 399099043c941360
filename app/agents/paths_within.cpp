// SPDX-License-Identifier: Apache-2.0
#include "app/agents/paths_within.h"

#include <algorithm>

namespace carrel::agents {

namespace {

// A slash before every other byte: then all that is beneath a path comes right after it.
bool before(std::string_view a, std::string_view b) {
    const auto rank = [](char c) { return c == '/' ? -1 : static_cast<int>(static_cast<unsigned char>(c)); };
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [&](char x, char y) { return rank(x) < rank(y); });
}

bool within(std::string_view outer, std::string_view path) {
    return path.starts_with(outer) && (path.size() == outer.size() || path[outer.size()] == '/');
}

} // namespace

PathsWithin::PathsWithin(std::vector<std::string> paths) {
    std::sort(paths.begin(), paths.end(), before);
    for (auto& path : paths) {
        if (!path.empty() && (m_outermost.empty() || !within(m_outermost.back(), path))) {
            m_outermost.push_back(std::move(path));
        }
    }
}

// Of those that come before it, only the last can hold it: one in between would be beneath the one that does.
bool PathsWithin::holds(std::string_view path) const {
    const auto after = std::upper_bound(m_outermost.begin(), m_outermost.end(), path,
                                        [&](std::string_view wanted, const std::string& each) {
                                            ++m_compared;
                                            return before(wanted, each);
                                        });
    return after != m_outermost.begin() && within(*std::prev(after), path);
}

} // namespace carrel::agents

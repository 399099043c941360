// SPDX-License-Identifier: Apache-2.0
// Is a path one of these, or beneath one of these? One look-up each, whatever the paths are: a guest may name a million of
// both, and whoever waits to stop or revoke waits for the answers. Thread: one at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::agents {

class PathsWithin {
public:
    // Without a slash at either end; an empty one stands for nothing.
    explicit PathsWithin(std::vector<std::string> paths);
    [[nodiscard]] bool holds(std::string_view path) const;
    // Paths looked at by holds() so far: a test holds that they stay few.
    [[nodiscard]] std::size_t compared() const { return m_compared; }

private:
    std::vector<std::string> m_outermost; // in order, none beneath another
    mutable std::size_t m_compared = 0;
};

} // namespace carrel::agents

// SPDX-License-Identifier: Apache-2.0
// One search through files: what search_tool.h has done once it is known what. Nothing stops it within a line: it runs in a process of its
// own (search_child.h). Thread: one object, one thread.
#pragma once

#include "guest/agent/tools/line_pattern.h"
#include "guest/agent/tools/name_glob.h"
#include "guest/agent/tools/search_tool.h"
#include "guest/protocol/unique_fd.h"

#include <deque>
#include <optional>

namespace carrel::agent {

struct SearchWanted {
    LinePattern pattern;
    std::optional<NameGlob> glob;
    std::size_t context = 0; // lines
};

class FileSearch {
public:
    FileSearch(SearchWanted wanted, const SearchLimits& limits);

    // All below the folder, or one file, with the name that is shown. Io, and the errors of LinePattern::matches().
    [[nodiscard]] Status folder(UniqueFd root);
    [[nodiscard]] Status file(int at, const std::string& path, const std::string& shown);
    // What was found, and what was left out.
    [[nodiscard]] std::string text() const;

private:
    [[nodiscard]] Status searchLines(int file, const std::string& shown);
    void judge(); // whether it is over
    [[nodiscard]] bool isOver();
    void show(std::uint64_t number, char mark, const std::string& line);

    SearchWanted m_wanted;
    const SearchLimits& m_limits;
    std::chrono::steady_clock::time_point m_until;
    std::string m_text;
    std::string m_end; // why it was over before all was looked at
    std::size_t m_hits = 0;
    std::uint64_t m_files = 0;
    std::uint64_t m_binary = 0;
    std::uint64_t m_unread = 0;
    std::uint64_t m_bytes = 0;
};

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// search {pattern, path?, glob?, context?}: lines that match (line_pattern.h), file by file in the order of their names. Passed over: links,
// so that there is no way around in circles, whatever is no plain file, binary files, .git, and what the kernel makes up (/proc, /sys)
// unless it is asked for that itself. All of it happens in a process of its own (search_child.h). Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"

#include <chrono>

namespace carrel::agent {

struct SearchLimits {
    std::size_t hits = 200;
    std::size_t textBytes = 64 * 1024;                   // of the answer, about
    std::size_t shownOfLine = 400;                       // bytes
    std::size_t heldOfLine = 4 * 1024;                   // bytes of a line that the pattern is held against
    std::uint64_t fileBytes = 2ULL * 1024 * 1024 * 1024; // read of all files together
    std::size_t ofOneFolder = 100'000;
    std::chrono::milliseconds time{30'000};
    std::chrono::milliseconds grace{2'000};          // beyond it, to end by itself and tell what it found
    std::uint64_t memoryBytes = 1024ULL * 1024 * 1024; // of its addresses (RLIMIT_AS); 0: as much as there is
};

class SearchTool final : public Tool {
public:
    // `folder`: absolute; what is looked in where a call names nothing, and what other paths start from. `program`: the command that does
    // runSearchChild().
    SearchTool(ToolSpec spec, std::string folder, std::vector<std::string> program, SearchLimits limits = {})
        : m_spec(std::move(spec))
        , m_folder(std::move(folder))
        , m_program(std::move(program))
        , m_limits(limits) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    std::string m_folder;
    std::vector<std::string> m_program;
    SearchLimits m_limits;
};

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// bash {command, timeout_seconds?, directory?}: see run_command.h. It has the rights of this process: what keeps a command from harm is
// the machine, and no list of commands. Failed: it could not run, exited with another status than 0, or was ended. Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"

#include <chrono>

namespace carrel::agent {

class BashTool final : public Tool {
public:
    static constexpr std::chrono::seconds kUsualLimit{120};
    static constexpr std::chrono::seconds kMostLimit{3600};
    static constexpr std::size_t kMostOutput = 64 * 1024; // bytes

    // `folder`: absolute; where a command runs that names no other.
    BashTool(ToolSpec spec, std::string folder)
        : m_spec(std::move(spec))
        , m_folder(std::move(folder)) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    std::string m_folder;
};

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// list {path, depth?}: one line for each thing in a folder, level by level, so that what is near is shown before what is deep. Links are
// shown and never followed, so there is no way around in circles; into .git it looks only when that is what it is asked for.
// Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"

namespace carrel::agent {

struct ListLimits {
    std::size_t lines = 1000;
    std::size_t ofOneFolder = 20'000; // read of it, before they are sorted
};

class ListTool final : public Tool {
public:
    // `folder`: absolute; what other paths start from.
    ListTool(ToolSpec spec, std::string folder, ListLimits limits = {})
        : m_spec(std::move(spec))
        , m_folder(std::move(folder))
        , m_limits(limits) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    std::string m_folder;
    ListLimits m_limits;
};

} // namespace carrel::agent

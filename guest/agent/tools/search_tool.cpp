// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/search_tool.h"

#include "guest/agent/tools/search_child.h"

namespace carrel::agent {

ToolOutcome SearchTool::run(const boost::json::object& input, const std::stop_token& stop) {
    return searchInChild(input, m_folder, m_limits, m_program, stop);
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// All tools of one conversation. Owner: whoever has the conversation; it outlives the loop. Thread: made on one, the tools as Tool.
#pragma once

#include "guest/agent/tool.h"
#include "guest/agent/tools/asker.h"
#include "guest/agent/tools/file_book.h"
#include "guest/agent/tools/plan_tool.h"
#include "guest/agent/tools/web.h"

#include <memory>

namespace carrel::agent {

struct ToolPlace {
    std::string folder;               // the working folder, absolute
    std::vector<std::string> program; // the command that does runSearchChild()
};
// All of them outlive the tools.
struct ToolFriends {
    Asker& asker;
    PlanShower& shower;
    Web& web;
};

class ToolSet {
public:
    // InvalidArgument; and Malformed, where this build's own words about a tool cannot be read.
    [[nodiscard]] static Result<std::unique_ptr<ToolSet>> make(const ToolPlace& place, const ToolFriends& friends);
    [[nodiscard]] std::vector<Tool*> tools() const;

private:
    ToolSet() = default;

    FileBook m_book;
    std::vector<std::unique_ptr<Tool>> m_tools;
};

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/tool_set.h"

#include "guest/agent/tools/ask_tool.h"
#include "guest/agent/tools/bash_tool.h"
#include "guest/agent/tools/edit_tool.h"
#include "guest/agent/tools/fetch_tool.h"
#include "guest/agent/tools/list_tool.h"
#include "guest/agent/tools/read_tool.h"
#include "guest/agent/tools/search_tool.h"
#include "guest/agent/tools/tool_specs.h"
#include "guest/agent/tools/write_tool.h"

#include <functional>

namespace carrel::agent {

Result<std::unique_ptr<ToolSet>> ToolSet::make(const ToolPlace& place, const ToolFriends& friends) {
    const auto& folder = place.folder;
    if (!folder.starts_with('/')) {
        return fail(ErrorCode::InvalidArgument, "the working folder is not an absolute path");
    }
    std::unique_ptr<ToolSet> set(new ToolSet);
    auto& book = set->m_book;
    using Made = std::unique_ptr<Tool>;
    const std::pair<const char*, std::function<Made(ToolSpec)>> makers[] = {
        {"bash", [&](ToolSpec spec) -> Made { return std::make_unique<BashTool>(std::move(spec), folder); }},
        {"read", [&](ToolSpec spec) -> Made { return std::make_unique<ReadTool>(std::move(spec), folder, book); }},
        {"write", [&](ToolSpec spec) -> Made { return std::make_unique<WriteTool>(std::move(spec), folder, book); }},
        {"edit", [&](ToolSpec spec) -> Made { return std::make_unique<EditTool>(std::move(spec), folder, book); }},
        {"list", [&](ToolSpec spec) -> Made { return std::make_unique<ListTool>(std::move(spec), folder); }},
        {"search", [&](ToolSpec spec) -> Made { return std::make_unique<SearchTool>(std::move(spec), folder, place.program); }},
        {"ask", [&](ToolSpec spec) -> Made { return std::make_unique<AskTool>(std::move(spec), friends.asker); }},
        {"plan", [&](ToolSpec spec) -> Made { return std::make_unique<PlanTool>(std::move(spec), friends.shower); }},
        {"fetch", [&](ToolSpec spec) -> Made { return std::make_unique<FetchTool>(std::move(spec), folder, friends.web); }},
    };
    for (const auto& [name, make] : makers) {
        auto spec = ownToolSpec(name);
        if (!spec) {
            return fail(spec.error().wrap("the tool \"" + std::string(name) + "\" is not what it should be"));
        }
        set->m_tools.push_back(make(std::move(*spec)));
    }
    return set;
}

std::vector<Tool*> ToolSet::tools() const {
    std::vector<Tool*> out;
    for (const auto& tool : m_tools) {
        out.push_back(tool.get());
    }
    return out;
}

} // namespace carrel::agent

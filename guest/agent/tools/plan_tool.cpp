// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/plan_tool.h"

#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostEntries = 50; // more than a person follows
constexpr std::size_t kMostContent = 1000;
constexpr std::size_t kMostWord = 32;

} // namespace

Result<std::vector<PlanEntry>> planFrom(const boost::json::object& input) {
    JsonFields of(input, "plan");
    const auto& entries = of.array("entries", kMostEntries);
    CARREL_TRY(of.finish());
    std::vector<PlanEntry> out;
    for (const auto& each : entries) {
        const auto* object = each.if_object();
        if (object == nullptr) {
            return fail(ErrorCode::Malformed, "plan: \"entries\" holds what is no step");
        }
        JsonFields step(*object, "a step of the plan");
        PlanEntry entry{step.string("content", kMostContent), step.string("status", kMostWord),
                        step.optionalString("priority", kMostWord).value_or("medium")};
        if (entry.content.find_first_not_of(" \t\r\n") == std::string::npos) {
            step.problem("content", "is empty");
        }
        if (entry.status != "pending" && entry.status != "in_progress" && entry.status != "completed") {
            step.problem("status", "is neither pending, in_progress nor completed");
        }
        if (entry.priority != "high" && entry.priority != "medium" && entry.priority != "low") {
            step.problem("priority", "is neither high, medium nor low");
        }
        CARREL_TRY(step.finish());
        out.push_back(std::move(entry));
    }
    if (out.empty()) {
        return fail(ErrorCode::Malformed, "plan: \"entries\" is empty");
    }
    return out;
}

ToolOutcome PlanTool::run(const boost::json::object& input, const std::stop_token& /*stop*/) {
    const auto plan = planFrom(input);
    if (!plan) {
        return failedOutcome(plan.error());
    }
    m_shower.show(*plan);
    const auto done = std::count_if(plan->begin(), plan->end(), [](const auto& each) { return each.status == "completed"; });
    return {"The user sees the plan: " + std::to_string(done) + " of " + std::to_string(plan->size()) + " steps are done.", ToolEnd::Done};
}

} // namespace carrel::agent

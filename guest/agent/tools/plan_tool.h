// SPDX-License-Identifier: Apache-2.0
// plan {entries:[{content, status, priority?}]}: shows the user how far the work is. Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"

#include <vector>

namespace carrel::agent {

struct PlanEntry {
    std::string content;
    std::string status;   // "pending", "in_progress", "completed"
    std::string priority; // "high", "medium", "low"
};

// Whoever can show a plan. Thread: show() on threads of the loop, several at a time.
class PlanShower {
public:
    virtual ~PlanShower() = default;
    virtual void show(const std::vector<PlanEntry>& plan) = 0;
};

// Malformed: what of it is no plan.
[[nodiscard]] Result<std::vector<PlanEntry>> planFrom(const boost::json::object& input);

class PlanTool final : public Tool {
public:
    // The shower outlives this.
    PlanTool(ToolSpec spec, PlanShower& shower)
        : m_spec(std::move(spec))
        , m_shower(shower) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    PlanShower& m_shower;
};

} // namespace carrel::agent

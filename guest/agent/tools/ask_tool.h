// SPDX-License-Identifier: Apache-2.0
// ask {question, choices?}: the user's answer. Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"
#include "guest/agent/tools/asker.h"

namespace carrel::agent {

class AskTool final : public Tool {
public:
    // The asker outlives this.
    AskTool(ToolSpec spec, Asker& asker)
        : m_spec(std::move(spec))
        , m_asker(asker) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    Asker& m_asker;
};

} // namespace carrel::agent

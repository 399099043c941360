// SPDX-License-Identifier: Apache-2.0
// fetch {url, save?}: what is at an address of the web. Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"
#include "guest/agent/tools/web.h"

namespace carrel::agent {

struct FetchLimits {
    std::size_t readBytes = 8 * 1024 * 1024;   // of a text
    std::size_t savedBytes = 256 * 1024 * 1024; // of a file
    std::size_t textBytes = 96 * 1024;         // given back, about
    unsigned redirects = 5;
};

class FetchTool final : public Tool {
public:
    // `folder`: absolute; what other paths start from. The web outlives this.
    FetchTool(ToolSpec spec, std::string folder, Web& web, FetchLimits limits = {})
        : m_spec(std::move(spec))
        , m_folder(std::move(folder))
        , m_web(web)
        , m_limits(limits) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    struct Fetched {
        WebPage page;
        WebAddress address; // after all redirects
    };
    [[nodiscard]] Result<Fetched> fetch(WebAddress address, std::size_t most, const std::stop_token& stop) const;
    [[nodiscard]] ToolOutcome saved(const Fetched& fetched, const std::string& path) const;
    [[nodiscard]] ToolOutcome shown(const Fetched& fetched) const;

    ToolSpec m_spec;
    std::string m_folder;
    Web& m_web;
    FetchLimits m_limits;
};

} // namespace carrel::agent

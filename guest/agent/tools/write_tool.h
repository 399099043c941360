// SPDX-License-Identifier: Apache-2.0
// write {path, content}: a file whole, by rename (plain_file.h). Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"
#include "guest/agent/tools/file_book.h"

namespace carrel::agent {

class WriteTool final : public Tool {
public:
    // `folder`: absolute; what other paths start from. The book outlives this.
    WriteTool(ToolSpec spec, std::string folder, FileBook& book)
        : m_spec(std::move(spec))
        , m_folder(std::move(folder))
        , m_book(book) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    std::string m_folder;
    FileBook& m_book;
};

} // namespace carrel::agent

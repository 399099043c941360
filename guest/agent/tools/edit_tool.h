// SPDX-License-Identifier: Apache-2.0
// edit {path, old, new, all?}: exact, byte by byte; only in a file whose contents this conversation has seen as they are; by rename
// (plain_file.h). Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"
#include "guest/agent/tools/file_book.h"

namespace carrel::agent {

class EditTool final : public Tool {
public:
    // `folder`: absolute; what other paths start from. The book outlives this.
    EditTool(ToolSpec spec, std::string folder, FileBook& book)
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

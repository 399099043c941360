// SPDX-License-Identifier: Apache-2.0
// read {path, offset?, limit?}: lines of a text file with their numbers, and a word about what is left out. What it showed of a file that
// is short enough to be edited is noted in the book. Thread: as Tool.
#pragma once

#include "guest/agent/tool.h"
#include "guest/agent/tools/file_book.h"

namespace carrel::agent {

struct ReadLimits {
    std::uint64_t lines = 2000;                        // and where the call names none
    std::size_t lineBytes = 2000;                      // of one line
    std::size_t textBytes = 64 * 1024;                 // of all lines, about
    std::uint64_t fileBytes = 256ULL * 1024 * 1024;    // gone through on the way to what is asked for
};

class ReadTool final : public Tool {
public:
    // `folder`: absolute; what other paths start from. The book outlives this.
    ReadTool(ToolSpec spec, std::string folder, FileBook& book, ReadLimits limits = {})
        : m_spec(std::move(spec))
        , m_folder(std::move(folder))
        , m_book(book)
        , m_limits(limits) {}
    [[nodiscard]] const ToolSpec& spec() const override { return m_spec; }
    [[nodiscard]] ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override;

private:
    ToolSpec m_spec;
    std::string m_folder;
    FileBook& m_book;
    ReadLimits m_limits;
};

} // namespace carrel::agent

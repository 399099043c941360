// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/write_tool.h"

#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

namespace carrel::agent {

ToolOutcome WriteTool::run(const boost::json::object& input, const std::stop_token& /*stop*/) {
    JsonFields of(input, "write");
    const auto path = of.string("path", kMostPath);
    const auto content = of.string("content", kMostField);
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    const auto failed = [&path](const Error& error) {
        return failedOutcome(error.wrap(shownName(path) + " was not written", error.hint));
    };
    const auto place = placeOf(path, m_folder);
    if (!place) {
        return failed(place.error());
    }
    const auto lock = m_book.changing();
    const auto replaced = replaceFile(*place, content);
    if (!replaced) {
        return failed(replaced.error());
    }
    if (const auto real = realPath(*place)) {
        m_book.note(*real, sumOf(content));
    }
    return {"Wrote " + std::to_string(content.size()) + " bytes to " + shownName(path) +
                (*replaced == Replaced::New ? ", a new file." : ", in the place of what it held before."),
            ToolEnd::Done};
}

} // namespace carrel::agent

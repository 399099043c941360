// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/write_tool.h"

#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <fcntl.h>

namespace carrel::agent {

namespace {

// What the file holds, where that is short enough to be shown.
std::optional<std::string> textOf(const std::string& place) {
    const auto file = openPlainFile(AT_FDCWD, place, FinalLink::Follow);
    if (!file) {
        return std::nullopt;
    }
    auto text = readWhole(file->file.get(), kMostShownChange);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

} // namespace

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
    auto before = textOf(*place);
    const auto replaced = replaceFile(*place, content);
    if (!replaced) {
        return failed(replaced.error());
    }
    if (const auto real = realPath(*place)) {
        m_book.note(*real, sumOf(content));
    }
    ToolOutcome out{"Wrote " + std::to_string(content.size()) + " bytes to " + shownName(path) +
                (*replaced == Replaced::New ? ", a new file." : ", in the place of what it held before."),
                    ToolEnd::Done, std::nullopt};
    if ((before || *replaced == Replaced::New) && content.size() <= kMostShownChange) {
        out.change = FileChange{*place, std::move(before), content};
    }
    return out;
}

} // namespace carrel::agent

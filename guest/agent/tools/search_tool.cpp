// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/search_tool.h"

#include "guest/agent/tools/file_search.h"
#include "guest/agent/tools/folder_entries.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <fcntl.h>

namespace carrel::agent {

namespace {

constexpr std::uint64_t kMostContext = 10;

// A folder, or else a file; what is neither is said to be none.
Status search(FileSearch& in, const std::string& place, const std::string& shown) {
    if (auto root = openFolder(AT_FDCWD, place, FinalLink::Follow)) {
        return in.folder(std::move(*root));
    }
    const auto real = realPath(place); // a link that is named is followed
    if (!real) {
        return fail(real.error());
    }
    if (const auto plain = openPlainFile(AT_FDCWD, *real, FinalLink::Refuse); !plain) {
        return fail(plain.error());
    }
    return in.file(AT_FDCWD, *real, shown);
}

} // namespace

ToolOutcome SearchTool::run(const boost::json::object& input, const std::stop_token& stop) {
    JsonFields of(input, "search");
    const auto pattern = of.string("pattern", kMostPath);
    const auto path = of.optionalString("path", kMostPath).value_or(m_folder);
    const auto glob = of.optionalString("glob", kMostPath);
    const auto context = of.optionalNumber("context", kMostContext).value_or(0);
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    auto compiled = LinePattern::from(pattern);
    if (!compiled) {
        return failedOutcome(compiled.error());
    }
    std::optional<NameGlob> names;
    if (glob) {
        auto read = NameGlob::from(*glob);
        if (!read) {
            return failedOutcome(read.error());
        }
        names = std::move(*read);
    }
    const auto failed = [&path](const Error& error) { return failedOutcome(error.wrap(shownName(path) + " was not searched", error.hint)); };
    const auto place = placeOf(path, m_folder);
    if (!place) {
        return failed(place.error());
    }
    FileSearch in({std::move(*compiled), std::move(names), context}, m_limits, stop);
    if (auto done = search(in, *place, shownName(path)); !done) {
        return failed(done.error());
    }
    return {in.text(), ToolEnd::Done};
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/read_tool.h"

#include "guest/agent/tools/line_reader.h"
#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <fcntl.h>

namespace carrel::agent {

namespace {

struct Wanted {
    std::uint64_t first = 1;
    std::uint64_t count = 0;
};

// What is shown of the lines, and what is said about the others.
Result<std::string> shown(LineReader& lines, Wanted wanted, const ReadLimits& limits, const std::stop_token& stop) {
    std::string text;
    for (std::uint64_t number = 1;; ++number) {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "it was stopped");
        }
        const auto line = lines.next();
        if (!line) {
            return fail(line.error());
        }
        if (!*line && lines.isUsedUp()) {
            return text + "[What follows, from line " + std::to_string(number) + ", is more than " + std::to_string(limits.fileBytes) +
                   " bytes into the file: look at it with programs such as tail, with bash.]";
        }
        if (!*line) {
            if (number == 1) {
                return "[The file is empty.]";
            }
            return text.empty() ? "[The file has only " + std::to_string(number - 1) + " lines.]" : text;
        }
        if (number < wanted.first) {
            continue;
        }
        if (number - wanted.first == wanted.count || text.size() >= limits.textBytes) {
            return text + "[More lines follow: go on with offset " + std::to_string(number) + ".]";
        }
        text += std::to_string(number) + "\t" + shownLine((*line)->begin, (*line)->wholeSize, limits.lineBytes) + "\n";
    }
}

} // namespace

ToolOutcome ReadTool::run(const boost::json::object& input, const std::stop_token& stop) {
    JsonFields of(input, "read");
    const auto path = of.string("path", kMostPath);
    const Wanted wanted{of.optionalNumber("offset").value_or(1), of.optionalNumber("limit", m_limits.lines).value_or(m_limits.lines)};
    if (wanted.first == 0) {
        of.problem("offset", "is less than 1");
    }
    if (wanted.count == 0) {
        of.problem("limit", "is less than 1");
    }
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    const auto failed = [&path](const Error& error) { return failedOutcome(error.wrap(shownName(path) + " was not read", error.hint)); };
    const auto place = placeOf(path, m_folder);
    if (!place) {
        return failed(place.error());
    }
    const auto file = openPlainFile(AT_FDCWD, *place, FinalLink::Follow);
    if (!file) {
        return failed(file.error());
    }
    LineReader lines(file->file.get(), m_limits.lineBytes + 1, m_limits.fileBytes);
    const auto isText = lines.isText();
    if (!isText) {
        return failed(isText.error());
    }
    if (!*isText) {
        return {shownName(path) + " is not text: a binary file of " + std::to_string(file->about.st_size) +
                    " bytes. Look at it with programs of this machine (file, pdftotext, unzip -l, xxd and others), with bash.",
                ToolEnd::Failed};
    }
    auto text = shown(lines, wanted, m_limits, stop);
    if (!text) {
        return failed(text.error());
    }
    if (file->about.st_size <= static_cast<off_t>(kMostEdited)) {
        const auto sum = lines.finishSum();
        const auto real = realPath(*place);
        if (sum && real) { // where not, an edit says that the file was not read
            m_book.note(*real, *sum);
        }
    }
    return {std::move(*text), ToolEnd::Done};
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/edit_tool.h"

#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/replace_text.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <fcntl.h>

namespace carrel::agent {

namespace {

struct Edit {
    std::string place;
    std::string old;
    std::string with;
    Places places = Places::One;
};

struct Changed {
    ReplacedText replaced;
    std::string before;
};

// `nearest`: set where the old text was not found.
Result<Changed> change(const Edit& edit, FileBook& book, std::string& nearest) {
    const auto lock = book.changing();
    const auto file = openPlainFile(AT_FDCWD, edit.place, FinalLink::Follow);
    if (!file) {
        return fail(file.error());
    }
    auto content = readWhole(file->file.get(), kMostEdited);
    if (!content) {
        return fail(content.error());
    }
    const auto real = realPath(edit.place);
    if (!real) {
        return fail(real.error());
    }
    const auto seen = book.seen(*real);
    if (!seen || *seen != sumOf(*content)) {
        return fail(ErrorCode::Conflict,
                    seen ? "it was changed since it was read" : "it was not read in this conversation",
                    "read it, and edit it then");
    }
    auto replaced = replaceText(*content, edit.old, edit.with, edit.places, kMostEdited);
    if (!replaced) {
        nearest = replaced.error().code == ErrorCode::NotFound ? nearestLines(*content, edit.old) : "";
        return fail(std::move(replaced).error());
    }
    if (auto written = replaceFile(*real, replaced->text); !written) {
        return fail(written.error());
    }
    book.note(*real, sumOf(replaced->text));
    return Changed{std::move(*replaced), std::move(*content)};
}

} // namespace

ToolOutcome EditTool::run(const boost::json::object& input, const std::stop_token& /*stop*/) {
    JsonFields of(input, "edit");
    const auto path = of.string("path", kMostPath);
    Edit edit;
    edit.old = of.string("old", kMostEdited);
    edit.with = of.string("new", kMostEdited);
    edit.places = of.optionalBoolean("all") ? Places::All : Places::One;
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    const auto failed = [&path](const Error& error) {
        return failedOutcome(error.wrap(shownName(path) + " was not changed", error.hint));
    };
    auto place = placeOf(path, m_folder);
    if (!place) {
        return failed(place.error());
    }
    edit.place = std::move(*place);
    std::string nearest;
    auto changed = change(edit, m_book, nearest);
    if (!changed) {
        auto outcome = failed(changed.error());
        if (!nearest.empty()) {
            outcome.text += "\nWhat is most like its beginning, with the numbers of lines:\n" + nearest;
        }
        return outcome;
    }
    auto& replaced = changed->replaced;
    const auto line = std::to_string(replaced.firstLine);
    ToolOutcome out{"Changed " + shownName(path) +
                        (replaced.places == 1 ? " in line " + line : " in " + std::to_string(replaced.places) + " places, the first in line " + line) +
                        ".",
                    ToolEnd::Done, std::nullopt};
    if (changed->before.size() <= kMostShownChange && replaced.text.size() <= kMostShownChange) {
        out.change = FileChange{edit.place, std::move(changed->before), std::move(replaced.text)};
    }
    return out;
}

} // namespace carrel::agent

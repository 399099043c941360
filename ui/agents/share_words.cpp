// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/share_words.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

namespace carrel::ui {

using namespace api;

namespace {
struct ShareWords {
    Q_DECLARE_TR_FUNCTIONS(ShareWords)
};
} // namespace

QStringList chosenNotes(const boost::json::object& share) {
    QStringList out;
    const auto folder = lineOf(pathAt(share, "dir"));
    for (const auto& each : listAt(share, "placeholders")) {
        if (each.is_object()) {
            const auto files = countOf(numberAt(each.get_object(), "files"));
            out << ShareWords::tr("%1: %n file(s) are not really there, %2 only keeps a place for them. The agent cannot read them, and no change of "
                      "them is applied.",
                      nullptr, files)
                       .arg(folder, lineOf(textAt(each.get_object(), "program"), 40));
        }
    }
    if (flagAt(share, "looked_in_part")) {
        out << ShareWords::tr("%1 is large: only a part of it was looked through for such files.").arg(folder);
    }
    if (flagAt(share, "unreported")) {
        out << ShareWords::tr("%1 is on a drive that does not report changes, so the agent looks again every second.").arg(folder);
    }
    return out;
}

} // namespace carrel::ui

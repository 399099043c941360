// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/shown_line.h"

#include "ui/text/plain.h"

#include <QCoreApplication>

#include <algorithm>

namespace carrel::ui {

namespace {
struct Words {
    Q_DECLARE_TR_FUNCTIONS(carrel::ui::ShownLine)
};
} // namespace

QString shownLine(std::string_view raw) {
    if (raw.size() <= kMostOfALine) {
        return blockOf(raw);
    }
    auto end = kMostOfALine;
    while (end > kMostOfALine - 3 && (static_cast<unsigned char>(raw[end]) & 0xc0U) == 0x80U) { // not amid a character
        --end;
    }
    return blockOf(raw.substr(0, end)) + QStringLiteral(" … ") +
           Words::tr("(the line goes on for %1)").arg(sizeText(raw.size() - end));
}

int columnsOf(std::string_view raw) {
    const bool cut = raw.size() > kMostOfALine;
    int columns = cut ? 60 : 0;
    for (const char c : raw.substr(0, kMostOfALine)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == '\t') {
            columns += kTabColumns;
        } else if (byte < 0x20 || byte == 0x7f) {
            columns += 4;
        } else if (byte >= 0x80) { // anything from nothing to an escape: looked at
            const auto shown = shownLine(raw);
            int wide = 0;
            for (const auto each : shown) {
                wide += each == '\t' ? kTabColumns : each.unicode() >= 0x1100 ? 2 : 1;
            }
            return wide;
        } else {
            ++columns;
        }
    }
    return columns;
}

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
// Frames for tests of a terminal's window, from plain text: one string a row, of ASCII and single wide characters.
#pragma once

#include "app/api/terminal_wire.h"

#include <QString>
#include <QStringList>

namespace carrel::test {

inline api::terminal::Line lineOf(const QString& text, api::terminal::Style style = {}) {
    api::terminal::Line out;
    for (const char32_t point : text.toUcs4()) {
        api::terminal::Cell cell;
        cell.style = style;
        if (api::characterKind(point) == api::CharacterKind::Mark) {
            out.back().points[out.back().count++] = point;
            continue;
        }
        if (point != ' ') {
            cell.points[0] = point;
            cell.count = 1;
        }
        cell.columns = api::characterKind(point) == api::CharacterKind::Wide ? 2 : 1;
        out.push_back(cell);
    }
    return out;
}

inline api::terminal::Frame frameOf(const QStringList& rows, std::uint16_t columns = 20, const QStringList& scrolled = {}) {
    api::terminal::Frame out;
    out.screen.rows = static_cast<std::uint16_t>(rows.size());
    out.screen.columns = columns;
    for (const auto& line : scrolled) {
        out.scrolled.push_back(api::terminal::encodeLine(lineOf(line)));
    }
    for (int row = 0; row < rows.size(); ++row) {
        out.rows.emplace_back(static_cast<std::uint16_t>(row), lineOf(rows[row]));
    }
    return out;
}

} // namespace carrel::test

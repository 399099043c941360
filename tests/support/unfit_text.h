// SPDX-License-Identifier: Apache-2.0
// What is wrong with a text that a person sees, held against what nasty_texts.h would do with it (invariant I11).
#pragma once

#include <QByteArray>
#include <QList>
#include <QString>

namespace carrel::test {

// Empty: fit for a terminal and for a person's eyes. Otherwise what is not. `returns`: a terminal's own line ends.
inline QString unfit(const QByteArray& bytes, bool returns = false) {
    const auto text = QString::fromUtf8(bytes).toUcs4();
    int marks = 0;
    for (const uint point : text) {
        const bool lineEnd = point == '\n' || (returns && point == '\r');
        const bool control = (point < 0x20 && !lineEnd) || (point >= 0x7f && point < 0xa0);
        const bool unseen = point == 0xad || point == 0xa0 || point == 0x61c || (point >= 0x2000 && point <= 0x200f) ||
                            (point >= 0x2028 && point <= 0x202f) || (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
                            point == 0x3164 || (point >= 0xe000 && point <= 0xf8ff) || point >= 0xe0000 || point == 0xfffd;
        const bool mark = point >= 0x300 && point <= 0x36f;
        marks = mark ? marks + 1 : 0;
        if (control || unseen || marks > 4) {
            return QString("U+%1 in: ").arg(point, 4, 16) + QString::fromUtf8(bytes.left(4000));
        }
    }
    for (const auto& line : bytes.split('\n')) { // a bar, a mark of the list or the like stands before every foreign text
        if (line.startsWith("Request 99") || line.startsWith("Carrel: ") || line.startsWith("Risk: none") || line.startsWith('\xcc')) {
            return "it imitates: " + QString::fromUtf8(line);
        }
    }
    return {};
}

} // namespace carrel::test

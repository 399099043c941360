// SPDX-License-Identifier: Apache-2.0
// What changed inside a line: the words of each side that the other does not have, in order. Bounded: where there is too much to
// compare, all between the common beginning and end is marked; where little is common nothing is, as the whole line is another.
// Thread: pure functions.
#pragma once

#include <QString>
#include <QVector>

namespace carrel::ui {

struct WordMark {
    int start = 0;
    int length = 0;
    bool operator==(const WordMark&) const = default;
};

struct WordMarks {
    QVector<WordMark> left;
    QVector<WordMark> right;
};

[[nodiscard]] WordMarks wordMarks(const QString& left, const QString& right);

} // namespace carrel::ui

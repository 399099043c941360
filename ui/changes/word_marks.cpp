// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/word_marks.h"

#include <algorithm>
#include <vector>

namespace carrel::ui {

namespace {

constexpr std::size_t kMostCompared = 60'000; // pairs of words
constexpr double kLeastCommon = 0.25;         // of the longer line

using Words = std::vector<QStringView>;

bool isWord(QChar c) {
    return c.isLetterOrNumber() || c == '_' || c.isMark() || c.isSurrogate();
}

// Words, runs of blanks, and every other character for itself.
Words wordsOf(const QString& line) {
    Words out;
    const QStringView all(line);
    for (qsizetype at = 0; at < all.size();) {
        qsizetype end = at + 1;
        if (isWord(all[at])) {
            while (end < all.size() && isWord(all[end])) {
                ++end;
            }
        } else if (all[at].isSpace()) {
            while (end < all.size() && all[end].isSpace()) {
                ++end;
            }
        }
        out.push_back(all.mid(at, end - at));
        at = end;
    }
    return out;
}

// Which words of both stay: a longest common sequence.
void keep(const Words& left, const Words& right, std::size_t from, std::size_t leftEnd, std::size_t rightEnd, std::vector<bool>& leftKept,
          std::vector<bool>& rightKept) {
    const std::size_t rows = leftEnd - from;
    const std::size_t columns = rightEnd - from;
    if (rows == 0 || columns == 0 || rows > kMostCompared / columns) {
        return;
    }
    std::vector<std::uint32_t> best((rows + 1) * (columns + 1));
    const auto bestAt = [&](std::size_t r, std::size_t c) -> std::uint32_t& { return best[r * (columns + 1) + c]; };
    for (std::size_t r = rows; r-- > 0;) {
        for (std::size_t c = columns; c-- > 0;) {
            bestAt(r, c) = left[from + r] == right[from + c] ? bestAt(r + 1, c + 1) + 1 : std::max(bestAt(r + 1, c), bestAt(r, c + 1));
        }
    }
    for (std::size_t r = 0, c = 0; r < rows && c < columns;) {
        if (left[from + r] == right[from + c]) {
            leftKept[from + r++] = true;
            rightKept[from + c++] = true;
        } else {
            bestAt(r + 1, c) >= bestAt(r, c + 1) ? ++r : ++c;
        }
    }
}

// A blank between two marks is marked with them: one mark, and quieter to look at.
QVector<WordMark> marksOf(const Words& words, const std::vector<bool>& kept) {
    QVector<WordMark> out;
    int at = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto length = static_cast<int>(words[i].size());
        const bool bridge = kept[i] && words[i].trimmed().isEmpty() && i > 0 && !kept[i - 1] && i + 1 < words.size() && !kept[i + 1];
        if (!kept[i] || bridge) {
            if (!out.isEmpty() && out.last().start + out.last().length == at) {
                out.last().length += length;
            } else {
                out.push_back({at, length});
            }
        }
        at += length;
    }
    return out;
}

} // namespace

WordMarks wordMarks(const QString& left, const QString& right) {
    const auto leftWords = wordsOf(left);
    const auto rightWords = wordsOf(right);
    std::vector<bool> leftKept(leftWords.size());
    std::vector<bool> rightKept(rightWords.size());
    std::size_t from = 0;
    while (from < leftWords.size() && from < rightWords.size() && leftWords[from] == rightWords[from]) {
        leftKept[from] = rightKept[from] = true;
        ++from;
    }
    std::size_t leftEnd = leftWords.size();
    std::size_t rightEnd = rightWords.size();
    while (leftEnd > from && rightEnd > from && leftWords[leftEnd - 1] == rightWords[rightEnd - 1]) {
        leftKept[--leftEnd] = true;
        rightKept[--rightEnd] = true;
    }
    keep(leftWords, rightWords, from, leftEnd, rightEnd, leftKept, rightKept);
    qsizetype common = 0;
    for (std::size_t i = 0; i < leftWords.size(); ++i) {
        common += leftKept[i] && !leftWords[i].trimmed().isEmpty() ? leftWords[i].size() : 0;
    }
    const auto longer = std::max(left.trimmed().size(), right.trimmed().size());
    if (static_cast<double>(common) < kLeastCommon * static_cast<double>(longer)) {
        return {};
    }
    return {marksOf(leftWords, leftKept), marksOf(rightWords, rightKept)};
}

} // namespace carrel::ui

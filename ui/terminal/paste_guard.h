// SPDX-License-Identifier: Apache-2.0
// A text from the clipboard before it is typed into a terminal. It may come from anywhere, and a line end in it is the Enter key:
// so whatever has more than one line, or characters that do not show, is shown and asked about first. Control characters other
// than line ends and tabs are never pasted. Pure functions.
#pragma once

#include <QByteArray>
#include <QString>

namespace carrel::ui {

inline constexpr qsizetype kMaxPaste = 1024 * 1024; // characters; more belongs into a file

struct PasteReview {
    QString clean;       // without control characters; line ends are LF
    int lineEnds = 0;    // each of which is the Enter key
    int removed = 0;     // control characters that were taken out
    int hidden = 0;      // characters left in that do not show: they change direction, or have no width
    bool tooLong = false; // then nothing else is set
    [[nodiscard]] bool mustAsk() const { return lineEnds > 0 || removed > 0 || hidden > 0; }
};

[[nodiscard]] PasteReview reviewPaste(const QString& text);
// For a person's eyes: what does not show is written out.
[[nodiscard]] QString shownPaste(const PasteReview& review);

enum class PasteMarks { None, Bracketed };
// As it is sent.
[[nodiscard]] QByteArray bytesOfPaste(const PasteReview& review, PasteMarks marks);

} // namespace carrel::ui

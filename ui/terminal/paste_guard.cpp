// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/paste_guard.h"

#include "app/api/characters.h"
#include "ui/text/plain.h"

namespace carrel::ui {

PasteReview reviewPaste(const QString& text) {
    PasteReview out;
    if (text.size() > kMaxPaste) {
        out.tooLong = true;
        return out;
    }
    QString lines = text;
    lines.replace(QStringLiteral("\r\n"), QStringLiteral("\n")).replace('\r', '\n');
    for (const char32_t point : lines.toUcs4()) {
        const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        if (control && point != '\n' && point != '\t') {
            ++out.removed;
            continue;
        }
        out.lineEnds += point == '\n' ? 1 : 0;
        out.hidden += !control && api::characterKind(point) == api::CharacterKind::Hidden ? 1 : 0;
        out.clean += QString::fromUcs4(&point, 1);
    }
    return out;
}

QString shownPaste(const PasteReview& review) {
    return blockOf(review.clean.toStdString());
}

QByteArray bytesOfPaste(const PasteReview& review, PasteMarks marks) {
    auto text = review.clean;
    const auto bytes = text.replace('\n', '\r').toUtf8();
    return marks == PasteMarks::Bracketed && !bytes.isEmpty() ? "\x1b[200~" + bytes + "\x1b[201~" : bytes;
}

} // namespace carrel::ui

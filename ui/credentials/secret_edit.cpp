// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/secret_edit.h"

#include <openssl/crypto.h>

#include <QStringEncoder>

#include <algorithm>
#include <array>

namespace carrel::ui {

namespace {

constexpr qsizetype kRoom = 8 * 1024; // letters: more than the engine takes, so that it says what is wrong
constexpr char16_t kBlank = u' ', kLastPrintable = u'~';

// Without the line end that a value copied from a file has.
QStringView valueOf(QStringView text) {
    if (text.endsWith(u'\n')) {
        text.chop(1);
        if (text.endsWith(u'\r')) {
            text.chop(1);
        }
    }
    return text;
}

} // namespace

SecretEdit::SecretEdit(QWidget* parent)
    : QLineEdit(parent) {
    setEchoMode(QLineEdit::Password);
    setInputMethodHints(inputMethodHints() | Qt::ImhSensitiveData);
    setMaxLength(static_cast<int>(kRoom));
    wipe(); // makes the room
}

SecretEdit::~SecretEdit() {
    wipe();
}

std::size_t SecretEdit::bytes() const {
    QStringEncoder encoder(QStringEncoder::Utf8);
    std::array<char, 16> piece{};
    std::size_t out = 0;
    const auto text = QLineEdit::text(); // shared, not copied
    for (const auto letter : valueOf(text)) {
        out += static_cast<std::size_t>(encoder.appendToBuffer(piece.data(), QStringView(&letter, 1)) - piece.data());
    }
    ::OPENSSL_cleanse(piece.data(), piece.size());
    return out;
}

bool SecretEdit::isPrintable() const {
    const auto text = QLineEdit::text();
    const auto value = valueOf(text);
    return !value.isEmpty() && value.front() != kBlank && value.back() != kBlank &&
           std::all_of(value.begin(), value.end(), [](QChar each) { return each >= kBlank && each <= kLastPrintable; });
}

api::SecretBytes SecretEdit::take() {
    QStringEncoder encoder(QStringEncoder::Utf8);
    api::SecretBytes out;
    {
        const auto text = QLineEdit::text();
        const auto value = valueOf(text);
        out = api::SecretBytes(static_cast<std::size_t>(encoder.requiredSpace(value.size())));
        const auto* const end = encoder.appendToBuffer(out.data(), value);
        out.resize(static_cast<std::size_t>(end - out.data()));
    }
    wipe();
    return out;
}

// Room for the text: that of an empty one which nobody else shares. Room for the history: as many letters as there can be, taken
// back by setText(), which forgets them and keeps the room.
void SecretEdit::wipe() {
    const QSignalBlocker quiet(this);
    {
        const auto text = QLineEdit::text();
        auto* const letters = const_cast<QChar*>(text.constData()); // the very memory of the field
        std::fill(letters, letters + text.size(), QChar(u'0'));
    }
    setText({});
    insert(QString(kRoom, u'0'));
    QString room;
    room.reserve(kRoom);
    setText(room);
}

} // namespace carrel::ui

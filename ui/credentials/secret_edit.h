// SPDX-License-Identifier: Apache-2.0
// A field for a secret (invariant I6). What is typed or pasted is never shown, copied or undone; take() moves it into memory of its
// own and overwrites what the field had. Qt keeps the text of a field, and each letter of its undo history, in memory that it gives
// back as it is: so both are made large enough at first that they never move, and are written over at the end. What stays out of
// reach is the clipboard that a value was pasted from. While there is such a field, this process leaves no core file.
// Thread: the window's.
#pragma once

#include "app/api/secret_bytes.h"

#include <QLineEdit>

namespace carrel::ui {

class SecretEdit : public QLineEdit {
    Q_OBJECT
public:
    explicit SecretEdit(QWidget* parent);
    ~SecretEdit() override;

    [[nodiscard]] bool isEmpty() const { return QLineEdit::text().isEmpty(); }
    // As UTF-8; the field is empty then.
    [[nodiscard]] api::SecretBytes take();
    // How long it would be, and whether it could stand in a header field, without a copy of it.
    [[nodiscard]] std::size_t bytes() const;
    [[nodiscard]] bool isPrintable() const; // ASCII, no blanks around it; one line end at its end does not count
    void wipe();

private:
    api::NoCore m_noCore;
};

} // namespace carrel::ui

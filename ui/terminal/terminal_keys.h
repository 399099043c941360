// SPDX-License-Identifier: Apache-2.0
// What a key sends to a terminal's program, as xterm sends it (ctlseqs, "PC-Style Function Keys"). Pure functions.
#pragma once

#include <QByteArray>
#include <QString>
#include <Qt>

namespace carrel::ui {

enum class CursorKeys { Normal, Application }; // DECCKM

// Empty: the key sends nothing. `text` is what the key wrote by itself, as QKeyEvent::text() says it.
[[nodiscard]] QByteArray bytesOfKey(int key, Qt::KeyboardModifiers modifiers, const QString& text, CursorKeys mode);

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_keys.h"

#include <algorithm>
#include <array>

namespace carrel::ui {

namespace {

// CSI letter, or SS3 letter.
struct LetterKey {
    int key;
    char letter;
    bool cursor; // follows DECCKM; F1 to F4 are SS3 always
};
constexpr std::array kLetterKeys{LetterKey{Qt::Key_Up, 'A', true},    LetterKey{Qt::Key_Down, 'B', true}, LetterKey{Qt::Key_Right, 'C', true},
                                 LetterKey{Qt::Key_Left, 'D', true},  LetterKey{Qt::Key_Home, 'H', true}, LetterKey{Qt::Key_End, 'F', true},
                                 LetterKey{Qt::Key_F1, 'P', false},   LetterKey{Qt::Key_F2, 'Q', false},  LetterKey{Qt::Key_F3, 'R', false},
                                 LetterKey{Qt::Key_F4, 'S', false}};

// CSI number ~
struct NumberKey {
    int key;
    int number;
};
constexpr std::array kNumberKeys{NumberKey{Qt::Key_Insert, 2},   NumberKey{Qt::Key_Delete, 3}, NumberKey{Qt::Key_PageUp, 5},
                                 NumberKey{Qt::Key_PageDown, 6}, NumberKey{Qt::Key_F5, 15},    NumberKey{Qt::Key_F6, 17},
                                 NumberKey{Qt::Key_F7, 18},      NumberKey{Qt::Key_F8, 19},    NumberKey{Qt::Key_F9, 20},
                                 NumberKey{Qt::Key_F10, 21},     NumberKey{Qt::Key_F11, 23},   NumberKey{Qt::Key_F12, 24}};

// With Ctrl: a control character. -1: none.
int controlOf(int key) {
    if (key >= Qt::Key_A && key <= Qt::Key_Z) {
        return key - Qt::Key_A + 1;
    }
    switch (key) {
    case Qt::Key_Space:
    case Qt::Key_At:
    case Qt::Key_2:
        return 0x00;
    case Qt::Key_BracketLeft:
    case Qt::Key_3:
        return 0x1b;
    case Qt::Key_Backslash:
    case Qt::Key_4:
        return 0x1c;
    case Qt::Key_BracketRight:
    case Qt::Key_5:
        return 0x1d;
    case Qt::Key_AsciiCircum:
    case Qt::Key_6:
        return 0x1e;
    case Qt::Key_Underscore:
    case Qt::Key_Slash:
    case Qt::Key_7:
        return 0x1f;
    case Qt::Key_Question:
    case Qt::Key_8:
        return 0x7f;
    default:
        return -1;
    }
}

QByteArray special(int key, Qt::KeyboardModifiers modifiers, CursorKeys mode) {
    const int with = 1 + (modifiers.testFlag(Qt::ShiftModifier) ? 1 : 0) + (modifiers.testFlag(Qt::AltModifier) ? 2 : 0) +
                     (modifiers.testFlag(Qt::ControlModifier) ? 4 : 0);
    const auto* letter = std::find_if(kLetterKeys.begin(), kLetterKeys.end(), [&](const auto& each) { return each.key == key; });
    if (letter != kLetterKeys.end()) {
        if (with > 1) {
            return "\x1b[1;" + QByteArray::number(with) + letter->letter;
        }
        const bool ss3 = !letter->cursor || mode == CursorKeys::Application;
        return QByteArray(ss3 ? "\x1bO" : "\x1b[") + letter->letter;
    }
    const auto* number = std::find_if(kNumberKeys.begin(), kNumberKeys.end(), [&](const auto& each) { return each.key == key; });
    if (number != kNumberKeys.end()) {
        return "\x1b[" + QByteArray::number(number->number) + (with > 1 ? ";" + QByteArray::number(with) : QByteArray()) + '~';
    }
    return {};
}

// Those that send one character of their own.
QByteArray single(int key, Qt::KeyboardModifiers modifiers) {
    switch (key) {
    case Qt::Key_Return:
    case Qt::Key_Enter:
        return "\r";
    case Qt::Key_Escape:
        return "\x1b";
    case Qt::Key_Tab:
        return "\t";
    case Qt::Key_Backspace:
        return modifiers.testFlag(Qt::ControlModifier) ? "\b" : "\x7f";
    default:
        return {};
    }
}

} // namespace

QByteArray bytesOfKey(int key, Qt::KeyboardModifiers modifiers, const QString& text, CursorKeys mode) {
    if (key == Qt::Key_Backtab) {
        return "\x1b[Z";
    }
    if (const auto out = special(key, modifiers, mode); !out.isEmpty()) {
        return out;
    }
    QByteArray out = single(key, modifiers);
    // AltGr comes as Ctrl and Alt where the system has no key of that kind, and then with a text.
    const bool control = modifiers.testFlag(Qt::ControlModifier) && !(modifiers.testFlag(Qt::AltModifier) && !text.isEmpty() && text[0].isPrint());
    if (out.isEmpty() && control) {
        const int character = controlOf(key);
        if (character < 0) {
            return {};
        }
        out = QByteArray(1, static_cast<char>(character));
    } else if (out.isEmpty()) {
        out = text.toUtf8();
    }
    const bool meta = modifiers.testFlag(Qt::AltModifier) && (control || !modifiers.testFlag(Qt::ControlModifier));
    return meta && !out.isEmpty() ? "\x1b" + out : out;
}

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/tones.h"

namespace carrel::ui {

bool isDark(const QPalette& palette) {
    return palette.color(QPalette::Base).lightnessF() < 0.5;
}

QColor toneColour(Tone tone, const QPalette& palette) {
    const bool dark = isDark(palette);
    switch (tone) {
    case Tone::Note:
        return dark ? QColor(0x7a, 0xb3, 0xff) : QColor(0x1f, 0x5f, 0xbf);
    case Tone::Good:
    case Tone::Added:
        return dark ? QColor(0x6f, 0xd0, 0x8c) : QColor(0x1b, 0x6e, 0x36);
    case Tone::Warning:
        return dark ? QColor(0xf0, 0xb4, 0x4c) : QColor(0x8a, 0x56, 0x00);
    case Tone::Bad:
    case Tone::Removed:
        return dark ? QColor(0xff, 0x8f, 0x85) : QColor(0xb3, 0x26, 0x1e);
    case Tone::Claim:
        return dark ? QColor(0xc7, 0xa6, 0xf5) : QColor(0x6b, 0x3f, 0xa0);
    }
    return palette.color(QPalette::Text);
}

QColor toneBackground(Tone tone, const QPalette& palette) {
    auto colour = toneColour(tone, palette);
    const auto base = palette.color(QPalette::Base);
    const double part = isDark(palette) ? 0.22 : 0.14;
    return QColor::fromRgbF(static_cast<float>(base.redF() * (1 - part) + colour.redF() * part),
                            static_cast<float>(base.greenF() * (1 - part) + colour.greenF() * part),
                            static_cast<float>(base.blueF() * (1 - part) + colour.blueF() * part));
}

} // namespace carrel::ui

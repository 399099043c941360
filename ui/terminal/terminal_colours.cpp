// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_colours.h"

#include "ui/parts/tones.h"

#include <array>
#include <utility>

namespace carrel::ui {

using namespace api::terminal;

namespace {

constexpr std::array<QRgb, 16> kOnDark{0xff2e3436, 0xffff6b61, 0xff6fd08c, 0xfff0b44c, 0xff7ab3ff, 0xffd39bff, 0xff5ed1d6, 0xffd3d7cf,
                                       0xff8f9491, 0xffff9a92, 0xff9be8b0, 0xffffd27d, 0xffa6ccff, 0xffe6c4ff, 0xff97ecef, 0xffffffff};
constexpr std::array<QRgb, 16> kOnLight{0xff1d2021, 0xffb3261e, 0xff1b6e36, 0xff7d5200, 0xff1f5fbf, 0xff7a3ba8, 0xff006a70, 0xff5f6562,
                                        0xff565c59, 0xffc4161c, 0xff0d7a31, 0xff8a5a00, 0xff1a6be0, 0xff9333c9, 0xff00767d, 0xffdfe3e0};

QColor colourOf(const Colour& colour, const QPalette& palette, QPalette::ColorRole plain) {
    switch (colour.kind) {
    case Colour::Kind::Indexed:
        return indexedColour(colour.red, palette);
    case Colour::Kind::Rgb:
        return {colour.red, colour.green, colour.blue};
    case Colour::Kind::Default:
        break;
    }
    return palette.color(plain);
}

} // namespace

QColor indexedColour(int index, const QPalette& palette) {
    constexpr int kNamed = 16;
    constexpr int kGreys = 232; // 6 × 6 × 6 colours before them
    if (index < kNamed) {
        const auto& named = isDark(palette) ? kOnDark : kOnLight;
        return QColor::fromRgb(named[static_cast<std::size_t>(index)]);
    }
    if (index < kGreys) {
        const auto level = [](int step) { return step == 0 ? 0 : 55 + 40 * step; };
        const int cube = index - kNamed;
        return {level(cube / 36), level(cube / 6 % 6), level(cube % 6)};
    }
    const int grey = 8 + 10 * (index - kGreys);
    return {grey, grey, grey};
}

CellColours coloursOf(const Style& style, const QPalette& palette) {
    CellColours out;
    out.text = colourOf(style.foreground, palette, QPalette::Text);
    out.ground = colourOf(style.background, palette, QPalette::Base);
    out.plainGround = style.background.kind == Colour::Kind::Default;
    if ((style.attributes & kReverse) != 0) {
        std::swap(out.text, out.ground);
        out.plainGround = false;
    }
    return out;
}

} // namespace carrel::ui

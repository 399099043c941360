// SPDX-License-Identifier: Apache-2.0
#include "app/terminal/screen.h"

namespace carrel::terminal {

using namespace api::terminal;

namespace {

void putCharacter(std::string& to, std::uint32_t point) {
    const auto put = [&to](std::uint32_t byte) { to += static_cast<char>(byte); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xc0U | point >> 6U);
        put(0x80U | (point & 0x3fU));
    } else if (point < 0x10000) {
        put(0xe0U | point >> 12U);
        put(0x80U | (point >> 6U & 0x3fU));
        put(0x80U | (point & 0x3fU));
    } else {
        put(0xf0U | point >> 18U);
        put(0x80U | (point >> 12U & 0x3fU));
        put(0x80U | (point >> 6U & 0x3fU));
        put(0x80U | (point & 0x3fU));
    }
}

void putColour(std::string& to, const Colour& colour, const char* kind) {
    if (colour.kind == Colour::Kind::Indexed) {
        to += std::string("\x1b[") + kind + ";5;" + std::to_string(colour.red) + 'm';
    } else if (colour.kind == Colour::Kind::Rgb) {
        to += std::string("\x1b[") + kind + ";2;" + std::to_string(colour.red) + ';' + std::to_string(colour.green) + ';' +
              std::to_string(colour.blue) + 'm';
    }
}

// SGR (ECMA-48, 8.3.117), from none.
void putStyle(std::string& to, const Style& style) {
    to += "\x1b[0m";
    const std::pair<Attribute, const char*> attributes[] = {
        {kBold, "\x1b[1m"}, {kItalic, "\x1b[3m"}, {kUnderline, "\x1b[4m"}, {kReverse, "\x1b[7m"}, {kStrike, "\x1b[9m"}};
    for (const auto& [bit, sequence] : attributes) {
        if ((style.attributes & bit) != 0) {
            to += sequence;
        }
    }
    putColour(to, style.foreground, "38");
    putColour(to, style.background, "48");
}

} // namespace

std::string Screen::redraw() const {
    const auto now = state();
    std::string out = now.alternate ? "\x1b[?1049h" : "\x1b[?1049l";
    out += "\x1b[r\x1b[0m\x1b[2J\x1b[H";
    for (std::uint16_t number = 0; number < m_rows; ++number) {
        auto line = row(number);
        while (!line.empty() && line.back() == Cell{}) {
            line.pop_back();
        }
        if (line.empty()) {
            continue;
        }
        out += "\x1b[" + std::to_string(number + 1) + ";1H";
        Style style;
        for (const auto& cell : line) {
            if (!(cell.style == style)) {
                style = cell.style;
                putStyle(out, style);
            }
            for (std::uint8_t i = 0; i < cell.count; ++i) {
                putCharacter(out, cell.points[i]);
            }
            if (cell.count == 0) {
                out.append(cell.columns, ' ');
            }
        }
        if (!(style == Style{})) {
            out += "\x1b[0m";
        }
    }
    out += "\x1b[" + std::to_string(now.cursorRow + 1) + ';' + std::to_string(now.cursorColumn + 1) + 'H';
    out += now.cursorVisible ? "\x1b[?25h" : "\x1b[?25l";
    return out;
}

} // namespace carrel::terminal

// SPDX-License-Identifier: Apache-2.0
#include "app/terminal/screen.h"

#include <algorithm>
#include <array>

namespace carrel::terminal {

using namespace api::terminal;
using api::CharacterKind;

namespace {

constexpr std::size_t kRoomForLines = kMaxScrolled - Screen::kSlice; // a slice has at most so many line ends
constexpr std::size_t kRoomForBytes = 1024 * 1024;
// What brings a saved cursor back.
constexpr std::array<std::string_view, 4> kCursorBack{"\x1b" "8", "\x1b[u", "\x1b[?1048l", "\x1b[?1049l"};
constexpr std::uint32_t kRightHalf = 0xffffffff; // of a wide character, as libvterm marks it
constexpr std::uint32_t kReplacement = 0xfffd;

// Characters that take room and show nothing: here a blank cell says the same.
bool isSpace(std::uint32_t point) {
    return point == 0x20 || point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x202f ||
           point == 0x205f;
}

// Joiners and selectors, which libvterm takes for marks, and at the beginning of a line for a character.
bool isNothing(std::uint32_t point) {
    return (point >= 0x200b && point <= 0x200f) || (point >= 0x2060 && point <= 0x2064) || (point >= 0xfe00 && point <= 0xfe0f) ||
           point == 0xfeff || point == 0xad || point == 0x34f;
}

Colour colourOf(const VTermColor& from, std::uint8_t defaultBit) {
    Colour out;
    if ((from.type & defaultBit) != 0) {
        return out;
    }
    if (VTERM_COLOR_IS_INDEXED(&from)) {
        out.kind = Colour::Kind::Indexed;
        out.red = from.indexed.idx;
    } else {
        out = {Colour::Kind::Rgb, from.rgb.red, from.rgb.green, from.rgb.blue};
    }
    return out;
}

Style styleOf(const VTermScreenCell& from) {
    Style out;
    const auto set = [&](bool when, Attribute bit) { out.attributes |= static_cast<std::uint8_t>(when ? bit : 0); };
    set(from.attrs.bold != 0, kBold);
    set(from.attrs.italic != 0, kItalic);
    set(from.attrs.underline != 0, kUnderline);
    set(from.attrs.reverse != 0, kReverse);
    set(from.attrs.strike != 0, kStrike);
    out.foreground = colourOf(from.fg, VTERM_COLOR_DEFAULT_FG);
    out.background = colourOf(from.bg, VTERM_COLOR_DEFAULT_BG);
    return out;
}

void addMark(Cell& cell, std::uint32_t point) {
    if (cell.count > 0 && cell.count < kMaxCharacters) {
        cell.points[cell.count++] = point;
    }
}

// `line` is what stands to the left: a mark that libvterm gave a cell of its own belongs to the character there.
void addCell(Line& line, const VTermScreenCell& from, int columnsLeft) {
    Cell cell;
    cell.style = styleOf(from);
    cell.columns = from.width == 2 && columnsLeft >= 2 ? 2 : 1;
    const auto base = from.chars[0];
    const auto kind = api::characterKind(base);
    if (base == 0 || isSpace(base) || isNothing(base)) {
        // blank
    } else if (kind == CharacterKind::Mark && !line.empty() && line.back().count > 0) {
        addMark(line.back(), base);
    } else {
        cell.points[0] = kind == CharacterKind::Narrow || kind == CharacterKind::Wide ? base : kReplacement;
        cell.count = 1;
    }
    for (std::size_t i = 1; i < VTERM_MAX_CHARS_PER_CELL && from.chars[i] != 0; ++i) {
        if (api::characterKind(from.chars[i]) == CharacterKind::Mark) {
            addMark(cell, from.chars[i]);
        }
    }
    line.push_back(cell);
}

// Cells one by one from `cellAt(column)`.
template <class CellAt> Line lineOf(int columns, CellAt cellAt) {
    Line out;
    out.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns;) {
        const VTermScreenCell& cell = cellAt(column);
        if (cell.chars[0] == kRightHalf) { // its left half was written over
            out.push_back(Cell{.style = styleOf(cell)});
        } else {
            addCell(out, cell, columns - column);
        }
        column += out.back().columns;
    }
    return out;
}

} // namespace

VTermScreenCallbacks Screen::callbacks() {
    VTermScreenCallbacks out{};
    out.damage = [](VTermRect rect, void* self) {
        static_cast<Screen*>(self)->damaged(rect.start_row, rect.end_row);
        return 1;
    };
    out.settermprop = [](VTermProp property, VTermValue* value, void* self) {
        static_cast<Screen*>(self)->changedProperty(property, *value);
        return 1;
    };
    out.bell = [](void* self) {
        static_cast<Screen*>(self)->m_bell = true;
        return 1;
    };
    out.sb_pushline = [](int columns, const VTermScreenCell* cells, void* self) {
        static_cast<Screen*>(self)->pushed(cells, columns);
        return 1;
    };
    return out;
}

Screen::Screen(std::uint16_t rows, std::uint16_t columns)
    : m_rows(rows)
    , m_columns(columns)
    , m_callbacks(callbacks())
    , m_term(vterm_new(rows, columns))
    , m_dirty(rows, true) {
    vterm_set_utf8(m_term.get(), 1);
    // No answer goes back to the guest: the filter lets no request through, and if one came, here is the end of it.
    vterm_output_set_callback(
        m_term.get(), [](const char*, std::size_t, void*) {}, nullptr);
    m_screen = vterm_obtain_screen(m_term.get());
    vterm_screen_set_callbacks(m_screen, &m_callbacks, this);
    vterm_screen_enable_altscreen(m_screen, 1);
    vterm_screen_set_damage_merge(m_screen, VTERM_DAMAGE_CELL);
    vterm_screen_reset(m_screen, 1);
}

void Screen::feed(std::string_view slice) {
    const auto mended = m_mender.mend(m_filter.feed(slice), m_columns);
    std::string_view rest = mended;
    while (!rest.empty()) {
        auto end = rest.size();
        for (const std::string_view back : kCursorBack) {
            if (const auto at = rest.find(back); at != std::string_view::npos) {
                end = std::min(end, at + back.size());
            }
        }
        write(rest.substr(0, end));
        keepCursorInside();
        rest.remove_prefix(end);
    }
}

void Screen::write(std::string_view sequences) {
    (void)vterm_input_write(m_term.get(), sequences.data(), sequences.size());
}

// libvterm 0.1 takes a place that was saved, or counted at another size, as it is, and then writes where nothing is.
void Screen::keepCursorInside() {
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(m_term.get()), &cursor);
    if (cursor.row < 0 || cursor.row >= m_rows || cursor.col < 0 || cursor.col >= m_columns) {
        write("\x1b[" + std::to_string(std::clamp(cursor.row, 0, m_rows - 1) + 1) + ';' +
              std::to_string(std::clamp(cursor.col, 0, m_columns - 1) + 1) + 'H');
    }
}

bool Screen::hasRoom() const {
    return m_scrolled.size() <= kRoomForLines && m_scrolledBytes <= kRoomForBytes;
}

void Screen::forgetScrolled() {
    m_scrolled.clear();
    m_scrolledBytes = 0;
}

void Screen::resize(std::uint16_t rows, std::uint16_t columns) {
    forgetScrollRegion();
    m_rows = rows;
    m_columns = columns;
    m_dirty.assign(rows, true);
    vterm_set_size(m_term.get(), rows, columns);
    keepCursorInside();
}

// As xterm does at a new size. libvterm 0.1 keeps the region's top, which may then lie below the screen: it would move memory that
// is not there.
void Screen::forgetScrollRegion() {
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(m_term.get()), &cursor);
    write("\x1b[r\x1b[" + std::to_string(cursor.row + 1) + ';' + std::to_string(cursor.col + 1) + 'H');
}

void Screen::damaged(int fromRow, int toRow) {
    const int size = static_cast<int>(m_dirty.size());
    for (int row = std::max(fromRow, 0); row < std::min(toRow, size); ++row) {
        m_dirty[static_cast<std::size_t>(row)] = true;
    }
}

void Screen::pushed(const VTermScreenCell* cells, int count) {
    const int columns = std::min<int>(count, kMaxColumns);
    m_scrolled.push_back(encodeLine(lineOf(columns, [&](int column) -> const VTermScreenCell& { return cells[column]; })));
    m_scrolledBytes += m_scrolled.back().size();
    while (m_scrolled.size() > kMaxScrolled) {
        m_scrolledBytes -= m_scrolled.front().size();
        m_scrolled.pop_front();
    }
}

void Screen::changedProperty(VTermProp property, const VTermValue& value) {
    switch (property) {
    case VTERM_PROP_CURSORVISIBLE:
        m_state.cursorVisible = value.boolean != 0;
        break;
    case VTERM_PROP_CURSORBLINK:
        m_state.cursorBlinks = value.boolean != 0;
        break;
    case VTERM_PROP_ALTSCREEN:
        m_state.alternate = value.boolean != 0;
        break;
    case VTERM_PROP_CURSORSHAPE:
        m_state.cursorShape = value.number == VTERM_PROP_CURSORSHAPE_UNDERLINE  ? CursorShape::Underline
                              : value.number == VTERM_PROP_CURSORSHAPE_BAR_LEFT ? CursorShape::Bar
                                                                                : CursorShape::Block;
        break;
    default: // titles and the mouse do not come through the filter
        break;
    }
}

ScreenState Screen::state() const {
    ScreenState out = m_state;
    out.rows = m_rows;
    out.columns = m_columns;
    VTermPos cursor{};
    vterm_state_get_cursorpos(vterm_obtain_state(m_term.get()), &cursor);
    out.cursorRow = static_cast<std::uint16_t>(std::clamp(cursor.row, 0, m_rows - 1));
    out.cursorColumn = static_cast<std::uint16_t>(std::clamp(cursor.col, 0, m_columns - 1));
    out.cursorKeys = m_mender.cursorKeys();
    out.bracketedPaste = m_mender.bracketedPaste();
    out.bell = m_bell;
    out.inputLost = m_inputLost;
    return out;
}

Line Screen::row(int number) const {
    VTermScreenCell cell{};
    return lineOf(m_columns, [&](int column) -> const VTermScreenCell& {
        cell = {};
        (void)vterm_screen_get_cell(m_screen, {number, column}, &cell);
        return cell;
    });
}

bool Screen::changed() const {
    return !m_scrolled.empty() || std::find(m_dirty.begin(), m_dirty.end(), true) != m_dirty.end() || state() != m_told;
}

std::string Screen::takeFrame() {
    m_told = state();
    FrameWriter frame(m_told);
    m_told.bell = m_told.inputLost = m_bell = m_inputLost = false;
    while (!m_scrolled.empty() && frame.addScrolled(m_scrolled.front())) {
        m_scrolledBytes -= m_scrolled.front().size();
        m_scrolled.pop_front();
    }
    for (std::uint16_t number = 0; number < m_rows; ++number) {
        if (m_dirty[number] && frame.addRow(number, encodeLine(row(number)))) {
            m_dirty[number] = false;
        }
    }
    return frame.finish();
}

} // namespace carrel::terminal

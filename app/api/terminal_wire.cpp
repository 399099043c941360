// SPDX-License-Identifier: Apache-2.0
#include "app/api/terminal_wire.h"

#include <algorithm>

namespace carrel::api::terminal {

namespace {

enum Kind : std::uint8_t {
    kConfined = 1,
    kFrame = 2,
    kEnded = 3,
    kInput = 4,
    kResize = 5,
    kSeen = 6,
};

enum Head : unsigned {
    kCountMask = 7U,
    kTwoColumns = 1U << 3U,
    kHasStyle = 1U << 4U,
    kAllHead = (1U << 5U) - 1,
};

enum Flag : unsigned {
    kCursorVisible = 1U << 0U,
    kCursorBlinks = 1U << 1U,
    kAlternate = 1U << 2U,
    kCursorKeys = 1U << 3U,
    kBracketedPaste = 1U << 4U,
    kBell = 1U << 5U,
    kInputLost = 1U << 6U,
    kAllFlags = (1U << 7U) - 1,
};

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kFrameHeadBytes = 1 + 2 + 2 + 2 + 1 + 2 + 2 + 2 + 2; // with both counts
constexpr std::uint32_t kSpace = 0x20;

void put8(std::string& out, unsigned value) {
    out += static_cast<char>(static_cast<std::uint8_t>(value));
}
void put16(std::string& out, std::size_t value) {
    put8(out, value & 0xffU);
    put8(out, (value >> 8U) & 0xffU);
}
void put24(std::string& out, std::uint32_t value) {
    put16(out, value & 0xffffU);
    put8(out, value >> 16U);
}

std::string message(Kind kind, std::string_view body) {
    std::string out;
    const std::size_t length = 1 + body.size();
    out.reserve(kLengthBytes + length);
    put16(out, length & 0xffffU);
    put16(out, length >> 16U);
    put8(out, kind);
    out += body;
    return out;
}

// Reads from the front of what is left; the first that is not there makes it bad, and it stays so.
class Reader {
public:
    explicit Reader(std::string_view bytes)
        : m_rest(bytes) {}
    unsigned number(std::size_t bytes) {
        if (m_rest.size() < bytes) {
            m_good = false;
            m_rest = {};
            return 0;
        }
        unsigned out = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            out |= static_cast<unsigned>(static_cast<std::uint8_t>(m_rest[i])) << (8U * i);
        }
        m_rest.remove_prefix(bytes);
        return out;
    }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::string_view bytes(std::size_t size) {
        if (m_rest.size() < size) {
            m_good = false;
            m_rest = {};
        }
        const auto out = m_rest.substr(0, m_good ? size : 0);
        m_rest.remove_prefix(out.size());
        return out;
    }
    void require(bool holds) { m_good = m_good && holds; }
    [[nodiscard]] bool good() const { return m_good; }
    [[nodiscard]] bool done() const { return m_good && m_rest.empty(); }
    [[nodiscard]] std::string_view rest() const { return m_rest; }

private:
    std::string_view m_rest;
    bool m_good = true;
};

tl::unexpected<Error> malformed(const char* what) {
    return fail(ErrorCode::Malformed, std::string("the program that draws the terminal sent ") + what);
}

bool isBlank(const Cell& cell) {
    return cell.count == 0 && cell.columns == 1 && cell.style == Style{};
}

void putColour(std::string& out, const Colour& colour) {
    put8(out, static_cast<unsigned>(colour.kind));
    put8(out, colour.red);
    put8(out, colour.green);
    put8(out, colour.blue);
}

Colour readColour(Reader& in) {
    Colour out;
    const auto kind = in.u8();
    in.require(kind <= static_cast<std::uint8_t>(Colour::Kind::Rgb));
    out.kind = static_cast<Colour::Kind>(kind);
    out.red = in.u8();
    out.green = in.u8();
    out.blue = in.u8();
    in.require(out.kind == Colour::Kind::Rgb || (out.green == 0 && out.blue == 0));
    in.require(out.kind != Colour::Kind::Default || out.red == 0);
    return out;
}

Cell readCell(Reader& in, const Style& before) {
    Cell cell;
    const unsigned head = in.u8();
    cell.count = static_cast<std::uint8_t>(head & kCountMask);
    cell.columns = (head & kTwoColumns) != 0 ? 2 : 1;
    in.require((head & ~unsigned{kAllHead}) == 0 && cell.count <= kMaxCharacters);
    cell.style = before;
    if ((head & kHasStyle) != 0) {
        cell.style.attributes = in.u8();
        cell.style.foreground = readColour(in);
        cell.style.background = readColour(in);
        in.require((cell.style.attributes & ~unsigned{kAllAttributes}) == 0 && cell.style != before);
    }
    for (std::size_t i = 0; in.good() && i < cell.count; ++i) {
        cell.points[i] = in.number(3);
        const auto kind = characterKind(cell.points[i]);
        in.require(i == 0 ? (kind == CharacterKind::Narrow || kind == CharacterKind::Wide) && cell.points[i] != kSpace
                          : kind == CharacterKind::Mark);
    }
    return cell;
}

Line readLine(Reader& in, std::size_t maxColumns) {
    Line out;
    const std::size_t count = in.u16();
    in.require(count <= maxColumns);
    std::size_t columns = 0;
    Style style;
    for (std::size_t i = 0; in.good() && i < count; ++i) {
        out.push_back(readCell(in, style));
        style = out.back().style;
        columns += out.back().columns;
        in.require(columns <= maxColumns);
    }
    in.require(out.empty() || !isBlank(out.back()));
    return out;
}

bool sizeFits(std::uint16_t rows, std::uint16_t columns) {
    return rows >= kMinRows && rows <= kMaxRows && columns >= kMinColumns && columns <= kMaxColumns;
}

ScreenState readScreen(Reader& in) {
    ScreenState out;
    out.rows = in.u16();
    out.columns = in.u16();
    const unsigned flags = in.u16();
    const auto shape = in.u8();
    out.cursorRow = in.u16();
    out.cursorColumn = in.u16();
    in.require(sizeFits(out.rows, out.columns) && (flags & ~unsigned{kAllFlags}) == 0 &&
               shape <= static_cast<std::uint8_t>(CursorShape::Bar) && out.cursorRow < out.rows && out.cursorColumn < out.columns);
    out.cursorShape = static_cast<CursorShape>(shape);
    out.cursorVisible = (flags & kCursorVisible) != 0;
    out.cursorBlinks = (flags & kCursorBlinks) != 0;
    out.alternate = (flags & kAlternate) != 0;
    out.cursorKeys = (flags & kCursorKeys) != 0;
    out.bracketedPaste = (flags & kBracketedPaste) != 0;
    out.bell = (flags & kBell) != 0;
    out.inputLost = (flags & kInputLost) != 0;
    return out;
}

Result<ToWindow> readFrame(Reader& in) {
    Frame out;
    out.screen = readScreen(in);
    const std::size_t scrolled = in.u16();
    in.require(scrolled <= kMaxScrolled);
    for (std::size_t i = 0; in.good() && i < scrolled; ++i) {
        const auto before = in.rest();
        (void)readLine(in, kMaxColumns); // it may be from before the screen was made narrower
        out.scrolled.emplace_back(before.substr(0, before.size() - in.rest().size()));
    }
    const std::size_t rows = in.u16();
    in.require(rows <= out.screen.rows);
    int last = -1;
    for (std::size_t i = 0; in.good() && i < rows; ++i) {
        const std::uint16_t row = in.u16();
        in.require(row > last && row < out.screen.rows);
        last = row;
        out.rows.emplace_back(row, readLine(in, out.screen.columns));
    }
    if (!in.done()) {
        return malformed("a picture that cannot be read");
    }
    return out;
}

Result<ToWindow> readEnded(Reader& in) {
    Ended out;
    const auto how = in.u8();
    out.number = in.u8();
    const auto code = in.u8();
    const auto words = [&] {
        const std::size_t size = in.u16();
        in.require(size <= kMaxWords);
        return std::string(in.bytes(in.good() ? size : 0));
    };
    out.error.message = words();
    out.error.hint = words();
    in.require(how <= static_cast<std::uint8_t>(Ended::How::Unfit) && code <= static_cast<std::uint8_t>(ErrorCode::Internal));
    if (!in.done()) {
        return malformed("an end that cannot be read");
    }
    out.how = static_cast<Ended::How>(how);
    out.error.code = static_cast<ErrorCode>(code);
    return out;
}

} // namespace

std::string encodeLine(Line line) {
    while (!line.empty() && isBlank(line.back())) {
        line.pop_back();
    }
    std::string out;
    put16(out, line.size());
    Style before;
    for (const Cell& cell : line) {
        const bool styled = cell.style != before;
        put8(out, cell.count | (cell.columns == 2 ? kTwoColumns : 0U) | (styled ? kHasStyle : 0U));
        if (styled) {
            put8(out, cell.style.attributes);
            putColour(out, cell.style.foreground);
            putColour(out, cell.style.background);
            before = cell.style;
        }
        for (std::size_t i = 0; i < cell.count; ++i) {
            put24(out, cell.points[i]);
        }
    }
    return out;
}

Result<Line> decodeLine(std::string_view bytes) {
    Reader in(bytes);
    auto line = readLine(in, kMaxColumns);
    if (!in.done()) {
        return malformed("a line that cannot be read");
    }
    return line;
}

bool FrameWriter::fits(std::size_t more) const {
    return kFrameHeadBytes + 1 + m_scrolled.size() + m_rows.size() + more <= kMaxToWindow;
}

bool FrameWriter::addScrolled(std::string_view encodedLine) {
    if (m_scrolledCount >= kMaxScrolled || !fits(encodedLine.size())) {
        return false;
    }
    ++m_scrolledCount;
    m_scrolled += encodedLine;
    return true;
}

bool FrameWriter::addRow(std::uint16_t row, std::string_view encodedLine) {
    if (!fits(2 + encodedLine.size())) {
        return false;
    }
    ++m_rowCount;
    put16(m_rows, row);
    m_rows += encodedLine;
    return true;
}

std::string FrameWriter::finish() const {
    const auto flag = [](bool set, Flag bit) { return set ? unsigned{bit} : 0U; };
    std::string body;
    put16(body, m_screen.rows);
    put16(body, m_screen.columns);
    put16(body, flag(m_screen.cursorVisible, kCursorVisible) | flag(m_screen.cursorBlinks, kCursorBlinks) |
                    flag(m_screen.alternate, kAlternate) | flag(m_screen.cursorKeys, kCursorKeys) |
                    flag(m_screen.bracketedPaste, kBracketedPaste) | flag(m_screen.bell, kBell) |
                    flag(m_screen.inputLost, kInputLost));
    put8(body, static_cast<unsigned>(m_screen.cursorShape));
    put16(body, m_screen.cursorRow);
    put16(body, m_screen.cursorColumn);
    put16(body, m_scrolledCount);
    body += m_scrolled;
    put16(body, m_rowCount);
    body += m_rows;
    return message(kFrame, body);
}

std::string encode(const Confined& confined) {
    std::string body;
    put8(body, confined.landlockAbi);
    return message(kConfined, body);
}

std::string encode(const Ended& ended) {
    std::string body;
    put8(body, static_cast<unsigned>(ended.how));
    put8(body, ended.number);
    put8(body, static_cast<unsigned>(ended.error.code));
    for (const std::string* words : {&ended.error.message, &ended.error.hint}) {
        const std::string_view cut = std::string_view(*words).substr(0, kMaxWords);
        put16(body, cut.size());
        body += cut;
    }
    return message(kEnded, body);
}

std::string encode(const Input& input) {
    return message(kInput, std::string_view(input.bytes).substr(0, kMaxInput));
}

std::string encode(const Resize& resize) {
    std::string body;
    put16(body, resize.rows);
    put16(body, resize.columns);
    return message(kResize, body);
}

std::string encode(const Seen& /*seen*/) {
    return message(kSeen, {});
}

Result<ToWindow> decodeToWindow(std::string_view message) {
    Reader in(message);
    switch (in.u8()) {
    case kConfined: {
        const Confined out{in.u8()};
        if (!in.done()) {
            return malformed("a beginning that cannot be read");
        }
        return out;
    }
    case kFrame:
        return readFrame(in);
    case kEnded:
        return readEnded(in);
    default:
        return malformed("something that this window does not know");
    }
}

Result<ToTerminal> decodeToTerminal(std::string_view message) {
    Reader in(message);
    switch (in.u8()) {
    case kInput:
        if (!in.rest().empty() && in.rest().size() <= kMaxInput) {
            return Input{std::string(in.rest())};
        }
        break;
    case kResize: {
        Resize out;
        out.rows = in.u16();
        out.columns = in.u16();
        if (in.done() && sizeFits(out.rows, out.columns)) {
            return out;
        }
        break;
    }
    case kSeen:
        if (in.done()) {
            return Seen{};
        }
        break;
    default:
        break;
    }
    return fail(ErrorCode::Malformed, "the window sent something that cannot be read");
}

Result<std::optional<std::string>> MessageSplitter::next() {
    if (m_bytes.size() - m_at < kLengthBytes) {
        m_bytes.erase(0, m_at);
        m_at = 0;
        return std::nullopt;
    }
    Reader in(std::string_view(m_bytes).substr(m_at));
    const std::size_t length = in.number(kLengthBytes);
    if (length == 0 || length > m_max) {
        return malformed("a message of a wrong length");
    }
    if (in.rest().size() < length) {
        m_bytes.erase(0, m_at);
        m_at = 0;
        return std::nullopt;
    }
    auto out = std::string(in.bytes(length));
    m_at += kLengthBytes + length;
    return out;
}

} // namespace carrel::api::terminal

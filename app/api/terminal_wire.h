// SPDX-License-Identifier: Apache-2.0
// What carrel-terminal (app/terminal), which reads a guest's bytes and draws the screen that they make, and a window say to each
// other over one local socket. The window believes nothing: whatever a broken program sends is refused, or is cells of visible
// characters (characters.h) within these bounds. Each message has exactly one form, so that nothing hides in another.
//
//   message   u32 length of the rest, u8 kind, body. All numbers little-endian
//   to the window
//     Confined  u8 Landlock's ABI, 0: the kernel has none. Always first, before a byte of the guest's is read
//     Frame     u16 rows, u16 columns, u16 flags, u8 shape, u16 row and u16 column of the cursor,
//               u16 n, n lines that left the screen at its top, u16 m, m times u16 row (ascending) and its line
//     Ended     u8 how, u8 number, u8 code, u16 length and bytes of a message, the same of a hint. The last one
//   line      u16 cells, then each: u8 head (bits 0-2 characters, 3 two columns wide, 4 a style follows; else it is that of the
//             cell before it), the style if so, the characters as u24. No blank cells at the end
//   style     u8 attributes, foreground, background, each u8 kind and three bytes
//   from the window
//     Input     bytes for the program's input, as they are
//     Resize    u16 rows, u16 columns
//     Seen      the frame was taken in. Until then there is no other: a flood of output costs time, not memory
//
// Does no I/O. Thread: values, pure functions; a MessageSplitter has one owner.
#pragma once

#include "app/api/characters.h"
#include "guest/protocol/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace carrel::api::terminal {

// A small type on a large screen; below the least sizes programs draw nonsense.
inline constexpr std::uint16_t kMinRows = 2;
inline constexpr std::uint16_t kMaxRows = 300;
inline constexpr std::uint16_t kMinColumns = 8;
inline constexpr std::uint16_t kMaxColumns = 640;
inline constexpr std::size_t kMaxCharacters = 1 + kMarksInARow; // of a cell
inline constexpr std::size_t kMaxCellBytes = 1 + 9 + 3 * kMaxCharacters;
inline constexpr std::size_t kMaxLineBytes = 2 + kMaxColumns * kMaxCellBytes;
inline constexpr std::size_t kMaxScrolled = 1024; // lines in one frame
// A frame: what does not fit waits for the next. A whole screen fits unless somebody fills it with the costliest cells.
inline constexpr std::size_t kMaxToWindow = 2 * 1024 * 1024;
inline constexpr std::size_t kMaxInput = 32 * 1024; // in one message; a paste takes several
inline constexpr std::size_t kMaxToTerminal = 1 + kMaxInput;
inline constexpr std::size_t kMaxWords = 512; // of an error's message, and of its hint

struct Colour {
    enum class Kind : std::uint8_t { Default, Indexed, Rgb };
    Kind kind = Kind::Default;
    std::uint8_t red = 0; // or the index; 0 where it has none
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    bool operator==(const Colour&) const = default;
};

enum Attribute : std::uint8_t {
    kBold = 1U << 0U,
    kItalic = 1U << 1U,
    kUnderline = 1U << 2U,
    kReverse = 1U << 3U,
    kStrike = 1U << 4U,
    kAllAttributes = (1U << 5U) - 1,
};

struct Style {
    std::uint8_t attributes = 0; // Attribute bits
    Colour foreground;
    Colour background;
    bool operator==(const Style&) const = default;
};

struct Cell {
    std::array<std::uint32_t, kMaxCharacters> points{}; // a visible character, then marks on it
    std::uint8_t count = 0;                             // 0: blank
    std::uint8_t columns = 1;                           // 1 or 2
    Style style;
    bool operator==(const Cell&) const = default;
};
// From the left; blank to the right of its end. At most kMaxColumns columns.
using Line = std::vector<Cell>;

enum class CursorShape : std::uint8_t { Block, Underline, Bar };

struct ScreenState {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
    std::uint16_t cursorRow = 0;
    std::uint16_t cursorColumn = 0;
    CursorShape cursorShape = CursorShape::Block;
    bool cursorVisible = true;
    bool cursorBlinks = false;
    bool alternate = false;      // the screen of a program that fills it; nothing scrolls out of it
    bool cursorKeys = false;     // DECCKM: arrows are sent as SS3
    bool bracketedPaste = false; // a paste is sent between marks
    bool bell = false;           // it rang since the last frame, once or often
    bool inputLost = false;      // what was typed could not be kept, as the program reads nothing
    bool operator==(const ScreenState&) const = default;
};

struct Confined {
    std::uint8_t landlockAbi = 0;
    bool operator==(const Confined&) const = default;
};
struct Frame {
    ScreenState screen;
    std::vector<std::string> scrolled; // lines in their encoded form, which decodeLine() takes
    std::vector<std::pair<std::uint16_t, Line>> rows;
};
struct Ended {
    enum class How : std::uint8_t {
        Exited,    // number: its status
        Signalled, // number: the signal
        Failed,    // the machine could not start it, or keep it: error, a guest's words
        Lost,      // the connection to the machine ended
        Broken,    // the machine's side broke the protocol
        Unfit,     // the program could not confine itself, and read nothing: error, its own words
    };
    How how = How::Lost;
    std::uint8_t number = 0;
    Error error; // code, message and hint
};
using ToWindow = std::variant<Confined, Frame, Ended>;

struct Input {
    std::string bytes;
};
struct Resize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};
struct Seen {};
using ToTerminal = std::variant<Input, Resize, Seen>;

// Without blank cells of no style at its end. Precondition: within the bounds above.
[[nodiscard]] std::string encodeLine(Line line);
// `bytes` is one line and nothing else.
[[nodiscard]] Result<Line> decodeLine(std::string_view bytes);

// A frame under way. add… is false where it would grow beyond a bound: that line is for the next frame.
class FrameWriter {
public:
    explicit FrameWriter(const ScreenState& screen)
        : m_screen(screen) {}
    [[nodiscard]] bool addScrolled(std::string_view encodedLine);
    [[nodiscard]] bool addRow(std::uint16_t row, std::string_view encodedLine); // rows ascend
    [[nodiscard]] std::string finish() const;                                   // the whole message

private:
    [[nodiscard]] bool fits(std::size_t more) const;

    ScreenState m_screen;
    std::uint16_t m_scrolledCount = 0;
    std::uint16_t m_rowCount = 0;
    std::string m_scrolled;
    std::string m_rows;
};

// Whole messages, with their lengths. Words longer than kMaxWords are cut.
[[nodiscard]] std::string encode(const Confined& confined);
[[nodiscard]] std::string encode(const Ended& ended);
[[nodiscard]] std::string encode(const Input& input); // at most kMaxInput bytes, at least one
[[nodiscard]] std::string encode(const Resize& resize);
[[nodiscard]] std::string encode(const Seen& seen);

// What a MessageSplitter gave. Malformed: anything else than the one form, or beyond a bound.
[[nodiscard]] Result<ToWindow> decodeToWindow(std::string_view message);
[[nodiscard]] Result<ToTerminal> decodeToTerminal(std::string_view message);

// Cuts a stream into messages (kind and body). A length beyond `max` is Malformed, before anything of it is kept.
class MessageSplitter {
public:
    explicit MessageSplitter(std::size_t max)
        : m_max(max) {}
    void feed(std::string_view bytes) { m_bytes += bytes; }
    // Nothing: not all of it has come. Once Malformed, always.
    [[nodiscard]] Result<std::optional<std::string>> next();

private:
    std::size_t m_max;
    std::string m_bytes;
    std::size_t m_at = 0;
};

} // namespace carrel::api::terminal

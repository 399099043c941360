// SPDX-License-Identifier: Apache-2.0
#include "app/api/terminal_filter.h"

#include "guest/protocol/share_path.h"

#include <algorithm>
#include <array>
#include <vector>

namespace carrel::api {

namespace {

constexpr std::size_t kMaxSequence = 64; // the longest useful SGR is about half of this
constexpr int kMaxParameter = 9999;      // rows, columns, repetitions
// A string that is never ended must not silence the session for good. Far above any picture sent as DCS.
constexpr std::uint32_t kMaxString = 4 * 1024 * 1024;

constexpr std::uint8_t kEsc = 0x1b;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// What restore() has to put back.
enum Touched : std::uint32_t {
    kColours = 1U << 0U,
    kCursorHidden = 1U << 1U,
    kCursorKeys = 1U << 2U,
    kKeypad = 1U << 3U,
    kPaste = 1U << 4U,
    kAlternate = 1U << 5U,
    kRegion = 1U << 6U,
    kInsert = 1U << 7U,
    kOrigin = 1U << 8U,
    kWrap = 1U << 9U,
    kCharset = 1U << 10U,
    kShape = 1U << 11U,
    kSync = 1U << 12U,
};

struct Mode {
    int number;
    std::uint32_t touches;
};
constexpr std::array kModes{Mode{1, kCursorKeys},   Mode{6, kOrigin},        Mode{7, kWrap},
                            Mode{12, kShape},       Mode{25, kCursorHidden}, Mode{47, kAlternate},
                            Mode{1047, kAlternate}, Mode{1048, 0},           Mode{1049, kAlternate},
                            Mode{2004, kPaste},     Mode{2026, kSync}};

// The numbers of a parameter string of digits and ';' (empty ones are -1); none where there is anything else.
bool numbersOf(std::string_view text, std::vector<int>& numbers) {
    numbers.assign(1, -1);
    for (const char c : text) {
        if (c == ';') {
            numbers.push_back(-1);
        } else if (c >= '0' && c <= '9') {
            numbers.back() = std::max(numbers.back(), 0) * 10 + (c - '0');
            if (numbers.back() > kMaxParameter) {
                return false;
            }
        } else {
            return false;
        }
    }
    return true;
}

// Characters that act on their surroundings instead of being seen there.
bool isOverride(std::uint32_t point) {
    return point < 0xa0 || (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0x200e || point == 0x200f || point == 0x61c || point == 0x2028 || point == 0x2029;
}

} // namespace

std::string TerminalFilter::feed(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        switch (m_state) {
        case State::Ground:
            ground(byte, out);
            break;
        case State::Escape:
        case State::EscapeRest:
        case State::Charset:
            escape(byte, out);
            break;
        case State::Control:
        case State::ControlWaste:
            control(byte, out);
            break;
        case State::String:
        case State::StringEscape:
            string(byte);
            break;
        }
    }
    return out;
}

void TerminalFilter::ground(std::uint8_t byte, std::string& out) {
    if (byte >= 0x80) {
        text(byte, out);
        return;
    }
    if (!m_character.empty()) { // cut short
        m_character.clear();
        out += kReplacement;
    }
    if (byte == kEsc) {
        m_state = State::Escape;
    } else if (byte >= 0x20 ? byte != 0x7f : (byte >= 0x07 && byte <= 0x0d)) {
        out += static_cast<char>(byte);
    }
}

void TerminalFilter::text(std::uint8_t byte, std::string& out) {
    const bool continues = byte < 0xc0;
    if (m_character.empty() || !continues) {
        if (!m_character.empty()) {
            m_character.clear();
            out += kReplacement;
        }
        if (byte < 0xc2 || byte > 0xf4) {
            out += kReplacement;
            return;
        }
        m_characterSize = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    }
    m_character += static_cast<char>(byte);
    if (m_character.size() == m_characterSize) {
        finishCharacter(out);
        m_character.clear();
    }
}

void TerminalFilter::finishCharacter(std::string& out) {
    if (!isUtf8(m_character)) {
        out += kReplacement;
        return;
    }
    std::uint32_t point = static_cast<std::uint8_t>(m_character[0]) & (0x7fU >> m_characterSize);
    for (std::size_t i = 1; i < m_characterSize; ++i) {
        point = (point << 6U) | (static_cast<std::uint8_t>(m_character[i]) & 0x3fU);
    }
    if (!isOverride(point)) {
        out += m_character;
    }
}

void TerminalFilter::escape(std::uint8_t byte, std::string& out) {
    if (byte == kEsc) {
        m_state = State::Escape;
        return;
    }
    if (byte < 0x20 || byte >= 0x7f) { // CAN, SUB and garbage end the sequence
        m_state = State::Ground;
        if (byte >= 0x80 || (byte != 0x18 && byte != 0x1a)) {
            ground(byte, out);
        }
        return;
    }
    const char c = static_cast<char>(byte);
    if (m_state == State::Charset) {
        m_state = State::Ground;
        if (c == 'B' || c == '0') {
            m_touched |= kCharset;
            out += "\x1b(";
            out += c;
        } else if (byte < 0x30) {
            m_state = State::EscapeRest;
        }
        return;
    }
    if (byte < 0x30) { // an intermediate: only "(" leads anywhere
        m_state = m_state == State::Escape && c == '(' ? State::Charset : State::EscapeRest;
        return;
    }
    const bool direct = m_state == State::Escape;
    m_state = State::Ground;
    if (!direct) {
        return;
    }
    if (c == '[') {
        m_sequence.clear();
        m_state = State::Control;
    } else if (std::string_view("]PX^_").find(c) != std::string_view::npos) {
        m_stringBytes = 0;
        m_state = State::String;
    } else if (std::string_view("78DEM=>").find(c) != std::string_view::npos) {
        m_touched |= c == '=' ? kKeypad : 0U;
        out += static_cast<char>(kEsc);
        out += c;
    }
}

void TerminalFilter::control(std::uint8_t byte, std::string& out) {
    if (byte == kEsc) {
        m_state = State::Escape;
    } else if (byte < 0x20) {
        // A terminal acts on a control character inside a sequence; ours ends the sequence instead.
        m_state = State::Ground;
        if (byte != 0x18 && byte != 0x1a) {
            ground(byte, out);
        }
    } else if (byte >= 0x80) {
        m_state = State::Ground;
        ground(byte, out);
    } else if (byte >= 0x40 && byte < 0x7f) {
        const bool refused = m_state == State::ControlWaste;
        m_state = State::Ground;
        if (!refused) {
            finishControl(static_cast<char>(byte), out);
        }
    } else if (byte < 0x40) {
        if (m_sequence.size() >= kMaxSequence) {
            m_state = State::ControlWaste;
        } else {
            m_sequence += static_cast<char>(byte);
        }
    }
}

void TerminalFilter::string(std::uint8_t byte) {
    ++m_stringBytes;
    if (byte == kEsc) {
        m_state = State::StringEscape;
    } else if (m_state == State::StringEscape) {
        // ESC and anything ends the string in some terminals; only ST does here, so that a string dropped by
        // us is never longer in a terminal's eyes than in ours: it does not get to see any of it.
        m_state = byte == '\\' ? State::Ground : State::String;
    } else if (byte == 0x07 || byte == 0x18 || byte == 0x1a || m_stringBytes > kMaxString) {
        m_state = State::Ground;
    }
}

void TerminalFilter::finishControl(char final, std::string& out) {
    std::string_view body = m_sequence;
    if (body.starts_with('?')) {
        out += allowedModes(final);
    } else if (body == "!" && final == 'p') {
        out += "\x1b[!p";
    } else if (plainControlAllowed(final)) {
        out += "\x1b[";
        out += body;
        out += final;
    }
}

// CSI ? Pm h/l with those modes that are allowed.
std::string TerminalFilter::allowedModes(char final) {
    std::vector<int> numbers;
    if ((final != 'h' && final != 'l') || !numbersOf(std::string_view(m_sequence).substr(1), numbers)) {
        return {};
    }
    std::string kept;
    for (const int number : numbers) {
        const auto* mode =
            std::find_if(kModes.begin(), kModes.end(), [&](Mode m) { return m.number == number; });
        if (mode != kModes.end()) {
            kept += (kept.empty() ? "" : ";") + std::to_string(number);
            m_touched |= mode->touches;
            if (mode->touches == kAlternate && final == 'l') {
                m_touched &= ~std::uint32_t{kAlternate};
            }
        }
    }
    return kept.empty() ? std::string() : "\x1b[?" + kept + final;
}

bool TerminalFilter::plainControlAllowed(char final) {
    std::string_view body = m_sequence;
    std::vector<int> numbers;
    if (final == 'm') { // colons separate sub-parameters of colours
        m_touched |= kColours;
        return std::all_of(body.begin(), body.end(),
                           [](char c) { return (c >= '0' && c <= '9') || c == ';' || c == ':'; });
    }
    if (final == 'q') {
        m_touched |= kShape;
        return body == " " || (body.size() == 2 && body[0] >= '0' && body[0] <= '6' && body[1] == ' ');
    }
    if (!numbersOf(body, numbers)) {
        return false;
    }
    switch (final) {
    case 'J':
        return numbers.size() == 1 && numbers[0] <= 2;
    case 's': // with parameters it sets margins
    case 'u':
        return body.empty();
    case 'T': // with several it starts tracking the mouse
        return numbers.size() == 1;
    case 'r':
        m_touched |= kRegion;
        return numbers.size() <= 2;
    case 'h':
    case 'l':
        m_touched |= kInsert;
        return body == "4";
    default:
        return numbers.size() <= 2 &&
               std::string_view("ABCDEFGHKLMPSXZ@ade`fbI").find(final) != std::string_view::npos;
    }
}

std::string TerminalFilter::restore() const {
    struct Step {
        std::uint32_t when;
        std::string_view sequence;
    };
    static constexpr std::array kSteps{Step{kSync, "\x1b[?2026l"},
                                       Step{kAlternate, "\x1b[?1049l"},
                                       Step{kRegion, "\x1b"
                                                     "7\x1b[r\x1b"
                                                     "8"},
                                       Step{kOrigin, "\x1b[?6l"},
                                       Step{kInsert, "\x1b[4l"},
                                       Step{kWrap, "\x1b[?7h"},
                                       Step{kCharset, "\x1b(B"},
                                       Step{kCursorKeys, "\x1b[?1l"},
                                       Step{kKeypad, "\x1b>"},
                                       Step{kPaste, "\x1b[?2004l"},
                                       Step{kShape, "\x1b[0 q"},
                                       Step{kCursorHidden, "\x1b[?25h"},
                                       Step{kColours, "\x1b[0m"}};
    // Nothing of an unfinished sequence was let through, so there is nothing to end first.
    std::string out;
    for (const auto& step : kSteps) {
        if ((m_touched & step.when) != 0) {
            out += step.sequence;
        }
    }
    return out;
}

} // namespace carrel::api

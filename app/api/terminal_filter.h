// SPDX-License-Identifier: Apache-2.0
// What a guest's program may tell the user's terminal (invariant I11): text, colours and movement; nothing
// that makes the terminal speak, remember, or reach outside its window. An allow-list: what is not named is
// dropped.
//
// Passed (ECMA-48 and xterm's control sequences):
//   UTF-8 text; BS HT LF VT FF CR BEL
//   ESC 7 8 (save, restore cursor) D E M (index, next line, reverse index) = > (keypad) ( B and ( 0 (line
//   drawing) CSI A-H J K L M P S T X Z @ a d e f ` b r I (movement, erase, insert, scroll region), SGR m, s
//   u,
//       4 h/l (insert mode), ! p (soft reset), SP q (cursor shape)
//   CSI ? h/l of 1 (cursor keys) 6 (origin) 7 (wrap) 12 25 (cursor) 47 1047 1048 1049 (alternate screen)
//       2004 (bracketed paste) 2026 (synchronized output)
// Dropped, among others: OSC (titles, clipboard, links, colours), DCS, APC, PM, SOS, every request for a
// report (DA, DSR,
//   DECRQM, window size, answerback), C1 controls, keyboard lock, full reset, tab stops, character sets by SO
//   and SI, erasing the scroll-back (CSI 3 J: it holds what the user did before), bidirectional overrides.
// Mouse and focus reports are dropped too: they would tell the guest what the user does in a window that is
// theirs, and take copy and paste away; programs work without. Bytes that are not UTF-8 become U+FFFD.
//
// Does no I/O; keeps a bounded state. Thread: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::api {

class TerminalFilter {
public:
    // What may be shown now; incomplete sequences wait for the next call.
    [[nodiscard]] std::string feed(std::string_view bytes);
    // What brings a terminal back that this filter's output changed; empty where nothing needs it.
    [[nodiscard]] std::string restore() const;

private:
    enum class State {
        Ground,
        Escape,       // after ESC
        EscapeRest,   // after ESC and intermediates
        Charset,      // after ESC (
        Control,      // inside CSI
        ControlWaste, // inside a CSI that is refused
        String,       // inside OSC, DCS, APC, PM or SOS: all is dropped
        StringEscape, // ESC inside it
    };

    void ground(std::uint8_t byte, std::string& out);
    void text(std::uint8_t byte, std::string& out);
    void finishCharacter(std::string& out);
    void escape(std::uint8_t byte, std::string& out);
    void control(std::uint8_t byte, std::string& out);
    void string(std::uint8_t byte);
    void finishControl(char final, std::string& out);
    bool plainControlAllowed(char final);
    std::string allowedModes(char final);

    State m_state = State::Ground;
    std::string m_character; // an unfinished UTF-8 character, at most 3 bytes
    std::size_t m_characterSize = 0;
    std::string m_sequence; // parameters and intermediates of a CSI, bounded
    std::uint32_t m_stringBytes = 0;
    std::uint32_t m_touched = 0; // Touched bits
};

} // namespace carrel::api

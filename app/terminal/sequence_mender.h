// SPDX-License-Identifier: Apache-2.0
// Between the allow-list (app/api/terminal_filter.h) and libvterm 0.1: what that library does not do well, or does not tell.
//   REP (CSI n b)        is written out, at most one row of it; libvterm never returns where there is nothing to repeat yet
//   SGR (CSI … m)        goes on one rendition at a time, each of a known form: libvterm reads past a long list, and past one that
//                        ends in a colon. A colour space (38:2:space:r:g:b) is left out, which it takes for red
//   CSI ? … h/l          go on one at a time, too. 1 and 2004 are noted, as the window's keys and pastes depend on them; so is CSI ! p
// Takes the filter's output: whole sequences, UTF-8. Does no I/O; bounded. Thread: one owner.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace carrel::terminal {

class SequenceMender {
public:
    // `columns`: of a row now.
    [[nodiscard]] std::string mend(std::string_view filtered, std::size_t columns);

    [[nodiscard]] bool cursorKeys() const { return m_cursorKeys; }
    [[nodiscard]] bool bracketedPaste() const { return m_bracketedPaste; }

private:
    void control(std::string_view body, char final, std::size_t columns, std::string& out);
    void mode(std::string_view number, bool set);

    std::string m_last; // the character that was written last, if nothing came after it
    bool m_cursorKeys = false;
    bool m_bracketedPaste = false;
};

} // namespace carrel::terminal

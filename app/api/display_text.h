// SPDX-License-Identifier: Apache-2.0
// Text that comes from a guest, made fit for a person's eyes (invariant I11). Whatever goes to a terminal, a
// window or a log line for people passes this one type first. What is escaped, visibly, as \u{…} or \x…:
//   control characters (C0, DEL, C1), bidirectional marks and overrides, zero-width and other invisible
//   characters, spaces that are not U+0020 or U+3000, private-use and unassigned code points, line and
//   paragraph separators, bytes that are not UTF-8 (RFC 3629), a combining mark at the beginning or beyond
//   four in a row.
// Tables: Unicode 14. A backslash in the text itself stays as it is: an escape can be imitated, but imitating
// one hides nothing. The result is never markup: a view that knows markup must show it as plain text. Thread:
// value.
#pragma once

#include <string>
#include <string_view>

namespace carrel::api {

class DisplayText {
public:
    static constexpr std::size_t kLineColumns = 280;
    static constexpr std::size_t kBlockBytes = 256 * 1024;

    // One line: line ends and tabs are escaped (\n, \t). At most `maxColumns` columns, the last one then "…".
    [[nodiscard]] static DisplayText line(std::string_view raw, std::size_t maxColumns = kLineColumns);
    // Several lines: LF and TAB stay. At most `maxBytes` of the raw text, then a line "… (shortened)".
    [[nodiscard]] static DisplayText block(std::string_view raw, std::size_t maxBytes = kBlockBytes);

    DisplayText() = default;
    [[nodiscard]] const std::string& text() const { return m_text; }
    [[nodiscard]] std::size_t columns() const { return m_columns; } // of one line, as a terminal counts
    [[nodiscard]] bool escaped() const { return m_escaped; }        // something was
    [[nodiscard]] bool shortened() const { return m_shortened; }

private:
    friend struct DisplayTextBuilder;
    std::string m_text;
    std::size_t m_columns = 0;
    bool m_escaped = false;
    bool m_shortened = false;
};

// Text for people that may name a file, for JSON: a name need not be UTF-8, JSON must be. Unchanged where it is UTF-8.
[[nodiscard]] std::string asUtf8(std::string_view text);

} // namespace carrel::api

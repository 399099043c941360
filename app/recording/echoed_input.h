// SPDX-License-Identifier: Apache-2.0
// Which of what was typed may be recorded: a line that the terminal showed back, character by character, before it went on to the next
// line. A password is not shown, whoever switched the echo off and by whatever means, so that nobody's word about the terminal's
// state is needed, the guest's least of all. In doubt (a line that was edited, completed or coloured, typed ahead, or ended by a key
// other than Enter) it is left out: what it did is in the output anyway.
// Bounded. Does no I/O. Thread: one owner.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::recording {

class EchoedInput {
public:
    static constexpr std::size_t kMaxLine = 4096;

    void typed(std::string_view bytes);
    // Output, in the order in which it came after what was typed. The lines that it confirms, each with its carriage return.
    [[nodiscard]] std::string shown(std::string_view bytes);

private:
    void take(char byte);

    std::string m_line;       // typed, and not ended in the output
    std::size_t m_matched = 0; // characters of it that were shown
    bool m_entered = false;
    bool m_doubtful = false;
    std::string m_ahead; // typed after the end of the line
};

} // namespace carrel::recording

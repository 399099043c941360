// SPDX-License-Identifier: Apache-2.0
// The end of what a program wrote, in bounded memory. Thread: one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace carrel::runner {

class OutputTail {
public:
    explicit OutputTail(std::size_t most)
        : m_most(most) {}
    void add(std::string_view bytes);
    // At most `most` bytes, from the beginning of a character; valid UTF-8: in a line that is not, what is beyond ASCII becomes '?'. A
    // character that has only come in part yet is left out.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool wasCut() const { return m_wasCut || m_kept.size() > m_most; }

private:
    std::size_t m_most;
    std::string m_kept; // up to twice as long, so that it is not moved with every piece
    bool m_wasCut = false;
};

} // namespace carrel::runner

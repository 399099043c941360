// SPDX-License-Identifier: Apache-2.0
// Bytes of whatever origin as text for a model: valid UTF-8 (RFC 3629), of a bounded length. Thread: one object, one thread; the functions
// are pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::agent {

// Makes text of bytes that come piece by piece. What is no UTF-8 becomes U+FFFD, one for each longest beginning of a character, as the
// Unicode standard has it (chapter 3, "U+FFFD Substitution of Maximal Subparts"); a NUL does, too: not every server takes one.
class Utf8Mender {
public:
    [[nodiscard]] std::string feed(std::string_view bytes);
    [[nodiscard]] std::string finish(); // what the last piece left open

private:
    std::string m_open; // the beginning of a character, less than four bytes
};
[[nodiscard]] std::string mended(std::string_view bytes);

// Takes any amount of text and keeps its beginning and its end, with the size of what lay between named in its place. What is fed must be
// whole characters. Memory: about `most` bytes.
class KeptEnds {
public:
    explicit KeptEnds(std::size_t most)
        : m_half(most / 2) {}
    void feed(std::string_view text);
    [[nodiscard]] std::string text() const;

private:
    std::size_t m_half;
    std::string m_head;
    std::string m_tail; // up to twice the half, so that it is not moved with every piece
    std::uint64_t m_fed = 0;
};

// A name on one line, in one way for each name: control characters, a backslash and what is no UTF-8 as \n, \\, \xff.
[[nodiscard]] std::string shownName(std::string_view name);
// The first `most` bytes of a line, and the size of the rest named; mended.
[[nodiscard]] std::string shownLine(std::string_view begin, std::uint64_t wholeSize, std::size_t most);

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
// The lines of a file one after the other, in bounded memory however long a line is. A file that holds a NUL in its beginning is no text.
// Thread: one object, one thread.
#pragma once

#include "guest/agent/tools/file_book.h"
#include "guest/protocol/result.h"

#include <optional>
#include <vector>

namespace carrel::agent {

struct Line {
    std::string_view begin;      // at most as many bytes as are kept, without the end of the line; until the next one is taken
    std::uint64_t wholeSize = 0; // bytes
};

class LineReader {
public:
    // `file` outlives this and stands at its beginning. `keptOfLine`: bytes. `mostBytes`: of the file, that are read at most, about.
    LineReader(int file, std::size_t keptOfLine, std::uint64_t mostBytes);

    // Io. To be asked before the first line is taken.
    [[nodiscard]] Result<bool> isText();
    // Nothing at its end, and where `mostBytes` are used up. Io.
    [[nodiscard]] Result<std::optional<Line>> next();
    [[nodiscard]] bool isUsedUp() const { return m_usedUp; }
    [[nodiscard]] std::uint64_t bytesRead() const { return m_read; }
    // Of the whole file, which is read on to its end. LimitExceeded where that is further than `mostBytes`.
    [[nodiscard]] Result<ContentSum> finishSum();

private:
    [[nodiscard]] Result<bool> fill(); // false: there is no more

    int m_file;
    std::size_t m_kept;
    std::uint64_t m_most;
    std::uint64_t m_read = 0;
    bool m_usedUp = false;
    std::vector<char> m_space;
    std::string_view m_rest; // of m_space, not taken yet
    std::string m_line;
    ContentSum m_sum;
};

} // namespace carrel::agent

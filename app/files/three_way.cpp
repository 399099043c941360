// SPDX-License-Identifier: Apache-2.0
#include "app/files/three_way.h"

#include "app/files/line_diff.h"

#include <algorithm>

namespace carrel::files {

namespace {

// One side's changes, taken region by region in order of the base.
class Side {
public:
    explicit Side(const LineDiff& diff)
        : m_diff(diff) {}

    [[nodiscard]] bool atEnd() const { return m_at == m_diff.hunks.size(); }
    [[nodiscard]] std::size_t start() const { return m_diff.hunks[m_at].oldStart; }
    // Takes what overlaps or touches the region of the base that ends at `to`; true when that made it larger.
    bool take(std::size_t& to) {
        bool grew = false;
        for (; !atEnd() && start() <= to; ++m_at) {
            const LineHunk& hunk = m_diff.hunks[m_at];
            const std::size_t end = hunk.oldStart + hunk.oldCount;
            grew = grew || end > to;
            to = std::max(to, end);
            m_changed = true;
        }
        return grew;
    }
    [[nodiscard]] bool changed() const { return m_changed; }
    // The region's lines on this side; then comes the next region.
    struct Lines {
        std::size_t first = 0, end = 0;
    };
    Lines finish(std::size_t from, std::size_t to) {
        const Lines lines{position(from, m_done), position(to, m_at)};
        m_done = m_at;
        m_changed = false;
        return lines;
    }
    void put(std::string& out, char mark, std::size_t line) const {
        out += mark;
        out.append(m_diff.newLines[line]);
        out += '\n';
        if (line + 1 == m_diff.newLines.size() && !m_diff.newEndsWithNewline) {
            out += "\\ No newline at end of file\n";
        }
    }
    [[nodiscard]] bool open(std::size_t line) const {
        return line + 1 == m_diff.newLines.size() && !m_diff.newEndsWithNewline;
    }
    [[nodiscard]] std::string_view text(std::size_t line) const { return m_diff.newLines[line]; }

private:
    // Where a line of the base that no hunk touches stands on this side, after `hunks` of them.
    [[nodiscard]] std::size_t position(std::size_t baseLine, std::size_t hunks) const {
        if (hunks == 0) {
            return baseLine;
        }
        const LineHunk& before = m_diff.hunks[hunks - 1];
        return before.newStart + before.newCount + (baseLine - (before.oldStart + before.oldCount));
    }

    const LineDiff& m_diff;
    std::size_t m_at = 0;
    std::size_t m_done = 0;
    bool m_changed = false;
};

bool sameLines(const Side& a, Side::Lines ofA, const Side& b, Side::Lines ofB) {
    if (ofA.end - ofA.first != ofB.end - ofB.first) {
        return false;
    }
    for (std::size_t i = 0; i < ofA.end - ofA.first; ++i) {
        if (a.text(ofA.first + i) != b.text(ofB.first + i) ||
            a.open(ofA.first + i) != b.open(ofB.first + i)) {
            return false;
        }
    }
    return true;
}

void putBase(std::string& out, char mark, const LineDiff& diff, std::size_t line) {
    out += mark;
    out.append(diff.oldLines[line]);
    out += '\n';
    if (line + 1 == diff.oldLines.size() && !diff.oldEndsWithNewline) {
        out += "\\ No newline at end of file\n";
    }
}

} // namespace

ThreeWay threeWay(std::string_view base, std::string_view yours, std::string_view theirs,
                  std::size_t context) {
    const LineDiff mine = diffLines(base, yours);
    const LineDiff other = diffLines(base, theirs);
    Side a(mine);
    Side b(other);
    ThreeWay out;
    out.shortened = mine.shortened || other.shortened;
    const std::size_t baseLines = mine.oldLines.size();
    std::size_t shown = 0; // of the base
    std::size_t trail = 0; // where the context after the last region ends
    const auto contextTo = [&](std::size_t end) {
        for (; shown < end; ++shown) {
            putBase(out.listing, ' ', mine, shown);
        }
    };
    while (!a.atEnd() || !b.atEnd()) {
        const std::size_t from = a.atEnd()   ? b.start()
                                 : b.atEnd() ? a.start()
                                             : std::min(a.start(), b.start());
        std::size_t to = from;
        for (bool grew = true; grew;) { // one side's change may reach another one of the other side
            const bool byA = a.take(to);
            const bool byB = b.take(to);
            grew = byA || byB;
        }
        const bool changedA = a.changed();
        const bool changedB = b.changed();
        const auto linesA = a.finish(from, to);
        const auto linesB = b.finish(from, to);
        const bool same = changedA && changedB && sameLines(a, linesA, b, linesB);
        out.both += changedA && changedB && !same ? 1 : 0;
        contextTo(std::min(trail, from));
        shown = std::max(shown, from - std::min(context, from));
        out.listing += "@@ " + std::to_string(std::min(from + 1, baseLines)) + "," +
                       std::to_string(to - from) + ": " +
                       (same                   ? "both made the same change"
                        : changedA && changedB ? "both changed it"
                        : changedA             ? "only you changed it"
                                               : "only the agent changed it") +
                       " @@\n";
        contextTo(from);
        for (; shown < to; ++shown) {
            putBase(out.listing, '|', mine, shown);
        }
        for (std::size_t i = linesA.first; changedA && i < linesA.end; ++i) {
            a.put(out.listing, same ? '=' : '<', i);
        }
        for (std::size_t i = linesB.first; changedB && !same && i < linesB.end; ++i) {
            b.put(out.listing, '>', i);
        }
        trail = std::min(to + context, baseLines);
    }
    contextTo(trail);
    return out;
}

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
#include "app/files/line_diff.h"

#include "guest/protocol/share_path.h"

#include <algorithm>
#include <map>
#include <optional>

namespace carrel::files {

namespace {

using Ids = std::vector<std::uint32_t>;

struct Split { // lines; nothing of value
    std::vector<std::string_view> lines;
    bool endsWithNewline = true;
};

Split split(std::string_view text) {
    Split out;
    out.endsWithNewline = text.empty() || text.back() == '\n';
    while (!text.empty()) {
        const auto end = text.find('\n');
        out.lines.push_back(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return out;
}

// An ordered map, not a hash: hostile lines must not be able to choose collisions.
using Interner = std::map<std::pair<std::string_view, bool>, std::uint32_t>;

Ids intern(Interner& known, const Split& from) {
    Ids ids;
    ids.reserve(from.lines.size());
    for (std::size_t i = 0; i < from.lines.size(); ++i) {
        // A last line without its newline is another line.
        const bool open = !from.endsWithNewline && i + 1 == from.lines.size();
        ids.push_back(
            known.try_emplace({from.lines[i], open}, static_cast<std::uint32_t>(known.size())).first->second);
    }
    return ids;
}

struct Box {
    std::size_t a0, a1, b0, b1; // half-open ranges of both sides
};
struct Snake { // equal lines [x0, x1) / [y0, y1) in the middle of a shortest script, relative to the box
    std::ptrdiff_t x0, y0, x1, y1;
};

class Myers {
public:
    Myers(const Ids& a, const Ids& b, std::uint64_t budget)
        : m_a(a)
        , m_b(b)
        , m_budget(budget)
        , m_forward(a.size() + b.size() + 3)
        , m_backward(a.size() + b.size() + 3) {}

    void compare(Box box) {
        while (box.a0 < box.a1 && box.b0 < box.b1 && m_a[box.a0] == m_b[box.b0]) {
            ++box.a0, ++box.b0;
        }
        while (box.a0 < box.a1 && box.b0 < box.b1 && m_a[box.a1 - 1] == m_b[box.b1 - 1]) {
            --box.a1, --box.b1;
        }
        if (box.a0 == box.a1 || box.b0 == box.b1) {
            emit(box);
            return;
        }
        const auto snake = middle(box);
        if (!snake) {
            m_shortened = true;
            emit(box);
            return;
        }
        const auto at = [](std::size_t base, std::ptrdiff_t offset) {
            return base + static_cast<std::size_t>(offset);
        };
        compare({box.a0, at(box.a0, snake->x0), box.b0, at(box.b0, snake->y0)});
        compare({at(box.a0, snake->x1), box.a1, at(box.b0, snake->y1), box.b1});
    }

    std::vector<LineHunk> hunks;
    [[nodiscard]] bool shortened() const { return m_shortened; }

private:
    void emit(const Box& box) {
        if (box.a0 == box.a1 && box.b0 == box.b1) {
            return;
        }
        if (!hunks.empty()) {
            LineHunk& last = hunks.back();
            if (last.oldStart + last.oldCount == box.a0 && last.newStart + last.newCount == box.b0) {
                last.oldCount += box.a1 - box.a0;
                last.newCount += box.b1 - box.b0;
                return;
            }
        }
        hunks.push_back({box.a0, box.a1 - box.a0, box.b0, box.b1 - box.b0});
    }

    // The furthest x on diagonal k after one more edit, or -1 where the box ends.
    [[nodiscard]] std::ptrdiff_t step(const std::vector<std::ptrdiff_t>& v, std::ptrdiff_t k,
                                      std::ptrdiff_t n, std::ptrdiff_t m) const {
        const std::ptrdiff_t right = v[slot(k - 1)];
        const std::ptrdiff_t down = v[slot(k + 1)];
        std::ptrdiff_t x = -1;
        if (right >= 0 && right + 1 <= n) {
            x = right + 1;
        }
        if (down >= 0 && down - k <= m) {
            x = std::max(x, down);
        }
        return x;
    }

    [[nodiscard]] std::size_t slot(std::ptrdiff_t k) const {
        return static_cast<std::size_t>(k + static_cast<std::ptrdiff_t>(m_b.size()) + 1);
    }

    std::optional<Snake> middle(const Box& box) {
        const auto n = static_cast<std::ptrdiff_t>(box.a1 - box.a0);
        const auto m = static_cast<std::ptrdiff_t>(box.b1 - box.b0);
        const std::ptrdiff_t delta = n - m;
        const bool odd = (delta & 1) != 0;
        // Diagonals outside [-m, n] hold no cell of the box; one more on each side is read, never written.
        std::fill(m_forward.begin() + static_cast<std::ptrdiff_t>(slot(-m - 1)),
                  m_forward.begin() + static_cast<std::ptrdiff_t>(slot(n + 1)) + 1, -1);
        std::fill(m_backward.begin() + static_cast<std::ptrdiff_t>(slot(-m - 1)),
                  m_backward.begin() + static_cast<std::ptrdiff_t>(slot(n + 1)) + 1, -1);
        for (std::ptrdiff_t d = 0; d <= (n + m + 1) / 2; ++d) {
            for (const bool forward : {true, false}) {
                auto& mine = forward ? m_forward : m_backward;
                const auto& other = forward ? m_backward : m_forward;
                const std::ptrdiff_t low = d <= m ? -d : -m + ((d - m) & 1);
                for (std::ptrdiff_t k = low; k <= d && k <= n; k += 2) {
                    std::ptrdiff_t x = d == 0 ? 0 : step(mine, k, n, m);
                    if (x < 0) {
                        mine[slot(k)] = -1;
                        continue;
                    }
                    const std::ptrdiff_t startX = x;
                    while (x < n && x - k < m && same(box, forward, x, x - k, n, m)) {
                        ++x;
                    }
                    mine[slot(k)] = x;
                    const auto cost = static_cast<std::uint64_t>(x - startX + 1);
                    if (m_budget < cost) {
                        m_budget = 0;
                        return std::nullopt;
                    }
                    m_budget -= cost;
                    // The other side counts from the far corner: its diagonal delta - k is our k.
                    const std::ptrdiff_t mirror = delta - k;
                    if (odd != forward || mirror < -m || mirror > n) {
                        continue;
                    }
                    const std::ptrdiff_t theirs = other[slot(mirror)];
                    if (theirs >= 0 && x + theirs >= n) {
                        return forward ? Snake{startX, startX - k, x, x - k}
                                       : Snake{n - x, m - (x - k), n - startX, m - (startX - k)};
                    }
                }
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] bool same(const Box& box, bool forward, std::ptrdiff_t x, std::ptrdiff_t y,
                            std::ptrdiff_t n, std::ptrdiff_t m) const {
        const auto i = static_cast<std::size_t>(forward ? x : n - 1 - x);
        const auto j = static_cast<std::size_t>(forward ? y : m - 1 - y);
        return m_a[box.a0 + i] == m_b[box.b0 + j];
    }

    const Ids& m_a;
    const Ids& m_b;
    std::uint64_t m_budget;
    bool m_shortened = false;
    std::vector<std::ptrdiff_t> m_forward, m_backward;
};

void putLine(std::string& out, char mark, const std::vector<std::string_view>& lines, std::size_t at,
             bool newline) {
    out += mark;
    out += lines[at];
    out += '\n';
    if (!newline && at + 1 == lines.size()) {
        out += "\\ No newline at end of file\n";
    }
}

std::string range(std::size_t start, std::size_t count) {
    // An empty range names the line before it; a count of one is left out.
    const std::size_t first = count == 0 ? start : start + 1;
    return std::to_string(first) + (count == 1 ? "" : "," + std::to_string(count));
}

} // namespace

bool looksLikeText(std::string_view content) {
    return content.find('\0') == std::string_view::npos && isUtf8(content);
}

std::uint64_t LineDiff::added() const {
    std::uint64_t sum = 0;
    for (const auto& hunk : hunks) {
        sum += hunk.newCount;
    }
    return sum;
}

std::uint64_t LineDiff::removed() const {
    std::uint64_t sum = 0;
    for (const auto& hunk : hunks) {
        sum += hunk.oldCount;
    }
    return sum;
}

LineDiff diffLines(std::string_view before, std::string_view after, std::uint64_t budget) {
    Split a = split(before);
    Split b = split(after);
    Interner known;
    const Ids idsA = intern(known, a);
    const Ids idsB = intern(known, b);
    Myers myers(idsA, idsB, budget);
    myers.compare({0, idsA.size(), 0, idsB.size()});
    LineDiff diff;
    diff.oldLines = std::move(a.lines);
    diff.newLines = std::move(b.lines);
    diff.oldEndsWithNewline = a.endsWithNewline;
    diff.newEndsWithNewline = b.endsWithNewline;
    diff.hunks = std::move(myers.hunks);
    diff.shortened = myers.shortened();
    return diff;
}

std::string unified(const LineDiff& diff, std::size_t context) {
    std::string out;
    for (std::size_t first = 0; first < diff.hunks.size();) {
        // Hunks whose contexts touch are shown as one.
        std::size_t last = first;
        while (last + 1 < diff.hunks.size() &&
               diff.hunks[last + 1].oldStart - (diff.hunks[last].oldStart + diff.hunks[last].oldCount) <=
                   2 * context) {
            ++last;
        }
        const LineHunk& head = diff.hunks[first];
        const LineHunk& tail = diff.hunks[last];
        const std::size_t lead = std::min(context, head.oldStart);
        const std::size_t oldEnd = std::min(tail.oldStart + tail.oldCount + context, diff.oldLines.size());
        const std::size_t trail = oldEnd - (tail.oldStart + tail.oldCount);
        const std::size_t newEnd = tail.newStart + tail.newCount + trail;
        out += "@@ -" + range(head.oldStart - lead, oldEnd - (head.oldStart - lead)) + " +" +
               range(head.newStart - lead, newEnd - (head.newStart - lead)) + " @@\n";
        std::size_t at = head.oldStart - lead;
        for (std::size_t h = first; h <= last; ++h) {
            const LineHunk& hunk = diff.hunks[h];
            for (; at < hunk.oldStart; ++at) {
                putLine(out, ' ', diff.oldLines, at, diff.oldEndsWithNewline);
            }
            for (; at < hunk.oldStart + hunk.oldCount; ++at) {
                putLine(out, '-', diff.oldLines, at, diff.oldEndsWithNewline);
            }
            for (std::size_t i = 0; i < hunk.newCount; ++i) {
                putLine(out, '+', diff.newLines, hunk.newStart + i, diff.newEndsWithNewline);
            }
        }
        for (; at < oldEnd; ++at) {
            putLine(out, ' ', diff.oldLines, at, diff.oldEndsWithNewline);
        }
        first = last + 1;
    }
    return out;
}

} // namespace carrel::files

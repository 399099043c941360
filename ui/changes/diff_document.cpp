// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/diff_document.h"

#include "ui/changes/line_pairs.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace carrel::ui {

namespace {

// Line by line, without their ends. An end after the last line begins no further one.
class Lines {
public:
    explicit Lines(std::string_view text)
        : m_rest(text) {}
    std::optional<std::string_view> next() {
        if (m_rest.empty()) {
            return std::nullopt;
        }
        const auto end = m_rest.find('\n');
        const auto line = m_rest.substr(0, end);
        m_rest = end == std::string_view::npos ? std::string_view() : m_rest.substr(end + 1);
        return line;
    }
    [[nodiscard]] std::uint64_t left() const {
        const auto ends = static_cast<std::uint64_t>(std::count(m_rest.begin(), m_rest.end(), '\n'));
        return ends + (m_rest.empty() || m_rest.back() == '\n' ? 0 : 1);
    }

private:
    std::string_view m_rest;
};

struct Starts {
    std::uint32_t left = 1;
    std::uint32_t right = 1;
};

// "@@ -1,3 +2,4 @@"; a side without lines names the line before it.
std::optional<Starts> startsOf(std::string_view line) {
    const auto number = [&](char sign) -> std::optional<std::uint32_t> {
        const auto at = line.find(sign);
        if (at == std::string_view::npos) {
            return std::nullopt;
        }
        line.remove_prefix(at + 1);
        std::uint32_t start = 0;
        const auto* const end = line.data() + line.size();
        const auto [after, error] = std::from_chars(line.data(), end, start);
        if (error != std::errc()) {
            return std::nullopt;
        }
        return std::string_view(after, static_cast<std::size_t>(end - after)).starts_with(",0") ? start + 1 : start;
    };
    if (!line.starts_with("@@ -")) {
        return std::nullopt;
    }
    const auto left = number('-');
    const auto right = number('+');
    return left && right ? std::optional(Starts{*left, *right}) : std::nullopt;
}

struct Line {
    std::string_view text;
    bool open = false;
};

class Maker {
public:
    Maker(std::string text, std::size_t maxRows)
        : m_max(maxRows) {
        m_out.text = std::make_shared<const std::string>(std::move(text));
    }
    [[nodiscard]] Lines lines() const { return Lines(*m_out.text); }
    [[nodiscard]] bool full() const { return m_out.rows.size() + m_removed.size() + m_added.size() >= m_max; }

    void gap(Starts starts) {
        flush();
        m_next = starts;
        m_last = Last::None;
        m_out.rows.push_back({RowKind::Gap, false, false, starts.left, starts.right, {}, {}});
    }
    void same(std::string_view text) {
        flush();
        m_out.rows.push_back({RowKind::Same, false, false, m_next.left++, m_next.right++, text, text});
        m_last = Last::Both;
    }
    void removed(std::string_view text) {
        m_removed.push_back({text});
        m_last = Last::Left;
    }
    void added(std::string_view text) {
        m_added.push_back({text});
        m_last = Last::Right;
    }
    void single(RowKind kind, std::string_view text) {
        flush();
        m_out.rows.push_back({kind, false, false, 0, 0, text, {}});
        m_last = Last::Single;
        m_out.strange += kind == RowKind::Strange ? 1 : 0;
    }
    // Of the line before; false: there is none.
    bool open() {
        switch (std::exchange(m_last, Last::None)) {
        case Last::None:
            return false;
        case Last::Left:
            m_removed.back().open = true;
            return true;
        case Last::Right:
            m_added.back().open = true;
            return true;
        case Last::Single:
            m_out.rows.back().leftOpen = true;
            return true;
        case Last::Both:
            m_out.rows.back().leftOpen = m_out.rows.back().rightOpen = true;
            return true;
        }
        return false;
    }
    DiffDocument finish(std::uint64_t missing) {
        flush();
        if (missing > 0) {
            m_out.rows.push_back({RowKind::CutOff, false, false, static_cast<std::uint32_t>(std::min<std::uint64_t>(missing, UINT32_MAX)), 0, {}, {}});
        }
        return std::move(m_out);
    }

private:
    enum class Last { None, Left, Right, Both, Single };

    void flush() {
        if (m_removed.empty() && m_added.empty()) {
            return;
        }
        std::vector<std::string_view> left;
        std::vector<std::string_view> right;
        for (const auto& line : m_removed) {
            left.push_back(line.text);
        }
        for (const auto& line : m_added) {
            right.push_back(line.text);
        }
        for (const auto& [l, r] : pairLines(left, right)) {
            DiffRow row;
            row.kind = r == kNoLine ? RowKind::Removed : l == kNoLine ? RowKind::Added : RowKind::Changed;
            if (l != kNoLine) {
                row.left = m_removed[l].text;
                row.leftOpen = m_removed[l].open;
                row.leftNumber = m_next.left++;
            }
            if (r != kNoLine) {
                row.right = m_added[r].text;
                row.rightOpen = m_added[r].open;
                row.rightNumber = m_next.right++;
            }
            m_out.rows.push_back(row);
        }
        m_out.removed += m_removed.size();
        m_out.added += m_added.size();
        m_removed.clear();
        m_added.clear();
    }

    std::size_t m_max;
    DiffDocument m_out;
    std::vector<Line> m_removed;
    std::vector<Line> m_added;
    Starts m_next;
    Last m_last = Last::None;
};

} // namespace

DiffDocument parseUnified(std::string text, std::size_t maxRows) {
    Maker maker(std::move(text), maxRows);
    auto lines = maker.lines();
    while (!maker.full()) {
        const auto line = lines.next();
        if (!line) {
            break;
        }
        const char sign = line->empty() ? '\0' : line->front();
        const auto rest = line->substr(line->empty() ? 0 : 1);
        if (const auto starts = sign == '@' ? startsOf(*line) : std::nullopt) {
            maker.gap(*starts);
        } else if (sign == ' ') {
            maker.same(rest);
        } else if (sign == '-') {
            maker.removed(rest);
        } else if (sign == '+') {
            maker.added(rest);
        } else if (sign != '\\' || !maker.open()) {
            maker.single(RowKind::Strange, *line);
        }
    }
    return maker.finish(lines.left());
}

DiffDocument parseThreeWay(std::string text, std::size_t maxRows) {
    Maker maker(std::move(text), maxRows);
    auto lines = maker.lines();
    while (!maker.full()) {
        const auto line = lines.next();
        if (!line) {
            break;
        }
        const char sign = line->empty() ? '\0' : line->front();
        const auto rest = line->substr(line->empty() ? 0 : 1);
        switch (sign) {
        case '@':
            maker.single(RowKind::Gap, *line);
            break;
        case ' ':
            maker.single(RowKind::Same, rest);
            break;
        case '|':
            maker.single(RowKind::Base, rest);
            break;
        case '<':
            maker.single(RowKind::Yours, rest);
            break;
        case '>':
            maker.single(RowKind::Agents, rest);
            break;
        case '=':
            maker.single(RowKind::Agreed, rest);
            break;
        case '\\':
            if (maker.open()) {
                break;
            }
            [[fallthrough]];
        default:
            maker.single(RowKind::Strange, *line);
            break;
        }
    }
    return maker.finish(lines.left());
}

} // namespace carrel::ui

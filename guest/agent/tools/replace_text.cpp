// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/replace_text.h"

#include "guest/agent/tools/shown_text.h"

#include <algorithm>
#include <vector>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostShownPlaces = 10;
constexpr std::size_t kMostShownLines = 12;
constexpr std::size_t kLineBytes = 400;

std::vector<std::string_view> linesOf(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        out.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

std::string_view trimmed(std::string_view line) {
    const auto begin = line.find_first_not_of(" \t\r");
    return begin == std::string_view::npos ? std::string_view() : line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
}

// 0 to 1000: how much of both they begin and end with alike.
std::size_t likeness(std::string_view a, std::string_view b) {
    const auto least = std::min(a.size(), b.size());
    std::size_t head = 0;
    while (head < least && a[head] == b[head]) {
        ++head;
    }
    std::size_t tail = 0;
    while (tail < least - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
        ++tail;
    }
    const auto most = std::max(a.size(), b.size());
    return most == 0 ? 0 : (head + tail) * 1000 / most;
}

std::string tooLong(std::size_t most) {
    return "the file would be longer than " + std::to_string(most) + " bytes";
}

} // namespace

std::string nearestLines(std::string_view text, std::string_view wanted) {
    constexpr std::size_t leastLike = 400;
    const auto wantedLines = linesOf(wanted);
    const auto first =
        std::find_if(wantedLines.begin(), wantedLines.end(), [](std::string_view line) { return !trimmed(line).empty(); });
    if (first == wantedLines.end()) {
        return {};
    }
    const auto lines = linesOf(text);
    std::size_t best = 0;
    std::size_t bestLike = leastLike;
    bool found = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto like = likeness(trimmed(lines[i]), trimmed(*first));
        if (like > bestLike || (!found && like == leastLike)) {
            best = i;
            bestLike = like;
            found = true;
        }
    }
    if (!found) {
        return {};
    }
    std::string out;
    const auto count = std::min(kMostShownLines, static_cast<std::size_t>(wantedLines.end() - first) + 1);
    for (std::size_t i = best; i < std::min(lines.size(), best + count); ++i) {
        out += std::to_string(i + 1) + "\t" + shownLine(lines[i], lines[i].size(), kLineBytes) + "\n";
    }
    return out;
}

Result<ReplacedText> replaceText(std::string_view text, std::string_view old, std::string_view with, Places places, std::size_t most) {
    if (old.empty()) {
        return fail(ErrorCode::InvalidArgument, "the old text is empty", "to write a file whole use write");
    }
    if (old == with) {
        return fail(ErrorCode::InvalidArgument, "the old and the new text are the same");
    }
    ReplacedText out;
    std::string numbers;
    std::size_t line = 1;
    std::size_t from = 0;
    for (auto at = text.find(old); at != std::string_view::npos; at = text.find(old, from)) {
        const auto before = text.substr(from, at - from);
        line += static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
        out.firstLine = out.places == 0 ? line : out.firstLine;
        if (++out.places <= kMostShownPlaces) {
            numbers += (numbers.empty() ? "" : ", ") + std::to_string(line);
        }
        if (out.text.size() + before.size() + with.size() > most) {
            return fail(ErrorCode::LimitExceeded, tooLong(most));
        }
        out.text += before;
        out.text += with;
        line += static_cast<std::size_t>(std::count(old.begin(), old.end(), '\n'));
        from = at + old.size();
    }
    if (out.places == 0) {
        return fail(ErrorCode::NotFound, "the old text is not in the file", "take it exactly as the file has it, with its spaces and ends of lines");
    }
    if (out.places > 1 && places == Places::One) {
        return fail(ErrorCode::Conflict,
                    "the old text is in the file " + std::to_string(out.places) + " times, in lines " + numbers +
                        (out.places > kMostShownPlaces ? " and more" : ""),
                    "take in more of the lines around the one that is meant, or set all");
    }
    if (out.text.size() + text.size() - from > most) {
        return fail(ErrorCode::LimitExceeded, tooLong(most));
    }
    out.text += text.substr(from);
    return out;
}

} // namespace carrel::agent

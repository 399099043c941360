// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/line_pairs.h"

#include <algorithm>
#include <cstdint>
#include <functional>

namespace carrel::ui {

namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

constexpr std::size_t kMostCompared = 4096;   // pairs of lines in one run
constexpr std::size_t kMostOfALine = 400;     // bytes of it that are looked at
constexpr double kAlike = 0.35;

bool isWord(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}

struct Words {
    std::vector<std::pair<std::size_t, std::uint32_t>> hashes; // in order, with their lengths
    std::uint32_t length = 0;
};

Words wordsOf(std::string_view line) {
    Words out;
    line = line.substr(0, kMostOfALine);
    while (!line.empty()) {
        std::size_t length = 1;
        while (isWord(line[0]) && length < line.size() && isWord(line[length])) {
            ++length;
        }
        if (line[0] != ' ' && line[0] != '\t') {
            out.hashes.emplace_back(std::hash<std::string_view>()(line.substr(0, length)), length);
            out.length += static_cast<std::uint32_t>(length);
        }
        line.remove_prefix(length);
    }
    std::sort(out.hashes.begin(), out.hashes.end());
    return out;
}

// 0 to 1: how much of both is in both.
double likeness(const Words& a, const Words& b) {
    std::uint32_t common = 0;
    for (auto i = a.hashes.begin(), j = b.hashes.begin(); i != a.hashes.end() && j != b.hashes.end();) {
        if (*i == *j) {
            common += i->second;
            ++i;
            ++j;
        } else {
            *i < *j ? ++i : ++j;
        }
    }
    const auto most = std::max(a.length, b.length);
    return most == 0 ? 1.0 : static_cast<double>(common) / most;
}

// Side by side as they come.
void zip(Pairs& out, std::size_t left, std::size_t leftEnd, std::size_t right, std::size_t rightEnd) {
    while (left < leftEnd || right < rightEnd) {
        out.emplace_back(left < leftEnd ? left++ : kNoLine, right < rightEnd ? right++ : kNoLine);
    }
}

} // namespace

// The pairs whose likenesses are most, all together; what is between two of them as it comes.
Pairs pairLines(const std::vector<std::string_view>& removed, const std::vector<std::string_view>& added) {
    Pairs out;
    const std::size_t rows = removed.size();
    const std::size_t columns = added.size();
    if (rows == 0 || columns == 0 || rows > kMostCompared / columns) {
        zip(out, 0, rows, 0, columns);
        return out;
    }
    std::vector<Words> left;
    std::vector<Words> right;
    std::transform(removed.begin(), removed.end(), std::back_inserter(left), wordsOf);
    std::transform(added.begin(), added.end(), std::back_inserter(right), wordsOf);
    std::vector<double> alike(rows * columns);
    std::vector<double> best((rows + 1) * (columns + 1)); // of what begins there
    const auto bestAt = [&](std::size_t r, std::size_t c) -> double& { return best[r * (columns + 1) + c]; };
    for (std::size_t r = rows; r-- > 0;) {
        for (std::size_t c = columns; c-- > 0;) {
            const double like = likeness(left[r], right[c]);
            alike[r * columns + c] = like < kAlike ? 0 : like;
            bestAt(r, c) = std::max({bestAt(r + 1, c), bestAt(r, c + 1), bestAt(r + 1, c + 1) + alike[r * columns + c]});
        }
    }
    std::size_t leftDone = 0;
    std::size_t rightDone = 0;
    for (std::size_t r = 0, c = 0; r < rows && c < columns;) {
        const double like = alike[r * columns + c];
        if (like > 0 && bestAt(r, c) == bestAt(r + 1, c + 1) + like) {
            zip(out, leftDone, r, rightDone, c);
            out.emplace_back(r, c);
            leftDone = ++r;
            rightDone = ++c;
        } else {
            bestAt(r, c) == bestAt(r + 1, c) ? ++r : ++c;
        }
    }
    zip(out, leftDone, rows, rightDone, columns);
    return out;
}

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
#include "app/relay/pattern_search.h"

#include "app/relay/http_words.h"

#include <algorithm>

namespace carrel::relay {

namespace {

enum class Fit { No, Partly, Whole };

Fit fitsLiterally(std::string_view text, std::string_view pattern) {
    const auto count = std::min(text.size(), pattern.size());
    if (text.substr(0, count) != pattern.substr(0, count)) {
        return Fit::No;
    }
    return count == pattern.size() ? Fit::Whole : Fit::Partly;
}

// How many bytes of `text` are a line break; 0: none stands there. `partly`: it may become one.
std::size_t widthOfBreak(std::string_view text, bool& partly) {
    static constexpr std::array<std::string_view, 8> kBreaks{"\n", "\r\n", "\\n", "\\r\\n", "%0A", "%0a", "%0D%0A", "%0d%0a"};
    for (const auto each : kBreaks) {
        const auto fit = fitsLiterally(text, each);
        if (fit == Fit::Whole) {
            return each.size();
        }
        partly = partly || (fit == Fit::Partly && !text.empty());
    }
    return 0;
}

Fit fitsEncoded(std::string_view text, std::string_view pattern, PatternSearch::Lines lines, std::size_t& length) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        bool partly = false;
        if (i > 0 && lines == PatternSearch::Lines::Broken) {
            at += widthOfBreak(text.substr(at), partly);
        }
        if (partly || at >= text.size()) {
            return Fit::Partly;
        }
        const auto width = widthOfCharacter(text.substr(at), pattern[i], partly);
        if (width == 0) {
            return Fit::No;
        }
        if (partly) {
            return Fit::Partly;
        }
        at += width;
    }
    length = at;
    return Fit::Whole;
}

std::size_t pairOf(char first, char second) {
    return static_cast<std::size_t>(static_cast<unsigned char>(first)) * 256 + static_cast<unsigned char>(second);
}

} // namespace

std::size_t widthOfCharacter(std::string_view text, char wanted, bool& partly) {
    if (text.front() == '%') {
        const std::string_view digits = text.substr(1, 2);
        bool same = true;
        for (std::size_t i = 0; i < digits.size(); ++i) {
            const auto value = hexDigit(digits[i]);
            const unsigned expected = static_cast<unsigned char>(wanted) >> (i == 0 ? 4U : 0U) & 15U;
            same = same && value == expected;
        }
        if (same) {
            partly = digits.size() < 2;
            return 3;
        }
    }
    if (text.front() == '\\' && wanted == '/') {
        partly = text.size() < 2;
        if (partly || text[1] == '/') {
            return 2;
        }
    }
    return text.front() == wanted ? 1 : 0;
}

bool PatternSearch::add(SecretText text, Lines lines) {
    const bool known = std::any_of(m_patterns.begin(), m_patterns.end(), [&](const Pattern& each) { return each.text == text; });
    if (known || text.size() < kMinPattern) {
        return false;
    }
    m_pairs.resize(std::size_t(256) * 256 / 64);
    m_byFirst.resize(256);
    m_byFirst[static_cast<unsigned char>(text[0])].push_back(static_cast<std::uint16_t>(m_patterns.size()));
    m_patterns.push_back({std::move(text), lines});
    noteBeginning(m_patterns.back());
    return true;
}

// The two bytes with which it may begin, in each way that it may be written.
void PatternSearch::noteBeginning(const Pattern& pattern) {
    const auto note = [&](char a, char b) {
        const auto pair = pairOf(a, b);
        m_pairs[pair / 64] |= std::uint64_t(1) << pair % 64;
        m_first[static_cast<unsigned char>(a)] = 1;
    };
    static constexpr std::string_view kDigits = "0123456789abcdef0123456789ABCDEF";
    const char first = pattern.text[0];
    const auto high = static_cast<unsigned char>(first) >> 4U;
    note('%', kDigits[high]);
    note('%', kDigits[16 + high]);
    note(first, pattern.text[1]);
    note(first, '%');
    note(first, '\\');
    if (pattern.lines == Lines::Broken) {
        note(first, '\n');
        note(first, '\r');
    }
    if (first == '/') {
        note('\\', '/');
    }
}

void PatternSearch::tryPattern(std::size_t which, std::string_view text, Match& best) const {
    const auto& pattern = m_patterns[which];
    ++best.tried;
    std::size_t length = pattern.text.size();
    auto fit = fitsLiterally(text, view(pattern.text));
    if (fit != Fit::Whole) {
        const auto encoded = fitsEncoded(text, view(pattern.text), pattern.lines, length);
        fit = encoded == Fit::No ? fit : encoded;
    }
    best.mayBe = best.mayBe || fit == Fit::Partly;
    if (fit == Fit::Whole && length > best.length) {
        best.pattern = which;
        best.length = length;
    }
}

PatternSearch::Match PatternSearch::matchAt(std::string_view text) const {
    Match best;
    const auto tryThose = [&](char first) {
        for (const auto which : m_byFirst[static_cast<unsigned char>(first)]) {
            tryPattern(which, text, best);
        }
    };
    const char c = text.front();
    tryThose(c);
    if (c == '\\') {
        tryThose('/');
    } else if (c == '%' && text.size() >= 3) {
        const auto high = hexDigit(text[1]), low = hexDigit(text[2]);
        if (high && low) {
            tryThose(static_cast<char>(*high * 16 + *low));
        }
    } else if (c == '%') { // whichever it will be
        for (std::size_t which = 0; which < m_patterns.size(); ++which) {
            tryPattern(which, text, best);
        }
    }
    return best;
}

PatternSearch::Place PatternSearch::find(std::string_view text, std::size_t from, More more) const {
    Place out{m_patterns.empty() ? text.size() : from, std::nullopt, 0, 0};
    auto& at = out.at;
    const auto pairAt = [&](std::size_t i) {
        const auto pair = pairOf(text[i], text[i + 1]);
        return m_pairs[pair / 64] >> pair % 64 & 1U;
    };
    while (at < text.size()) {
        // Several at a time, without a branch between them: nearly all are none.
        while (at + 4 < text.size() && (pairAt(at) | pairAt(at + 1) | pairAt(at + 2) | pairAt(at + 3)) == 0) {
            at += 4;
        }
        const bool mayBegin = at + 1 < text.size() ? pairAt(at) != 0 : m_first[static_cast<unsigned char>(text[at])] != 0;
        if (!mayBegin) {
            ++at;
            continue;
        }
        const auto match = matchAt(text.substr(at));
        out.tried += match.tried;
        if (match.pattern) {
            out.pattern = match.pattern;
            out.length = match.length;
            return out;
        }
        if (match.mayBe && more == More::MayCome) {
            return out;
        }
        ++at;
    }
    return out;
}

} // namespace carrel::relay

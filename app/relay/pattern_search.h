// SPDX-License-Identifier: Apache-2.0
// Finds texts among bytes, in whichever way their characters are written there: as they are, percent-encoded (RFC 3986), "/" as the "\/"
// of JSON, in any mixture. A text that may be broken into lines (Lines::Broken, as base64 and hexadecimal digits often are) is found with
// one line break between any two of its characters, too: LF or CRLF, as they are, in JSON's escapes, or percent-encoded.
//
// Ownership: a value; holds the texts, which are wiped with it. Costs next to nothing while it is empty. Thread: one that adds, then any.
#pragma once

#include "app/relay/secret_text.h"

#include <array>
#include <cstdint>
#include <optional>

namespace carrel::relay {

inline constexpr std::size_t kMinPattern = 6; // one that is shorter stands everywhere by chance

class PatternSearch {
public:
    enum class Lines { Whole, Broken };
    // Numbered from 0 in the order that they are added. False: it is too short, or there already, and not added.
    bool add(SecretText text, Lines lines = Lines::Whole);
    [[nodiscard]] bool isEmpty() const { return m_patterns.empty(); }
    [[nodiscard]] const SecretText& text(std::size_t pattern) const { return m_patterns[pattern].text; }

    enum class More { MayCome, None };
    struct Place {
        std::size_t at = 0;                 // where it stands; without a pattern: before here stands none
        std::optional<std::size_t> pattern; // the one that is written longest there
        std::size_t length = 0;             // as it is written
        std::size_t tried = 0;              // how many patterns were compared on the way
    };
    // The first at `from` or behind. Without a pattern: `at` is where one may begin that has not come whole, or the end.
    [[nodiscard]] Place find(std::string_view text, std::size_t from, More more) const;

private:
    struct Pattern {
        SecretText text;
        Lines lines;
    };
    struct Match {
        std::optional<std::size_t> pattern;
        std::size_t length = 0;
        bool mayBe = false; // the beginning of one, as far as it goes
        std::size_t tried = 0;
    };
    void noteBeginning(const Pattern& pattern);
    [[nodiscard]] Match matchAt(std::string_view text) const;
    void tryPattern(std::size_t which, std::string_view text, Match& best) const;

    std::vector<Pattern> m_patterns;
    std::array<std::uint8_t, 256> m_first{}; // 1: one may begin with that byte
    std::vector<std::uint64_t, WipingAllocator<std::uint64_t>> m_pairs; // a bit for each two bytes that one may begin with
    std::vector<std::vector<std::uint16_t>> m_byFirst; // by the first character
};

// How many bytes stand for that character at the beginning of `text`, which is not empty; 0: another one stands there. `partly`: as far as
// `text` goes, and it goes no further.
[[nodiscard]] std::size_t widthOfCharacter(std::string_view text, char wanted, bool& partly);

} // namespace carrel::relay

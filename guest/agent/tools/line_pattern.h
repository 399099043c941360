// SPDX-License-Identifier: Apache-2.0
// A regular expression held against lines. The C library's own (regcomp(3), extended): std::regex recurses for each character and ends the
// program on a long line, RE2 would be one more library, and this one, without back-references, never goes back over a line. What models
// write out of habit is put into its words (\d, \w within brackets, (?:…), a brace that repeats nothing), and what it cannot mean is
// refused instead of meaning something else. How often things may repeat is bounded, because each time costs memory; and what it remembers
// of the lines it saw is thrown away in time, because it never does so itself.
// Nothing stops it within a line: a count after what may begin anywhere, such as (a|b)*a.{60}, can take many seconds for a line of a few
// thousand bytes, which is why it is used in a process that can be killed (search_child.h).
// Thread: one object, one thread.
#pragma once

#include "guest/protocol/result.h"

#include <memory>

namespace carrel::agent {

// The expression in the C library's words, and what it costs: about as many steps as it has characters, each as often as it repeats.
struct PatternWords {
    std::string text;
    std::size_t steps = 0;
    bool ignoresCase = false; // it began with (?i)
};
// InvalidArgument: what of it has no meaning here, and what to write instead.
[[nodiscard]] Result<PatternWords> patternWords(std::string_view pattern);

class LinePattern {
public:
    // InvalidArgument: it is no such expression.
    [[nodiscard]] static Result<LinePattern> from(std::string_view pattern);
    LinePattern(LinePattern&&) noexcept;
    LinePattern& operator=(LinePattern&&) noexcept;
    ~LinePattern();

    enum class LineEnd { Whole, Cut };
    // LimitExceeded: the C library has no memory for it.
    [[nodiscard]] Result<bool> matches(std::string_view line, LineEnd end);

private:
    struct Compiled;
    LinePattern(PatternWords words, std::unique_ptr<Compiled> compiled);

    PatternWords m_words;
    std::unique_ptr<Compiled> m_compiled;
    std::size_t m_seen = 0; // bytes, since it was compiled
};

} // namespace carrel::agent

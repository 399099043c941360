// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/line_pattern.h"

#include <algorithm>
#include <clocale>
#include <regex.h>

namespace carrel::agent {

namespace {

// The memory, in bytes, that it may use for what it remembers: for each byte of a line that leads to something new a table of where to go
// from there, and a number or two for each step.
constexpr std::size_t kMostMemory = 128 * 1024 * 1024;
constexpr std::size_t kMemoryOfByte = 16 * 1024;
constexpr std::size_t kMemoryOfStep = 16;

// So that a dot is a character and not a byte: for this thread, as long as this lives. Where a system has no such locale, it is a byte.
class AsUtf8 {
public:
    AsUtf8()
        : m_before(::uselocale(locale())) {}
    AsUtf8(const AsUtf8&) = delete;
    AsUtf8& operator=(const AsUtf8&) = delete;
    ~AsUtf8() { ::uselocale(m_before); }

private:
    static locale_t locale() {
        static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
        return made; // null: uselocale() changes nothing
    }
    locale_t m_before;
};

std::string problemOf(int error, const regex_t& expression) {
    char space[256];
    ::regerror(error, &expression, space, sizeof space);
    return space;
}

} // namespace

struct LinePattern::Compiled {
    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled() {
        if (isWhole) {
            ::regfree(&expression);
        }
    }
    [[nodiscard]] Status compile(const PatternWords& words) {
        const AsUtf8 utf8;
        const int error = ::regcomp(&expression, words.text.c_str(), REG_EXTENDED | REG_NOSUB | (words.ignoresCase ? REG_ICASE : 0));
        if (error != 0) {
            return fail(ErrorCode::InvalidArgument, "it is no regular expression: " + problemOf(error, expression),
                        "put a backslash before signs that are meant as they are");
        }
        isWhole = true;
        return {};
    }
    regex_t expression{};
    bool isWhole = false;
};

LinePattern::LinePattern(PatternWords words, std::unique_ptr<Compiled> compiled)
    : m_words(std::move(words))
    , m_compiled(std::move(compiled)) {}
LinePattern::LinePattern(LinePattern&&) noexcept = default;
LinePattern& LinePattern::operator=(LinePattern&&) noexcept = default;
LinePattern::~LinePattern() = default;

Result<LinePattern> LinePattern::from(std::string_view pattern) {
    auto words = patternWords(pattern);
    if (!words) {
        return fail(words.error());
    }
    auto compiled = std::make_unique<Compiled>();
    CARREL_TRY(compiled->compile(*words));
    return LinePattern(std::move(*words), std::move(compiled));
}

Result<bool> LinePattern::matches(std::string_view line, LineEnd end) {
    m_seen += line.size();
    if (m_seen > kMostMemory / (kMemoryOfByte + kMemoryOfStep * m_words.steps)) {
        auto anew = std::make_unique<Compiled>();
        CARREL_TRY(anew->compile(m_words));
        m_compiled = std::move(anew);
        m_seen = line.size();
    }
    const AsUtf8 utf8;
    regmatch_t range{0, static_cast<regoff_t>(line.size())};
    const int found =
        ::regexec(&m_compiled->expression, line.empty() ? "" : line.data(), 1, &range, REG_STARTEND | (end == LineEnd::Cut ? REG_NOTEOL : 0));
    if (found == REG_ESPACE) {
        return fail(ErrorCode::LimitExceeded, "there is not enough memory for this expression", "make it simpler");
    }
    return found == 0;
}

} // namespace carrel::agent

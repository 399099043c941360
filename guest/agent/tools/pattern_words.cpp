// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/line_pattern.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostPattern = 1000;
constexpr std::size_t kMostSteps = 2000;
constexpr std::size_t kMostRepeated = 64; // steps that numbers in braces add: each costs time with every byte

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}
bool isLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<char> controlOf(char letter) {
    switch (letter) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    default:
        return std::nullopt;
    }
}

tl::unexpected<Error> unknownEscape(char c) {
    std::string what = "the expression holds \\";
    what.push_back(c);
    what.append(", which is not known here");
    return fail(ErrorCode::InvalidArgument, std::move(what),
                isDigit(c) ? "there are no back-references: look with grep -P, with bash"
                           : "known are \\b \\B \\w \\W \\s \\S \\d \\D \\t and a backslash before signs");
}

// One pass over the expression, which writes it anew.
class Writer {
public:
    explicit Writer(std::string_view rest)
        : m_rest(rest) {}

    Result<PatternWords> write() {
        if (m_rest.starts_with("(?i)")) {
            m_out.ignoresCase = true;
            m_rest.remove_prefix(4);
        }
        if (m_rest.empty()) {
            return fail(ErrorCode::InvalidArgument, "the expression is empty");
        }
        while (!m_rest.empty()) {
            CARREL_TRY(one());
            if (m_levels.front().sum > kMostSteps) {
                return fail(ErrorCode::InvalidArgument, "the expression repeats too much", "use smaller numbers in {…}, or * and +, or look with grep, with bash");
            }
        }
        m_out.steps = std::max<std::size_t>(m_levels.front().sum, 1);
        return std::move(m_out);
    }

private:
    struct Level { // of brackets
        std::size_t sum = 0;
        std::size_t last = 0; // of the last thing, which a number would repeat
    };

    void step(std::size_t cost) {
        m_levels.back().sum += cost;
        m_levels.back().last = cost;
    }
    void take(std::size_t bytes, std::string_view as) {
        m_out.text += as;
        m_rest.remove_prefix(bytes);
    }

    Status one() {
        switch (m_rest.front()) {
        case '\\':
            return escape();
        case '[':
            return set();
        case '(':
            return open();
        case ')':
            return close();
        case '{':
            return repeat();
        default:
            step(1);
            take(1, m_rest.substr(0, 1));
            return {};
        }
    }

    Status escape() {
        if (m_rest.size() == 1) {
            return fail(ErrorCode::InvalidArgument, "the expression ends with a backslash that stands before nothing");
        }
        const char c = m_rest[1];
        step(1);
        if (const auto control = controlOf(c)) {
            take(2, std::string(1, *control));
        } else if (c == 'd' || c == 'D') {
            take(2, c == 'd' ? "[0-9]" : "[^0-9]");
        } else if ((isLetter(c) && std::string_view("bBwWsS").find(c) == std::string_view::npos) || isDigit(c)) {
            return unknownEscape(c);
        } else if (c == '<' || c == '>') { // an edge of a word for some, and a plain sign for others
            return fail(ErrorCode::InvalidArgument, c == '<' ? "the expression holds \\<, which may mean two things" : "the expression holds \\>, which may mean two things",
                        "write \\b for the edge of a word, and the sign alone for itself");
        } else if (c == '\'' || c == '`') { // GNU's own words for the ends of the text
            take(2, m_rest.substr(1, 1));
        } else {
            take(2, m_rest.substr(0, 2));
        }
        return {};
    }

    Status open() {
        std::size_t taken = 1;
        if (m_rest.starts_with("(?")) {
            if (!m_rest.starts_with("(?:")) {
                return fail(ErrorCode::InvalidArgument, "the expression holds a (? that is not known here",
                            "only (?:…), and (?i) at its beginning, are: for others look with grep -P, with bash");
            }
            taken = 3;
        }
        m_levels.push_back({});
        take(taken, "(");
        return {};
    }

    Status close() {
        if (m_levels.size() == 1) { // for the C library it is a plain sign then
            return fail(ErrorCode::InvalidArgument, "the expression has a ) without its (", "put a backslash before it where it is meant as it is");
        }
        const auto sum = m_levels.back().sum;
        m_levels.pop_back();
        step(sum + 1);
        take(1, ")");
        return {};
    }

    // "{2}", "{2,}", "{2,3}", or a brace that means itself.
    Status repeat() {
        const auto end = m_rest.find('}');
        const auto inside = end == std::string_view::npos ? std::string_view() : m_rest.substr(1, end - 1);
        const auto comma = inside.find(',');
        const auto isNumber = [](std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), isDigit); };
        const auto first = inside.substr(0, comma);
        const auto second = comma == std::string_view::npos ? first : inside.substr(comma + 1);
        if (!isNumber(first) || !(second.empty() || isNumber(second))) {
            step(1);
            take(1, "\\{");
            return {};
        }
        std::size_t times = 0;
        for (const auto text : {first, second}) {
            std::size_t number = 0;
            const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
            times = std::max(times, read.ec == std::errc::result_out_of_range ? kMostSteps : number);
        }
        auto& level = m_levels.back();
        const auto more = std::min(std::max<std::size_t>(level.last, 1) * std::min(times, kMostSteps), 2 * kMostSteps);
        level.sum += more;
        level.last += more;
        m_repeated += more;
        take(end + 1, m_rest.substr(0, end + 1));
        if (m_repeated > kMostRepeated) { // at once, so that no product grows past its type
            return fail(ErrorCode::InvalidArgument, "the expression repeats too much", "use smaller numbers in {…}, or * and +, or look with grep, with bash");
        }
        return {};
    }

    // What a set holds, apart from what has to stand at a certain place: ] ends it unless it is first, ^ turns it around where it is, and -
    // means itself at its end.
    struct Set {
        bool isNot = false;
        bool close = false;
        bool caret = false;
        bool dash = false;
        std::string body;
        [[nodiscard]] std::string text() const {
            if (body.empty() && caret && !close && !isNot) {
                return dash ? "[-^]" : "\\^";
            }
            return "[" + std::string(isNot ? "^" : "") + (close ? "]" : "") + body + (caret ? "^" : "") + (dash ? "-" : "") + "]";
        }
    };

    // In the C library's brackets a backslash is a backslash. `at`: of m_rest. Bytes taken.
    Result<std::size_t> escapeInSet(std::size_t at, Set& set) {
        const char what = m_rest[at + 1];
        if (const auto control = controlOf(what)) {
            set.body += *control;
        } else if (what == 'd' || what == 'w' || what == 's') {
            set.body += what == 'd' ? "0-9" : what == 'w' ? "[:alnum:]_" : "[:space:]";
        } else if (isLetter(what) || isDigit(what)) {
            return unknownEscape(what);
        } else if (what == ']' || what == '-' || what == '^') {
            (what == ']' ? set.close : what == '-' ? set.dash : set.caret) = true;
        } else {
            set.body += what;
        }
        return 2;
    }

    bool isClassAt(std::size_t at) const {
        const auto next = m_rest.substr(at, 2);
        return next == "\\d" || next == "\\w" || next == "\\s" || next == "[:";
    }

    Status set() {
        std::size_t i = 1;
        Set out;
        out.isNot = i < m_rest.size() && m_rest[i] == '^';
        i += out.isNot ? 1 : 0;
        bool afterClass = true; // or at the beginning: a - there is no range's
        for (bool first = true; i < m_rest.size(); first = false) {
            const char c = m_rest[i];
            const bool isClass = isClassAt(i);
            if (c == ']' && !first) {
                step(1);
                take(i + 1, out.text());
                return {};
            }
            if (c == '[' && i + 1 < m_rest.size() && std::string_view(":.=").find(m_rest[i + 1]) != std::string_view::npos) {
                const auto end = m_rest.find(std::string{m_rest[i + 1], ']'}, i + 2);
                if (end == std::string_view::npos) {
                    break;
                }
                out.body += m_rest.substr(i, end + 2 - i);
                i = end + 2;
            } else if (c == '\\' && i + 1 < m_rest.size()) {
                const auto taken = escapeInSet(i, out);
                if (!taken) {
                    return fail(taken.error());
                }
                i += *taken;
            } else {
                if (c == ']') {
                    out.close = true;
                } else if (c == '-' && (afterClass || isClassAt(i + 1) || m_rest.substr(i + 1, 1) == "]")) {
                    out.dash = true;
                } else if (c == '^' && !out.body.ends_with('-')) {
                    out.caret = true;
                } else {
                    out.body += c;
                }
                ++i;
            }
            afterClass = isClass;
        }
        return fail(ErrorCode::InvalidArgument, "the expression has a [ without its ]", "put a backslash before it where it is meant as it is");
    }

    std::string_view m_rest;
    PatternWords m_out;
    std::size_t m_repeated = 0;
    std::vector<Level> m_levels{Level{}};
};

} // namespace

Result<PatternWords> patternWords(std::string_view pattern) {
    if (pattern.size() > kMostPattern || pattern.find('\0') != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument, pattern.size() > kMostPattern ? "the expression is longer than 1000 bytes" : "an expression cannot hold a NUL");
    }
    return Writer(pattern).write();
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/name_glob.h"

#include <algorithm>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostPattern = 1000;
constexpr std::size_t kMostAlternatives = 64;

std::size_t byteOf(char c) {
    return static_cast<unsigned char>(c);
}

// Where the braces that begin at 0 end, and the commas that are theirs. Empty: they do not end.
std::vector<std::size_t> marksOf(std::string_view pattern) {
    std::vector<std::size_t> marks;
    int depth = 0;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c == '\\') {
            ++i;
        } else if (c == '{') {
            ++depth;
        } else if (c == ',' && depth == 1) {
            marks.push_back(i);
        } else if (c == '}' && --depth == 0) {
            marks.push_back(i);
            return marks;
        }
    }
    return {};
}

// All that the braces in it stand for.
Status expand(std::string_view pattern, std::vector<std::string>& out) {
    std::vector<std::string> open{std::string(pattern)};
    while (!open.empty()) {
        const auto text = std::move(open.back());
        open.pop_back();
        std::size_t begin = 0;
        while (begin < text.size() && text[begin] != '{') {
            begin += text[begin] == '\\' ? 2 : 1;
        }
        const auto marks = begin < text.size() ? marksOf(std::string_view(text).substr(begin)) : std::vector<std::size_t>();
        if (marks.size() < 2) { // none, or such as {this}, which stand for themselves
            out.push_back(text);
        } else {
            const auto after = text.substr(begin + marks.back() + 1);
            for (std::size_t i = marks.size(); i-- > 0;) {
                const auto from = i == 0 ? 1 : marks[i - 1] + 1;
                open.push_back(text.substr(0, begin) + text.substr(begin + from, marks[i] - from) + after);
            }
        }
        if (open.size() + out.size() > kMostAlternatives) {
            return fail(ErrorCode::InvalidArgument, "the braces of the glob stand for too many names");
        }
    }
    return {};
}

// Of "[…]", which `pattern` begins with: how long it is, or 0 where it has no end.
std::size_t readSet(std::string_view pattern, std::bitset<256>& set) {
    std::size_t i = 1;
    const bool isNot = pattern.size() > 1 && (pattern[1] == '!' || pattern[1] == '^');
    i += isNot ? 1 : 0;
    for (bool first = true; i < pattern.size(); first = false) {
        if (pattern[i] == ']' && !first) {
            set = isNot ? ~set : set;
            set.reset(byteOf('/'));
            return i + 1;
        }
        i += pattern[i] == '\\' && i + 1 < pattern.size() ? 1 : 0;
        const auto from = byteOf(pattern[i]);
        auto to = from;
        ++i;
        if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
            to = byteOf(pattern[i + 1]);
            i += 2;
        }
        for (auto c = from; c <= to; ++c) {
            set.set(c);
        }
    }
    return 0;
}

} // namespace

Result<NameGlob::Steps> NameGlob::stepsOf(std::string_view pattern) {
    Steps steps;
    while (!pattern.empty()) {
        Step step;
        std::size_t taken = 1;
        const bool begins = steps.empty() || (steps.back().kind == Kind::Set && steps.back().set.test('/')) || steps.back().kind == Kind::InFolder;
        if (begins && pattern.starts_with("**/")) {
            steps.push_back({Kind::Folders, {}});
            step.kind = Kind::InFolder;
            taken = 3;
        } else if (pattern.starts_with("**")) {
            step.kind = Kind::Any;
            taken = 2;
        } else if (pattern.front() == '*') {
            step.kind = Kind::Star;
        } else if (pattern.front() == '?') {
            step.set.set();
            step.set.reset(byteOf('/'));
        } else if (pattern.front() == '[') {
            taken = readSet(pattern, step.set);
            if (taken == 0) {
                return fail(ErrorCode::InvalidArgument, "the glob has a [ without its ]", "put a backslash before it where it is meant as it is");
            }
        } else {
            const bool isMeant = pattern.front() == '\\' && pattern.size() > 1;
            step.set.set(byteOf(pattern[isMeant ? 1 : 0]));
            taken = isMeant ? 2 : 1;
        }
        steps.push_back(step);
        pattern.remove_prefix(taken);
    }
    return steps;
}

Result<NameGlob> NameGlob::from(std::string_view pattern) {
    if (pattern.empty() || pattern.size() > kMostPattern) {
        return fail(ErrorCode::InvalidArgument, pattern.empty() ? "the glob is empty" : "the glob is too long");
    }
    while (pattern.starts_with("./")) {
        pattern.remove_prefix(2);
    }
    NameGlob out;
    out.m_hasSlash = pattern.find('/') != std::string_view::npos;
    std::vector<std::string> alternatives;
    CARREL_TRY(expand(pattern, alternatives));
    for (const auto& each : alternatives) {
        auto steps = stepsOf(each);
        if (!steps) {
            return fail(steps.error());
        }
        out.m_alternatives.push_back(std::move(*steps));
    }
    return out;
}

// All places that the steps may have come to, at once, from one character of the name to the next.
bool NameGlob::matches(const Steps& steps, std::string_view name) {
    std::vector<bool> at(steps.size() + 1);
    at[0] = true;
    const auto passOn = [&steps](std::vector<bool>& places) {
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if (places[i] && (steps[i].kind == Kind::Star || steps[i].kind == Kind::Any)) {
                places[i + 1] = true;
            } else if (places[i] && steps[i].kind == Kind::Folders) {
                places[i + 2] = true; // past its InFolder
            }
        }
    };
    passOn(at);
    for (const char c : name) {
        std::vector<bool> next(steps.size() + 1);
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if (!at[i]) {
                continue;
            }
            switch (steps[i].kind) {
            case Kind::Set:
                next[i + 1] = next[i + 1] || steps[i].set.test(byteOf(c));
                break;
            case Kind::Star:
                next[i] = next[i] || c != '/';
                break;
            case Kind::Any:
                next[i] = true;
                break;
            case Kind::Folders:
                next[i + 1] = next[i + 1] || c != '/';
                break;
            case Kind::InFolder:
                (c == '/' ? next[i - 1] : next[i]) = true;
                break;
            }
        }
        passOn(next);
        at = std::move(next);
    }
    return at[steps.size()];
}

bool NameGlob::matches(std::string_view path) const {
    const auto name = m_hasSlash ? path : path.substr(path.rfind('/') + 1);
    return std::any_of(m_alternatives.begin(), m_alternatives.end(), [&](const Steps& steps) { return matches(steps, name); });
}

} // namespace carrel::agent

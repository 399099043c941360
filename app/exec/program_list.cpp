// SPDX-License-Identifier: Apache-2.0
#include "app/exec/program_list.h"

#include "guest/protocol/share_path.h"

namespace carrel::exec {
namespace {

tl::unexpected<Error> malformed(std::size_t line, const char* what) {
    return fail(ErrorCode::Malformed, "The list of programs cannot be read: line " + std::to_string(line) + " " + what);
}

// A star is any part of one name.
bool fits(std::string_view pattern, std::string_view path) {
    while (!pattern.empty() && pattern.front() != '*') {
        if (path.empty() || path.front() != pattern.front()) {
            return false;
        }
        pattern.remove_prefix(1);
        path.remove_prefix(1);
    }
    if (pattern.empty()) {
        return path.empty();
    }
    pattern.remove_prefix(1);
    for (;; path.remove_prefix(1)) {
        if (fits(pattern, path)) {
            return true;
        }
        if (path.empty() || path.front() == '/') {
            return false;
        }
    }
}

} // namespace

bool isContent(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::vector<Listed>> listFrom(std::string_view text) {
    if (text.size() > kMaxListBytes) {
        return fail(ErrorCode::LimitExceeded, "The list of programs is too long");
    }
    std::vector<Listed> out;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const auto first = line.find('\t');
        const auto second = first == std::string_view::npos ? first : line.find('\t', first + 1);
        if (second == std::string_view::npos) {
            return malformed(number, "is not a content, a mark and a name");
        }
        const auto mark = line.substr(first + 1, second - first - 1);
        const auto name = line.substr(second + 1);
        if (!isContent(line.substr(0, first))) {
            return malformed(number, "begins with no SHA-256");
        }
        if (mark != "-" && mark != "code") {
            return malformed(number, "has a mark that is not known");
        }
        if (name.empty() || name.size() > kMaxListedName || !isUtf8(name)) {
            return malformed(number, "has no name that can be shown");
        }
        if (out.size() == kMaxListed) {
            return fail(ErrorCode::LimitExceeded, "The list of programs is too long");
        }
        out.push_back({std::string(line.substr(0, first)), mark == "code", std::string(name)});
    }
    return out;
}

bool isMakerOfCode(std::string_view path) {
    if (path.size() > kMaxListedName) {
        return false;
    }
    auto text = makersOfCodeText();
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.starts_with('/') && fits(line, path)) {
            return true;
        }
    }
    return false;
}

const std::vector<Listed>& deniedByCarrel() {
    static const std::vector<Listed> kList = listFrom(deniedText()).value_or(std::vector<Listed>()); // a test reads it, too
    return kList;
}

} // namespace carrel::exec

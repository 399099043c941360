// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/hidden_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace carrel::clerk {

namespace {

constexpr std::uint32_t kNoText = 0xffffffff;

// Of valid UTF-8; what is none is its own byte.
std::uint32_t nextCharacter(std::string_view text, std::size_t& length) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (length == 1 || length > text.size()) {
        length = 1;
        return first < 0x80 ? first : kNoText;
    }
    std::uint32_t character = first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) {
            length = 1;
            return kNoText;
        }
        character = (character << 6U) | (byte(i) & 0x3fU);
    }
    return character;
}

// All that a disk which knows no case may leave out of a name (Default_Ignorable_Code_Point), and nothing else: with one more, a
// name would be hidden that no disk takes for a hidden one. Not the list of app/files/risk.cpp, which has what is to be warned
// of in a name.
bool showsNothing(std::uint32_t c) {
    constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 17> kRanges{
        {{0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
         {0x200b, 0x200f},   {0x202a, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
         {0xffa0, 0xffa0},   {0xfff0, 0xfff8},   {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}}};
    return std::any_of(kRanges.begin(), kRanges.end(), [c](const auto& range) { return c >= range.first && c <= range.second; });
}

// Those that fold to ASCII letters.
std::string_view foldedToAscii(std::uint32_t c) {
    constexpr std::array<std::pair<std::uint32_t, std::string_view>, 11> kFolds{{{0xdf, "ss"},
                                                                                 {0x17f, "s"},
                                                                                 {0x1e9e, "ss"},
                                                                                 {0x212a, "k"},
                                                                                 {0xfb00, "ff"},
                                                                                 {0xfb01, "fi"},
                                                                                 {0xfb02, "fl"},
                                                                                 {0xfb03, "ffi"},
                                                                                 {0xfb04, "ffl"},
                                                                                 {0xfb05, "st"},
                                                                                 {0xfb06, "st"}}};
    const auto found = std::find_if(kFolds.begin(), kFolds.end(), [c](const auto& fold) { return fold.first == c; });
    return found == kFolds.end() ? std::string_view() : found->second;
}

std::string folded(std::string_view text) {
    std::string out;
    for (std::size_t length = 0; !text.empty(); text.remove_prefix(length)) {
        const std::uint32_t c = nextCharacter(text, length);
        if (c < 0x80) {
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
        } else if (const auto ascii = foldedToAscii(c); !ascii.empty()) {
            out += ascii;
        } else if (c == kNoText || !showsNothing(c)) {
            out += text.substr(0, length);
        }
    }
    return out;
}

std::string withoutTail(std::string text) {
    text.erase(text.find_last_not_of(". ") + 1);
    return text;
}

// Linear but for one remembered '*': on a mismatch that star takes one byte more.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '/'))) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos && text[resume] != '/') {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') {
        ++p;
    }
    return p == pattern.size();
}

} // namespace

HiddenNames::HiddenNames(std::vector<std::string> patterns) {
    for (std::string& pattern : patterns) {
        while (!pattern.empty() && pattern.front() == '/') {
            pattern.erase(0, 1);
        }
        while (!pattern.empty() && pattern.back() == '/') {
            pattern.pop_back();
        }
        pattern = folded(pattern);
        if (pattern.empty()) {
            continue;
        }
        auto& list = pattern.find('/') == std::string::npos ? m_names : m_paths;
        list.push_back(std::move(pattern));
    }
}

bool HiddenNames::hides(std::string_view folderPath, std::string_view name) const {
    const auto hidden = [](const std::vector<std::string>& patterns, std::string_view text) {
        return std::any_of(patterns.begin(), patterns.end(),
                           [text](const std::string& pattern) { return matches(pattern, text); });
    };
    const std::string plain = folded(name);
    if (hidden(m_names, plain) || hidden(m_names, withoutTail(plain))) {
        return true;
    }
    if (m_paths.empty()) {
        return false;
    }
    std::string path;
    for (std::string_view rest = folderPath; !rest.empty();) {
        const auto slash = rest.find('/');
        path += withoutTail(folded(rest.substr(0, slash))) + '/';
        rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    }
    return hidden(m_paths, path + plain) || hidden(m_paths, path + withoutTail(plain));
}

} // namespace carrel::clerk

// SPDX-License-Identifier: Apache-2.0
// What a guest may call itself, a file, or a reason, so that a person sees something else than there is: run through every
// output that a person sees (invariant I11), each of which must show it with nothing in it that acts.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::test {

// By a name for the test's row.
inline std::vector<std::pair<const char*, std::string>> nastyTexts() {
    std::string flood = "e";
    for (int i = 0; i < 200; ++i) {
        flood += "\xcc\x81"; // combining acute accent
    }
    return {
        {"colour", "\x1b[31mred\x1b[0m"},
        {"cursor", "good\x1b[1A\x1b[2Kbad"},
        {"title", "\x1b]0;root\x07"},
        {"clipboard", "\x1b]52;c;cm0gLXJmIC8K\x07"},
        {"hyperlink", "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\"},
        {"c1", "\xc2\x9b" "31m"},
        {"backspace", "yes\b\b\bno"},
        {"carriage return", "deny\rallow"},
        {"line", "one\nApproved: yes"},
        {"null", std::string("a\0b", 3)},
        {"override", "invoice\xe2\x80\xae" "fdp.exe"},
        {"isolate", "\xe2\x81\xa6" "abc\xe2\x81\xa9"},
        {"embedding", "\xe2\x80\xab" "abc\xe2\x80\xac"},
        {"right-to-left letters and an extension", "\xd7\xa7\xd7\x95\xd7\x91\xd7\xa5.exe\xe2\x80\x8f"},
        {"zero width", "pay\xe2\x80\x8bpal"},
        {"joiner", "a\xe2\x80\x8d" "b"},
        {"soft hyphen", "a\xc2\xad" "b"},
        {"byte order mark", "\xef\xbb\xbf" "a"},
        {"tag letters", "a\xf3\xa0\x81\xa1"},
        {"variation selector", "a\xef\xb8\x8f"},
        {"line separator", "a\xe2\x80\xa8" "b"},
        {"paragraph separator", "a\xe2\x80\xa9" "b"},
        {"no-break space", "a\xc2\xa0" "b"},
        {"wide space", "a\xe2\x80\x83" "b"},
        {"combining flood", flood},
        {"not UTF-8", "\xff\xfe\x80"},
        {"overlong", "\xc0\xaf"},
        {"surrogate", "\xed\xa0\x80"},
        {"private use", "\xee\x80\x80"},
        {"noncharacter", "\xef\xbf\xbf"},
        {"clear screen", "a\x1b[2J\x1b[Hb"},
        {"title, ended otherwise", "\x1b]0;safe\x1b\\"},
        {"report", "\x1b[6n\x1b[c"},
        {"C1 commands", "\xc2\x9b" "2J\xc2\x9d" "0;x\xc2\x9c"},
        {"lines of its own", "x\nRequest 99 was allowed.\r\nCarrel: all is well\x0b\x0c\xc2\x85"},
        {"back over it", "deny\b\b\b\ballow\x7f\x7f"},
        {"isolates and a mark", "\xe2\x81\xa6x\xe2\x81\xa9\xe2\x81\xa7\xe2\x81\xa8\xd8\x9c"},
        {"all that has no width", "pa\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d\xe2\x81\xa0\xef\xbb\xbfypal.com\xc2\xad"},
        {"wide blanks", "x\xe2\x80\x83\xe2\x80\x83\xc2\xa0y\xe3\x85\xa4"},
        {"private use of other planes", "\xee\x80\x80\xf3\xb0\x80\x80"},
    };
}

// What acts on nothing by itself, and yet misleads where it is taken for markup, pushes other words away or joins them.
inline std::vector<std::pair<const char*, std::string>> misleadingTexts() {
    return {
        {"combining first", "\xcc\xb8\xcc\xb8x"},
        {"markup", "<b>ok</b><img src=x onerror=alert(1)>&lt;<a href='file:///'>click</a>"},
        {"padded", "x" + std::string(150, ' ') + "Request 99 was allowed." + std::string(60, ' ') + "Risk: none"},
        {"long", std::string(30'000, 'x')},
    };
}
inline std::vector<std::pair<const char*, std::string>> allNastyTexts() {
    auto out = nastyTexts();
    for (auto& each : misleadingTexts()) {
        out.push_back(std::move(each));
    }
    return out;
}

// Nothing in it acts on a terminal, hides, or turns the text around: but for line ends where there may be some.
inline bool actsOnNobody(std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\n') || byte == 0x7f) {
            return false;
        }
    }
    for (const char* bad : {"\xc2\x80", "\xc2\x9b", "\xc2\x9d", "\xc2\xa0", "\xc2\xad", "\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e",
                            "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac",
                            "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",
                            "\xe2\x80\x83", "\xef\xbb\xbf", "\xef\xb8\x8f", "\xf3\xa0\x81\xa1", "\xee\x80\x80", "\xef\xbf\xbf", "\xff", "\xc0\xaf",
                            "\xed\xa0\x80", "\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81"}) {
        if (text.find(bad) != std::string_view::npos) {
            return false;
        }
    }
    return true;
}

} // namespace carrel::test

// SPDX-License-Identifier: Apache-2.0
#include "app/terminal/sequence_mender.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace carrel::terminal {

namespace {

constexpr char kEsc = '\x1b';

std::vector<std::string_view> partsOf(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find(separator, from), text.size());
        out.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return out;
}

std::size_t numberOr(std::string_view text, std::size_t otherwise) {
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? out : otherwise;
}

constexpr std::size_t kMissing = SIZE_MAX;
constexpr std::size_t kMaxColour = 255;
constexpr std::size_t kMaxRendition = 107; // the last that means anything

std::size_t colourOf(std::string_view text) {
    return std::min(text.empty() ? 0 : numberOr(text, 0), kMaxColour);
}

void emit(std::string& out, const std::string& body) {
    out += "\x1b[" + body + 'm';
}

// "38" or "48" and what follows: an index, or red, green and blue. Empty: neither.
std::string colour(std::string_view which, const std::vector<std::string_view>& rest) {
    std::string out(which);
    std::size_t wanted = 0;
    if (!rest.empty() && rest[0] == "5") {
        wanted = 2;
    } else if (!rest.empty() && rest[0] == "2") {
        wanted = 4;
    }
    if (wanted == 0 || rest.size() < wanted) {
        return {};
    }
    out += ';' + std::string(rest[0]);
    for (std::size_t i = 1; i < wanted; ++i) {
        out += ';' + std::to_string(colourOf(rest[i]));
    }
    return out;
}

// One rendition a sequence: a long list of them, or one that ends in the middle, makes libvterm 0.1 read past its parameters.
void renditions(std::string_view body, std::string& out) {
    const auto parameters = partsOf(body, ';');
    for (std::size_t at = 0; at < parameters.size(); ++at) {
        auto parts = partsOf(parameters[at], ':');
        const auto which = parts[0];
        if (which == "38" || which == "48") {
            std::string whole;
            if (parts.size() > 1) {
                if (parts.size() >= 6 && parts[1] == "2") { // with a colour space
                    parts.erase(parts.begin() + 2);
                }
                whole = colour(which, {parts.begin() + 1, parts.end()});
            } else {
                const std::vector<std::string_view> rest(parameters.begin() + static_cast<std::ptrdiff_t>(at) + 1, parameters.end());
                whole = colour(which, rest);
                at += static_cast<std::size_t>(std::count(whole.begin(), whole.end(), ';'));
                if (whole.empty()) {
                    return; // what follows belongs to it, in some way
                }
            }
            if (!whole.empty()) {
                emit(out, whole);
            }
        } else if (which == "4" && parts.size() > 1) { // of several kinds of underlining; 0 is none
            emit(out, numberOr(parts[1], 0) == 0 ? "24" : "4");
        } else if (const auto number = which.empty() ? 0 : numberOr(which, kMissing); parts.size() == 1 && number <= kMaxRendition) {
            emit(out, std::to_string(number));
        }
    }
}

std::size_t sizeOfCharacter(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

} // namespace

std::string SequenceMender::mend(std::string_view filtered, std::size_t columns) {
    std::string out;
    out.reserve(filtered.size());
    for (std::size_t at = 0; at < filtered.size();) {
        const char c = filtered[at];
        if (c != kEsc) {
            const auto character = filtered.substr(at, sizeOfCharacter(c));
            out += character;
            at += character.size();
            const bool seen = static_cast<unsigned char>(c) >= 0x20;
            m_last = seen ? std::string(character) : std::string();
            continue;
        }
        if (at + 1 < filtered.size() && filtered[at + 1] == '[') {
            auto end = at + 2;
            while (end < filtered.size() && (filtered[end] < 0x40 || filtered[end] > 0x7e)) {
                ++end;
            }
            if (end < filtered.size()) {
                control(filtered.substr(at + 2, end - at - 2), filtered[end], columns, out);
            }
            at = end + 1;
        } else { // ESC and one character, or ESC ( and one
            const auto sequence = filtered.substr(at, at + 1 < filtered.size() && filtered[at + 1] == '(' ? 3 : 2);
            out += sequence;
            at += sequence.size();
        }
        m_last.clear();
    }
    return out;
}

void SequenceMender::control(std::string_view body, char final, std::size_t columns, std::string& out) {
    if (final == 'b') {
        for (auto left = std::clamp<std::size_t>(numberOr(body, 1), 1, columns); left > 0 && !m_last.empty(); --left) {
            out += m_last;
        }
    } else if (body.starts_with('?')) {
        for (const auto number : partsOf(body.substr(1), ';')) {
            mode(number, final == 'h');
            out += "\x1b[?" + std::string(number) + final;
        }
    } else if (final == 'm') {
        renditions(body, out);
    } else {
        m_cursorKeys = m_cursorKeys && !(body == "!" && final == 'p');
        out += "\x1b[" + std::string(body) + final;
    }
}

void SequenceMender::mode(std::string_view number, bool set) {
    if (number == "1") {
        m_cursorKeys = set;
    } else if (number == "2004") {
        m_bracketedPaste = set;
    }
}

} // namespace carrel::terminal

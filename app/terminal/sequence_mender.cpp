// SPDX-License-Identifier: Apache-2.0
#include "app/terminal/sequence_mender.h"

#include <algorithm>
#include <charconv>
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

std::size_t numberOf(std::string_view text, std::size_t fallback) {
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && out > 0 ? out : fallback;
}

std::string mendedColours(std::string_view body) {
    std::string out;
    for (const auto parameter : partsOf(body, ';')) {
        auto parts = partsOf(parameter, ':');
        if (parts.size() >= 6 && (parts[0] == "38" || parts[0] == "48") && parts[1] == "2") {
            parts.erase(parts.begin() + 2);
        }
        std::string joined;
        for (const auto part : parts) {
            joined += (joined.empty() ? "" : ":") + std::string(part);
        }
        out += (out.empty() ? "" : ";") + joined;
    }
    return out;
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
        for (auto left = std::min(numberOf(body, 1), columns); left > 0 && !m_last.empty(); --left) {
            out += m_last;
        }
        return;
    }
    if (body.starts_with('?')) {
        modes(body.substr(1), final == 'h');
    } else if (body == "!" && final == 'p') {
        m_cursorKeys = false;
    }
    out += kEsc;
    out += '[';
    out += final == 'm' ? mendedColours(body) : std::string(body);
    out += final;
}

void SequenceMender::modes(std::string_view numbers, bool set) {
    for (const auto number : partsOf(numbers, ';')) {
        if (number == "1") {
            m_cursorKeys = set;
        } else if (number == "2004") {
            m_bracketedPaste = set;
        }
    }
}

} // namespace carrel::terminal

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/shown_text.h"

#include "guest/protocol/plain_text.h"

namespace carrel::agent {

namespace {

constexpr const char* kReplacement = "\xef\xbf\xbd";

struct Character {
    std::size_t bytes = 1; // that belong to it, or to what stands in its place
    enum class Kind { Whole, Broken, Open } kind = Kind::Whole;
};

// The character that `text`, which is not empty, begins with: table 3-7 of the Unicode standard.
Character firstOf(std::string_view text) {
    const auto at = [&](std::size_t place) { return static_cast<unsigned char>(text[place]); };
    const unsigned lead = at(0);
    if (lead < 0x80) {
        return {1, lead == 0 ? Character::Kind::Broken : Character::Kind::Whole};
    }
    const std::size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    if (length == 0) {
        return {1, Character::Kind::Broken};
    }
    for (std::size_t place = 1; place < length; ++place) {
        if (place == text.size()) {
            return {place, Character::Kind::Open};
        }
        unsigned least = 0x80;
        unsigned most = 0xbf;
        if (place == 1) {
            least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : least;
            most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : most;
        }
        if (at(place) < least || at(place) > most) {
            return {place, Character::Kind::Broken};
        }
    }
    return {length, Character::Kind::Whole};
}

void appendHex(std::string& out, char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    out += "\\x";
    out += digits[value >> 4U];
    out += digits[value & 15U];
}

} // namespace

std::string Utf8Mender::feed(std::string_view bytes) {
    std::string joined;
    if (!m_open.empty()) {
        joined = m_open + std::string(bytes);
        bytes = joined;
        m_open.clear();
    }
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto character = firstOf(bytes);
        if (character.kind == Character::Kind::Open) {
            m_open = bytes;
            break;
        }
        if (character.kind == Character::Kind::Whole) {
            out += bytes.substr(0, character.bytes);
        } else {
            out += kReplacement;
        }
        bytes.remove_prefix(character.bytes);
    }
    return out;
}

std::string Utf8Mender::finish() {
    const bool open = !m_open.empty();
    m_open.clear();
    return open ? kReplacement : "";
}

std::string mended(std::string_view bytes) {
    Utf8Mender mender;
    auto out = mender.feed(bytes);
    return out + mender.finish();
}

void KeptEnds::feed(std::string_view text) {
    m_fed += text.size();
    if (m_head.size() < m_half && m_tail.empty()) {
        const auto fits = cutBetweenCharacters(text, m_half - m_head.size());
        m_head += fits;
        text.remove_prefix(fits.size());
    }
    m_tail += text;
    if (m_tail.size() > 2 * m_half) {
        m_tail.erase(0, m_tail.size() - m_half);
    }
}

std::string KeptEnds::text() const {
    std::string_view tail(m_tail);
    if (tail.size() > m_half) {
        tail.remove_prefix(tail.size() - m_half);
    }
    const auto isWithin = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; };
    while (m_fed > m_head.size() + tail.size() && !tail.empty() && isWithin(tail.front())) {
        tail.remove_prefix(1);
    }
    const auto leftOut = m_fed - m_head.size() - tail.size();
    if (leftOut == 0) {
        return m_head + std::string(tail);
    }
    return m_head + "\n[… " + std::to_string(leftOut) + " bytes left out …]\n" + std::string(tail);
}

std::string shownName(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto character = firstOf(name);
        const char first = name.front();
        // U+0080 to U+009F, U+2028 and U+2029 end lines or steer terminals, too.
        const auto whole = name.substr(0, character.bytes);
        const bool steers = (whole.size() == 2 && whole[0] == '\xc2' && static_cast<unsigned char>(whole[1]) < 0xa0) ||
                            whole == "\xe2\x80\xa8" || whole == "\xe2\x80\xa9";
        if (first == '\n') {
            out += "\\n";
        } else if (first == '\\') {
            out += "\\\\";
        } else if (character.kind != Character::Kind::Whole || static_cast<unsigned char>(first) < 0x20 || first == 0x7f || steers) {
            for (const char byte : whole) {
                appendHex(out, byte);
            }
        } else {
            out += whole;
        }
        name.remove_prefix(character.bytes);
    }
    return out;
}

std::string shownLine(std::string_view begin, std::uint64_t wholeSize, std::size_t most) {
    const auto kept = cutBetweenCharacters(begin, most);
    auto out = mended(kept);
    if (kept.size() < wholeSize) {
        out += " [… " + std::to_string(wholeSize - kept.size()) + " bytes of this line left out]";
    }
    return out;
}

} // namespace carrel::agent

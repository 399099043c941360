// SPDX-License-Identifier: Apache-2.0
#include "app/api/display_text.h"

#include "app/api/characters.h"
#include "guest/protocol/share_path.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace carrel::api {

namespace {

// The code point at the beginning of `text` and its length; length 0 where it is not valid UTF-8.
struct Decoded {
    std::uint32_t point = 0;
    std::size_t length = 0;
};
Decoded decode(std::string_view text) {
    const auto lead = static_cast<std::uint8_t>(text[0]);
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || text.size() < length || !isUtf8(text.substr(0, length))) {
        return {};
    }
    std::uint32_t point = lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        point = (point << 6U) | (static_cast<std::uint8_t>(text[i]) & 0x3fU);
    }
    return {point, length};
}

std::string escapePoint(std::uint32_t point) {
    std::array<char, 16> out{};
    std::snprintf(out.data(), out.size(), point < 0x80 ? "\\x%02x" : "\\u{%x}", static_cast<unsigned>(point));
    return out.data();
}
std::string escapeByte(char byte) {
    std::array<char, 8> out{};
    std::snprintf(out.data(), out.size(), "\\x%02x", static_cast<unsigned>(static_cast<std::uint8_t>(byte)));
    return out.data();
}

} // namespace

struct DisplayTextBuilder {
    DisplayText out;
    std::size_t marks = kMarksInARow; // a mark at the beginning would join what stands before the text

    void put(std::string_view piece, std::size_t columns) {
        out.m_text += piece;
        out.m_columns += columns;
    }
    void escape(std::string_view piece) {
        put(piece, piece.size());
        out.m_escaped = true;
        marks = kMarksInARow;
    }

    // Appends the next character of `rest`, escaped where need be, and moves past it.
    void next(std::string_view& rest) {
        const auto [point, length] = decode(rest);
        if (length == 0) {
            escape(escapeByte(rest[0]));
            rest.remove_prefix(1);
            return;
        }
        const auto piece = rest.substr(0, length);
        rest.remove_prefix(length);
        if (point == '\n') {
            escape("\\n");
        } else if (point == '\t') {
            escape("\\t");
        } else if (point == '\r') {
            escape("\\r");
        } else if (point < 0x80) {
            if (point < 0x20 || point == 0x7f) {
                escape(escapePoint(point));
            } else {
                put(piece, 1);
                marks = 0;
            }
        } else {
            other(point, piece);
        }
    }
    void other(std::uint32_t point, std::string_view piece) {
        switch (characterKind(point)) {
        case CharacterKind::Hidden:
            escape(escapePoint(point));
            break;
        case CharacterKind::Mark:
            if (marks >= kMarksInARow) {
                escape(escapePoint(point));
            } else {
                ++marks;
                put(piece, 0);
            }
            break;
        case CharacterKind::Narrow:
        case CharacterKind::Wide:
            put(piece, characterKind(point) == CharacterKind::Wide ? 2 : 1);
            marks = 0;
            break;
        }
    }
    void lineEnd(std::string_view piece) {
        out.m_text += piece;
        marks = kMarksInARow;
    }
    void shorten(std::size_t bytes, std::size_t columns, std::string_view tail) {
        out.m_text.resize(bytes);
        out.m_columns = columns;
        out.m_text += tail;
        out.m_shortened = true;
    }
};

DisplayText DisplayText::line(std::string_view raw, std::size_t maxColumns) {
    DisplayTextBuilder builder;
    if (maxColumns == 0) {
        return builder.out;
    }
    // Where to cut if the text turns out too long: the last place that leaves a column for the ellipsis.
    std::size_t cutBytes = 0;
    std::size_t cutColumns = 0;
    while (!raw.empty()) {
        builder.next(raw);
        if (builder.out.m_columns > maxColumns) {
            builder.shorten(cutBytes, cutColumns + 1, "…");
            break;
        }
        if (builder.out.m_columns < maxColumns) {
            cutBytes = builder.out.m_text.size();
            cutColumns = builder.out.m_columns;
        }
    }
    return builder.out;
}

DisplayText DisplayText::block(std::string_view raw, std::size_t maxBytes) {
    DisplayTextBuilder builder;
    const std::size_t size = raw.size();
    while (!raw.empty()) {
        if (size - raw.size() >= maxBytes) {
            const char* tail = builder.out.m_text.ends_with('\n') ? "… (shortened)\n" : "\n… (shortened)\n";
            builder.shorten(builder.out.m_text.size(), builder.out.m_columns, tail);
            break;
        }
        if (raw[0] == '\n' || raw[0] == '\t') {
            builder.lineEnd(raw.substr(0, 1));
            raw.remove_prefix(1);
        } else {
            builder.next(raw);
        }
    }
    return builder.out;
}

std::string asUtf8(std::string_view text) {
    static constexpr std::size_t kColumns = 20'000; // a path of 4,095 bytes, all of them escaped, and words around it
    return isUtf8(text) ? std::string(text) : DisplayText::line(text, kColumns).text();
}

} // namespace carrel::api

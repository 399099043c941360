// SPDX-License-Identifier: Apache-2.0
// Numbers, texts and truths of JSON (RFC 8259), told as they come, with the names on the way to them. For bodies that pass through and are of any
// size: nothing of them is kept but where one is, at most about 4 KiB. One text after the other is read, with whitespace between them or
// nothing, which is also what "application/x-ndjson" and the like are. On Boost.JSON's parser, which does the grammar.
// Arrays have no names, so that {"a":[{"b":1}]} tells "a.b". A name that is too long, or too deep, is told as "?", which is nobody's.
// Ownership: one for each body. Thread: one; the sinks are called from within feed().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace carrel::relay {

class JsonScan {
public:
    struct Sinks {
        // Whole numbers from 0 to kMostTold; others are none.
        std::function<void(std::string_view path, std::uint64_t number)> number;
        // In pieces, unescaped; the last one may be empty.
        enum class Piece { More, Last };
        std::function<void(std::string_view path, std::string_view piece, Piece which)> text;
        std::function<void(std::string_view path, bool value)> truth;
    };
    static constexpr std::uint64_t kMostTold = 1ULL << 53U; // beyond, writers that hold numbers as IEEE 754 round (RFC 8259, section 6)
    static constexpr std::size_t kMostDepth = 64;           // deeper is no JSON to it
    static constexpr std::size_t kMostNamed = 8;            // of them
    static constexpr std::size_t kMostName = 48;

    explicit JsonScan(Sinks sinks);
    ~JsonScan();
    JsonScan(const JsonScan&) = delete;
    JsonScan& operator=(const JsonScan&) = delete;

    void feed(std::string_view piece);
    void restart();                    // what follows is another text, whatever has come of this one
    [[nodiscard]] bool isBad() const; // it was no JSON, or one that is too deep: nothing more of it is read until restart()

private:
    class Parser;
    std::unique_ptr<Parser> m_parser;
};

} // namespace carrel::relay

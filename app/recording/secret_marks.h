// SPDX-License-Identifier: Apache-2.0
// How stored credentials are kept out of a recording (invariant I6) by a process that must not know them: for each of them, plain and
// in base64 at its three alignments, its length, 16 bits of a rolling hash whose base is random, and a salted SHA-256. Whoever breaks
// into the recorder learns no more than that. What is found is written over by asterisks, wherever it begins and however it is cut
// into pieces. Not found: in another coding, or with something between its characters.
// Ownership: values. Thread: one owner.
#pragma once

#include "guest/protocol/result.h"

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::recording {

inline constexpr std::size_t kMinMark = 6;
inline constexpr std::size_t kMaxMark = 8192;
inline constexpr std::size_t kMaxMarks = 1024;

struct SecretMark {
    std::uint32_t length = 0;
    std::uint16_t rolling = 0;
    std::array<std::uint8_t, 32> digest{};
};

struct SecretMarks {
    std::uint64_t base = 0;               // odd
    std::array<std::uint8_t, 16> salt{};
    std::vector<SecretMark> marks;

    [[nodiscard]] static SecretMarks withSalt(const std::array<std::uint8_t, 24>& random);
    // False: too short to be told from other text, or there are too many.
    bool add(std::string_view secret);

    [[nodiscard]] std::string encode() const;
    [[nodiscard]] static Result<SecretMarks> decode(std::string_view bytes); // Malformed

private:
    bool addOne(std::string_view text);
};

struct Piece { // what came at one moment
    std::uint64_t us = 0;
    std::string bytes;
};

class SecretMask {
public:
    explicit SecretMask(SecretMarks marks);
    // What is known to be clean by now, with the moments at which it came. Held back: one byte less than the longest that is looked for.
    [[nodiscard]] std::vector<Piece> feed(std::uint64_t us, std::string_view bytes);
    [[nodiscard]] std::vector<Piece> finish();

private:
    // What is looked for of one length. A look at one bit rules nearly every place out, however much is looked for: a guest's program
    // says how many places there are.
    struct OfLength {
        std::size_t length = 0;
        std::vector<bool> some = std::vector<bool>(65536, false); // by the rolling hash
        std::vector<SecretMark> marks;
    };
    void searchFor(const OfLength& wanted, std::size_t from);
    [[nodiscard]] std::vector<Piece> release(std::size_t bytes);

    SecretMarks m_marks; // but for the marks themselves
    std::vector<OfLength> m_lengths; // the longest last
    std::string m_held;
    std::vector<bool> m_masked; // of m_held
    std::deque<std::pair<std::uint64_t, std::size_t>> m_times; // of m_held
};

} // namespace carrel::recording

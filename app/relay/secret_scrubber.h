// SPDX-License-Identifier: Apache-2.0
// Takes a secret out of what a host answers (design, section 9: echoes), wherever it begins and however it is cut into pieces: plain,
// in base64 of either alphabet at each of its three alignments, and any of these with characters percent-encoded (RFC 3986) or with
// the "\/" of JSON. What stands in its place has the same length, so that lengths and offsets that were announced still hold: the
// placeholder, as far as it goes, in the same coding.
//
// Held back is only what may be the beginning of one, never more than kMaxSecret × 4 bytes, until the next piece or finish().
// Not found: the secret in another coding, or compressed; http_road.h asks for neither.
// Ownership: holds the secret, which is wiped with it. Thread: one.
#pragma once

#include "app/relay/byte_queue.h"

#include <array>
#include <cstdint>

namespace carrel::relay {

inline constexpr std::size_t kMinSecret = 6;    // one that is shorter stands everywhere by chance
inline constexpr std::size_t kMaxSecret = 8192; // of a header's value

class SecretScrubber {
public:
    SecretScrubber() = default; // looks for nothing
    // Both as they are, `secret` of at least kMinSecret bytes, else it is not looked for.
    void add(std::string_view secret, std::string_view placeholder);
    [[nodiscard]] bool isIdle() const { return m_patterns.empty(); }

    // Appends to `out` what of `in`, and of what was held back, is known to be clean.
    void pass(ByteSpan in, ByteQueue& out);
    void finish(ByteQueue& out); // nothing follows
    [[nodiscard]] std::string scrubbed(std::string_view whole) const;

    [[nodiscard]] std::size_t found() const { return m_found; }
    [[nodiscard]] std::size_t held() const { return m_held.size(); }

private:
    struct Pattern {
        SecretText text;
        SecretText mask; // of the same length
    };
    struct Match {
        const Pattern* pattern = nullptr; // null: none
        std::size_t length = 0;
        bool mayBe = false; // the beginning of one, as far as it goes
    };
    enum class More { MayCome, None };
    void addPattern(SecretText text, SecretText mask);
    void noteBeginning(char first, char second);
    [[nodiscard]] Match matchAt(std::string_view text) const;
    [[nodiscard]] std::size_t scan(std::string_view text, More more, ByteQueue& out, std::size_t& found) const;

    std::vector<Pattern> m_patterns;
    std::array<std::uint8_t, 256> m_first{};   // 1: it may begin with that byte
    std::vector<std::uint64_t, WipingAllocator<std::uint64_t>> m_pairs; // a bit for each two bytes that it may begin with; not before there are any
    ByteQueue m_held;
    std::size_t m_found = 0;
};

} // namespace carrel::relay

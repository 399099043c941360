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
#include "app/relay/pattern_search.h"

namespace carrel::relay {

inline constexpr std::size_t kMinSecret = 6;    // one that is shorter stands everywhere by chance
inline constexpr std::size_t kMaxSecret = 8192; // of a header's value

class SecretScrubber {
public:
    SecretScrubber() = default; // looks for nothing
    // Both as they are, `secret` of at least kMinSecret bytes, else it is not looked for.
    void add(std::string_view secret, std::string_view placeholder);
    [[nodiscard]] bool isIdle() const { return m_search.isEmpty(); }

    // Appends to `out` what of `in`, and of what was held back, is known to be clean.
    void pass(ByteSpan in, ByteQueue& out);
    void finish(ByteQueue& out); // nothing follows
    [[nodiscard]] std::string scrubbed(std::string_view whole) const;

    [[nodiscard]] std::size_t found() const { return m_found; }
    [[nodiscard]] std::size_t held() const { return m_held.size(); }

private:
    void addPattern(SecretText text, SecretText mask);
    [[nodiscard]] std::size_t scan(std::string_view text, PatternSearch::More more, ByteQueue& out, std::size_t& found) const;

    PatternSearch m_search;
    std::vector<SecretText> m_masks; // of the same length as the pattern of that number
    ByteQueue m_held;
    std::size_t m_found = 0;
};

} // namespace carrel::relay

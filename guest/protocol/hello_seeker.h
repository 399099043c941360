// SPDX-License-Identifier: Apache-2.0
// Finding the start of an epoch in a byte stream that may begin anywhere (see frame.h). Part of FrameDecoder.
// Ownership: inside one decoder. Thread: that decoder's.
#pragma once

#include "guest/protocol/frame.h"

#include <cstdint>

namespace carrel::detail {

// Zero bytes at the end of `bytes`; `before` of them came directly before `bytes`.
[[nodiscard]] std::size_t trailingZeros(ByteSpan bytes, std::size_t before);

// Host side: seeks the guest's marker with exactly the awaited nonce and tag.
class AnswerSeeker {
public:
    enum class Found { Nothing, Answer, Restart };
    struct Step {
        std::size_t used = 0;
        Found found = Found::Nothing;
    };

    void await(const Epoch& epoch);
    // Stops behind whatever it found. Restart: so many zero bytes that only a guest that starts anew sends
    // them.
    [[nodiscard]] Step feed(ByteSpan bytes);

private:
    static constexpr std::size_t kPatternBytes = kMarkerBytes + kNonceBytes + sizeof(std::uint32_t);
    std::array<std::byte, kPatternBytes> m_pattern{};
    std::array<std::size_t, kPatternBytes>
        m_fallback{}; // Knuth, Morris, Pratt: the nonce may repeat parts of the marker
    std::size_t m_matched = 0;
    std::size_t m_zeros = 0;
    bool m_awaiting = false;
};

// Guest side: seeks zeros, the host's marker, a nonce and a tag.
class HelloSeeker {
public:
    struct Step {
        std::size_t used = 0;
        bool found = false;
    };

    // Starts again; `zeros` zero bytes came directly before.
    void restart(std::size_t zeros);
    [[nodiscard]] Step feed(ByteSpan bytes);
    [[nodiscard]] const Epoch& epoch() const { return m_epoch; } // after found

private:
    bool finishEpoch();

    std::size_t m_zeros = 0;
    std::size_t m_matched = 0; // bytes of the marker
    std::array<std::byte, kNonceBytes + sizeof(std::uint32_t)> m_tail{};
    std::size_t m_tailFill = 0;
    Epoch m_epoch;
};

} // namespace carrel::detail

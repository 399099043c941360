// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/hello_seeker.h"

#include <algorithm>

namespace carrel::detail {

namespace {
bool isZero(std::byte value) {
    return value == std::byte{0};
}

// Eight at a time: every hello has 65,556 of them.
std::size_t leadingZeros(ByteSpan bytes) {
    std::size_t count = 0;
    while (bytes.size() - count >= sizeof(std::uint64_t) && loadLe<std::uint64_t>(bytes, count) == 0) {
        count += sizeof(std::uint64_t);
    }
    while (count < bytes.size() && isZero(bytes[count])) {
        ++count;
    }
    return count;
}

} // namespace

std::size_t trailingZeros(ByteSpan bytes, std::size_t before) {
    std::size_t rest = bytes.size();
    while (rest >= sizeof(std::uint64_t) && loadLe<std::uint64_t>(bytes, rest - sizeof(std::uint64_t)) == 0) {
        rest -= sizeof(std::uint64_t);
    }
    while (rest > 0 && isZero(bytes[rest - 1])) {
        --rest;
    }
    return rest == 0 ? before + bytes.size() : bytes.size() - rest;
}

void AnswerSeeker::await(const Epoch& epoch) {
    auto at = std::transform(kGuestMarker.begin(), kGuestMarker.end(), m_pattern.begin(),
                             [](std::uint8_t value) { return std::byte{value}; });
    at = std::copy(epoch.nonce.begin(), epoch.nonce.end(), at);
    std::memcpy(&*at, &epoch.tag, sizeof epoch.tag);
    m_fallback[0] = 0;
    for (std::size_t i = 1, k = 0; i < kPatternBytes; ++i) {
        while (k > 0 && m_pattern[i] != m_pattern[k]) {
            k = m_fallback[k - 1];
        }
        k += m_pattern[i] == m_pattern[k] ? 1 : 0;
        m_fallback[i] = k;
    }
    m_matched = 0;
    // Counted from here on: zeros from before were answered by the very hello whose answer is sought now.
    m_zeros = 0;
    m_awaiting = true;
}

AnswerSeeker::Step AnswerSeeker::feed(ByteSpan bytes) {
    if (!m_awaiting) {
        return {bytes.size(), Found::Nothing};
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::byte value = bytes[i];
        m_zeros = isZero(value) ? m_zeros + 1 : 0;
        if (m_zeros == kMaxFrameBytes) {
            m_awaiting = false;
            return {i + 1, Found::Restart};
        }
        while (m_matched > 0 && value != m_pattern[m_matched]) {
            m_matched = m_fallback[m_matched - 1];
        }
        m_matched += value == m_pattern[m_matched] ? 1 : 0;
        if (m_matched == kPatternBytes) {
            m_awaiting = false;
            m_matched = 0;
            return {i + 1, Found::Answer};
        }
    }
    return {bytes.size(), Found::Nothing};
}

void HelloSeeker::restart(std::size_t zeros) {
    m_zeros = zeros;
    m_matched = 0;
    m_tailFill = 0;
}

HelloSeeker::Step HelloSeeker::feed(ByteSpan bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::byte value = bytes[i];
        if (m_matched == kMarkerBytes) {
            m_tail[m_tailFill++] = value;
            if (m_tailFill == m_tail.size() && finishEpoch()) {
                return {i + 1, true};
            }
            continue;
        }
        const bool begun = m_matched > 0 || m_zeros >= kMaxFrameBytes;
        if (begun && value == std::byte{kHostMarker[m_matched]}) {
            ++m_matched;
            m_zeros = 0;
        } else {
            m_matched = 0;
            const std::size_t zeros = leadingZeros(bytes.subspan(i));
            m_zeros = zeros > 0 ? m_zeros + zeros : 0;
            i += zeros > 0 ? zeros - 1 : 0;
        }
    }
    return {bytes.size(), false};
}

bool HelloSeeker::finishEpoch() {
    std::copy_n(m_tail.begin(), kNonceBytes, m_epoch.nonce.begin());
    m_epoch.tag = loadLe<std::uint32_t>(m_tail, kNonceBytes);
    const ByteSpan tag = ByteSpan(m_tail).subspan(kNonceBytes);
    const bool valid = std::none_of(tag.begin(), tag.end(), isZero);
    // A hello cut short takes its missing bytes from the zeros of the next one: those still count.
    restart(valid ? 0 : trailingZeros(m_tail, 0));
    return valid;
}

} // namespace carrel::detail

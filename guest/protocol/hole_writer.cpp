// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/hole_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace carrel {

namespace {

// Ends at the first byte that is none, which is the first one in most blocks that hold anything.
bool isZeros(ByteSpan bytes) {
    return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::size_t leadingZeros(ByteSpan bytes) {
    std::size_t at = 0;
    while (bytes.size() - at >= kHoleBlock && isZeros(bytes.subspan(at, kHoleBlock))) {
        at += kHoleBlock;
    }
    const auto rest = bytes.subspan(at);
    const auto data = std::find_if(rest.begin(), rest.end(), [](std::byte byte) { return byte != std::byte{0}; });
    return at + static_cast<std::size_t>(data - rest.begin());
}

} // namespace

int HoleWriter::put(ByteSpan data) {
    while (!data.empty()) {
        const ssize_t wrote = ::write(m_fd, data.data(), data.size());
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return wrote < 0 ? errno : EIO;
        }
        data = data.subspan(static_cast<std::size_t>(wrote));
    }
    return 0;
}

// All of it where it has no whole block of zeros.
std::size_t HoleWriter::beforeZeroBlock(ByteSpan data) const {
    std::size_t at = static_cast<std::size_t>(-m_at % kHoleBlock);
    for (; at < data.size() && data.size() - at >= kHoleBlock; at += kHoleBlock) {
        if (isZeros(data.subspan(at, kHoleBlock))) {
            return at;
        }
    }
    return data.size();
}

int HoleWriter::write(ByteSpan data) {
    const auto take = [&](std::size_t bytes) {
        m_at += bytes;
        data = data.subspan(bytes);
    };
    while (!data.empty()) {
        if (m_gap > 0) {
            const std::size_t more = leadingZeros(data);
            m_gap += more;
            take(more);
            if (data.empty()) {
                return 0;
            }
            if (::lseek(m_fd, static_cast<off_t>(m_gap), SEEK_CUR) < 0) {
                return errno;
            }
            m_gap = 0;
        }
        const std::size_t run = beforeZeroBlock(data);
        if (const int error = put(data.first(run)); error != 0) {
            return error;
        }
        take(run);
        if (!data.empty()) {
            m_gap = kHoleBlock;
            take(kHoleBlock);
        }
    }
    return 0;
}

int HoleWriter::finish() {
    if (m_gap == 0) {
        return 0;
    }
    m_gap = 0;
    return ::ftruncate(m_fd, static_cast<off_t>(m_at)) == 0 ? 0 : errno;
}

} // namespace carrel

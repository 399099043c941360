// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/dns_stream.h"

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace carrel::guestd {

namespace {
constexpr std::size_t kLength = 2;
}

bool DnsStream::ready(NameTable& names) {
    std::array<std::byte, 2048> buffer;
    const ssize_t got = ::recv(m_socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    m_come.insert(m_come.end(), buffer.begin(), buffer.begin() + got);
    return got > 0 && answerAll(names);
}

bool DnsStream::answerAll(NameTable& names) {
    std::size_t done = 0;
    while (m_come.size() - done >= kLength) {
        const ByteSpan rest = ByteSpan(m_come).subspan(done);
        const std::size_t length = std::to_integer<std::size_t>(rest[0]) << 8U | std::to_integer<std::size_t>(rest[1]);
        if (length > kMaxDnsQuery) {
            return false;
        }
        if (rest.size() < kLength + length) {
            break;
        }
        const Bytes answer = dnsAnswer(rest.subspan(kLength, length), names);
        if (answer.empty()) {
            return false;
        }
        Bytes out{static_cast<std::byte>(answer.size() >> 8U), static_cast<std::byte>(answer.size())};
        out.insert(out.end(), answer.begin(), answer.end());
        if (::send(m_socket.get(), out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
            return false;
        }
        done += kLength + length;
    }
    m_come.erase(m_come.begin(), m_come.begin() + static_cast<std::ptrdiff_t>(done));
    return true;
}

} // namespace carrel::guestd

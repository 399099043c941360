// SPDX-License-Identifier: Apache-2.0
#include "app/egress/tunnel.h"

#include "guest/protocol/share_path.h"

#include <algorithm>

namespace carrel::egress {

namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

tl::unexpected<Error> noAnswer() {
    return fail(ErrorCode::Malformed, "the proxy gave no answer that can be understood");
}

unsigned byteAt(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

char asByte(std::size_t value) {
    return static_cast<char>(static_cast<unsigned char>(value));
}

} // namespace

Tunnel::Tunnel(const Proxy& proxy, const Destination& to)
    : m_proxy(proxy)
    , m_to(to) {}

std::string Tunnel::begin() {
    const bool password = !m_proxy.user.empty() || !m_proxy.password.empty();
    if (m_proxy.kind == Proxy::Kind::Socks5) {
        return password ? std::string("\x05\x02\x00\x02", 4) : std::string("\x05\x01\x00", 3);
    }
    std::string out = "CONNECT " + m_to.text() + " HTTP/1.1\r\nHost: " + m_to.text() + "\r\n";
    if (password) {
        out += "Proxy-Authorization: Basic " + toBase64(m_proxy.user + ":" + m_proxy.password) + "\r\n";
    }
    return out + "\r\n";
}

Result<Tunnel::Step> Tunnel::take(std::string_view seen) {
    return m_proxy.kind == Proxy::Kind::Http ? takeHttp(seen) : takeSocks(seen);
}

Result<Tunnel::Step> Tunnel::takeHttp(std::string_view seen) {
    const auto before = m_head.size();
    m_head += seen.substr(0, kMaxProxyAnswer + 1 - std::min(before, kMaxProxyAnswer));
    const auto end = m_head.find(kEnd);
    if (end == std::string::npos) {
        return m_head.size() > kMaxProxyAnswer ? Result<Step>(fail(ErrorCode::LimitExceeded, "the proxy's answer is too long"))
                                               : Step{seen.size(), {}, false};
    }
    const Step done{end + kEnd.size() - before, {}, true};
    const std::string_view line(m_head.data(), m_head.find("\r\n"));
    const bool isStatus = line.size() >= 12 && (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")) &&
                          std::all_of(line.begin() + 9, line.begin() + 12, [](char c) { return c >= '0' && c <= '9'; }) &&
                          (line.size() == 12 || line[12] == ' ');
    if (!isStatus) {
        return noAnswer();
    }
    const auto status = line.substr(9, 3);
    if (status[0] == '2') {
        return done;
    }
    if (status == "407") {
        return fail(ErrorCode::Unavailable, "the proxy wants another user or password");
    }
    if (status == "504") {
        return fail(ErrorCode::Expired, "the proxy waited for it in vain");
    }
    return fail(ErrorCode::Unavailable, "the proxy would not connect to it (" + std::string(status) + ")");
}

std::string Tunnel::socksConnect() const {
    const auto name = m_to.hostText();
    std::string out("\x05\x01\x00\x03", 4);
    out += asByte(name.size()); // 253 at most
    out += name;
    out += asByte(m_to.port >> 8U);
    out += asByte(m_to.port & 0xffU);
    return out;
}

Result<Tunnel::Step> Tunnel::takeSocks(std::string_view seen) {
    constexpr std::size_t kHead = 4;
    if (seen.size() < 2) {
        return Step{};
    }
    if (m_socks == Socks::Method) {
        const auto chosen = byteAt(seen, 1);
        if (byteAt(seen, 0) != 5) {
            return noAnswer();
        }
        if (chosen == 0) {
            m_socks = Socks::Answer;
            return Step{2, socksConnect(), false};
        }
        if (chosen != 2 || (m_proxy.user.empty() && m_proxy.password.empty())) {
            return fail(ErrorCode::Unavailable, "the proxy wants a user and a password");
        }
        m_socks = Socks::Password;
        return Step{2, std::string(1, '\x01') + asByte(m_proxy.user.size()) + m_proxy.user + asByte(m_proxy.password.size()) + m_proxy.password,
                    false};
    }
    if (m_socks == Socks::Password) {
        if (byteAt(seen, 0) != 1) {
            return noAnswer();
        }
        if (byteAt(seen, 1) != 0) {
            return fail(ErrorCode::Unavailable, "the proxy wants another user or password");
        }
        m_socks = Socks::Answer;
        return Step{2, socksConnect(), false};
    }
    if (byteAt(seen, 0) != 5) {
        return noAnswer();
    }
    switch (byteAt(seen, 1)) {
    case 0:
        break;
    case 5:
        return fail(ErrorCode::Refused, "nobody listens there, says the proxy");
    case 6:
        return fail(ErrorCode::Expired, "the proxy waited for it in vain");
    default:
        return fail(ErrorCode::Unavailable, "the proxy would not connect to it (" + std::to_string(byteAt(seen, 1)) + ")");
    }
    if (seen.size() < kHead + 1) {
        return Step{};
    }
    const auto kind = byteAt(seen, 3);
    const std::size_t address = kind == 1 ? 4 : kind == 4 ? 16 : kind == 3 ? 1 + byteAt(seen, kHead) : 0;
    if (address == 0) {
        return noAnswer();
    }
    const auto whole = kHead + address + 2;
    return seen.size() < whole ? Step{} : Step{whole, {}, true};
}

} // namespace carrel::egress

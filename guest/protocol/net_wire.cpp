// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/net_wire.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <arpa/inet.h>

namespace carrel::net {

namespace {

enum class Kind : std::uint8_t { Name = 1, V4 = 2, V6 = 3, Inward = 4 };

constexpr std::size_t kOpeningFixed = 5;
constexpr std::size_t kAnswerFixed = 3;
constexpr std::size_t kInwardFixed = 4;

constexpr std::array<std::string_view, 11> kOutcomes{"open",    "waiting",   "denied", "expired", "unresolved", "unreachable",
                                                     "refused", "timed-out", "limit",  "offline", "closed"};

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

bool isLabel(std::string_view label) {
    return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || isDigit(c) || c == '-' || c == '_'; });
}

bool isControl(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

tl::unexpected<Error> malformed(const char* what) {
    return fail(ErrorCode::Malformed, std::string("a network connection begins with ") + what);
}

template <class Address> Address addressFrom(ByteSpan bytes) {
    Address address;
    std::memcpy(address.data(), bytes.data(), address.size());
    return address;
}

void appendText(Bytes& to, ByteSpan bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

} // namespace

std::string_view toString(Outcome outcome) {
    return kOutcomes[static_cast<std::size_t>(outcome)];
}

std::optional<Outcome> outcomeFrom(std::string_view text) {
    const auto* const found = std::find(kOutcomes.begin(), kOutcomes.end(), text);
    return found == kOutcomes.end() ? std::nullopt : std::optional(static_cast<Outcome>(found - kOutcomes.begin()));
}

std::string_view reasonOf(Outcome outcome) {
    switch (outcome) {
    case Outcome::Expired:
        return "Nobody answered in time whether it may be reached.";
    case Outcome::Unresolved:
        return "No host of that name was found.";
    case Outcome::Unreachable:
        return "It cannot be reached.";
    case Outcome::Refused:
        return "It refused the connection.";
    case Outcome::TimedOut:
        return "It did not answer in time.";
    case Outcome::Limit:
        return "Too many connections are open or wait.";
    case Outcome::Offline:
        return "The agent has no network.";
    case Outcome::Closed:
        return "The connection was given up.";
    default:
        return "It may not be reached.";
    }
}

bool isHostName(std::string_view text) {
    if (text.empty() || text.size() > kMaxHostName) {
        return false;
    }
    std::string_view label;
    for (std::size_t at = 0; at <= text.size();) {
        const auto dot = std::min(text.find('.', at), text.size());
        label = text.substr(at, dot - at);
        if (!isLabel(label)) {
            return false;
        }
        at = dot + 1;
    }
    const bool isHex = label.size() > 2 && label.starts_with("0x") &&
                       label.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
    return !std::all_of(label.begin(), label.end(), isDigit) && !isHex && label != "0x";
}

std::string textOf(const Host& host) {
    if (const auto* name = std::get_if<std::string>(&host)) {
        return *name;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (const auto* v4 = std::get_if<Ipv4>(&host)) {
        ::inet_ntop(AF_INET, v4->data(), text.data(), text.size());
    } else {
        ::inet_ntop(AF_INET6, std::get<Ipv6>(host).data(), text.data(), text.size());
    }
    return text.data();
}

std::optional<Host> hostFrom(std::string_view text) {
    std::string given(text.substr(0, kMaxHostName + 1));
    Ipv4 v4;
    Ipv6 v6;
    if (given.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    if (::inet_pton(AF_INET, given.c_str(), v4.data()) == 1) {
        return v4;
    }
    if (::inet_pton(AF_INET6, given.c_str(), v6.data()) == 1) {
        return v6;
    }
    std::transform(given.begin(), given.end(), given.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return isHostName(given) ? std::optional<Host>(std::move(given)) : std::nullopt;
}

Bytes toWire(const Opening& opening) {
    const auto address = [](const auto& bytes) { return std::as_bytes(std::span(bytes)); };
    Kind kind = Kind::Name;
    ByteSpan what;
    if (const auto* name = std::get_if<std::string>(&opening.host)) {
        what = asBytes(*name);
    } else if (const auto* v4 = std::get_if<Ipv4>(&opening.host)) {
        kind = Kind::V4;
        what = address(*v4);
    } else {
        kind = Kind::V6;
        what = address(std::get<Ipv6>(opening.host));
    }
    Bytes out;
    appendLe(out, kWireVersion);
    appendLe(out, static_cast<std::uint8_t>(kind));
    appendLe(out, opening.port);
    appendLe(out, static_cast<std::uint8_t>(what.size()));
    appendText(out, what);
    return out;
}

Bytes toWire(const Inward& inward) {
    Bytes out;
    appendLe(out, kWireVersion);
    appendLe(out, static_cast<std::uint8_t>(Kind::Inward));
    appendLe(out, inward.port);
    return out;
}

Bytes toWire(const Answer& answer) {
    std::string text = plainText(answer.text, kMaxAnswerText);
    std::replace_if(text.begin(), text.end(), isControl, ' ');
    Bytes out;
    appendLe(out, kWireVersion);
    appendLe(out, static_cast<std::uint8_t>(answer.outcome));
    appendLe(out, static_cast<std::uint8_t>(text.size()));
    appendText(out, asBytes(text));
    return out;
}

Result<std::optional<Taken<Opening>>> openingFrom(ByteSpan bytes) {
    if (!bytes.empty() && loadLe<std::uint8_t>(bytes) != kWireVersion) {
        return malformed("a version that is not known");
    }
    if (bytes.size() < kOpeningFixed) {
        return std::nullopt;
    }
    const auto kind = static_cast<Kind>(loadLe<std::uint8_t>(bytes, 1));
    const auto port = loadLe<std::uint16_t>(bytes, 2);
    const std::size_t length = loadLe<std::uint8_t>(bytes, 4);
    const bool fits = (kind == Kind::Name && length >= 1 && length <= kMaxHostName) ||
                      (kind == Kind::V4 && length == Ipv4().size()) || (kind == Kind::V6 && length == Ipv6().size());
    if (!fits || port == 0) {
        return malformed("a destination of no known kind");
    }
    if (bytes.size() < kOpeningFixed + length) {
        return std::nullopt;
    }
    const auto what = bytes.subspan(kOpeningFixed, length);
    Taken<Opening> taken{{{}, port}, kOpeningFixed + length};
    if (kind == Kind::V4) {
        taken.head.host = addressFrom<Ipv4>(what);
    } else if (kind == Kind::V6) {
        taken.head.host = addressFrom<Ipv6>(what);
    } else if (isHostName(asText(what))) {
        taken.head.host = std::string(asText(what));
    } else {
        return malformed("a name that no host can have");
    }
    return taken;
}

Result<std::optional<Taken<Answer>>> answerFrom(ByteSpan bytes) {
    if (!bytes.empty() && loadLe<std::uint8_t>(bytes) != kWireVersion) {
        return malformed("a version that is not known");
    }
    if (bytes.size() < kAnswerFixed) {
        return std::nullopt;
    }
    const std::size_t outcome = loadLe<std::uint8_t>(bytes, 1);
    const std::size_t length = loadLe<std::uint8_t>(bytes, 2);
    if (outcome >= kOutcomes.size() || length > kMaxAnswerText) {
        return malformed("an outcome that is not known");
    }
    if (bytes.size() < kAnswerFixed + length) {
        return std::nullopt;
    }
    const auto text = asText(bytes.subspan(kAnswerFixed, length));
    if (std::any_of(text.begin(), text.end(), isControl) || plainText(text, kMaxAnswerText) != text) {
        return malformed("words that are no text");
    }
    return Taken<Answer>{{static_cast<Outcome>(outcome), std::string(text)}, kAnswerFixed + length};
}

Result<std::optional<Taken<Inward>>> inwardFrom(ByteSpan bytes) {
    if (!bytes.empty() && loadLe<std::uint8_t>(bytes) != kWireVersion) {
        return malformed("a version that is not known");
    }
    if (bytes.size() < kInwardFixed) {
        return std::nullopt;
    }
    const auto port = loadLe<std::uint16_t>(bytes, 2);
    if (static_cast<Kind>(loadLe<std::uint8_t>(bytes, 1)) != Kind::Inward || port == 0) {
        return malformed("a destination of no known kind");
    }
    return Taken<Inward>{{port}, kInwardFixed};
}

} // namespace carrel::net

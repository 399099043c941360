// SPDX-License-Identifier: Apache-2.0
// What a clerk tells of its machine's connections (app/clerk/link.h, net.* and forward.*), as values: each field of its type and within its bounds,
// and nothing besides. A clerk may have been taken over, so this is a border; whether what it says can be so is the Egress's to judge.
// Thread: pure functions.
#pragma once

#include "app/egress/outcome.h"
#include "app/egress/socket_counts.h"
#include "app/relay/canary_words.h"
#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carrel::egress {

inline constexpr std::size_t kMaxPlaceholdersTold = 16; // of one request
inline constexpr std::size_t kMaxGivenHost = 255;
inline constexpr std::size_t kMaxGivenMethod = 32;
inline constexpr std::size_t kMaxGivenPath = 4096;
inline constexpr std::size_t kMaxGivenName = 64;

struct OpenWord { // net.open
    std::uint64_t number = 0;
    std::string host; // any text: Destination::parse judges it
    std::uint16_t port = 0;
};
struct ClosedWord { // net.closed
    std::uint64_t number = 0;
    SocketCounts bytes;
    std::string how; // any text
};
struct RequestWord { // net.request
    std::uint64_t number = 0, request = 0;
    std::string method, path;
    std::vector<std::string> placeholders, ownKeys;
};
struct CanaryWord { // net.canary
    std::uint64_t number = 0, request = 0;
    std::string name;
    relay::CanaryPlace where = relay::CanaryPlace::Target;
    relay::CanaryForm form = relay::CanaryForm::Plain;
};
struct UsedWord { // net.used
    std::uint64_t bytes = 0;
};
struct ForwardClosedWord { // forward.closed
    ClosedWord closed;
};
using NetWord = std::variant<OpenWord, ClosedWord, RequestWord, CanaryWord, UsedWord, ForwardClosedWord>;

// Malformed: the clerk is broken.
[[nodiscard]] Result<NetWord> netWordFrom(std::string_view method, const boost::json::object& params);

} // namespace carrel::egress

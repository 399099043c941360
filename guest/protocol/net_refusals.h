// SPDX-License-Identifier: Apache-2.0
// Connections of the agent's programs that came to nothing, as guestd keeps them (refusal_book.h) and carrel-ask shows them: one more
// question at guestd's socket beside those of ask.h. guestd answers it by itself; it never goes to the host.
//
//   net.refusals {host?}   host: one alone, a name or an address
//   answer                 {refusals:[{at, host, port, outcome, words, times}…]}, newest first
//
// Both ends read strictly: the asking program is hostile, and carrel-ask believes no more than it must.
// Thread: values, pure functions.
#pragma once

#include "guest/protocol/net_wire.h"

#include <boost/json/object.hpp>

#include <vector>

namespace carrel::net {

inline constexpr char kRefusalsMethod[] = "net.refusals";
inline constexpr std::size_t kMaxRefusals = 32;

struct Refusal {
    std::uint64_t at = 0; // the last time: seconds since 1970, by the machine's clock
    Opening meant;
    Outcome outcome = Outcome::Denied; // neither Open nor Waiting
    std::string words;                 // one sentence for a person; may be empty
    std::uint64_t times = 1;           // in a row or not, with that outcome and these words
    friend bool operator==(const Refusal&, const Refusal&) = default;
};
using Refusals = std::vector<Refusal>;

struct RefusalsWanted {
    std::optional<Host> host;
    friend bool operator==(const RefusalsWanted&, const RefusalsWanted&) = default;
};

[[nodiscard]] boost::json::object toJson(const RefusalsWanted& wanted);
[[nodiscard]] Result<RefusalsWanted> refusalsWantedFrom(const boost::json::object& params);
[[nodiscard]] boost::json::object toJson(const Refusals& refusals);
[[nodiscard]] Result<Refusals> refusalsFrom(const boost::json::object& answer);

} // namespace carrel::net

// SPDX-License-Identifier: Apache-2.0
// The network in the user's language: how an agent reaches it, where to, what became of it. A destination is what a person decides
// on, so it is shown whole and in ASCII alone: a host name has no other letters (RFC 1034), and what looks like one of its letters
// is not taken for it. Thread: pure functions.
#pragma once

#include <boost/json/object.hpp>

#include <QString>

#include <chrono>
#include <string_view>

namespace carrel::ui {

// Unknown: of a later engine; taken for one that has a network.
enum class NetMode { Offline, Ask, Allowlist, Unknown };
[[nodiscard]] NetMode netModeFrom(std::string_view text);
[[nodiscard]] const char* netModeKey(NetMode mode);      // as the engine says it; of the three
[[nodiscard]] QString netModeText(NetMode mode);         // "Asks first"
[[nodiscard]] QString netModeExplained(NetMode mode);    // a sentence or two

// What is not printable ASCII is escaped, as DisplayText escapes.
[[nodiscard]] QString hostText(std::string_view host);
[[nodiscard]] QString placeText(std::string_view host, std::string_view port); // example.org:443, [2001:db8::1]:443
// What is to be known of a name: that it stands for letters of another script (xn--), that it is an address. Empty: nothing.
[[nodiscard]] QString hostNote(std::string_view host);

// What all connections of an agent may carry (netLimits of common.json, or an event net.limit), in a line or two.
[[nodiscard]] QString limitsText(const boost::json::object& limits);

// Of a connection that did not come about (guest/protocol/net_wire.h); of a later engine: its name.
[[nodiscard]] QString outcomeText(std::string_view outcome);
// Of an event net.traffic, in one line: how many, how much, or what became of it.
[[nodiscard]] QString trafficText(const boost::json::object& detail);

// Of an event net.cut, net.limit, net.spent, credential.used, credential.refused, of canaries or of forwards, in one line; of any other: empty.
[[nodiscard]] QString networkEventText(std::string_view kind, const boost::json::object& detail);

[[nodiscard]] QString spanText(std::chrono::milliseconds span); // "12 s", "3 min", "2 h 5 min"

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
// The resolver of the agent's world: any name that a host can have gets one address of its own (name_table.h), and
// whether there is such a host is seen when somebody connects. Nothing is looked up anywhere, so that nothing can be told
// to anybody by asking (no tunnel), and no program holds an address that means something outside. RFC 1035, RFC 6891.
//
//   A, AAAA, ANY of a host name   its address, for a minute
//   localhost and beneath         127.0.0.1 and ::1 (RFC 6761)
//   a name that no host can have  NXDOMAIN; so are .invalid and .onion, the names of addresses (…in-addr.arpa), and
//                                 use-application-dns.net, by which a browser learns to keep to this resolver
//   any other type                an answer without records. So no HTTPS record either, and thus no key for an encrypted
//                                 ClientHello
//   not one question of class IN  FORMERR, NOTIMP or REFUSED; what is no query is not answered at all
// Thread: the table's.
#pragma once

#include "guest/guestd/name_table.h"

namespace carrel::guestd {

inline constexpr std::size_t kMaxDnsQuery = 512; // one question, and the sender's options
inline constexpr std::size_t kMaxDnsAnswer = 512;

// Empty: no answer.
[[nodiscard]] Bytes dnsAnswer(ByteSpan query, NameTable& names);

} // namespace carrel::guestd

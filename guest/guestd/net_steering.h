// SPDX-License-Identifier: Apache-2.0
// Brings every TCP connection of the agent's world to guestd, whatever its address and port, every DNS query, and every question for
// the time (NTP); all other UDP is refused by the kernel at once (ICMP port unreachable), so that QUIC falls back.
//
// How: every address is local (agent_network.cpp), and a program at the kernel's socket lookup (BPF_PROG_TYPE_SK_LOOKUP,
// Linux 5.9, Documentation/bpf/prog_sk_lookup.rst) hands over one of six sockets. An accepted socket's own name is then
// the address that was meant: getsockname(2). What goes to 127.0.0.0/8, ::1 and the machine's own addresses stays the
// agent's. Traffic that containers forward arrives as any other (their networks are more exact routes).
//
// Why not NAT by nftables, which everybody takes: tried in the same kernel, 6.1 of Debian's cloud flavour. It needs 14
// modules (nf_tables, nf_conntrack, nf_nat, nft_chain_nat, nft_redir, nft_ct, nft_reject…, 1.37 MB more in each initrd,
// whose unpacking and loading every start would pay for), keeps a table of connections that can be filled, needs one
// rule for what is sent here (output) and one for what is forwarded (prerouting), and a REJECT for UDP. This needs none:
// the kernel has it built in, and the program is some 70 instructions. Seen to work for local programs and (on Linux 6.18)
// for a forwarding namespace behind a veth pair, IPv4 and IPv6, UDP refused within 0.02 ms. It costs a start no byte, and
// under software emulation 20 ms of processor time (four sockets 4, map 2, loading the program 13, link 1), 1 ms without: so
// it is done beside the rest of the start, and only the agent's first program waits for it.
//
// What is left: an echo request (ping) to any address is answered by this machine itself, for every address is its own.
//
// The agent cannot undo it: the program belongs to the machine's root, and the agent's world has no CAP_NET_ADMIN.
// Thread: one that needs no network of the machine's own.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

namespace carrel::guestd {

struct NetSockets {
    UniqueFd tcp4, tcp6; // listening, not blocking
    UniqueFd dns4, dns6; // UDP; each datagram tells where it was sent to (ip(7), IP_PKTINFO)
    UniqueFd ntp4, ntp6; // likewise
    UniqueFd link;       // the steering lasts as long as this
};

// In that network namespace, which setUpAgentNetwork() has prepared. The calling thread stays there (setns(2)). Needs the
// machine's own root.
[[nodiscard]] Result<NetSockets> steerNetwork(int networkNamespace);

} // namespace carrel::guestd

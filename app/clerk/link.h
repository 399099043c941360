// SPDX-License-Identifier: Apache-2.0
// The link between engine and clerk: a SOCK_SEQPACKET pair (unix(7)) that keeps message boundaries; each
// message is one JSON-RPC 2.0 text, with descriptors attached where the method says so (SCM_RIGHTS). The
// engine treats what comes from a clerk as hostile: a clerk may be broken.
//
// Methods, engine → clerk (requests):
//   prepare {agent:{id,name}, shares:[{id,name,mode,hidden:[pattern…]}], authority?, programs_follow?} + 2 descriptors per share:
//   root, node table
//       authority: what the agent's programs are to trust (guest/protocol/authority_certificate.h), for the clerk that says hello.
//       programs_follow: the hello says that programs.policy comes, and the guest runs none of the agent's programs until then.
//       First and once. The clerk jails itself to exactly these folders and answers {landlock_abi, seccomp}.
//       It holds no byte of the guest's before.
//   attach {channels:[name…]} + a descriptor each: control, files, network, terminals, console. Starts an
//   epoch on each
//       With "files" or "network" may come "window": the file that is memory of the machine (lower_wire.h, "window";
//       placing_ring.h), until that channel goes
//   detach {channels:[name…]} → {}   lets go of them, for the next clerk
//       Landlock cannot be widened, nor narrowed by folder, so a new share or an ended one means a new clerk. The
//       terminals and the network have a clerk of their own, which was prepared with no share and stays.
//   hello {} → what the guest answered. Waits for the guest as long as the engine does; an error where the guest says that it
//       cannot, never Unavailable then. The clerk itself asks the guest again
//   exec {session, argv, env, cwd, tty} + one socket → {} when the guest was told to start
//   document.read {session, argv, max_text} + the document, to read, and a file for its text → {size, cut, code|signal}
//       In a viewer's machine, whose clerk has no share and nothing but its terminals: argv runs there with the document as
//       its input, and what it writes is the text, checked and bounded (document_reader.h). Waits for the machine to come up
//   changes.list {share, after, limit} → {entries, next, staged}
//   content.copy {share, path, generation, max} + one writable file → {size}
//   changes.settle, changes.discard {share, entries:[{path, generation}]} → {kept:[path…]}
//   programs.policy {…} → {}    a part of which programs run, as in guest/protocol/control.h
//   share.revoke {id} → {}    not one further byte of it is served
//   reads.recorded {batch, recorded} → {}    the answer to file.read: what waited for it is read now, or
//       refused
//   clock {} → {} when it is on its way: the guest is told the time of that moment. Nobody waits for the guest, whose
//       processors may stand still: it finds this first when they go on
//   agent.start, agent.prompt, agent.cancel, agent.permit, agent.mode, agent.stop, agent.updates: as in guest/protocol/agent_talk.h. The
//       answer is the guest's, read strictly and written anew; Unavailable when the channel began anew meanwhile: ask again
//   watch.events: as in guest/protocol/watch_event.h, likewise
//   power.off {} → {staged:[{share, staged}]} · console.tail {} → {text_b64}
//   net.connected {number, treat: "raw"|"tls"|"http"|"terminate"} + one connected TCP socket → {}    to "net.open". raw: relayed as
//       it is. tls: passed through once a ClientHello has come whole whose SNI is the host (16 KiB at most, no ECH: tls_hello.h).
//       http, terminate: the requests are read and asked for, without TLS or with TLS ended on both sides (app/relay/http_road.h).
//       What does not keep to it is broken off, before a byte of it has gone on
//   net.trust {} + one file to read: the certificates that this computer trusts, PEM → {}    before the first "terminate"
//   net.authority {certificate_pem} + one pipe (app/relay/secret_pipe.h) with the key, PEM → {}    likewise: the agent's own
//   net.placeholders {list:[{name, text}…]} → {}    what stands for credentials in the machine, in place of what was told before
//   net.canaries {list:[{name, text}…]} → {}    what must not leave (app/relay/canary_watch.h), in place of what was told before, at
//       most 64; for connections whose requests are read, from the next request of each
//   net.answer {number, request, allow: true, bound?, meter?, inject?: {header, credential}} → {}    to "net.request". With inject
//       comes one pipe: the header's whole value, and the secret that must not come back. bound: the host has a credential, and this
//       request none. meter: what a model uses for it is to be told by net.model
//   net.answer {number, request, allow: false, outcome, text} → {}    the program is told so in HTTP
//   net.refused {number, outcome, text} → {}    to "net.open"; outcomes as in guest/protocol/net_wire.h, but for open. "waiting" is
//       a note, and the answer follows
//   net.cut {number, text} → {}    both its ends are broken off at once. The engine keeps a descriptor of each connection, to cut it
//       even from a clerk that does not, and so closes that when net.closed has been told
//   net.live {} → {streams:[{number, sent, received, age_ms}…]}    those that are connected, at most 1024
//   net.mode {offline: bool} → {}    offline: the clerk refuses by itself and asks nothing; so it does until it is told. What is
//       connected stays
//   net.limits {rate?, most?} → {}    what all connections together may carry, in place of what was told before: so many bytes a
//       second, and so many since this clerk began, of both directions together, at the far ends' sockets; none: any. Nothing beyond
//       is read or written (net_meter.h). Before the first "net.connected" where there are any
//   forward.connected {number, port, host, at} + one accepted TCP socket → {}    a client on this computer, which is to be shown the
//       server at that port of the machine, under http://host:at and no other name (app/relay/forward_guard.h). Numbers are the
//       engine's, never used again for the same clerk
//   forward.cut {number} → {}    as net.cut
//   A number that is over is no error to any of them
//   ask.answer {number, answer | error} → {}    to "ask", once for each number. `answer` as in guest/protocol/ask.h for the
//       question of that number, `error` as in rpc.h. A number that nobody waits for any more is no error
// Notifications, clerk → engine:
//   stage {name, detail} · console.activity {} (at most two a second) · channel.closed {name} · broken {why: the guest's words}
//   file.read {batch, files:[{share, path, size, mtime_ns}…]} (first reads of a version, before they happen;
//   one batch at a
//       time) · exec.ended {session, code|signal|error}
//   changes.touched {share} · guest.log {level, text} · notice {text}
//   shares.failed {shares:[{share, why}…]}: the shares that the machine cannot mount, or let go of, in place of what was told
//       before; a new clerk has told of none. Before the answer to hello; the clerk goes on asking
//   ask {number, method, params} (guest/protocol/ask.h: a program in the machine, or guestd, asks one of eight questions; at most
//       ask::kMaxUnderWay that are not answered, kMaxAsksPerMinute of guest_asks.h. Numbers are the clerk's, never used again
//       by the same one)
//   net.open {number, host, port} (a program in the machine wants to be connected to that name, or address as text; at most
//       kMaxNetAsking that are not answered, kNetPerSecond of net_desk.h. host: a name or an address. Numbers are the clerk's,
//       never used again by the same one)
//   net.request {number, request, method, path, placeholders:[name…], own_keys:[field…]}    of a connection that is read; one at a time
//       of each, and before a byte of it goes on. path: normalised, without the query. placeholders: of the credentials whose stand
//       in a header field; own_keys: fields with a key of the program's own
//   net.canary {number, request, name, where: "target"|"field"|"body", form: "plain"|"base64"|"hex"|"percent"|"gzip"}    a request of a
//       connection that is read holds a canary. It has not gone on whole, and the connection is broken off at both ends: net.closed
//       follows. Once for each connection at most
//   net.model {number, request, model, input, output, cache_read, cache_write, estimated, status}    of a request that was let through
//       with meter, once, when it is over however it ended: before the next one of that connection is asked for, and before net.closed;
//       after net.cut, too. Tokens, at most 2^53 of each (app/relay/model_use.h); status 0: the host's answer did not come
//   net.closed {number, sent, received, how}    one that was not refused by the engine is over; how: "ended" (both halves), "guest",
//       "far end", "sni", "http" (it did not keep to what was agreed), "host tls" (the host's certificate, or what it made of TLS),
//       "tls" (there is nothing to end it with), "answer" (the host's was none that could be passed on), "refused", "timed out",
//       "idle", "cut", "channel", "socket", "canary", "packed" (it was compressed so that it could not be searched for canaries)
//   net.used {bytes}    so much of "most", which comes to its end: when half of what was added last is used, and when there is
//       nothing left and somebody wants it. Answered by "net.limits" with more, or by "net.cut" of each
//   forward.closed {number, sent, received, how}    sent: to the client. how: "ended", "client", "server", "refused", "timed out",
//       "idle", "cut", "channel", "socket", "limit"
//
// Thread: receive() and send() may be used by one thread each at a time.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/rpc.h"
#include "guest/protocol/unique_fd.h"

#include <string>
#include <vector>

namespace carrel::clerk {

// A unix socket takes a packet up to its send buffer (about 200 KiB by default); this leaves room.
inline constexpr std::size_t kMaxLinkMessage = 128 * 1024;
inline constexpr std::size_t kMaxLinkDescriptors = 130; // kernel's SCM_MAX_FD is 253
inline constexpr std::size_t kMaxSharesPerAgent = 64;   // two descriptors each in `prepare`
inline constexpr std::string_view kWindowName = "window";
inline constexpr int kLinkDescriptor = 3; // where carrel-clerk finds its end

struct LinkMessage {
    std::string text;
    std::vector<UniqueFd> descriptors;
};

// Blocks while the peer is behind with reading. Descriptors stay the caller's.
[[nodiscard]] Status sendLink(int socket, std::string_view text, const std::vector<int>& descriptors = {});
enum class Wait { Block, Never };
// Unavailable when the peer is gone; Cancelled when there is nothing to read and nobody wants to wait.
[[nodiscard]] Result<LinkMessage> receiveLink(int socket, Wait wait);

[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> makeLinkPair();

} // namespace carrel::clerk

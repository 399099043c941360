// SPDX-License-Identifier: Apache-2.0
// The agreement between the clerk (host) and carrel-guestd (guest): which streams a channel has, and the control
// methods. Version 9.
//
// Any change of what either side sends raises the version: both read strictly, and a machine that was started by an older Carrel
// goes on while a newer engine takes over. Such a one is told to be started again, before anything is half understood.
//
// control channel: stream 1 (Messages) carries JSON-RPC 2.0 both ways, one text per message.
//
//   host → guest requests
//     hello {version, capabilities:[…], realtime_ns, agent:{id,name}, shares:[Share], authority?, programs_follow?} →
//         {version, capabilities, boot_id, shares_failed:[{share, why, passing}…]}
//         First on every epoch. Sets the clock, and brings the mounts in line with `shares` (adds and removes), so
//         that a new clerk needs to know nothing of what its predecessor did. Share = {id, name, mode: "read-only"|"review"}.
//         One that cannot come or go holds up nothing else: it is told in shares_failed (passing: perhaps it
//         can in a moment), and the host asks again with another hello of the same epoch.
//         authority (authority_certificate.h): the agent's programs trust it when the answer arrives; where that cannot be, a
//         `log` says so. Without it, what they trust stays as it is.
//         programs_follow: a programs.policy comes. On a machine that has none yet, nothing but Carrel's own runs until it is complete.
//     clock {realtime_ns} → {}              after the machine's processors stood still: sent before they go on; when the host's
//         clock was set, also because the host has slept; and now and then, because a clock goes wrong by itself
//     share.add {share:Share} → {}          /workspace/<name> is there when the answer arrives
//     share.remove {id} → {}                its staged work is kept on the guest's disk until it is discarded
//     changes.list {share, after: path|"" (+_b64), limit} → {entries:[ChangeEntry…], next: path|null (+_b64), staged}
//         Flushes dirty pages first. Ordered by path bytes. Only real differences against the base.
//     content.send {share, path, generation, stream, max} → {size}
//         Sends the content on the files channel as Bytes of `stream` (host-chosen, ≥ kFirstContentStream), kFlagEnd at
//         the end, which the host answers with kFlagEnd. Conflict when the entry's generation is another one, before
//         or after the copy (then the stream is reset with ESTALE).
//     changes.settle {share, entries:[{path, generation, left?:{version?}}]} → {kept:[path or {path_b64}…]}
//         Those changes now stand on the host. Where the generation still matches, the upper copy goes and the host's
//         version shows; otherwise the work done since is kept. Its base is what the apply left, if the host names that
//         (`left`, change_report.h) and has it still; else it stays what it was, for somebody changed it there as well.
//     changes.discard {share, entries:[{path, generation}]} → {kept:[path or {path_b64}…]}   forget the staged change; the host's version shows
//     programs.policy {mode: "observe"|"deny"|"allow", unknown: "ask"|"refuse", age, deny:[hex…], allow:[hex…], code?:[hex…], part, last} → {}
//         Which programs run, by the SHA-256 of their contents: guest/bpf/gate_policy.h says what the modes are. A whole policy each
//         time, in parts numbered from 0, each with at most kMaxHashesPerPart hashes and the same mode, unknown and age (which grows with
//         each policy); with the last it comes into force, all at once for each content. code: contents that may make code in memory.
//         It stays until the next one or the machine's end, also when guestd starts again. unknown: whether an unknown content is asked
//         about (ask.program) when allow refuses it; after an answer it may be tried again.
//     power.off {} → {staged:[{share, staged}]}   stops the agent's processes, counts what is staged by then, syncs, unmounts,
//         powers off. A share that could not be counted is left out
//     agent.start, agent.prompt, agent.cancel, agent.permit, agent.mode, agent.stop, agent.updates
//         The agent program that guestd runs, and what it tells: agent_talk.h. It lives on when an epoch ends
//     watch.events                          what the kernel saw the agent's programs do: watch_event.h
//     cancel {id}                           notification: the request of that id is no longer wanted; it is answered Cancelled
//   guest → host notifications
//     stage {name, detail}                  start progress: "guestd", "agent", "shares", "ready"
//     changes.touched {share}               what is staged may have changed (at most one a second per share)
//     log {level, text}                     a line for the activity log, reported by the guest
//   guest → host requests: these eight, in the forms of ask.h, and nothing else. Only in an epoch whose hello was answered.
//     ask.apply, ask.folder, ask.forward, ask.wait, ask.withdraw, ask.why, ask.program, ask.installed
//         An agent's program, or guestd for one, asks for what a person (or a rule) decides. At most ask::kMaxUnderWay at once. What is under
//         way when the epoch ends is answered no more: the guest asks anew what can be asked twice (ask::isRepeatable).
//
// files channel: stream = share id (1 … kMaxShareId, Messages): FUSE requests guest → host, replies and notifications
//   host → guest; see lower_wire.h. Streams ≥ kFirstContentStream: content.send.
//
// network channel: each TCP connection of a program is a stream of Bytes, opened by the guest; see net_wire.h. For a forward the host opens one.
//
// terminals channel: a session s (1 … kMaxSessions, chosen by the host) owns streams 4s … 4s+3:
//   4s   Messages, JSON: host → guest first {"start": {argv:[…], env:{…}, cwd, tty: null|{rows, cols, term}}}, then
//        {"signal": number} (to the foreground process group of the terminal, or of the command), {"resize": {rows, cols}};
//        guest → host {"started": {}}, then {"exit": {"code": n}} or {"exit": {"signal": n}}, or {"error": {code…, see rpc.h}}
//   4s+1 stdin (Bytes, kFlagEnd = end of input) · 4s+2 stdout (or the terminal) · 4s+3 stderr
//   In a viewer (carrel.viewer=1) there is this channel alone, from the start, without a hello; a session there is the
//   reading of a document, as an account of its own (guest/guestd/viewer_spawner.h).
//   After exit all output has been sent and ended. A session whose epoch ends gets SIGHUP. Reset of 4s kills it.
#pragma once

#include <cstdint>

namespace carrel::control {

inline constexpr std::uint64_t kProtocolVersion = 9;
inline constexpr std::uint32_t kRpcStream = 1;
inline constexpr std::uint32_t kMaxShareId = 4095;
inline constexpr std::uint32_t kFirstContentStream = 0x10000;
inline constexpr std::size_t kMaxHashesPerPart = 4096; // of all its lists; in hexadecimal a third of the largest message
inline constexpr std::size_t kMaxHashes = 30'000;      // of all parts; the kernel has room for two policies, while one takes the other's place
inline constexpr std::uint32_t kMaxSessions = 500;
inline constexpr std::size_t kMaxArgvBytes = 128 * 1024;
inline constexpr std::size_t kMaxArgvItems = 1024;

inline constexpr char kPortControl[] = "carrel.control";
inline constexpr char kPortFiles[] = "carrel.files";
inline constexpr char kPortNetwork[] = "carrel.network";
inline constexpr char kPortTerminals[] = "carrel.terminals";

inline constexpr std::uint32_t kSessionStreams = 4; // control, stdin, stdout, stderr
inline constexpr std::uint32_t kSessionControl = 0;
inline constexpr std::uint32_t kSessionStdin = 1;
inline constexpr std::uint32_t kSessionStdout = 2;
inline constexpr std::uint32_t kSessionStderr = 3;

} // namespace carrel::control

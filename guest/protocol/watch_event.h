// SPDX-License-Identifier: Apache-2.0
// What the guest's kernel saw the agent's programs do, as guestd tells it to the host: numbered events in compact batches, and the one
// call by which the host fetches them (control.h, watch.events).
//
// A batch is kBatchVersion, the number of events (2 bytes) and the events one after another, nothing behind them. An event is its kind
// (1), how many alike it stands for (4), the time (8), the process (4 + 8) and what its kind has, in the order of the members below. A
// text is its length (2) and its bytes, in which there is no NUL; it need not be UTF-8. Numbers are little-endian. There is one way to
// write a thing: what is read and written again is the same.
//
// Events borrow the bytes that they were read from. All of it is a guest's claim: bounded here, and true nowhere.
// Thread: values, pure functions. Errors: Malformed, with what is wrong; of a batch nothing is taken then. LimitExceeded: too long to write.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carrel::watch {

inline constexpr std::byte kBatchVersion{1};
inline constexpr std::size_t kBatchHeadBytes = 3;
// With base64 and what is around it, within a message between engine and clerk (link.h).
inline constexpr std::size_t kMaxBatchBytes = 64 * 1024;
inline constexpr std::size_t kMaxPath = 4095;         // PATH_MAX less its NUL, limits.h(7)
inline constexpr std::size_t kMaxArguments = 256;     // told of a program
inline constexpr std::size_t kMaxArgumentBytes = 4096; // of all of them
inline constexpr std::size_t kMaxText = 255;
inline constexpr std::chrono::milliseconds kMaxWait{10'000};

// A number that the machine gives again, so with when it began, in nanoseconds since the machine's start. {0, 0}: none.
struct Process {
    std::uint32_t pid = 0;
    std::uint64_t started = 0;
    friend auto operator<=>(const Process&, const Process&) = default;
};

using Digest = std::array<std::byte, 32>; // SHA-256

// The process runs another program from here on; it may be a new one, or have run another before.
struct Started {
    Process parent;         // whose program started it; none: guestd did
    std::uint32_t user = 0; // in the machine's own numbering
    std::string_view program; // path, as the agent's programs see it
    std::vector<std::string_view> arguments;
    bool cut = false; // there were more, or longer ones
    std::optional<Digest> content; // of the program's file
    friend bool operator==(const Started&, const Started&) = default;
};
struct Ended {
    std::uint8_t signal = 0; // 0: by itself
    std::uint8_t code = 0;   // 0 where a signal ended it
    std::uint64_t userMicroseconds = 0, systemMicroseconds = 0;
    std::uint64_t mostKibibytes = 0; // of memory, at once
    friend bool operator==(const Ended&, const Ended&) = default;
};
enum class FileDeed : std::uint8_t { Written = 1, Created, FolderMade, Linked, Deleted, FolderDeleted, ModeChanged };
struct FileDone { // Written: opened for writing
    FileDeed deed = FileDeed::Written;
    std::uint16_t mode = 0; // of ModeChanged; else 0
    std::string_view path;
    friend bool operator==(const FileDone&, const FileDone&) = default;
};
struct Renamed {
    std::string_view from, to;
    friend bool operator==(const Renamed&, const Renamed&) = default;
};
enum class Transport : std::uint8_t { Tcp = 1, Udp, Other };
struct NetTried {
    Transport transport = Transport::Tcp;
    std::uint16_t port = 0;
    std::string_view address; // 4 or 16 bytes, network order
    std::string_view name;    // what the guest's own answers gave that address to; empty: unknown
    friend bool operator==(const NetTried&, const NetTried&) = default;
};
enum class Right : std::uint8_t {
    Namespace = 1, // of its own (namespaces(7)); which kinds
    Mount,         // the kind of file system
    Trace,         // another process (ptrace(2)); its pid
    BpfCall,       // bpf(2); the command's number
    Performance,   // perf_event_open(2)
    Account,       // another user id; which
    RefusedCall,   // a system call that the agent's programs may not make; its name, or its number
    Capability,    // over the whole machine (capabilities(7)); which
};
struct RightTried {
    Right right = Right::Namespace;
    std::string_view text; // which, as far as there is something to say
    friend bool operator==(const RightTried&, const RightTried&) = default;
};
// What could not be kept between guest kernel and host. `restarted`: guestd was, and what it held then is gone uncounted.
struct Lost {
    bool restarted = false;
    std::uint64_t programs = 0, files = 0, connections = 0, rights = 0;
    friend bool operator==(const Lost&, const Lost&) = default;
};

struct Event {
    std::uint32_t count = 1; // so many alike of the same process, the first of them at `timeNs`
    std::int64_t timeNs = 0; // since 1970, by the guest's clock
    Process process;
    std::variant<Started, Ended, FileDone, Renamed, NetTried, RightTried, Lost> what;
    friend bool operator==(const Event&, const Event&) = default;
};

// As one of a batch.
[[nodiscard]] Result<Bytes> toWire(const Event& event);
// `events`: that many results of toWire(), one after another.
[[nodiscard]] Bytes batchOf(std::size_t count, ByteSpan events);
// Calls `each` for each event, in their order, once all of the batch has proved to be in the form; its error ends it and is the answer.
[[nodiscard]] Result<std::size_t> readBatch(ByteSpan batch, const std::function<Status(const Event&)>& each);

// watch.events {book, after, wait_ms} → {book, first, events, why?}
//     The events with numbers above `after`, as many as a batch holds, as soon as there is one, at the latest in so many milliseconds;
//     those up to `after` are forgotten. A book is what one start of guestd told, and its numbers begin at 1. first: the number of the
//     first of them, or what the next one will have; it is after + 1, of another book than the host knows 1, and what guestd still has
//     for a host that knows none. why: the kernel is not watched, and why
struct Ask {
    std::uint64_t book = 0, after = 0; // 0: none yet
    std::chrono::milliseconds wait{};
    friend bool operator==(const Ask&, const Ask&) = default;
};
struct Told {
    std::uint64_t book = 0, first = 1;
    Bytes batch; // for readBatch(), which nobody has called yet
    std::string why;
};
inline constexpr std::string_view kMethod = "watch.events";
[[nodiscard]] boost::json::object paramsOf(const Ask& ask);
[[nodiscard]] Result<Ask> askFrom(const boost::json::object& params);
[[nodiscard]] boost::json::object answerOf(const Told& told);
// Malformed also where the numbers do not go on from `ask`.
[[nodiscard]] Result<Told> toldFrom(const Ask& ask, const boost::json::object& answer);

} // namespace carrel::watch

// SPDX-License-Identifier: Apache-2.0
// What an agent's programs may ask the host for, and how a request stands: the eight questions of the control channel
// (control.h) as typed values. Read by guestd, by the clerk and by the engine, each anew and strictly: whoever asks is
// hostile, and so may be whoever handed it on.
//
//   ask.apply {paths:[{share, path?}…], reason}   no paths: everything that is staged; no path: the whole share
//   ask.folder {reason}                           to be given a folder; which one, a person says
//   ask.forward {port, reason}                    that what listens at that port of the machine is shown to a person's browser
//   ask.wait {id, seconds}                        how it stands when it is no longer open, at the latest in so many seconds
//   ask.withdraw {id}
//   ask.why {id?}                                 how it stands; without an id, the last requests of this agent
//   ask.program {sha256, path, started_by:[…], package?}   that a content which is on no list may run: asked by guestd itself, when the
//                                                 kernel refused it; no program can ask it. Nearest parent first
//   ask.installed {packages:[{name, version, architecture, programs:["HASH PATH"…]}…], last}   that these contents may run: guestd found
//                                                 them in packages that Debian has signed (guest/packages); no program can ask it. A
//                                                 large package comes in several questions. last: no more for now, so the answer comes
//                                                 when the machine was told that they may
//
// Answers: {id, state, words}, of ask.why {requests:[{id, state, words}…]}, newest first. An id of 0: it was answered without
// becoming a request, so there is nothing to come back for; then it is not open.
// Thread: values, pure functions.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/share_path.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carrel::ask {

// A question whose texts are as long in JSON as they can get (six times) still fits one message between clerk and engine.
inline constexpr std::size_t kMaxPaths = 64;
inline constexpr std::size_t kMaxPathBytes = 12 * 1024; // of all of them
inline constexpr std::size_t kMaxReasonBytes = 1120;    // 280 characters of four bytes; the engine cuts to so many
inline constexpr std::size_t kMaxWordsBytes = 512;
inline constexpr std::size_t kMaxListed = 20;
inline constexpr std::uint64_t kMaxId = 1ULL << 53; // exact in any program's JSON
// Short, so that nobody's wait outlives them for long: whoever wants to know asks again.
inline constexpr std::chrono::seconds kMaxWait{60};
inline constexpr std::size_t kMaxProgramPathBytes = 1024;
inline constexpr std::size_t kMaxStarters = 8;
inline constexpr std::size_t kMaxProgramNameBytes = 128; // of a starter, and of a package
inline constexpr std::size_t kMaxInstalledPackages = 64; // of one question, as are the next
inline constexpr std::size_t kMaxInstalledPrograms = 400;
inline constexpr std::size_t kMaxInstalledPathBytes = 160;
// Of one machine; more are refused until one is answered.
inline constexpr std::size_t kMaxUnderWay = 16;

enum class State { Open, Allowed, Denied, Expired, Cancelled };
[[nodiscard]] std::string_view toString(State state);
[[nodiscard]] std::optional<State> stateFrom(std::string_view text);

struct Place {
    std::uint32_t share = 0;
    SharePath path; // the root: all of the share
    friend bool operator==(const Place&, const Place&) = default;
};
struct Apply {
    std::vector<Place> places; // none: everything
    std::string reason;        // UTF-8, a claim of the agent's
    friend bool operator==(const Apply&, const Apply&) = default;
};
struct Folder {
    std::string reason;
    friend bool operator==(const Folder&, const Folder&) = default;
};
struct Forward {
    std::uint16_t port = 0; // on the machine's loopback
    std::string reason;
    friend bool operator==(const Forward&, const Forward&) = default;
};
struct Wait {
    std::uint64_t id = 0;
    std::chrono::seconds most{};
    friend bool operator==(const Wait&, const Wait&) = default;
};
struct Withdraw {
    std::uint64_t id = 0;
    friend bool operator==(const Withdraw&, const Withdraw&) = default;
};
struct Why {
    std::optional<std::uint64_t> id;
    friend bool operator==(const Why&, const Why&) = default;
};
struct Program {
    std::string sha256;                 // 64 hexadecimal digits, lower case: the kernel's own word
    std::string path;                   // the rest is what the machine says; UTF-8, may be empty
    std::vector<std::string> startedBy; // names of programs, nearest first
    std::optional<std::string> package;
    friend bool operator==(const Program&, const Program&) = default;
};
struct Content {
    std::string sha256; // 64 hexadecimal digits, lower case
    std::string path;   // absolute; printable ASCII without quotes and backslashes
    friend bool operator==(const Content&, const Content&) = default;
};
struct Package {
    std::string name, version, architecture; // ASCII letters, digits and + - . : ~ _
    std::vector<Content> programs;
    friend bool operator==(const Package&, const Package&) = default;
};
struct Installed {
    std::vector<Package> packages;
    bool last = true;
    friend bool operator==(const Installed&, const Installed&) = default;
};
using Question = std::variant<Apply, Folder, Forward, Wait, Withdraw, Why, Program, Installed>;

// Whether asking it a second time is the same as asking it once, so that it can be asked again where the answer got lost.
[[nodiscard]] bool isRepeatable(const Question& question);

struct Standing {
    std::uint64_t id = 0;
    State state = State::Open;
    std::string words; // for the agent, one sentence
    friend bool operator==(const Standing&, const Standing&) = default;
};
// One, but for ask.why.
using Standings = std::vector<Standing>;

[[nodiscard]] bool isMethod(std::string_view method);
[[nodiscard]] std::string_view methodOf(const Question& question);
[[nodiscard]] boost::json::object paramsOf(const Question& question);
// Unsupported: no question of these. Malformed: not of its form.
[[nodiscard]] Result<Question> questionFrom(std::string_view method, const boost::json::object& params);

// `to` says which form. What is too long is cut, so that whatever the engine answers can be read at the other end.
[[nodiscard]] boost::json::object answerTo(const Question& to, const Standings& standings);
// Malformed: not of the form that an answer to it has, or without what it must hold.
[[nodiscard]] Result<Standings> standingsFrom(const Question& to, const boost::json::object& answer);

} // namespace carrel::ask

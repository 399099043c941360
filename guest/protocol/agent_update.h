// SPDX-License-Identifier: Apache-2.0
// What an agent program tells while it works, in the terms of the Agent Client Protocol (agentclientprotocol.com, version 1), each a value
// that is bounded and says all there is to say: a tool's or a plan's later one takes the place of the earlier. All of it is the agent's
// claim. Written by guestd (fitted(), which cuts what is too long), read by the clerk and by the engine, each anew and strictly.
//
//   {"n": 7, "text": {"turn": 1, "text": "…"}}       n: the number, 1 …, always higher, some missing; then one of the following
//   started {agent, version, session, loads, loaded, modes:[{id, name}…], mode}     loads: it can go on with a session later. loaded: it has
//   text, thought {turn, text}                         the next piece
//   plan {turn, entries:[{text, priority, status}…]}
//   tool {turn, id, title, kind, status, input, output, diffs:[{path, old?, new}…], paths:[…]}
//   permission {turn, request, title, tool, options:[{id, name, kind}…]}            waits for agent.permit
//   permission_over {request}                          nobody waits any more
//   mode {mode}
//   other {turn, name, text}                           what is not known here; text: as it came, cut
//   turn_ended {turn, stop, message, hint}             stop: as the protocol has it, or "failed" with a message
//   ended {how, code?, signal?, said}                  the program; said: the end of what it wrote to its standard error
//   lost {count}                                       so many were not kept, because nobody fetched them
//
// Thread: values, pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carrel::talk {

// Sizes of texts in bytes. As JSON they may grow to six times that, and one update fits an answer of kMaxAnswerBytes whatever it holds.
inline constexpr std::size_t kMaxPieceBytes = 8 * 1024;
inline constexpr std::size_t kMaxNameBytes = 128;   // of an agent, a mode, an option, an update that is not known
inline constexpr std::size_t kMaxIdBytes = 200;     // of a session, a tool's call, a mode, an option
inline constexpr std::size_t kMaxTitleBytes = 512;
inline constexpr std::size_t kMaxInputBytes = 2 * 1024;
inline constexpr std::size_t kMaxOutputBytes = 4 * 1024;
inline constexpr std::size_t kMaxDiffs = 4;
inline constexpr std::size_t kMaxDiffBytes = 4 * 1024; // of all their texts
inline constexpr std::size_t kMaxPaths = 8;
inline constexpr std::size_t kMaxPathsBytes = 2 * 1024; // of all of them, those of the diffs likewise
inline constexpr std::size_t kMaxPlan = 64;
inline constexpr std::size_t kMaxPlanBytes = 8 * 1024;
inline constexpr std::size_t kMaxModes = 16;
inline constexpr std::size_t kMaxOptions = 9; // the choices that the built-in agent offers at most, and none of them
inline constexpr std::size_t kMaxMessageBytes = 2 * 1024;
inline constexpr std::size_t kMaxSaidBytes = 4 * 1024;
inline constexpr std::size_t kMaxAnswerBytes = 100 * 1024; // of an answer to agent.updates, as JSON
inline constexpr std::size_t kMaxUpdatesInAnswer = 256;
inline constexpr std::uint64_t kMaxNumber = 1ULL << 53; // exact in any program's JSON

enum class Priority { High, Medium, Low };
enum class StepStatus { Pending, InProgress, Completed };
enum class ToolKind { Read, Edit, Delete, Move, Search, Execute, Think, Fetch, SwitchMode, Other };
enum class ToolStatus { Pending, InProgress, Completed, Failed };
enum class OptionKind { AllowOnce, AllowAlways, RejectOnce, RejectAlways };
enum class TurnStop { EndTurn, MaxTokens, MaxTurnRequests, Refusal, Cancelled, Failed };
// The protocol's words.
[[nodiscard]] std::string_view toString(Priority priority);
[[nodiscard]] std::string_view toString(StepStatus status);
[[nodiscard]] std::string_view toString(ToolKind kind);
[[nodiscard]] std::string_view toString(ToolStatus status);
[[nodiscard]] std::string_view toString(OptionKind kind);
[[nodiscard]] std::string_view toString(TurnStop stop);
[[nodiscard]] std::optional<Priority> priorityFrom(std::string_view text);
[[nodiscard]] std::optional<StepStatus> stepStatusFrom(std::string_view text);
[[nodiscard]] std::optional<ToolKind> toolKindFrom(std::string_view text);
[[nodiscard]] std::optional<ToolStatus> toolStatusFrom(std::string_view text);
[[nodiscard]] std::optional<OptionKind> optionKindFrom(std::string_view text);
[[nodiscard]] std::optional<TurnStop> turnStopFrom(std::string_view text);

struct Mode {
    std::string id, name;
    friend bool operator==(const Mode&, const Mode&) = default;
};
struct Started {
    std::string agent, version; // its own words
    std::string session;
    bool loads = false, loaded = false;
    std::vector<Mode> modes;
    std::string mode; // empty: it has none
    friend bool operator==(const Started&, const Started&) = default;
};
struct Text {
    std::uint64_t turn = 0;
    std::string text;
    friend bool operator==(const Text&, const Text&) = default;
};
struct Thought {
    std::uint64_t turn = 0;
    std::string text;
    friend bool operator==(const Thought&, const Thought&) = default;
};
struct PlanEntry {
    std::string text;
    Priority priority = Priority::Medium;
    StepStatus status = StepStatus::Pending;
    friend bool operator==(const PlanEntry&, const PlanEntry&) = default;
};
struct Plan {
    std::uint64_t turn = 0;
    std::vector<PlanEntry> entries;
    friend bool operator==(const Plan&, const Plan&) = default;
};
struct Diff {
    std::string path;
    std::optional<std::string> before; // none: a new file
    std::string after;
    friend bool operator==(const Diff&, const Diff&) = default;
};
struct Tool {
    std::uint64_t turn = 0;
    std::string id, title;
    ToolKind kind = ToolKind::Other;
    ToolStatus status = ToolStatus::Pending;
    std::string input;  // JSON, or what is left of it
    std::string output; // its beginning and its end
    std::vector<Diff> diffs;
    std::vector<std::string> paths;
    friend bool operator==(const Tool&, const Tool&) = default;
};
struct Option {
    std::string id, name;
    OptionKind kind = OptionKind::AllowOnce;
    friend bool operator==(const Option&, const Option&) = default;
};
struct Permission {
    std::uint64_t turn = 0, request = 0;
    std::string title, tool; // tool: the id of its call
    std::vector<Option> options;
    bool question = false; // it asks for no leave, but what the user wants: the options are answers, and no rule knows the right one
    friend bool operator==(const Permission&, const Permission&) = default;
};
struct PermissionOver {
    std::uint64_t request = 0;
    friend bool operator==(const PermissionOver&, const PermissionOver&) = default;
};
struct ModeNow {
    std::string mode;
    friend bool operator==(const ModeNow&, const ModeNow&) = default;
};
struct Other {
    std::uint64_t turn = 0;
    std::string name, text;
    friend bool operator==(const Other&, const Other&) = default;
};
struct TurnEnded {
    std::uint64_t turn = 0;
    TurnStop stop = TurnStop::EndTurn;
    std::string message, hint; // of one that failed
    friend bool operator==(const TurnEnded&, const TurnEnded&) = default;
};
struct Ended {
    std::string how; // a sentence
    std::optional<std::uint32_t> code, signal;
    std::string said;
    friend bool operator==(const Ended&, const Ended&) = default;
};
struct Lost {
    std::uint64_t count = 0;
    friend bool operator==(const Lost&, const Lost&) = default;
};
using What = std::variant<Started, Text, Thought, Plan, Tool, Permission, PermissionOver, ModeNow, Other, TurnEnded, Ended, Lost>;

struct Update {
    std::uint64_t number = 0;
    What what;
    friend bool operator==(const Update&, const Update&) = default;
};

// Cut where it is too long, and made valid UTF-8: what updateFrom() reads.
[[nodiscard]] What fitted(What what);
[[nodiscard]] boost::json::object toJson(const Update& update); // of one that is fitted
[[nodiscard]] Result<Update> updateFrom(const boost::json::object& json); // Malformed

} // namespace carrel::talk

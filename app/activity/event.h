// SPDX-License-Identifier: Apache-2.0
// One thing that happened to an agent, with who saw it (invariant I9), and its place in the log's hash chain.
// Thread: values, pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::activity {

// Closed: what is not here cannot be logged, so that a reader knows every kind there is. The number is part
// of nothing; the name is what is stored, hashed and shown.
enum class EventKind {
    AgentCreated,
    AgentDeleted,
    VmState,
    VmStage,
    ClerkState,
    ShareAdded,
    ShareChanged,
    ShareRemoved,
    FileRead,
    ExecStarted,
    ExecEnded,
    ReviewFrozen,
    ApplyDecided,
    ApplyDone,
    UndoDecided,
    UndoDone,
    DiscardDecided,
    DiscardDone,
    ApprovalAsked, // these eleven: app/policy/approval_record.h
    ApprovalChanged,
    ApprovalRepeated,
    ApprovalShown,
    ApprovalDecided,
    ApprovalEnded,
    ApprovalReopened,
    ApprovalEffect,
    ApprovalsTurnedAway,
    RuleKept,
    RuleAnswered,
    RuleAdded,   // by the owner, by itself or with a decision
    RuleRemoved, // by the owner, or with its session
    RuleReplaced,
    GuestLog,
    EngineNote,
    ClientAllowed,
    ClientEnded,
    NetMode,    // what the owner decided of an agent's network
    NetTraffic, // its connections, in sums
    NetCut,     // one of them, by the owner
    NetLimit,   // what the owner lets them carry
    NetSpent,   // that of a day was used up: an alert
    CredentialAdded,   // by the owner; no event of these four has its value
    CredentialRemoved,
    CredentialUsed,    // for one request of the agent's, before it goes on
    CredentialRefused, // where it would have gone to the wrong place: an alert
    ForwardOpened,  // what its machine serves is shown on this computer, by the owner's word
    ForwardTraffic, // who looked at it, in sums
    ForwardClosed,
    CanaryAdded,   // by the owner, as the next two; no event of these four has its text
    CanaryPlanted, // where, in the owner's words
    CanaryRemoved,
    CanaryLeft,    // or was about to: an alert of high risk
    TaskAdded,     // what the agent is to do, by the owner
    TaskBegun,     // one turn of it
    TaskEnded,     // likewise, and how
    TaskAnswered,  // what its agent program asked leave for inside its machine: by a setting, or by the owner
    TaskCancelled, // by the owner
    AgentTool,     // what an agent program did, by its own word
    ProviderChosen, // whose model it uses, by the owner; none where it is empty
    BudgetSet,     // by the owner: how much of models and machines the agent may use
    RecordingStarted, // of a terminal; these three name it by its number
    RecordingChunk,   // a piece of it is in this file, with this SHA-256
    RecordingEnded,
    LogCut,           // its oldest events were left out, as the owner's limits say
    LogKept,          // the owner's limits for its size and age
    ProgramStarted, // of the agent's, in its machine; these ten by its machine's word, watch_rows.h
    ProgramEnded,
    FileWritten, // opened for it
    FileCreated, // also a folder, or a link
    FileDeleted,
    FileRenamed,
    FileMode, // who may do what with it
    NetTried, // a program wants to be connected; what came of it NetTraffic tells
    RightsTried, // a program reaches for more than it has
    WatchLost, // what could not be kept on the way to the log
    WatchSilent, // the machine tells nothing of its programs, or does so again
    ProgramsMode,  // by the owner: which programs run in its machine
    ProgramsInstalled, // by apt in its machine, and signed by Debian: they may run from here on
};
inline constexpr std::array kEventKinds{
    EventKind::AgentCreated, EventKind::AgentDeleted, EventKind::VmState,      EventKind::VmStage,
    EventKind::ClerkState,   EventKind::ShareAdded,   EventKind::ShareChanged, EventKind::ShareRemoved, EventKind::FileRead,
    EventKind::ExecStarted,  EventKind::ExecEnded,    EventKind::ReviewFrozen, EventKind::ApplyDecided,
    EventKind::ApplyDone,    EventKind::UndoDecided,  EventKind::UndoDone,     EventKind::DiscardDecided,
    EventKind::DiscardDone,  EventKind::ApprovalAsked, EventKind::ApprovalChanged, EventKind::ApprovalRepeated,
    EventKind::ApprovalShown, EventKind::ApprovalDecided, EventKind::ApprovalEnded, EventKind::ApprovalReopened,
    EventKind::ApprovalEffect, EventKind::ApprovalsTurnedAway, EventKind::RuleKept, EventKind::RuleAnswered,
    EventKind::RuleAdded, EventKind::RuleRemoved, EventKind::RuleReplaced,
    EventKind::GuestLog,     EventKind::EngineNote,
    EventKind::ClientAllowed, EventKind::ClientEnded,  EventKind::NetMode,  EventKind::NetTraffic, EventKind::NetCut,
    EventKind::NetLimit, EventKind::NetSpent,
    EventKind::CredentialAdded, EventKind::CredentialRemoved, EventKind::CredentialUsed, EventKind::CredentialRefused,
    EventKind::ForwardOpened, EventKind::ForwardTraffic, EventKind::ForwardClosed,
    EventKind::CanaryAdded, EventKind::CanaryPlanted, EventKind::CanaryRemoved, EventKind::CanaryLeft,
    EventKind::TaskAdded, EventKind::TaskBegun, EventKind::TaskEnded, EventKind::TaskAnswered, EventKind::TaskCancelled, EventKind::AgentTool,
    EventKind::ProviderChosen,
    EventKind::BudgetSet,
    EventKind::RecordingStarted, EventKind::RecordingChunk, EventKind::RecordingEnded,
    EventKind::LogCut, EventKind::LogKept,
    EventKind::ProgramStarted, EventKind::ProgramEnded, EventKind::FileWritten, EventKind::FileCreated, EventKind::FileDeleted,
    EventKind::FileRenamed, EventKind::FileMode, EventKind::NetTried, EventKind::RightsTried, EventKind::WatchLost, EventKind::WatchSilent,
    EventKind::ProgramsMode, EventKind::ProgramsInstalled};

[[nodiscard]] std::string_view toString(EventKind kind); // "apply.decided"
[[nodiscard]] std::optional<EventKind> eventKindFrom(std::string_view text);

enum class Provenance {
    Host,  // seen by the host itself
    Guest, // reported by the guest: a claim
};
[[nodiscard]] std::string_view toString(Provenance provenance);
[[nodiscard]] std::optional<Provenance> provenanceFrom(std::string_view text);

inline constexpr std::size_t kMaxSubjectBytes = 8 * 1024; // a path and its share, escaped by nobody
inline constexpr std::size_t kMaxDetailBytes = 64 * 1024; // as JSON text

using Hash = std::array<std::uint8_t, 32>;
[[nodiscard]] std::string toHex(const Hash& hash);

// Guest text is stored as it came (UTF-8; the caller turns other bytes into it) and escaped only when it is
// shown: evidence stays evidence.
struct Event {
    EventKind kind = EventKind::EngineNote;
    Provenance provenance = Provenance::Host;
    std::string subject;        // what it is about: a path, a share, a command; may be empty
    boost::json::object detail; // by kind
    std::int64_t timeNs = 0;    // since 1970 UTC; 0: append() takes the time
};

struct Recorded {
    std::uint64_t seq = 0; // 1, 2, 3 … without gaps
    Event event;
    Hash hash{};
};

struct Head { // the newest event; seq 0 and zeros where there is none
    std::uint64_t seq = 0;
    Hash hash{};
    friend bool operator==(const Head&, const Head&) = default;
};

// 2026-03-01T12:00:00.000Z (RFC 3339).
[[nodiscard]] std::string formatTime(std::int64_t timeNs);
// Milliseconds since 1970 UTC; any time of RFC 3339, with its offset. Nothing: it is none.
[[nodiscard]] std::optional<std::int64_t> parseTime(std::string_view text);

// The form of app/api/schema/common.json, $defs/event.
[[nodiscard]] boost::json::object toJson(const Recorded& recorded);

// The chain. hash(n) = SHA-256 over, in this order:
//   "carrel-event-1" and a zero byte     version of this encoding
//   hash(n-1), 32 bytes                  32 zero bytes for the first event
//   seq, timeNs                          8 bytes each, little-endian
//   kind, provenance, subject, detail    each: 8 bytes length, little-endian, then the bytes as stored (names
//   and
//                                        JSON text, never parsed for this)
// A signature over (seq, hash) of the newest event then stands for the whole log.
struct StoredText {
    std::string_view kind;
    std::string_view provenance;
    std::string_view subject;
    std::string_view detail;
};
[[nodiscard]] Result<Hash> chainHash(const Hash& previous, std::uint64_t seq, std::int64_t timeNs,
                                     const StoredText& text);

} // namespace carrel::activity

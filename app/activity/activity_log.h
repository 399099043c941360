// SPDX-License-Identifier: Apache-2.0
// An agent's activity log: one SQLite file. append() returns when the event is on the disk, so that "write it
// down, then do it" holds (invariant I5): where it fails, for whatever reason, the effect must not happen.
//
// Durability. Write-ahead journal (WAL) with synchronous=FULL: a commit is one fsync of the WAL, half of what
// a rollback journal costs, and a follower reads while the engine writes. After kill -9 or a power cut SQLite
// recovers by itself at the next open; at most an event that append() had not yet confirmed is missing. The
// file is one file again after close() (the WAL is folded in), to be copied and verified elsewhere.
//
// Evidence. Events form a hash chain (event.h); now and then the newest is signed (signature.h), and that signature is handed out.
// What this proves to whom: verifier.h.
//
// Recordings of terminals are in the same file, so that an agent's whole history is one file: in pieces, each named by an event
// with its SHA-256. What is in a piece, the log does not know (app/recording).
//
// Owner: the engine. Thread: every function may be called from any thread. One process writes; open() refuses
// a second one.
#pragma once

#include "app/activity/event.h"
#include "app/activity/recording_rows.h"
#include "app/activity/signature.h"
#include "guest/protocol/result.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

namespace carrel::activity {

inline constexpr std::size_t kMaxQueryEvents = 1000;

struct Query {
    std::optional<std::int64_t> sinceNs;
    std::vector<EventKind> kinds; // empty: all
    std::uint64_t afterSeq = 0;
    std::size_t limit = kMaxQueryEvents; // more than that is cut to it
};

struct SearchQuery {
    std::string words;               // all of them, in any order, in subject, kind or detail; "word*": that begin so
    std::optional<std::uint64_t> beforeSeq; // to go on: the last answer's oldest
    std::size_t limit = kMaxQueryEvents;
};

struct LogSize {
    std::uint64_t first = 0;  // the oldest event that is kept; 0: there is none
    std::uint64_t last = 0;
    std::int64_t firstNs = 0; // when that was
    std::uint64_t bytes = 0;  // what the file's content takes; space that is free again is not counted
};

// An event whose detail is the text already that is to be stored: one JSON object. Of this moment.
struct WrittenEvent {
    EventKind kind = EventKind::EngineNote;
    Provenance provenance = Provenance::Host;
    std::string_view subject, detail;
};

class ActivityLog {
public:
    // Opens or makes the log (0600). Refused: not an activity log, of a later version, or open in another
    // process.
    [[nodiscard]] static Result<std::unique_ptr<ActivityLog>> open(const std::filesystem::path& file);
    ~ActivityLog();
    ActivityLog(const ActivityLog&) = delete;
    ActivityLog& operator=(const ActivityLog&) = delete;

    // LimitExceeded: subject or detail too long. Malformed: a subject that is not UTF-8. Io: disk full and
    // the like; nothing was recorded.
    [[nodiscard]] Result<Recorded> append(Event event);

    // All of them or none, in this order, as one transaction that is written before this returns but not yet flushed: kill
    // -9 of the engine loses none, a power cut may lose the last ones. For what happens thousands of times a second and
    // changes nothing (first reads); decisions go through append().
    [[nodiscard]] Status appendUnflushed(std::vector<Event> events);

    // All of them or none, in this order, durable when this returns, by one flush for all: for what comes by the thousand. What the
    // details say is not read; errors are those of append() (log_batch.cpp).
    [[nodiscard]] Status append(std::span<const WrittenEvent> events);

    // Oldest first.
    [[nodiscard]] Result<std::vector<Recorded>> query(const Query& query);
    [[nodiscard]] Head head() const;

    // True as soon as there is an event after `seq`; false when the patience ran out or stop was requested.
    [[nodiscard]] bool waitNewer(std::uint64_t seq, std::stop_token stop,
                                 std::chrono::milliseconds patience = std::chrono::hours(24 * 365));

    // Newest first. InvalidArgument: no word to look for. The words' index is brought up to date first, and made anew where it is
    // damaged: it is no evidence, what is found is read from the events.
    [[nodiscard]] Result<std::vector<Recorded>> search(const SearchQuery& query);

    // --- signatures (log_sign.cpp)
    [[nodiscard]] LogId id() const;
    // Who vouches from now on; nothing is signed by this alone.
    void signWith(std::shared_ptr<const SigningKey> key);
    // Signs the newest event, durably; where that is signed by this key already, it is that signature. `reason`: isReason().
    // NotFound: there is no event. Unavailable: there is no key (yet).
    [[nodiscard]] Result<SignedHead> signHead(std::string_view reason);
    [[nodiscard]] Result<std::optional<SignedHead>> newestSignedHead();

    // --- size (log_cut.cpp)
    [[nodiscard]] Result<LogSize> size();
    // Leaves out the events up to and with this one, with their signatures and recordings, and writes that down as an event and as
    // what the chain goes on from, signed: all of it or nothing. Unavailable: there is no key. InvalidArgument: the newest event
    // must stay. Nothing happens where they are gone already.
    [[nodiscard]] Status cut(std::uint64_t upToSeq);
    // The last event before that time, and the last one of those that the log must lose to take at most so many bytes; 0: none.
    [[nodiscard]] Result<std::uint64_t> lastBefore(std::int64_t timeNs);
    [[nodiscard]] Result<std::uint64_t> lastToFit(std::uint64_t bytes);

    // --- recordings (log_recordings.cpp); app/recording knows what is in them
    [[nodiscard]] Result<std::uint64_t> beginRecording(const RecordingStart& start); // its number, 1, 2, 3 …
    // Durable when this returns, with its event. Conflict: not the next piece of a recording that goes on.
    [[nodiscard]] Status addChunk(const RecordingChunk& chunk);
    [[nodiscard]] Status endRecording(std::uint64_t recording); // again: nothing happens
    [[nodiscard]] Result<std::vector<RecordingRow>> recordings(); // oldest first
    [[nodiscard]] Result<std::vector<ChunkPlace>> chunks(std::uint64_t recording); // in order
    // NotFound. Conflict: it is not what its SHA-256 says.
    [[nodiscard]] Result<RecordingChunk> chunk(std::uint64_t recording, std::uint64_t number);
    // The piece in which that moment is, by index: the last one that begins at or before it. NotFound: an empty recording.
    [[nodiscard]] Result<RecordingChunk> chunkAt(std::uint64_t recording, std::uint64_t timeUs);

    // Walks the whole chain. Conflict, with the first event that does not fit; also when the log does not
    // (any more) reach or contain `expected`.
    [[nodiscard]] Result<Head> verify(const std::optional<Head>& expected = {});

private:
    struct Impl;
    explicit ActivityLog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel::activity

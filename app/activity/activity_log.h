// SPDX-License-Identifier: Apache-2.0
// An agent's activity log: one SQLite file. append() returns when the event is on the disk, so that "write it
// down, then do it" holds (invariant I5): where it fails, for whatever reason, the effect must not happen.
//
// Durability. Write-ahead journal (WAL) with synchronous=FULL: a commit is one fsync of the WAL, half of what
// a rollback journal costs, and a follower reads while the engine writes. After kill -9 or a power cut SQLite
// recovers by itself at the next open; at most an event that append() had not yet confirmed is missing. The
// file is one file again after close() (the WAL is folded in), to be copied and verified elsewhere.
//
// Evidence. Events form a hash chain (event.h). verify() finds a row that was changed, removed, inserted or
// re-ordered. Rows cut off at the end are found where the caller kept a head, and by signatures in a later
// step.
//
// Owner: the engine. Thread: every function may be called from any thread. One process writes; open() refuses
// a second one.
#pragma once

#include "app/activity/event.h"
#include "guest/protocol/result.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

namespace carrel::activity {

inline constexpr std::size_t kMaxQueryEvents = 1000;

struct Query {
    std::optional<std::int64_t> sinceNs;
    std::vector<EventKind> kinds; // empty: all
    std::uint64_t afterSeq = 0;
    std::size_t limit = kMaxQueryEvents; // more than that is cut to it
};

struct Head { // the newest event; seq 0 and zeros where there is none
    std::uint64_t seq = 0;
    Hash hash{};
    friend bool operator==(const Head&, const Head&) = default;
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

    // Oldest first.
    [[nodiscard]] Result<std::vector<Recorded>> query(const Query& query);
    [[nodiscard]] Head head() const;

    // True as soon as there is an event after `seq`; false when the patience ran out or stop was requested.
    [[nodiscard]] bool waitNewer(std::uint64_t seq, std::stop_token stop,
                                 std::chrono::milliseconds patience = std::chrono::hours(24 * 365));

    // Walks the whole chain. Conflict, with the first event that does not fit; also when the log does not
    // (any more) reach or contain `expected`.
    [[nodiscard]] Result<Head> verify(const std::optional<Head>& expected = {});

private:
    struct Impl;
    explicit ActivityLog(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel::activity

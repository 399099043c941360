// SPDX-License-Identifier: Apache-2.0
// A log's content, for who hands it on in another form: from the file or a copy of it, also while the engine writes, all of it of one
// moment. What is stored is given as it is stored, since that is what the chain's hashes are of; whether each event is as it was
// written is told beside it. Nothing in the file is believed, run or written to (app/activity/verifier.h judges it as a whole).
// Ownership: the reader has the file open. Thread: one owner; after open() it opens no file any more, so that who reads may confine itself.
#pragma once

#include "app/activity/event.h"
#include "app/activity/recording_rows.h"
#include "app/activity/schema.h"
#include "guest/protocol/result.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace carrel::activity {

struct StoredEvent {
    std::uint64_t seq = 0;
    std::int64_t timeNs = 0; // since 1970 UTC
    std::string kind;        // this and the next three as they were hashed (chainHash)
    std::string provenance;
    std::string subject;
    std::string detail;      // JSON text
    Hash previous{};
    Hash hash{};
    std::string signedHead;  // textOf(SignedHead), where it was signed as the newest event and the signature is genuine; else empty
    bool asWritten = true;   // it follows the one before, and its hash and its signature are right
};

class LogReader {
public:
    // NotFound, Malformed (not a log), Unsupported (another version's), Conflict (tables that we did not make).
    [[nodiscard]] static Result<LogReader> open(const std::filesystem::path& file);
    LogReader(LogReader&&) noexcept;
    LogReader& operator=(LogReader&&) noexcept;
    ~LogReader();

    [[nodiscard]] const LogId& id() const;
    [[nodiscard]] Result<std::uint64_t> eventCount();
    // Oldest first, from the event after that one on. What `each` returns ends it.
    [[nodiscard]] Status events(std::uint64_t afterSeq, const std::function<Status(const StoredEvent&)>& each);
    // The sequence number after which there are `most` events: 0 where there are no more of them.
    [[nodiscard]] Result<std::uint64_t> beforeNewest(std::uint64_t most);

    [[nodiscard]] Result<std::vector<RecordingRow>> recordings();
    // In their order. Conflict: a piece is not the one whose hash is beside it.
    [[nodiscard]] Status chunks(std::uint64_t recording, const std::function<Status(const RecordingChunk&)>& each);

private:
    struct Impl;
    explicit LogReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel::activity

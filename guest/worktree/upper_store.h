// SPDX-License-Identifier: Apache-2.0
// What is staged, on the guest's disk: an append-only log of metadata and one file per written content.
//
//   <dir>/log            "CARREL-UPPER-2\n", then records: u32 length, u32 CRC-32 of the payload, payload.
//   <dir>/objects/x/n    content of object n (decimal; x = n / 512 in hex)
//
// A record is one operation: JSON {"put": [entry…], "del": [id…], "epoch": n?}. Replay stops at the first
// record that is cut short or damaged: what a crash left half written. Each start writes the log anew.
// Objects that no entry names are removed then. Order that makes a crash harmless: an object is written
// before the record that names it, and removed only after the record that forgets it is durable.
//
// Thread: commit and reserve under the owner's lock; objects from any thread.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/unique_fd.h"

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace carrel::worktree {

inline constexpr std::size_t kMaxLogRecord = 64 * 1024 * 1024;
inline constexpr std::uint64_t kRootEntry = 1;
// Both are counted upwards, one at a time; what is larger is damage, and the next number must still be one.
inline constexpr std::uint64_t kMaxEntryId = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kMaxEpoch = UINT32_MAX - 1; // the upper half of a generation

enum class EntryKind { File, Directory, Symlink, Fifo, Socket, Whiteout };

// Something of the host's, as it was when the guest's work hid it or moved it.
struct Cover {
    EntryType type = EntryType::File;
    BaseVersion version;
    std::uint32_t mode = 0; // 07777
    std::optional<std::string> sha256;
    friend bool operator==(const Cover&, const Cover&) = default;
};

struct EntryRecord {
    std::uint64_t id = 0;
    std::uint64_t parent = 0; // id of a Directory or Whiteout entry
    std::string name;
    EntryKind kind = EntryKind::File;
    std::uint32_t mode = 0; // 07777
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::optional<std::int64_t> mtimeNs; // none: the object's, or the host's
    bool fromLower = false;              // File: its bytes are the host's; Directory: merged with the host's
    std::string origin;                  // path on the host it was renamed from; empty: its own place
    std::uint64_t originPlace = 0;       // the entry left behind there
    std::optional<Cover> originBase;     // what was there
    std::optional<Cover> cover;          // what this entry's place hides
    std::string link;                    // Symlink
    std::uint64_t object = 0;            // File with bytes of its own
    friend bool operator==(const EntryRecord&, const EntryRecord&) = default;
};

struct Transaction {
    std::vector<EntryRecord> put;
    std::vector<std::uint64_t> del;
    std::optional<std::uint64_t> epoch;
};

[[nodiscard]] std::string encodeTransaction(const Transaction& transaction);
[[nodiscard]] Result<Transaction> decodeTransaction(std::string_view text);

struct Replayed {
    std::map<std::uint64_t, EntryRecord> entries;
    std::uint64_t epoch = 0;
    std::size_t records = 0;
};
// Replays a log as far as it is whole, and drops entries that hang nowhere. Malformed when it is no log at
// all.
[[nodiscard]] Result<Replayed> replayLog(ByteSpan log);
// Entries must hang on the root, without a ring, and each name once (the older entry has it): what does not, goes.
void dropLoose(std::map<std::uint64_t, EntryRecord>& entries);

class UpperStore {
public:
    [[nodiscard]] static Result<std::unique_ptr<UpperStore>> open(const std::string& dir);

    [[nodiscard]] std::map<std::uint64_t, EntryRecord> takeLoaded() { return std::move(m_loaded); }
    [[nodiscard]] std::uint64_t epoch() const { return m_epoch; } // one more with each start
    [[nodiscard]] std::uint64_t highestId() const { return m_highestId; }

    // 0, or the errno with which an operation must be refused before it begins: a full disk must not be found
    // out half-way. After it commit() does not fail for want of space.
    [[nodiscard]] int reserve();
    [[nodiscard]] int commit(const Transaction& transaction);

    [[nodiscard]] int createObject(std::uint64_t id);
    // Open for reading and writing; those used last stay open, since a program that writes does so in pieces.
    // Null: see errno.
    using ObjectFile = std::shared_ptr<const UniqueFd>;
    [[nodiscard]] ObjectFile openObject(std::uint64_t id);
    [[nodiscard]] bool statObject(std::uint64_t id, struct stat& info);
    [[nodiscard]] std::string objectPath(std::uint64_t id) const; // relative to dirFd()
    [[nodiscard]] int dirFd() const { return m_dir.get(); }
    void doomObject(std::uint64_t id); // removed with the next sync
    [[nodiscard]] int sync();

private:
    UpperStore() = default;
    [[nodiscard]] Status load();
    [[nodiscard]] Status rewriteLog(const Replayed& state);
    void removeStrayObjects();

    UniqueFd m_dir;
    UniqueFd m_log;
    std::uint64_t m_logSize = 0;
    std::uint64_t m_reserved = 0;
    bool m_broken = false;
    std::map<std::uint64_t, EntryRecord> m_loaded;
    std::uint64_t m_epoch = 0;
    std::uint64_t m_highestId = kRootEntry;
    void keepOpen(std::uint64_t id, ObjectFile file); // under m_doomedMutex
    std::mutex m_doomedMutex;
    std::vector<std::uint64_t> m_doomed;
    std::list<std::pair<std::uint64_t, ObjectFile>> m_open; // the last used first
};

} // namespace carrel::worktree

// SPDX-License-Identifier: Apache-2.0
// What is staged, on the guest's disk: an append-only log of metadata and one file per written content.
//
//   <dir>/log            "CARREL-UPPER-2\n", then records: u32 length, u32 CRC-32 of the payload, payload.
//   <dir>/objects/x/n    content of object n (decimal; x = n / 512 in hex)
//
// A record is one operation: JSON {"put": [entry…], "del": [id…], "epoch": n?, "more": true?}, or a part of a
// large one: "more" says that the next record goes on with it, and none of it counts without the last part.
// Replay stops at the first record that is cut short or damaged: what a crash left half written. Each start
// writes the log anew, and so does an owner whose log has become long for what is in it (isLong()). Objects
// that no entry names are removed at a start.
//
// Two kinds of crash. When this process ends, the kernel still has everything it wrote: the whole log counts.
// When the machine ends, the disk has what the kernel came to, in its own order: a record may be there
// without the bytes that it names, and a file would be empty or cut that never was. So {"durable": n} says
// that the first n bytes of the log, and all objects that they name, were on the disk before it was written;
// it follows each sync and at least every few seconds of work. The first record names the boot (boot_id,
// random(4)): of a log of another one, what comes after the last such mark does not count. An object is
// removed only after the record that forgets it is durable.
//
// Thread: commit and reserve under the owner's lock; objects from any thread.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/unique_fd.h"

#include <atomic>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
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
    bool more = false;                    // the next one goes on with it
    std::optional<std::uint64_t> durable; // bytes of the log
    std::string boot;
};

[[nodiscard]] std::string encodeTransaction(const Transaction& transaction);
[[nodiscard]] Result<Transaction> decodeTransaction(std::string_view text);

struct Replayed {
    std::map<std::uint64_t, EntryRecord> entries;
    std::uint64_t epoch = 0;
    std::size_t records = 0; // operations that are whole
};
// Replays a log as far as it is whole, and counts: see above. `boot`: of this machine now; a log that names
// none counts whole. Drops entries that hang nowhere. Malformed when it is no log at all.
[[nodiscard]] Result<Replayed> replayLog(ByteSpan log, std::string_view boot);
// Entries must hang on the root, without a ring, and each name once (the older entry has it): what does not,
// goes.
void dropLoose(std::map<std::uint64_t, EntryRecord>& entries);

class UpperStore {
public:
    struct Settings {
        std::uint64_t longLog = 64 * 1024 * 1024;     // bytes
        std::chrono::milliseconds durableEvery{5000}; // at most that much work is lost with the machine
        std::string boot;                             // empty: this machine's
    };
    [[nodiscard]] static Result<std::unique_ptr<UpperStore>> open(const std::string& dir, Settings settings);

    [[nodiscard]] std::map<std::uint64_t, EntryRecord> takeLoaded() { return std::move(m_loaded); }
    [[nodiscard]] std::uint64_t epoch() const { return m_epoch; } // one more with each start
    [[nodiscard]] std::uint64_t highestId() const { return m_highestId; }

    // 0, or the errno with which an operation on that many entries must be refused before it begins: a full
    // disk must not be found out half-way. After it commit() does not fail for want of space.
    [[nodiscard]] int reserve(std::size_t entries = 1);
    // After a failure nothing is taken any more until a new start: memory is ahead of the disk.
    [[nodiscard]] int commit(const Transaction& transaction);
    // Most of the log tells of what is no more. It is read whole at a start, so it must not grow for ever.
    [[nodiscard]] bool isLong() const;
    // Writes the log anew with all there is, if that can be done; else the old one goes on.
    void compact(const std::vector<const EntryRecord*>& all);

    [[nodiscard]] int createObject(std::uint64_t id);
    // Open for reading and writing; those used last stay open, since a program that writes does so in pieces.
    // Null: see errno.
    using ObjectFile = std::shared_ptr<const UniqueFd>;
    [[nodiscard]] ObjectFile openObject(std::uint64_t id);
    [[nodiscard]] bool statObject(std::uint64_t id, struct stat& info);
    [[nodiscard]] std::string objectPath(std::uint64_t id) const; // relative to dirFd()
    [[nodiscard]] int dirFd() const { return m_dir.get(); }
    // Its bytes have changed. Before a record that relies on them.
    void written(std::uint64_t id);
    void doomObject(std::uint64_t id); // removed with the next sync
    // Everything so far is durable.
    [[nodiscard]] int sync();
    // sync(), if it is time.
    void tidy();
    // sync(), if something is doomed. Whether it was: a full disk may have room now.
    bool makeRoom();

private:
    UpperStore() = default;
    [[nodiscard]] Status load();
    [[nodiscard]] Status rewriteLog(const std::vector<const EntryRecord*>& all, std::uint64_t epoch);
    [[nodiscard]] int write(const Transaction& part, std::uint64_t& at); // under m_logMutex
    [[nodiscard]] int makeDurable(const std::set<std::uint64_t>& objects, const ObjectFile& log,
                                  const Transaction& mark);
    void removeStrayObjects(const std::map<std::uint64_t, EntryRecord>& entries);

    Settings m_settings;
    UniqueFd m_dir;
    std::mutex m_syncMutex;        // one sync at a time: who comes second waits for what the first has taken
    mutable std::mutex m_logMutex; // appending; after m_syncMutex
    ObjectFile m_log;              // replaced under m_logMutex and m_doomedMutex
    std::uint64_t m_logSize = 0;
    std::uint64_t m_workEnd = 0; // of the last operation's record
    std::uint64_t m_durable = 0; // that many bytes are
    std::chrono::steady_clock::time_point m_durableAt{};
    std::uint64_t m_compactAt = 0; // that many bytes
    std::uint64_t m_reserved = 0;
    std::atomic<bool> m_broken = false;
    std::map<std::uint64_t, EntryRecord> m_loaded;
    std::uint64_t m_epoch = 0;
    std::uint64_t m_highestId = kRootEntry;
    void keepOpen(std::uint64_t id, ObjectFile file); // under m_doomedMutex
    std::mutex m_doomedMutex;                         // after m_logMutex
    std::set<std::uint64_t> m_written;                // since the last sync
    std::vector<std::uint64_t> m_doomed;
    std::list<std::pair<std::uint64_t, ObjectFile>> m_open; // the last used first
};

} // namespace carrel::worktree

// SPDX-License-Identifier: Apache-2.0
// The journal of one apply: what is intended (plan.json, complete before anything happens) and how far it
// came (log). Internal to app/files; applier.h describes it. A log line is 16 hex digits (the first half of
// the SHA-256 of the rest), a blank, one JSON object, a newline. Thread: one at a time.
#pragma once

#include "app/files/applier.h"
#include "app/files/tree.h"
#include "guest/protocol/unique_fd.h"

#include <boost/json/object.hpp>

#include <string>
#include <utility>
#include <vector>

namespace carrel::files {

inline constexpr std::uint64_t kMaxPlanText = std::uint64_t{1} << 30U;
inline constexpr std::size_t kMaxOps = 64; // of one entry
inline constexpr std::size_t kMaxNeeds = 2 * kMaxOps;

enum class OpKind {
    Put,    // expect → want at path; expect is Absent, a file or a link
    Remove, // expect → Absent
    Move,   // from → path, where nothing may be; expect is what stands at from
    Exchange, // from ↔ path; expect is what stands at from before, want what stands at path
    Mode,   // of a file or folder that stays otherwise as expected
};

// A folder's own time: put back to `restore` after the operation, if it was `expect` before (nobody else's
// doing).
struct FolderTime {
    std::int64_t expect = 0, restore = 0;
};

// Of a plan: the entry, and the operation in it.
using OpIndex = std::pair<std::size_t, std::size_t>;

struct Op {
    OpKind kind = OpKind::Put;
    SharePath path;
    std::optional<SharePath> from; // Move, Exchange; Put: whose attributes go over when nothing stands at path
    NodeState expect, want;
    Xattrs attributes = Xattrs::Keep;
    std::optional<FolderTime> folder, fromFolder;
    std::optional<OpIndex> reverses; // of an undo: which operation of what it takes back
};

struct PlanEntry {
    SharePath path;
    std::uint64_t generation = 0;
    std::vector<Op> ops;
    std::string blocked; // a reason not to try; then there are no operations
    // Changes that these operations carry out as well: a ring of names is one matter, with one outcome.
    std::vector<std::pair<SharePath, std::uint64_t>> also = {}; // path and generation
    // Entries before it that bring the folders there which its paths lie in. If one of them does not come about, another
    // folder may stand there, and nothing was decided about that.
    std::vector<std::size_t> needs = {};
};

struct Plan {
    std::string id, set, share, undoes;
    std::int64_t atNs = 0;
    std::uint64_t rootInode = 0;
    std::int64_t rootBornNs = 0; // the root of every disk may have the same inode; 0: the file system does not tell
    std::vector<PlanEntry> entries;
};

struct OpRecord {
    bool begun = false;
    bool done = false;
    NodeState old;            // what was there when it began
    std::uint64_t staged = 0; // inode of the complete temporary, or of what stood at an exchange's path; 0 = none
    Attributes left;          // of a Put: the user's attributes on what it put there
    std::optional<std::uint32_t> mode; // of a Put: the disk gave these permissions, since it keeps none
    std::optional<FolderId> in, fromIn; // the folders in which it began, of the path and of where it came from
    std::optional<std::int64_t> folderBefore, folderAfter, fromFolderBefore, fromFolderAfter;
};
// What a Put put there.
[[nodiscard]] NodeState putBy(const Op& op, const OpRecord& record);
struct EntryRecord {
    std::vector<OpRecord> ops;
    std::optional<Outcome> outcome;
    std::string reason;
};

enum class Durable { Later, Now }; // Later: with the next Now; the order is kept either way

class Journal {
public:
    // `dir` holds all journals. Makes <dir>/<plan.id>/ and the plan durable. LimitExceeded: it could not be read again;
    // nothing was made.
    [[nodiscard]] static Result<Journal> create(const std::string& dir, Plan plan, StepHook* hook,
                                                std::uint64_t maxPlanText = kMaxPlanText);
    // Whoever goes on with it has it repaired: a torn last line is cut off. Malformed: it is damaged elsewhere.
    enum class Repair { No, Yes };
    [[nodiscard]] static Result<Journal> load(const std::string& dir, const std::string& id, StepHook* hook, Repair repair);

    [[nodiscard]] const Plan& plan() const { return m_plan; }
    [[nodiscard]] const std::vector<EntryRecord>& entries() const { return m_entries; }
    [[nodiscard]] const OpRecord& record(std::size_t entry, std::size_t op) const {
        return m_entries[entry].ops[op];
    }
    [[nodiscard]] bool ended() const { return m_ended; }
    [[nodiscard]] bool isResumed() const { return m_resumed; } // read from disk: an interruption came between
    [[nodiscard]] bool goesBack() const { return m_goesBack; } // recovery decided to roll it back
    [[nodiscard]] ApplyReport report() const;

    [[nodiscard]] Status begin(std::size_t entry, std::size_t op, const OpRecord& record, Durable durable);
    struct Staged {
        std::uint64_t inode = 0;
        Attributes left = {};
        std::optional<std::uint32_t> mode = {};
    };
    [[nodiscard]] Status staged(std::size_t entry, std::size_t op, const Staged& what, Durable durable);
    [[nodiscard]] Status done(std::size_t entry, std::size_t op, std::optional<std::int64_t> folderAfter,
                              std::optional<std::int64_t> fromFolderAfter);
    [[nodiscard]] Status outcome(std::size_t entry, Outcome outcome, const std::string& reason);
    [[nodiscard]] Status goBack();
    [[nodiscard]] Status end();
    [[nodiscard]] Status flush(); // what was put off

private:
    Journal(Plan plan, UniqueFd log, StepHook* hook);
    [[nodiscard]] Status append(boost::json::object line, Durable durable);
    [[nodiscard]] Status take(const boost::json::object& line);
    [[nodiscard]] Result<std::size_t> replay();

    Plan m_plan;
    UniqueFd m_log;
    StepHook* m_hook;
    std::vector<EntryRecord> m_entries;
    std::size_t m_length = 0; // of the log's whole lines
    bool m_resumed = false;
    bool m_broken = false;
    bool m_ended = false;
    bool m_goesBack = false;
};

// Names of the journals in `dir`, oldest first.
[[nodiscard]] Result<std::vector<std::string>> journalIds(const std::string& dir);
// The next id: a running number, which gives the order, and a random part, which makes temporaries' names
// new.
[[nodiscard]] Result<std::string> nextJournalId(const std::string& dir);

// Writes a file beside and renames it into place, flushed with its folder. `dir` is an open folder.
[[nodiscard]] Status writeDurably(int dir, const std::string& name, std::string_view content, StepHook* hook);
[[nodiscard]] Result<std::string> readWhole(int dir, const std::string& name, std::uint64_t maxBytes);

} // namespace carrel::files

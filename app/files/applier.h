// SPDX-License-Identifier: Apache-2.0
// Apply and undo: the only code of Carrel that writes to a user's folder (I4, I10, I12).
//
// One mechanism: an apply is a durable plan, a list of entries with one or two operations each, every
// operation a step from a known old state of one name to a known new one. An undo is a plan of the reverse
// steps. So an undo has an id of its own, is journaled, conflicts and recovers like an apply, and can itself
// be undone. What of an apply stands is counted by operations: an undo that conflicts in part leaves the rest
// to the next one.
//
// One entry's conflict or failure leaves that entry alone, and the others go on: the outcome is told per
// entry. (To stop at the first would leave the folder just as partly changed, and tell less.) Order: new
// folders and renames, each when its folder is there and its name is free (move_order.h); files and links;
// deletions (bottom-up); modes of folders; then times of folders. Names that change places in a ring are one
// matter with one outcome, carried out by exchanges of two at a time.
//
// Journal: one folder per apply, <dir>/<apply id>/ with plan.json (written once, renamed into place) and log
// (appended lines, each with a checksum; a torn last line is as if it had not been written). Plain files
// rather than a database: the order of every flush against every rename is in our hands, recovery needs
// nothing but the two files, and a person can read them. Write-ahead: what a step may destroy is in the
// content store and its line in the log before the step. Of files that follow each other in the plan up to a hundred go
// together, so that their flushes are one (executor_together.cpp): a crash may then find so many operations in progress.
//
// What recover() finds of each operation in progress, and does:
//
//   any:      no line, or "begin" only: nothing has happened but perhaps a temporary, which goes. Not done;
//             finish starts it again. (A power cut may lose the "begin" of a put and keep its temporary. If the temporary is
//             the old file all the same, the log was damaged later: it is kept beside.)
//   create:   there is a temporary: it goes; not done. The name has the wanted state: done.
//   replace:  the temporary has the staged inode: it goes; not done. The name has it, and the temporary is
//             the old file: still the base, then that goes, done; else back with it, a conflict. There is no
//             temporary: done if the name has the wanted state, not done if the old one, else a conflict.
//   remove:   the temporary is the old file: still the base, then it goes, done; else back, a conflict.
//             Neither is there: done. There is a temporary, and no line of it: the log was damaged; back with it, not done.
//   move:     the new name has the base's inode: still the base, then done; else back, a conflict. Neither name has it: both
//             stay as they are, a conflict, but for a file with nothing at its new name: not done.
//   exchange: each name has the other's inode: both still as they were, then done; else back, a conflict. Anything but that
//             and what was before: both stay as they are, a conflict.
//   mode:     the same file or folder has the wanted one: done.
//   apply:    all entries are done, "end" is missing: the folders' times, and "end".
//   roll back: "back" is in the log before anything of it happens, so that a crash between the end of the
//             apply and its undo is gone on from.
//
// A journal that cannot be flushed is written to no more: the call ends with an error, and recover() settles
// the rest. Half a line that a full disk left is cut off at once, and so is a line whose flush was asked for and failed:
// without its flushed "end" an apply has not ended.
//
// Extended attributes: a file that takes the place of another takes over those, too, and nothing that the folder gives to
// new ones (acl(5)). An undo puts back those of the old file, but for what the user set, set otherwise or removed since the
// apply: that stays on it. Where nothing comes back that could bear it the user's attributes conflict.
//
// A swapped-out or moved-away file is removed only when its bytes are in the store. A file that recovery
// cannot account for (changed by somebody after the crash) is never removed: it is kept beside as
// "<name>.carrel-kept-<apply id>", and the outcome's reason says so. Temporaries are named ".carrel-tmp-<apply id>-<n>"; a guest's changes to
// such names are refused.
//
// File systems without renameat2(2) RENAME_EXCHANGE or RENAME_NOREPLACE (EINVAL): refused in this step, entry
// by entry and with a plain message; nothing weaker is tried. Files with several hard links, of another
// account, open for writing in another program (a read lease, fcntl(2), cannot be had) conflict. Set aside:
// the times of a folder that others change.
//
// Paths: resolved with openat2(2) RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS to a pinned
// parent folder, once per operation; everything else happens relative to that descriptor. An operation is
// settled in the folder in which it was begun, whatever stands at the path by then. So it is after a crash: the journal
// knows the folder by its number and time of birth, and if somebody renamed or moved it, it is looked for in the whole share
// (folder_search.h). If it is not there, the outcome says so, and names the temporary that may be left in it.
//
// Owner: the engine, one per agent. Thread: blocking, one call at a time per Applier (it holds no lock;
// FileReview does). Errors of a whole call: Io (journal cannot be written: then nothing has been changed),
// NotFound, Refused, Malformed.
#pragma once

#include "app/files/content_store.h"
#include "app/files/freezer.h"
#include "app/files/frozen_set.h"

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace carrel::files {

class Journal;

inline constexpr std::string_view kTemporaryPrefix = ".carrel-tmp-";

enum class Outcome {
    Applied,  // the folder is as the set says
    Conflict, // left alone; reason says what differs
    Failed,   // left alone; the system refused
    Partial,  // of an entry with two operations only the first happened; nothing is lost, reason says what is
              // where
    NotRun,   // stopped before it (cancelled, or recovery rolled back)
};
struct EntryOutcome {
    SharePath path;
    std::uint64_t generation = 0; // for changes.settle; of an undo: 0
    Outcome outcome = Outcome::NotRun;
    std::string reason; // one sentence for a person; empty when applied
};
struct ApplyReport {
    std::string id;  // of this apply or undo
    std::string set; // the frozen set's id (of the apply that was undone)
    std::string share;
    std::string undoes; // an undo: the id of what it undid
    std::vector<EntryOutcome> entries;
    // Of recover(): why what was interrupted is not settled, and what to do. Its journal is kept, and the next start tries again.
    // Of a journal that cannot be read nothing but the id is known.
    std::optional<Error> unsettled = {};
    [[nodiscard]] bool complete() const;        // every entry Applied
    [[nodiscard]] bool changedAnything() const; // so there is something to take back
};

// A flagged entry is left alone unless the user said, having seen what stands there now, to replace it
// anyway. (Only for Changed and Appeared on plain files and links; the frozen base is still checked.)
enum class IfFlagged { Leave, Replace };
struct Selected {
    SharePath path;
    IfFlagged ifFlagged = IfFlagged::Leave;
};

struct ApplySummary {
    std::string id, set, share, undoes;
    std::int64_t atNs = 0; // when it began, since 1970 UTC
    bool finished = false; // false: a crash left it, recover() is due
    std::string undoneBy;  // id of the undo that took back the last of it; empty = stands, perhaps in part
    bool partlyUndone = false; // some of it was taken back; undo() takes back what remains
};

// Was an apply made in a folder? Known by its number and its time of birth, whatever the share is called by now. The number
// alone tells nothing: the root of every disk of a kind has the same.
enum class MadeIn { Yes, No, CannotTell };

enum class RecoverTo { Finish, RollBack };
// Opens a share's root by the engine's name of it.
using OpenShare = std::function<Result<UniqueFd>(const std::string& share)>;

class Applier {
public:
    [[nodiscard]] static Result<Applier> open(const std::string& dir, ContentStore& store,
                                              StepHook* hook = nullptr);

    // `root` is borrowed. NotFound when a selected path is not in the set.
    [[nodiscard]] Result<ApplyReport>
    apply(int root, const FrozenSet& set, std::span<const Selected> selection, const Progress& progress = {});
    // Takes back what of `id` (an apply or an undo) stands: content, attributes, mode, time and name. Where that conflicts in part,
    // the rest stays and can be asked for again. Refused when all of it is taken back already, or when it or an undo of
    // it is unfinished.
    [[nodiscard]] Result<ApplyReport> undo(int root, const std::string& id, const Progress& progress = {});
    // What was interrupted in this very folder (also when it was shared under another name) and in this process is settled and goes no further: the operations in
    // progress come to their end, the rest is NotRun. apply() and undo() do it first, and whoever decides otherwise on what
    // was left must, or the next recover() would go on with it.
    [[nodiscard]] Status settle(int root, const std::string& share);
    // Once at engine start, before anything else here. Finish: goes on where it stopped, with the same
    // checks. RollBack: settles the operation in progress and undoes what was done. One that cannot be settled (its journal
    // cannot be read, its share cannot be opened or is another folder now, a disk that fails) is told, see
    // ApplyReport::unsettled, and keeps no other from being settled. Until it is, its own folder takes no apply and no undo,
    // unless its journal is damaged: then nothing is known of it.
    [[nodiscard]] Result<std::vector<ApplyReport>> recover(const OpenShare& openShare,
                                                           RecoverTo to = RecoverTo::Finish);

    [[nodiscard]] Result<MadeIn> madeIn(int root, const std::string& id) const;
    // Oldest first.
    [[nodiscard]] Result<std::vector<ApplySummary>> list() const;
    [[nodiscard]] Result<ApplyReport> report(const std::string& id) const;
    // Content that an unfinished apply or a possible undo needs.
    [[nodiscard]] Result<std::set<Sha256>> references() const;

private:
    [[nodiscard]] Result<ApplyReport> undoSettled(int root, const std::string& id, const Progress& progress);
    [[nodiscard]] Status recoverOne(const std::string& id, const OpenShare& openShare, RecoverTo to,
                                    std::vector<ApplyReport>& reports);
    Applier(std::string dir, ContentStore& store, StepHook* hook);
    enum class Damaged { IsError, PassOver };
    [[nodiscard]] Status eachUnended(const std::function<Status(const Journal&)>& each, Damaged damaged) const;
    std::string m_dir;
    ContentStore* m_store;
    StepHook* m_hook;
    // Nothing changes any more in a journal that has ended, and they become thousands: what is asked of them before each
    // apply, and whenever content is collected, is known after the first look.
    mutable std::set<std::string> m_ended;
    mutable std::set<Sha256> m_neededByEnded;
};

[[nodiscard]] std::string_view toString(Outcome outcome);

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
// A frozen set: the changes of one share as they were when a review was opened. What the user sees, decides
// on and gets applied is this and nothing else (I12). Immutable; its id names all of it.
//
// Canonical encoding = the stored file = what the id is the SHA-256 of: one JSON text (RFC 8259) as
// toCanonical() writes it, UTF-8, no white space, fields in the fixed order given in frozen_set.cpp, entries
// in order of path bytes, paths that are not UTF-8 as <field>_b64, hashes as lower-case hex. It holds the
// share, every entry (path, kind, generation, both states with content hash, mode, time; risk; conflict;
// flags and counts) and what was left out and why. So a set that was altered on disk no longer has its name
// and is refused.
//
// Thread: values.
#pragma once

#include "app/files/sha256.h"
#include "guest/protocol/change_report.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace carrel::files {

// What stands, or shall stand, under one name.
enum class NodeKind { Absent, File, Directory, Symlink, Other };
struct NodeState {
    NodeKind kind = NodeKind::Absent;
    std::uint32_t mode = 0;                    // 07777; 0 for links
    std::int64_t mtimeNs = 0;                  // since 1970 UTC
    std::int64_t ctimeNs = 0;                  // as seen; 0 in a wanted state
    std::uint64_t size = 0;                    // files and links: bytes
    std::uint64_t inode = 0;                   // as seen; 0 in a wanted state
    std::uint64_t links = 0;                   // hard links, as seen
    std::optional<Sha256> content;             // files
    std::string linkTarget;                    // symlinks
    // The group that it belongs to: as xattrs. None: in a journal of before it was kept.
    std::optional<std::uint32_t> gid;
    std::map<std::string, std::string> xattrs; // only in the journal of an apply, where an undo needs them
    friend bool operator==(const NodeState&, const NodeState&) = default;
};

enum class Risk { Normal, High };
enum class ConflictKind {
    None,
    Changed,     // the folder's version is not the one that the change was made against
    Appeared,    // something stands where the change creates
    Gone,        // what it changes is no longer there
    HardLinked,  // the file has several names; changing one would part them
    Foreign,     // it belongs to another account, or is no plain file, folder or link
    Unreadable,  // the host itself cannot read it, or it is a placeholder of what is not here
    LinkOutside, // a link that leads out of the share
    Refused,     // a claim that makes no sense, e.g. a reserved name
};

struct FrozenEntry {
    SharePath path; // in the share after this set's folder renames
    ChangeKind kind = ChangeKind::Created;
    EntryType type = EntryType::File;
    // Renamed: where it stands today; of what is no folder: after this set's folder renames.
    std::optional<SharePath> from;
    std::uint64_t generation = 0;  // for changes.settle
    bool contentChanged = false;
    // The host's own look while freezing at `path` (Renamed: at `from`); content hashed by the host.
    NodeState base;
    // Renamed: what stands at `path`, where it goes; Absent unless something is in the way.
    NodeState target;
    // What apply makes of it; Absent for a deletion. Set-uid, set-gid and sticky bits are never taken from a
    // guest, and the owner keeps read access, without which undo could not check.
    NodeState wanted;
    Risk risk = Risk::Normal;
    std::string riskReason;
    ConflictKind conflict = ConflictKind::None;
    std::string conflictReason;
    bool text = false; // base and wanted are text: a line diff can be asked for
    bool baseKept = false; // the base's content is in the store, so that the diff is of exactly what was compared
    bool counted = false; // linesAdded/linesRemoved are exact
    std::uint64_t linesAdded = 0;
    std::uint64_t linesRemoved = 0;
    friend bool operator==(const FrozenEntry&, const FrozenEntry&) = default;
};

// A reported change that is not in the set.
enum class LeftOutWhy {
    AlreadySo, // the folder already is as wanted: settle it in the guest, there is nothing to decide
    Moving,    // it changed in the guest while it was copied: it will be in the next review
    TooLarge,  // past a bound below
    Failed,    // its content could not be fetched or stored
};
struct LeftOut {
    SharePath path;
    std::uint64_t generation = 0;
    LeftOutWhy why = LeftOutWhy::Failed;
    std::string reason;
    std::optional<Left> left = {}; // AlreadySo: what stands there. Until the set is stored, and not in it
    friend bool operator==(const LeftOut&, const LeftOut&) = default;
};

inline constexpr std::size_t kMaxSetText = std::size_t{512} << 20U; // of the stored file

// Bounds of a set; entries past them are left out by name, or the freeze is refused (entries, names, text).
struct FreezeLimits {
    std::size_t entries = 100'000;
    std::uint64_t fileBytes = std::uint64_t{8} << 30U; // one file's new content
    std::uint64_t setBytes = std::uint64_t{64} << 30U; // all new content together
    // All names and link texts together, as the set holds them: a report that names a folder's new name once may have it
    // stand in a hundred thousand.
    std::uint64_t nameBytes = std::uint64_t{64} << 20U;
    std::uint64_t setText = kMaxSetText; // what is written can be read again
    std::uint64_t diffBytes = 2U << 20U;               // a file up to this size is compared line by line
    std::uint64_t documentBytes = 64U << 20U; // the same of an office document or PDF, by its text (document_names.h)
    std::size_t movedEntries = 1'000'000; // in all folders that move up together: each is looked through for links
    // Names that the guest is never shown, by their path on the host; all beneath one is hidden with it. What stands there
    // is no guest's to move, change or delete, nor to learn of by what becomes of a guess. Empty: there are none.
    std::function<bool(const SharePath&)> hidden;
    // Is what stands at that path on the host a placeholder, of a file that a sync program keeps elsewhere? Then it stays,
    // and its bytes are nobody's. Empty: there are none.
    std::function<bool(const SharePath&, const NodeState&)> placeholder;
};

struct FrozenSet {
    std::string id;    // 64 hex digits: SHA-256 of toCanonical()
    std::string share; // the engine's own name of the share
    std::vector<FrozenEntry> entries;
    std::vector<LeftOut> leftOut;
    [[nodiscard]] const FrozenEntry* find(const SharePath& path) const;
};

[[nodiscard]] std::string toCanonical(const FrozenSet& set);
// Malformed unless the text is the canonical encoding of a set whose id is `id`.
[[nodiscard]] Result<FrozenSet> frozenSetFrom(std::string_view text, const std::string& id);

[[nodiscard]] std::string_view toString(Risk risk);
[[nodiscard]] std::string_view toString(ConflictKind kind);
[[nodiscard]] std::string_view toString(NodeKind kind);
[[nodiscard]] std::string_view toString(LeftOutWhy why);

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
// What the guest says it changed in one shared folder. A claim, nothing more: the host resolves every path
// again, copies the bytes, hashes them itself and compares with the folder as it is (design: review freezes).
// Encoded as JSON on the control channel (guest → clerk) and again between clerk and engine; decoding is strict
// and bounded. Thread: values, pure functions.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/share_path.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace carrel {

// The kinds of the public contract. `renamed` may come with other content: then `size` and `generation` are of
// the new content, which differs from the one at `from`.
enum class ChangeKind { Created, Modified, Deleted, Renamed, Mode, Link };
enum class EntryType { File, Directory, Symlink };

// Identifies one version of one file on the host as the guest saw it through the clerk. Opaque to the guest: it
// hands back what the clerk reported (statx(2) fields).
struct BaseVersion {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtimeNs = 0;
    std::int64_t ctimeNs = 0;
    friend bool operator==(const BaseVersion&, const BaseVersion&) = default;
};

// What an apply left at a path, where the host has made sure that it is still that: nothing, or this version. For
// changes.settle. Work that was done since is made against it; against anything else it is not, whatever the host has.
// A folder is told with size 0 and known by its inode: its size and times are those of what is in it.
struct Left {
    std::optional<BaseVersion> version;
    friend bool operator==(const Left&, const Left&) = default;
};
class JsonFields;
[[nodiscard]] boost::json::object toJson(const Left& left);
[[nodiscard]] std::optional<Left> takeLeft(JsonFields& fields, std::string_view key); // problems go to `fields`

struct ChangeEntry {
    SharePath path;
    ChangeKind kind = ChangeKind::Created;
    EntryType type = EntryType::File; // of the new state; for Deleted, of what was there
    std::optional<SharePath> from;    // Renamed: where it was
    std::uint64_t size = 0;           // new content, bytes; 0 for folders and deletions
    std::uint32_t mode = 0;           // permission bits 07777 of the new state
    std::int64_t mtimeNs = 0;         // of the new state, since 1970 UTC
    // Changes with every write to this entry's content or metadata in the guest. A copy of the content and a later
    // "settle" name it, so that work done in between is neither lost nor taken for reviewed.
    std::uint64_t generation = 0;
    bool contentChanged = false;        // false for a pure rename or mode change: no bytes to copy
    std::optional<BaseVersion> base;    // the host version it was made against; none where there was none
    std::optional<std::string> baseSha256; // lower-case hex, where the guest has read the whole base
    std::string linkTarget;             // Symlink: its text, any bytes but NUL, at most kMaxPathBytes
    friend bool operator==(const ChangeEntry&, const ChangeEntry&) = default;
};

// Bounds of one report page and of a whole report; beyond the latter the host refuses the report.
inline constexpr std::size_t kMaxChangesPerPage = 200;
inline constexpr std::size_t kMaxChanges = 1'000'000;

[[nodiscard]] std::string_view toString(ChangeKind kind);
[[nodiscard]] std::string_view toString(EntryType type);
[[nodiscard]] std::optional<ChangeKind> changeKindFrom(std::string_view text);
[[nodiscard]] std::optional<EntryType> entryTypeFrom(std::string_view text);

[[nodiscard]] boost::json::object toJson(const ChangeEntry& entry);
[[nodiscard]] Result<ChangeEntry> changeEntryFrom(const boost::json::object& object);

// "path" when the text is UTF-8, else "path_b64"; `key` is the plain field's name.
void putPath(boost::json::object& into, std::string_view key, std::string_view path);
// Reads either form; none where neither is there (or null); a problem is recorded where both are or it does not decode.
[[nodiscard]] std::optional<std::string> takeOptionalPath(JsonFields& fields, const boost::json::object& object,
                                                          std::string_view key);

} // namespace carrel

// SPDX-License-Identifier: Apache-2.0
// The system calls beneath freeze and apply: names in pinned folders, looked at and changed through
// descriptors, each change announced to the StepHook. Internal to app/files. Thread: blocking, no shared
// state. openat2(2), renameat2(2), fcntl(2) F_SETLEASE, xattr(7), acl(5).
#pragma once

#include "app/files/content_store.h"
#include "app/files/frozen_set.h"
#include "app/files/listed_names.h"
#include "app/files/step_hook.h"
#include "guest/protocol/file_time.h"
#include "guest/protocol/unique_fd.h"

#include <compare>
#include <map>
#include <span>
#include <string>
#include <sys/stat.h>

namespace carrel::files {

// A name in a folder that stays the same folder whatever happens to the path that led to it.
struct Place {
    UniqueFd parent; // readable, so that it can be flushed
    std::string name;
};

// Which folder it is, whatever it is called; a number alone is given to another one later. Not across file systems.
struct FolderId {
    std::uint64_t inode = 0;
    std::int64_t bornNs = 0; // 0: the file system does not tell
    friend auto operator<=>(const FolderId&, const FolderId&) = default;
};

// NotFound: the parent is not there. Conflict: a link or something else stands in the way; or another disk is mounted there,
// which is no part of the share (the guest is shown nothing of it, and whatever names it is made up); or the disk takes one of
// the names for that of another file (guest/protocol/disk_names.h): what is hidden must not be reached by it. `names`: for
// many, one after the other.
[[nodiscard]] Result<Place> pin(int root, const SharePath& path, ListedNames* names = nullptr);
// Conflict: another disk is mounted there.
[[nodiscard]] Result<UniqueFd> openFolder(const Place& place);

enum class LookAt { Names, Content, ContentAndXattrs };
// Absent is an answer, not an error. A file's bytes are hashed from one descriptor. Conflict: another disk is mounted there.
[[nodiscard]] Result<NodeState> observe(const Place& place, LookAt what);
// The same, with a sentence for a person when reading is not possible.
[[nodiscard]] Result<UniqueFd> openFile(const Place& place);
[[nodiscard]] Result<std::uint64_t> inodeOf(const Place& place); // 0 = nothing there
[[nodiscard]] bool isOurs(const Place& place);                   // belongs to this account
[[nodiscard]] bool mayGiveTo(std::uint32_t group);               // this account can give its own files to it, chown(2)

// Is what is there what was expected? Files: content and mode; links: text; folders: that it is one.
[[nodiscard]] bool matches(const NodeState& actual, const NodeState& expected);
// How it differs, for a person.
[[nodiscard]] std::string difference(const NodeState& actual, const NodeState& expected);

using Attributes = std::map<std::string, std::string>; // extended ones, by name
// Those that a user sets, tags and access lists; the others are the system's own doing.
[[nodiscard]] Attributes usersAttributes(const Attributes& all);
// `wanted`, with what was changed from `before` to `now` (set, set otherwise, removed) changed in it as well.
[[nodiscard]] Attributes withChanges(Attributes wanted, const Attributes& before, const Attributes& now);

// May a link at `link` with that text exist in the share? Relative, ".." only at its beginning, never above
// the root: so it stays inside whatever other links the guest makes. `root` < 0 skips the look at links that
// are there already.
[[nodiscard]] bool staysInside(int root, const SharePath& link, std::string_view target);

// Of the file it takes the place of, or those of the wanted state and what was changed of them since (withChanges()); with
// Exact its group, too, where nothing is there that it could be kept from.
enum class Xattrs { Keep, Exact };

class TreeWriter {
public:
    TreeWriter(ContentStore& store, StepHook* hook)
        : m_store(&store)
        , m_hook(hook) {}

    struct Staged {
        std::string name;
        std::uint64_t inode = 0;
        UniqueFd fd; // none: a link
        Attributes attributes; // the user's, as they are on it
        std::optional<std::uint32_t> otherMode = {}; // than the wanted one: this disk keeps no permissions
    };
    // Makes `name` beside the place: complete, with content, attributes, mode and time, but not flushed. `keepFrom`
    // (may be null): the file whose owner group, and with Keep whose extended attributes, go over.
    [[nodiscard]] Result<Staged> stage(const Place& place, const std::string& name, const NodeState& want,
                                       const Place* keepFrom, Xattrs xattrs);
    [[nodiscard]] Status flush(std::span<const Staged> staged);
    [[nodiscard]] Status moveNew(const Place& from, const std::string& fromName, const Place& to,
                                 const std::string& toName); // never replaces: AlreadyExists
    [[nodiscard]] Status exchange(const Place& a, const std::string& aName, const Place& b, const std::string& bName);
    [[nodiscard]] Status unlink(const Place& place, const std::string& name);
    [[nodiscard]] Status removeFolder(const Place& place, const std::string& name); // Conflict when not empty
    // Conflict when it is not that inode any more: another file's permissions are not ours to change.
    [[nodiscard]] Status setMode(const Place& place, std::uint64_t inode, std::uint32_t mode);
    [[nodiscard]] Status setFolderTime(int folder, std::int64_t mtimeNs, std::string_view path);
    [[nodiscard]] Status flush(const Place& place);

private:
    [[nodiscard]] Status fill(int fd, const std::string& name, const NodeState& want, const Place* keepFrom,
                              Xattrs xattrs);
    [[nodiscard]] Status ask(std::string_view step, std::string_view path, std::string_view doing);

    ContentStore* m_store;
    StepHook* m_hook;
};

// True when no other program has the file open for writing, as far as this file system can tell.
[[nodiscard]] bool nobodyWrites(int fd);

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
#include "app/files/freezer.h"

#include "app/files/applier.h"
#include "app/files/document_names.h"
#include "app/files/folder_links.h"
#include "app/files/folder_moves.h"
#include "app/files/folder_names.h"
#include "app/files/left.h"
#include "app/files/line_diff.h"
#include "app/files/risk.h"
#include "app/files/tree.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <variant>

namespace carrel::files {

namespace {

constexpr std::uint64_t kCountBudget = 2'000'000; // for line counts: a set has many files
constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kMaxFolderNames = 100'000;

using Frozen = std::variant<FrozenEntry, LeftOut>;

std::vector<std::string> namesIn(int root, const SharePath& folder) {
    std::vector<std::string> names;
    auto child = folder.child("x"); // pin() opens the parent of what it is given
    auto place = child ? pin(root, *child) : Result<Place>(fail(ErrorCode::NotFound, ""));
    if (!place) {
        return names;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(place->parent.release()), ::closedir);
    while (const dirent* item = dir ? ::readdir(dir.get()) : nullptr) {
        names.emplace_back(item->d_name);
        if (names.size() >= kMaxFolderNames) {
            break;
        }
    }
    return names;
}

class Freezer {
public:
    Freezer(int root, ContentSource& source, ContentStore& store, const FreezeLimits& limits,
            std::span<const ChangeEntry> claims, FolderMoves moves)
        : m_root(root)
        , m_source(source)
        , m_store(store)
        , m_limits(limits)
        , m_moves(std::move(moves))
        , m_linkBudget(limits.movedEntries)
        , m_names([root](const SharePath& folder) { return namesIn(root, folder); }) {
        for (const auto& claim : claims) {
            if (claim.kind == ChangeKind::Created && claim.type == EntryType::Directory) {
                m_newFolders.insert(claim.path);
            }
            if (claim.kind == ChangeKind::Renamed && claim.from) {
                SharePath from = m_moves.origin(*claim.from);
                if (!m_movedAway.insert(from).second) {
                    m_twice.insert(std::move(from));
                }
            }
        }
    }

    // An error ends the whole freeze.
    Result<Frozen> one(const ChangeEntry& claim);

private:
    void look(const ChangeEntry& claim, FrozenEntry& entry, Place& place);
    Result<std::optional<LeftOut>> want(const ChangeEntry& claim, FrozenEntry& entry);
    Result<std::optional<LeftOut>> fetch(const ChangeEntry& claim, FrozenEntry& entry);
    bool makesRoom(const SharePath& path) const;
    static bool alreadySo(const ChangeEntry& claim, const FrozenEntry& entry);
    void judgeConflict(const ChangeEntry& claim, FrozenEntry& entry, const Place& place);
    void judgeContent(FrozenEntry& entry, const Place& place);
    bool touchesHidden(const ChangeEntry& claim) const;

    int m_root;
    ContentSource& m_source;
    ContentStore& m_store;
    const FreezeLimits& m_limits;
    FolderMoves m_moves;
    std::set<SharePath> m_movedAway; // in the host's present names
    std::set<SharePath> m_newFolders; // as the report names them
    std::set<SharePath> m_twice;     // those that more than one rename claims
    std::size_t m_linkBudget;
    UniqueFd m_incoming; // see newIncoming()
    mutable ListedNames m_listed{ListedNames::Missing::IsMissing};
    std::uint64_t m_bytes = 0;
    FolderNames m_names;
};

void flag(FrozenEntry& entry, ConflictKind kind, std::string reason) {
    if (entry.conflict == ConflictKind::None) {
        entry.conflict = kind;
        entry.conflictReason = std::move(reason);
    }
}

bool isReserved(const SharePath& path) {
    const auto parts = path.components();
    return std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
        const std::string name = lowered(part); // on some disks another spelling opens the same file
        return name.starts_with(kTemporaryPrefix) || name.find(".carrel-kept-") != std::string::npos;
    });
}

// What of a claimed mode is taken over; see FrozenEntry::wanted.
std::uint32_t takeMode(const ChangeEntry& claim, const NodeState& base, bool newContent) {
    const bool folder = claim.type == EntryType::Directory;
    std::uint32_t mode = (claim.mode & 0777U) | (folder ? 0700U : 0400U);
    const bool sameKind = base.kind == (folder ? NodeKind::Directory : NodeKind::File);
    if (sameKind && !newContent) {
        mode |= base.mode & 07000U;
    }
    return mode;
}

LeftOut leaveOut(const ChangeEntry& claim, LeftOutWhy why, std::string reason) {
    return {claim.path, claim.generation, why, std::move(reason)};
}

std::string sentence(const Error& error) {
    return isUtf8(error.message) ? error.message : std::string(toString(error.code));
}

void Freezer::look(const ChangeEntry& claim, FrozenEntry& entry, Place& place) {
    const bool vacated = m_moves.vacated(claim.path);
    SharePath at =
        claim.kind == ChangeKind::Renamed ? m_moves.origin(*claim.from) : m_moves.before(claim.path);
    if (claim.kind == ChangeKind::Deleted && vacated) {
        entry.path = m_moves.after(claim.path); // told by its old name: it moves with its folder first
        at = claim.path;
    } else if (claim.kind != ChangeKind::Renamed && (vacated || m_movedAway.contains(at) || makesRoom(at))) {
        return; // what stands there now will have moved away: nothing is there then
    }
    const auto observeAt = [&](const SharePath& path, LookAt what) -> NodeState {
        auto pinned = pin(m_root, path, &m_listed);
        if (!pinned) {
            if (pinned.error().code != ErrorCode::NotFound) {
                flag(entry, ConflictKind::Changed, sentence(pinned.error()));
            }
            return {};
        }
        auto state = observe(*pinned, what);
        place = std::move(*pinned);
        if (!state) {
            flag(entry, ConflictKind::Unreadable, sentence(state.error()));
            auto names = observe(place, LookAt::Names);
            return names ? std::move(*names) : NodeState{};
        }
        if (m_limits.placeholder && m_limits.placeholder(path, *state)) {
            flag(entry, ConflictKind::Unreadable,
                 "it only stands for a file that a sync program keeps elsewhere, and a change here would be one of that file");
            state->content.reset();
        }
        return std::move(*state);
    };
    if (claim.kind == ChangeKind::Renamed) {
        // Through its parent: the own new name of a folder maps back to its old one, and what counts here is what stands
        // at the new name today.
        const auto target = m_moves.before(claim.path.parent()).child(claim.path.name());
        if (target && !m_movedAway.contains(*target) && !m_moves.vacated(*target) && !makesRoom(*target)) {
            entry.target = observeAt(*target, LookAt::Content);
        }
    }
    entry.base = observeAt(at, LookAt::Content);
}

// Above `path` stands what is no folder today and will be one: nothing is at the path then.
bool Freezer::makesRoom(const SharePath& path) const {
    for (SharePath above = path.parent(); !above.isRoot(); above = above.parent()) {
        auto place = m_newFolders.contains(above) ? pin(m_root, above, &m_listed) : Result<Place>(fail(ErrorCode::NotFound, ""));
        if (place) { // else one further up may be it
            auto there = observe(*place, LookAt::Names);
            return there && there->kind != NodeKind::Directory;
        }
    }
    return false;
}

Result<std::optional<LeftOut>> Freezer::fetch(const ChangeEntry& claim, FrozenEntry& entry) {
    if (claim.size > m_limits.fileBytes || m_bytes + claim.size > m_limits.setBytes) {
        return leaveOut(claim, LeftOutWhy::TooLarge, "it is too large for one review");
    }
    auto incoming = m_store.newIncoming(std::move(m_incoming));
    if (!incoming) {
        return leaveOut(claim, LeftOutWhy::Failed, sentence(incoming.error()));
    }
    Status fetched = m_source.fetch(claim, incoming->get(), claim.size);
    struct stat arrived {};
    if (::fstat(incoming->get(), &arrived) != 0) {
        return leaveOut(claim, LeftOutWhy::Failed, "what arrived of it cannot be looked at");
    }
    const auto size = static_cast<std::uint64_t>(arrived.st_size);
    m_bytes += size; // also if it is of no use: a guest could send too little of each
    if (fetched && size != claim.size) {
        return leaveOut(claim, LeftOutWhy::Moving, "it changed while it was copied");
    }
    auto stored = fetched ? m_store.adoptLater(incoming->get(), claim.size)
                          : Result<StoredContent>(fail(std::move(fetched).error()));
    if (!stored) {
        switch (stored.error().code) {
        case ErrorCode::Cancelled:
            return fail(std::move(stored).error());
        case ErrorCode::Conflict:
        case ErrorCode::LimitExceeded:
            return leaveOut(claim, LeftOutWhy::Moving, "it changed while it was copied");
        default:
            return leaveOut(claim, LeftOutWhy::Failed, sentence(stored.error()));
        }
    }
    if (stored->size != claim.size) {
        return leaveOut(claim, LeftOutWhy::Moving, "it changed while it was copied");
    }
    m_incoming = std::move(*incoming);
    entry.wanted.content = stored->sha256;
    entry.wanted.size = stored->size;
    return std::optional<LeftOut>();
}

Result<std::optional<LeftOut>> Freezer::want(const ChangeEntry& claim, FrozenEntry& entry) {
    if (claim.kind == ChangeKind::Deleted) {
        return std::optional<LeftOut>();
    }
    NodeState& wanted = entry.wanted;
    wanted.mtimeNs = claim.mtimeNs;
    if (claim.type == EntryType::Symlink) {
        wanted.kind = NodeKind::Symlink;
        wanted.linkTarget = claim.linkTarget;
        wanted.size = claim.linkTarget.size();
        entry.contentChanged =
            entry.base.kind != NodeKind::Symlink || entry.base.linkTarget != claim.linkTarget;
        return std::optional<LeftOut>();
    }
    if (claim.type == EntryType::Directory) {
        wanted.kind = NodeKind::Directory;
        wanted.mode = takeMode(claim, entry.base, false);
        return std::optional<LeftOut>();
    }
    wanted.kind = NodeKind::File;
    entry.contentChanged = claim.contentChanged || claim.kind == ChangeKind::Created;
    wanted.mode = takeMode(claim, entry.base, entry.contentChanged);
    if (entry.contentChanged) {
        return fetch(claim, entry);
    }
    wanted.mtimeNs = entry.base.mtimeNs; // the bytes stay, and so does their time
    wanted.content = entry.base.content;
    wanted.size = entry.base.size;
    return std::optional<LeftOut>();
}

// What a rename moved stands at its new name already: the same one, as far as a rename leaves that to be seen (the ctime
// it does not), or one of the same bytes.
bool isMoved(const ChangeEntry& claim, const NodeState& target) {
    if (target.mode != takeMode(claim, target, false)) {
        return false;
    }
    if (claim.type == EntryType::Directory) {
        return target.kind == NodeKind::Directory && claim.base && target.inode == claim.base->inode;
    }
    const bool sameOne = claim.base && target.inode == claim.base->inode && target.size == claim.base->size &&
                         target.mtimeNs == claim.base->mtimeNs;
    const bool sameBytes = claim.baseSha256 && target.content && target.content->hex() == *claim.baseSha256;
    return target.kind == NodeKind::File && (sameOne || sameBytes);
}

bool Freezer::alreadySo(const ChangeEntry& claim, const FrozenEntry& entry) {
    if (entry.kind == ChangeKind::Renamed) {
        return entry.base.kind == NodeKind::Absent && entry.target.kind != NodeKind::Absent &&
               (entry.contentChanged ? matches(entry.target, entry.wanted) : isMoved(claim, entry.target));
    }
    if (entry.wanted.kind == NodeKind::Directory && entry.base.kind == NodeKind::Directory) {
        return entry.kind == ChangeKind::Created || entry.base.mode == entry.wanted.mode;
    }
    return matches(entry.base, entry.wanted);
}

void Freezer::judgeConflict(const ChangeEntry& claim, FrozenEntry& entry, const Place& place) {
    const NodeState& base = entry.base;
    if (isReserved(entry.path) || (entry.from && isReserved(*entry.from))) {
        flag(entry, ConflictKind::Refused, "names of that form are Carrel's own");
    }
    if (entry.from && (entry.from->contains(entry.path) || (claim.kind != ChangeKind::Renamed))) {
        flag(entry, ConflictKind::Refused, "it cannot be moved into itself");
    }
    // Without bytes of its own it is what stands there, so it must be of that kind: a folder that is moved "as a file" would
    // get a file's permissions.
    const bool keepsWhatIsThere = claim.kind == ChangeKind::Renamed ||
                                  (claim.type == EntryType::File && claim.kind != ChangeKind::Deleted && !entry.contentChanged);
    if (keepsWhatIsThere && base.kind != NodeKind::Absent && base.kind != entry.wanted.kind) {
        flag(entry, ConflictKind::Refused, "it is reported as another kind of thing than it is");
    }
    if (claim.kind == ChangeKind::Link && claim.type != EntryType::Symlink) {
        flag(entry, ConflictKind::Refused, "it is reported as a link, but is none");
    }
    if (base.kind == NodeKind::Other || entry.target.kind == NodeKind::Other) {
        flag(entry, ConflictKind::Foreign, "a special file stands there; Carrel leaves those alone");
    }
    if (entry.wanted.kind == NodeKind::Symlink && !staysInside(m_root, entry.path, entry.wanted.linkTarget)) {
        flag(entry, ConflictKind::LinkOutside, "the link leads out of the shared folder");
    }
    if (base.kind == NodeKind::Absent) {
        const bool needsBase = claim.base.has_value() || claim.kind == ChangeKind::Renamed ||
                               claim.kind == ChangeKind::Mode ||
                               (!entry.contentChanged && claim.type == EntryType::File);
        const bool willMove = m_movedAway.contains(m_moves.before(claim.path)) || m_moves.vacated(claim.path);
        if (needsBase && !(willMove && entry.contentChanged)) {
            flag(entry, ConflictKind::Gone, "what it changes is no longer in the folder");
        }
        return;
    }
    if (!isOurs(place)) {
        flag(entry, ConflictKind::Foreign, "it belongs to another account on this computer");
    }
    if (base.kind == NodeKind::File && base.links > 1) {
        flag(entry, ConflictKind::HardLinked,
             "the file has several names (hard links), and changing one would part them");
    }
    if (entry.target.kind != NodeKind::Absent) {
        flag(entry, ConflictKind::Appeared, "something of the new name is there already");
    }
    if (base.kind == NodeKind::Directory) {
        if (claim.kind == ChangeKind::Renamed) {
            const auto why = whyLinksForbid(m_root, m_moves.origin(*claim.from), entry.path, m_linkBudget);
            if (!why || !why->empty()) {
                flag(entry, ConflictKind::LinkOutside, why ? *why : sentence(why.error()));
            }
        }
        if (!claim.base && claim.type != EntryType::Directory && claim.kind != ChangeKind::Deleted) {
            flag(entry, ConflictKind::Appeared, "a folder of that name is there already");
        }
        return; // a folder's version does not matter: removing one needs it empty, anything else keeps it
    }
    if (!claim.base) {
        flag(entry, ConflictKind::Appeared, "something of that name is there already");
        return;
    }
    const BaseVersion now{base.inode, base.size, base.mtimeNs, base.ctimeNs};
    const bool sameBytes = base.content && claim.baseSha256 && base.content->hex() == *claim.baseSha256;
    if (*claim.base != now && !sameBytes) {
        flag(entry, ConflictKind::Changed, "the file in the folder changed after the agent took its copy");
    }
}

void Freezer::judgeContent(FrozenEntry& entry, const Place& place) {
    std::string after;
    bool seen = true;
    bool afterText = entry.wanted.kind != NodeKind::File;
    if (entry.wanted.kind == NodeKind::File && entry.contentChanged &&
        entry.wanted.size <= m_limits.diffBytes) {
        if (auto content = m_store.read(*entry.wanted.content, m_limits.diffBytes)) {
            after = std::move(*content);
            afterText = looksLikeText(after);
        } else {
            seen = false;
        }
    } else if (entry.wanted.kind == NodeKind::File && entry.contentChanged) {
        if (auto object = m_store.openVerified(*entry.wanted.content)) {
            after.resize(kHeadBytes);
            const ssize_t got = ::pread(object->get(), after.data(), after.size(), 0);
            after.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
            seen = got >= 0;
        } else {
            seen = false;
        }
    }
    const RiskVerdict verdict = judgeRisk(entry, after);
    entry.risk = seen ? verdict.risk : Risk::High;
    entry.riskReason = seen ? verdict.reason : "its content could not be looked at";
    const bool newName = entry.kind == ChangeKind::Renamed || entry.base.kind == NodeKind::Absent;
    if (newName && entry.wanted.kind != NodeKind::Absent && m_names.addAndFindTwin(entry.path) &&
        entry.risk == Risk::Normal) {
        entry.risk = Risk::High;
        entry.riskReason = "its name differs from another one here in upper and lower case only";
    }
    const bool contentGoes = entry.contentChanged || entry.wanted.kind == NodeKind::Absent;
    const bool replacesByRename = entry.target.kind != NodeKind::Absent;
    std::string before;
    bool beforeText = entry.base.kind != NodeKind::File;
    if (entry.base.kind == NodeKind::File && entry.base.content && (contentGoes || replacesByRename)) {
        auto fd = openFile(place);
        const bool small = entry.base.size <= m_limits.diffBytes;
        const bool document = entry.base.size <= m_limits.documentBytes && documentKindOf((entry.from ? *entry.from : entry.path).text());
        auto kept = fd && (small || document || replacesByRename) ? m_store.adoptLater(fd->get(), m_limits.fileBytes)
                                                      : Result<StoredContent>(fail(ErrorCode::NotFound, ""));
        // Changed since it was hashed a moment ago: then there is no copy of it, and apply will find the
        // conflict.
        entry.baseKept = kept && kept->sha256 == *entry.base.content;
        if (entry.baseKept && small) {
            if (auto content = m_store.read(*entry.base.content, m_limits.diffBytes)) {
                before = std::move(*content);
                beforeText = looksLikeText(before);
            }
        }
    }
    const bool anyFile = entry.base.kind == NodeKind::File || entry.wanted.kind == NodeKind::File;
    entry.text = anyFile && contentGoes && afterText && beforeText;
    if (entry.text) {
        const LineDiff diff = diffLines(before, after, kCountBudget);
        entry.counted = !diff.shortened;
        entry.linesAdded = diff.added();
        entry.linesRemoved = diff.removed();
    }
}

// The outermost name on the way that is hidden: it hides all beneath it. `path` is hidden.
SharePath outermostHidden(const SharePath& path, const std::function<bool(const SharePath&)>& hidden) {
    std::vector<SharePath> up;
    for (SharePath at = path; !at.isRoot(); at = at.parent()) {
        up.push_back(at);
    }
    return *std::prev(std::partition_point(up.begin(), up.end(), hidden));
}

// A guest that keeps to what it was shown never claims this: what it makes of such a name is new, and stands nowhere on
// the host, nor does the folder that hides it. One that claims it wants a key moved to where it can read it, a key of its
// own put beside the user's, or to have a guess at one confirmed.
bool Freezer::touchesHidden(const ChangeEntry& claim) const {
    if (!m_limits.hidden) {
        return false;
    }
    const auto isHidden = [&](const SharePath& path) {
        return m_limits.hidden(path) || m_limits.hidden(m_moves.before(path));
    };
    const bool isOfThere = claim.kind == ChangeKind::Deleted || claim.kind == ChangeKind::Modified ||
                           claim.kind == ChangeKind::Mode;
    if ((isOfThere && isHidden(claim.path)) || (claim.from && isHidden(*claim.from))) {
        return true; // whether it stands there or not: that is an answer too
    }
    // The last one is where a renamed folder goes: its own new name maps back to its old one.
    std::vector<SharePath> places{claim.path, m_moves.before(claim.path)};
    if (auto inParent = m_moves.before(claim.path.parent()).child(claim.path.name())) {
        places.push_back(std::move(*inParent));
    }
    return std::any_of(places.begin(), places.end(), [&](const SharePath& path) {
        if (!m_limits.hidden(path)) {
            return false;
        }
        auto place = pin(m_root, outermostHidden(path, m_limits.hidden), &m_listed);
        if (!place) {
            return place.error().code != ErrorCode::NotFound;
        }
        auto there = observe(*place, LookAt::Names);
        return !there || there->kind != NodeKind::Absent;
    });
}

Result<Frozen> Freezer::one(const ChangeEntry& claim) {
    FrozenEntry entry;
    entry.path = claim.path;
    entry.kind = claim.kind;
    entry.type = claim.type;
    entry.generation = claim.generation;
    if (claim.from) {
        entry.from = m_moves.origin(*claim.from);
        if (claim.type != EntryType::Directory) {
            entry.from = m_moves.after(*entry.from);
        }
    }
    Place place;
    const bool hidden = touchesHidden(claim);
    const bool claimedTwice = claim.from && m_twice.contains(m_moves.origin(*claim.from));
    if (hidden) {
        flag(entry, ConflictKind::Refused, "names like that are hidden from the agent, so what is there stays as it is");
    } else if (claimedTwice) {
        // Not looked at: a report could have one large file hashed a hundred thousand times.
        flag(entry, ConflictKind::Refused, "the agent's machine says that one thing went to several places");
    } else {
        look(claim, entry, place);
    }
    auto left = want(claim, entry);
    if (!left) {
        return fail(std::move(left).error());
    }
    if (*left) {
        return Frozen(std::move(**left));
    }
    if (entry.base.kind == NodeKind::File && entry.contentChanged && entry.wanted.kind == NodeKind::File &&
        entry.wanted.content == entry.base.content) {
        entry.contentChanged = false; // written again with the same bytes
        entry.wanted.mtimeNs = entry.base.mtimeNs;
        entry.wanted.mode = takeMode(claim, entry.base, false);
    }
    const bool looked = !hidden && !claimedTwice;
    // Not where nothing could be seen: that is no proof that it is gone.
    if (looked && entry.conflict == ConflictKind::None && alreadySo(claim, entry)) {
        auto out = leaveOut(claim, LeftOutWhy::AlreadySo, "the folder is like that already");
        out.left = leftOf(entry.kind == ChangeKind::Renamed ? entry.target : entry.base);
        return Frozen(std::move(out));
    }
    if (looked) {
        judgeConflict(claim, entry, place);
    }
    judgeContent(entry, place);
    return Frozen(std::move(entry));
}

// As the set will hold them, and the freezer before it.
bool namesFit(std::span<const ChangeEntry> claims, const FolderMoves& moves, std::uint64_t most) {
    std::uint64_t bytes = 0;
    for (const auto& claim : claims) {
        bytes += std::max(claim.path.text().size(), moves.after(claim.path).text().size()) + claim.linkTarget.size();
        if (claim.from) {
            const SharePath from = moves.origin(*claim.from);
            bytes += std::max(from.text().size(), moves.after(from).text().size());
        }
        if (bytes > most) {
            return false;
        }
    }
    return true;
}

class ForgetUnflushed {
public:
    explicit ForgetUnflushed(ContentStore& store)
        : m_store(store) {}
    ForgetUnflushed(const ForgetUnflushed&) = delete;
    ForgetUnflushed& operator=(const ForgetUnflushed&) = delete;
    ~ForgetUnflushed() { m_store.forgetUnflushed(); }

private:
    ContentStore& m_store;
};

} // namespace

Result<FrozenSet> freeze(int root, const std::string& share, std::span<const ChangeEntry> claims,
                         ContentSource& source, ContentStore& store, const FreezeLimits& limits,
                         const Progress& progress) {
    if (claims.size() > limits.entries) {
        return fail(
            ErrorCode::LimitExceeded,
            "the agent reports more than " + std::to_string(limits.entries) +
                " changes, too many for one review",
            "Discard what is not needed, for example build results, or keep them out of the shared folder");
    }
    std::vector<const ChangeEntry*> ordered;
    for (const auto& claim : claims) {
        if (claim.path.isRoot() || (claim.kind == ChangeKind::Renamed) != claim.from.has_value()) {
            return fail(ErrorCode::Malformed, "the agent's machine reported a change that makes no sense");
        }
        ordered.push_back(&claim);
    }
    std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) { return a->path < b->path; });
    for (std::size_t i = 1; i < ordered.size(); ++i) {
        if (ordered[i - 1]->path == ordered[i]->path) {
            return fail(ErrorCode::Malformed, "the agent's machine reported one path twice");
        }
    }
    const ForgetUnflushed afterwards(store); // a freeze that ends early leaves nothing half done to the next one
    FolderMoves moves(claims, limits.nameBytes);
    if (moves.isCutShort() || !namesFit(claims, moves, limits.nameBytes)) {
        return fail(ErrorCode::LimitExceeded, "the names of what the agent reports are too long together for one review",
                    "Have the agent give the folders that it renamed shorter names");
    }
    Freezer freezer(root, source, store, limits, claims, std::move(moves));
    FrozenSet set;
    set.share = share;
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        if (progress && !progress(i, ordered.size(), ordered[i]->path)) {
            return fail(ErrorCode::Cancelled, "opening the review was cancelled");
        }
        auto frozen = freezer.one(*ordered[i]);
        if (!frozen) {
            return fail(std::move(frozen).error());
        }
        if (auto* entry = std::get_if<FrozenEntry>(&*frozen)) {
            set.entries.push_back(std::move(*entry));
        } else {
            set.leftOut.push_back(std::get<LeftOut>(std::move(*frozen)));
        }
    }
    CARREL_TRY(store.flush());
    // Paths told by their old names have got new ones.
    std::sort(set.entries.begin(), set.entries.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    if (std::adjacent_find(set.entries.begin(), set.entries.end(),
                           [](const auto& a, const auto& b) { return a.path == b.path; }) != set.entries.end()) {
        return fail(ErrorCode::Malformed, "the agent's machine reported one path twice, by its old name and its new one");
    }
    const std::string text = toCanonical(set);
    if (text.size() > limits.setText) {
        return fail(ErrorCode::LimitExceeded, "the agent reports more than one review can hold",
                    "Discard what is not needed, or keep it out of the shared folder");
    }
    set.id = Sha256::of(text).hex();
    return set;
}

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
// Which folders an agent sees.
#include "app/agents/agent.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace carrel::agents {

namespace fs = std::filesystem;
namespace json = boost::json;
using activity::EventKind;

namespace {

struct Folder {
    std::uint64_t device = 0, inode = 0;
    std::int64_t bornNs = 0; // 0: the file system does not tell
};

Result<Folder> folderAt(int fd) {
    struct stat what {};
    struct statx more {};
    if (::fstat(fd, &what) != 0 || ::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) != 0) {
        return failErrno("looking at the folder");
    }
    Folder folder{what.st_dev, what.st_ino, 0};
    if ((more.stx_mask & STATX_BTIME) != 0) {
        folder.bornNs = std::max<std::int64_t>(more.stx_btime.tv_sec * 1'000'000'000 + more.stx_btime.tv_nsec, 0);
    }
    return folder;
}

// The number of the device is another one after a reboot, or when it is plugged in again: on btrfs, NFS and USB; and another
// disk that is plugged in has the number of the one before it, and the same inode of its top folder, as all of one kind have.
// That one was not made in the same nanosecond. What has all three alike is a copy of the whole disk, which the user mounted there. No
// guest comes near any of it: it can set no folder's time of birth, and mounts nothing.
bool isFolderOf(const ShareRecord& share, const Folder& now) {
    const bool told = share.bornNs != 0 && now.bornNs != 0; // else the number of the device is all there is
    return share.inode == now.inode && (told ? share.bornNs == now.bornNs : share.device == now.device);
}

} // namespace

Result<UniqueFd> Agent::openShareRoot(const ShareRecord& share) const {
    UniqueFd root(::open(share.dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    const auto now = root ? folderAt(root.get()) : Result<Folder>(failErrno("opening it"));
    if (!now) {
        return fail(now.error().wrap("The shared folder " + share.name + " cannot be opened",
                                     "Bring the folder back, or end the share with: carrel share remove"));
    }
    if (!isFolderOf(share, *now)) {
        // Whoever swaps the folder must not swap what the agent may see.
        return fail(ErrorCode::Refused, "another folder stands where the shared folder " + share.name + " was",
                    "If it is the right one, remove the share and add it again");
    }
    return root;
}

// Of shares that an earlier version wrote down.
void Agent::learnBirths() {
    auto with = record();
    bool news = false;
    for (auto& share : with.shares) {
        const auto root = share.bornNs == 0 ? openShareRoot(share) : fail(ErrorCode::NotFound, "");
        if (const auto now = root ? folderAt(root->get()) : fail(ErrorCode::NotFound, ""); now && now->bornNs != 0) {
            share.bornNs = now->bornNs;
            news = true;
        }
    }
    if (news) {
        (void)saveRecord(with).has_value(); // else the next start learns it
    }
}

// The share of today in whose folder an apply was made: the one of that id, or else the one that knows the folder again.
Result<const ShareRecord*> Agent::shareOf(const AgentRecord& of, std::uint32_t id, const std::string& apply) const {
    const auto same = std::find_if(of.shares.begin(), of.shares.end(), [&](const ShareRecord& s) { return s.id == id; });
    if (same != of.shares.end()) {
        return &*same;
    }
    bool cannotTell = false;
    for (const auto& share : of.shares) {
        const auto root = openShareRoot(share);
        const auto made = root ? m_review->madeIn(root->get(), apply) : Result<files::MadeIn>(files::MadeIn::No);
        if (made && *made == files::MadeIn::Yes) {
            return &share;
        }
        cannotTell = cannotTell || (made && *made == files::MadeIn::CannotTell);
    }
    if (cannotTell) {
        return fail(ErrorCode::Refused,
                    "the folder of that apply was removed and perhaps shared again, and its drive does not say when a folder "
                    "was made, so it cannot be known whether it is the same one",
                    "Take it back by hand");
    }
    return fail(ErrorCode::NotFound, "the folder of that apply is no longer shared",
                "Share the folder again before undoing");
}

// What the guest needs to know of it: who decides on a change is none of its business, and a share that was revoked takes
// no more work.
static std::string_view servedMode(const ShareRecord& share) {
    return share.revoked || share.mode == ShareMode::ReadOnly ? toString(ShareMode::ReadOnly) : toString(ShareMode::Review);
}

// Stands for a revoked folder: the guest keeps its layer over it, so that what is staged can be listed and copied, and the
// clerk that serves it cannot even open anything of the user's.
Result<UniqueFd> Agent::emptyFolder() const {
    const auto folder = file("empty");
    if (::mkdir(folder.c_str(), 0500) != 0 && errno != EEXIST) {
        return failErrno("making the folder " + folder.string());
    }
    UniqueFd root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!root) {
        return failErrno("opening the folder " + folder.string());
    }
    return root;
}

std::vector<ServedShare> Agent::openShares(std::vector<std::string>& missing) {
    std::vector<ServedShare> served;
    const auto [cut, closed] = [this] {
        const std::lock_guard lock(m_mutex);
        return std::pair(m_cut, m_closed);
    }();
    for (auto& share : record().shares) {
        share.revoked = share.revoked || cut.contains(share.id);
        share.mode = share.id == closed ? ShareMode::ReadOnly : share.mode;
        auto root = share.revoked ? emptyFolder() : openShareRoot(share);
        if (!root) {
            missing.push_back(share.name + ": " + root.error().text());
            continue;
        }
        served.push_back({share.id, share.name, std::string(servedMode(share)), std::move(*root),
                          (share.revoked ? "revoked-" : "nodes-") + std::to_string(share.id),
                          share.revoked ? ServedShare::Shows::Nothing : ServedShare::Shows::Folder});
    }
    return served;
}

Result<ShareRecord> Agent::newShare(const NewShare& wanted) const {
    std::error_code error;
    const fs::path dir = fs::canonical(wanted.dir, error);
    if (error || !fs::is_directory(dir)) {
        return fail(ErrorCode::NotFound, "there is no folder " + wanted.dir, "Check the path");
    }
    if (!wanted.ofCarrel) {
        CARREL_TRY(m_services.mayShare(dir));
    }
    const UniqueFd opened(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    const auto what = opened ? folderAt(opened.get()) : Result<Folder>(failErrno("opening " + dir.string()));
    if (!what || ::access(dir.c_str(), R_OK | X_OK) != 0) {
        const auto why = what ? errnoError("looking into " + dir.string()) : what.error();
        return fail(why.wrap("The folder cannot be read", "Check its permissions"));
    }
    if (wanted.mode != ShareMode::ReadOnly && ::access(dir.c_str(), W_OK) != 0) {
        return fail(ErrorCode::Refused, "the folder " + dir.string() + " cannot be written by you, so nothing could be applied",
                    "Share it read-only: " + dir.string() + ":read-only");
    }
    const auto with = record();
    if (with.shares.size() >= clerk::kMaxSharesPerAgent) {
        return fail(ErrorCode::LimitExceeded, "an agent can have at most 64 folders");
    }
    for (const auto& share : with.shares) {
        if (isFolderOf(share, *what)) {
            return fail(ErrorCode::AlreadyExists, "that folder is shared already, as " + share.name);
        }
        // Two layers over the same file would know nothing of each other.
        const auto inside = [](const fs::path& outer, const fs::path& inner) {
            const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
            return end == outer.end();
        };
        if (inside(share.dir, dir) || inside(dir, share.dir)) {
            return fail(ErrorCode::Refused, "the folder lies inside of, or around, the shared folder " + share.name,
                        "Share only the outer one");
        }
    }
    ShareRecord share;
    share.id = with.nextShareId;
    share.name = chooseShareName(with.shares, dir);
    share.dir = dir.string();
    share.device = what->device;
    share.inode = what->inode;
    share.bornNs = what->bornNs;
    share.mode = wanted.mode;
    return share;
}

Result<std::string> Agent::mayAddShare(const NewShare& wanted) {
    const std::lock_guard operation(m_operation);
    CARREL_TRY(refusePaused());
    auto share = newShare(wanted);
    return share ? Result<std::string>(std::move(share->dir)) : fail(std::move(share).error());
}

Result<json::object> Agent::addShare(const NewShare& wanted, std::uint64_t approval) {
    const std::lock_guard operation(m_operation);
    CARREL_TRY(refusePaused()); // its machine would lack the folder for as long as that lasts
    const auto made = newShare(wanted);
    if (!made) {
        return fail(made.error());
    }
    const auto& share = *made;
    auto with = record();
    with.nextShareId = share.id + 1;
    json::object detail{{"mode", toString(share.mode)}, {"id", share.id}};
    if (isUtf8(share.dir)) {
        detail["dir"] = share.dir;
    } else {
        detail["dir_b64"] = toBase64(share.dir);
    }
    if (approval != 0) {
        detail["approval"] = approval; // givenBy()
    }
    CARREL_TRY(note(EventKind::ShareAdded, share.name, std::move(detail)));
    with.shares.push_back(share);
    CARREL_TRY(saveRecord(with));
    if (const UniqueFd chosen(::open(share.dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)); chosen) {
        auto look = lookThrough(chosen.get());
        const std::lock_guard lock(m_mutex);
        m_looks[share.id] = std::move(look);
    }
    if (auto given = renewClerk(); !given) {
        return fail(given.error().wrap("The folder is shared, as " + share.name + ", but the agent's machine does not have it yet",
                                       "It comes when the machine answers again, or is started anew"));
    }
    return describeShares(Tell::Chosen).back().as_object();
}

Result<ShareRecord> Agent::findShare(const std::string& name) const {
    const auto known = record();
    const auto found =
        std::find_if(known.shares.begin(), known.shares.end(), [&](const ShareRecord& s) { return s.name == name; });
    if (found == known.shares.end()) {
        return fail(ErrorCode::NotFound, "the agent has no shared folder " + name, "See: carrel share list " + known.name);
    }
    return *found;
}

Result<json::object> Agent::changeShare(const ShareRecord& to) {
    auto with = record();
    const auto at =
        std::find_if(with.shares.begin(), with.shares.end(), [&](const ShareRecord& s) { return s.id == to.id; });
    if (at == with.shares.end()) {
        return fail(ErrorCode::NotFound, "the folder " + to.name + " is shared no more");
    }
    at->mode = to.mode;
    const auto index = static_cast<std::size_t>(at - with.shares.begin());
    CARREL_TRY(saveRecord(with));
    return describeShares().at(index).as_object();
}

Result<json::object> Agent::setShareMode(const std::string& name, ShareMode mode) {
    const std::lock_guard operation(m_operation);
    auto share = findShare(name);
    if (!share) {
        return fail(std::move(share).error());
    }
    if (share->revoked) {
        return fail(ErrorCode::Refused, "the agent's access to " + name + " was revoked",
                    "Remove the share, and share the folder again");
    }
    if ((mode == ShareMode::ReadOnly) != (share->mode == ShareMode::ReadOnly)) {
        CARREL_TRY(refusePaused()); // its machine has to go by it
    }
    if (mode == ShareMode::ReadOnly) {
        CARREL_TRY(closeForWork(*share));
    } else if (::access(share->dir.c_str(), W_OK) != 0) {
        return fail(ErrorCode::Refused, "the folder " + share->dir + " cannot be written by you, so nothing could be applied");
    }
    const auto before = servedMode(*share);
    const auto noted = note(EventKind::ShareChanged, name,
                            {{"id", share->id}, {"mode", toString(mode)}, {"was", toString(share->mode)}, {"by", "owner"}});
    share->mode = mode;
    auto changed = noted ? changeShare(*share) : fail(noted.error());
    const bool servedSo = m_closed == share->id; // by this thread, as its turn lasts
    if (!changed) {
        reopen();
        return changed;
    }
    {
        const std::lock_guard lock(m_mutex);
        m_closed.reset();
    }
    if (servedMode(*share) != before && !servedSo) {
        if (auto told = renewClerk(); !told) {
            return fail(told.error().wrap("The mode of " + name + " is written down, but the agent's machine does not go by it yet",
                                          "It does when it answers again, or is started anew"));
        }
    }
    return changed;
}

// First of all the agent's access ends: before whatever else goes on, which the guest may draw out, comes to its end. A disk
// that is full, perhaps by the agent's doing, is no reason to leave it.
Result<json::object> Agent::revokeShare(const std::string& name) {
    std::optional<std::uint32_t> cutAlready;
    if (const auto served = findShare(name); served && !served->revoked) {
        cutAlready = served->id;
        cut(served->id);
    }
    auto revoked = [&] {
        const Turn turn(*this, Turn::Manner::Insisting);
        return revokeInTurn(name, cutAlready);
    }();
    if (revoked) {
        letGuestNotice();
    }
    return revoked;
}

Result<json::object> Agent::revokeInTurn(const std::string& name, std::optional<std::uint32_t> cutAlready) {
    auto share = findShare(name);
    if (!share) {
        return fail(std::move(share).error());
    }
    const bool owed = [&] {
        const std::lock_guard lock(m_mutex);
        return m_owesRecord;
    }();
    if (share->revoked && !owed && cutAlready != share->id) { // by a start, on this verb's behalf (recordCuts)
        return fail(ErrorCode::AlreadyExists, "the agent's access to " + name + " is revoked already");
    }
    if (!share->revoked) {
        (void)noteOwing(EventKind::ShareChanged, name, {{"id", share->id}, {"revoked", true}, {"by", "owner"}});
    }
    auto without = record();
    for (auto& each : without.shares) {
        each.revoked = each.revoked || each.id == share->id;
    }
    const auto saved = saveRecordOwing(without);
    if (cutAlready != share->id) {
        cut(share->id);
    }
    cutInFull();
    if (!saved) {
        return fail(saved.error().wrap("The agent's access to " + name + " is cut off, but that could not be written down, so it "
                                       "would come back when Carrel starts anew",
                                       "Make room on the disk, then revoke it again"));
    }
    const auto at = std::find_if(without.shares.begin(), without.shares.end(),
                                 [&](const ShareRecord& each) { return each.id == share->id; });
    return describeShares().at(static_cast<std::size_t>(at - without.shares.begin())).as_object();
}

// By the clerks that serve it, or are about to; then comes a clerk that could not even open the folder. Where there is no
// door yet, its first clerk has an empty folder.
void Agent::cut(std::uint32_t share) {
    std::shared_ptr<Door> at;
    {
        const std::lock_guard lock(m_mutex);
        m_cut.insert(share);
        m_cutSince = true;
        at = m_door;
    }
    if (at) {
        at->revoke(share, m_services.patience.stopping);
    }
}

// A start holds the turn, and its guest may draw it out as long as it likes: what was taken from it meanwhile is written down
// here, so that it is also gone for whoever comes after a crash.
void Agent::recordCuts() {
    std::set<std::uint32_t> gone;
    {
        const std::lock_guard lock(m_mutex);
        gone = m_cut;
    }
    auto without = record();
    bool any = false;
    for (auto& each : without.shares) {
        if (gone.contains(each.id) && !each.revoked) {
            (void)noteOwing(EventKind::ShareChanged, each.name, {{"id", each.id}, {"revoked", true}, {"by", "owner"}});
            each.revoked = any = true;
        }
    }
    if (any) {
        (void)saveRecordOwing(without).has_value(); // the verb says so
    }
}

// Whoever could open it is gone when this returns. That nobody could be put in its place is no failure of what takes
// something away; the supervisor goes on trying.
void Agent::cutInFull() {
    if (auto replaced = replaceClerk(); !replaced) {
        m_services.complain(name() + ": " + replaced.error().text());
    }
}

// It has lost something, and is given a moment to see that. Nothing depends on it, and nobody's turn waits for it.
void Agent::letGuestNotice() {
    if (auto at = readyDoor()) {
        (void)(*at)->awaitHello({}, m_services.patience.stopping).has_value();
    }
}

Status Agent::removeShare(const std::string& name, Staged staged) {
    const auto removed = [&] {
        const std::lock_guard operation(m_operation);
        return removeShareInTurn(name, staged);
    }();
    if (removed) {
        letGuestNotice();
    }
    return removed;
}

Status Agent::removeShareInTurn(const std::string& name, Staged staged) {
    const auto found = findShare(name);
    if (!found) {
        return fail(found.error());
    }
    const std::uint32_t id = found->id;
    if (staged == Staged::Refuse) {
        CARREL_TRY(refusePaused()); // nobody can count what is staged there
        CARREL_TRY(closeForWork(*found));
    }
    auto decided = note(EventKind::ShareRemoved, name, {{"id", id}, {"discarded", staged == Staged::Discard}});
    auto without = record();
    std::erase_if(without.shares, [id](const ShareRecord& s) { return s.id == id; });
    if (decided) {
        decided = saveRecord(without);
    }
    if (!decided) {
        reopen();
        return decided;
    }
    cut(id);
    {
        const std::lock_guard lock(m_mutex);
        m_closed.reset();
    }
    if (auto forgotten = m_own->forget(id); !forgotten) { // an id is never used again
        m_services.complain(this->name() + ": " + forgotten.error().text());
    }
    cutInFull();
    return {};
}

Status Agent::closeForWork(const ShareRecord& share) {
    CARREL_TRY(refuseStaged(share.id, Staged::Refuse)); // most often it ends here, and no program's file was closed for it
    if (!readyDoor() || servedMode(share) == toString(ShareMode::ReadOnly)) {
        return {};
    }
    {
        const std::lock_guard lock(m_mutex);
        m_closed = share.id;
    }
    auto closed = replaceClerk();
    if (closed) {
        closed = refuseStaged(share.id, Staged::Refuse);
    }
    if (!closed) {
        reopen();
    }
    return closed;
}

void Agent::reopen() {
    {
        const std::lock_guard lock(m_mutex);
        if (!std::exchange(m_closed, std::nullopt)) {
            return;
        }
    }
    if (auto reopened = renewClerk(); !reopened) {
        m_services.complain(name() + ": " + reopened.error().text());
    }
}

// By one that serves what is shared now, also at a machine that does not answer and may do so later.
Status Agent::replaceClerk() {
    return runs() ? putClerk() : Status{};
}

// And the guest has what is shared now, or is told by the new clerk while who insists has its turn.
Status Agent::renewClerk() {
    CARREL_TRY(replaceClerk());
    const auto at = readyDoor();
    if (!at) {
        return {};
    }
    auto greeted = (*at)->awaitHello();
    return !greeted && greeted.error().code == ErrorCode::Cancelled ? Status{} : greeted;
}

} // namespace carrel::agents

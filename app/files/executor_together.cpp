// SPDX-License-Identifier: Apache-2.0
// Many files in one go. The order of each single one is kept (executor.h): its old bytes are in the store, its new ones
// flushed beside its name, and its journal lines flushed, before its name changes; its folder is flushed before it is called
// done. Only the flushes are shared. A crash finds several operations begun instead of one, and settles each by itself.
#include "app/files/executor.h"
#include "app/files/executor_look.h"

#include <algorithm>
#include <map>
#include <set>
#include <sys/stat.h>

namespace carrel::files {

namespace {

// Descriptors: two for each. Bytes: so much room the new files need in the user's folder beside the old ones, more than the
// largest of them alone would; without it each goes by itself.
constexpr std::size_t kMost = 100;
constexpr std::uint64_t kMostBytes = 32U << 20U;

bool isFileOrLink(const NodeState& state) {
    return state.kind == NodeKind::File || state.kind == NodeKind::Symlink;
}

} // namespace

struct Executor::Member {
    std::size_t entry = 0;
    Pinned pinned;
    TreeWriter::Staged staged; // of a Put
    Verdict verdict = {};
};

// Each folder's own time moves with every name that is made, swapped or taken away in it. An undo expects, last file first,
// the time that the step before it left (FolderTime). So the journal tells these times as if one file had gone after the
// other and only the last one had moved its folder's: each finds what was there before the first, or in an undo what the
// one before it will put back.
struct Executor::FolderTimes {
    struct Time {
        std::optional<std::int64_t> next;     // what the next file in that folder finds
        std::optional<std::int64_t> original; // before the first one
    };
    std::map<SharePath, Time> of;
};

std::vector<std::size_t> Executor::togetherFrom(std::size_t first) const {
    std::vector<std::size_t> together;
    std::set<SharePath> paths;
    std::uint64_t bytes = 0;
    for (std::size_t e = first; e < m_journal.entries().size() && together.size() < kMost; ++e) {
        const PlanEntry& planned = m_journal.plan().entries[e];
        if (m_journal.entries()[e].outcome || !planned.blocked.empty() || planned.ops.size() != 1 ||
            m_journal.record(e, 0).begun || isStranded(e)) {
            break;
        }
        const Op& op = planned.ops.front();
        const bool puts = op.kind == OpKind::Put && op.want.kind == NodeKind::File && !op.from &&
                          (op.expect.kind == NodeKind::Absent || isFileOrLink(op.expect));
        const bool removes = op.kind == OpKind::Remove && isFileOrLink(op.expect);
        bytes += puts ? op.want.size : 0;
        if ((!puts && !removes) || bytes > kMostBytes || !paths.insert(op.path).second) {
            break;
        }
        together.push_back(e);
    }
    return together;
}

Status Executor::runTogether(const std::vector<std::size_t>& entries) {
    if (entries.size() < 2) {
        return {};
    }
    std::vector<Member> members;
    FolderTimes times;
    for (const auto entry : entries) {
        if (!prepare(entry, times, members)) {
            break; // a full disk, perhaps: with those that are ready, and then one by one
        }
    }
    if (!isReady(members)) {
        // Nothing has changed under its name. The disk may need the room at once, and each by itself says what is wrong.
        for (const auto& member : members) {
            (void)clearStale(m_journal.plan().entries[member.entry].ops.front(), member.pinned.place, tempName(member.entry, 0));
        }
        return {};
    }
    for (auto& member : members) {
        CARREL_TRY(makeVisible(member));
    }
    return markTogether(members, times);
}

// False: no more of them.
bool Executor::prepare(std::size_t entry, FolderTimes& times, std::vector<Member>& members) {
    const Op& op = m_journal.plan().entries[entry].ops.front();
    auto pinned = pinBoth(op);
    OpRecord record;
    if (!pinned || !check(op, pinned->place, record.old) || !keep(pinned->place, record.old) ||
        (op.kind == OpKind::Put && !clearStale(op, pinned->place, tempName(entry, 0))) ||
        (op.kind == OpKind::Remove && inodeOf(beside(pinned->place, tempName(entry, 0))) != 0U)) {
        return true; // by itself it will say why
    }
    const auto [at, fresh] = times.of.try_emplace(op.path.parent());
    if (fresh) {
        at->second.original = at->second.next = folderTime(pinned->place);
    }
    record.in = idOfFolder(pinned->place);
    record.folderBefore = at->second.next;
    if (!m_journal.begin(entry, 0, record, Durable::Later)) {
        return false;
    }
    Member member{entry, std::move(*pinned), {}};
    if (op.kind == OpKind::Put) {
        auto staged = stagePut(entry, 0, member.pinned.place, record.old);
        if (!staged) {
            (void)clearStale(op, member.pinned.place, tempName(entry, 0));
            return false;
        }
        member.staged = std::move(*staged);
    }
    if (op.folder && op.folder->expect == at->second.next) {
        at->second.next = op.folder->restore;
    }
    members.push_back(std::move(member));
    return true;
}

// Everything that must outlive a crash before the first name changes.
bool Executor::isReady(std::vector<Member>& members) {
    std::vector<TreeWriter::Staged> staged;
    for (auto& member : members) {
        if (member.staged.inode != 0) {
            staged.push_back(std::move(member.staged));
            member.staged.inode = staged.back().inode;
            member.staged.attributes = std::move(staged.back().attributes);
        }
    }
    if (!m_store.flush() || !m_writer.flush(staged)) {
        return false;
    }
    for (const auto& member : members) {
        if (member.staged.inode != 0 &&
            !m_journal.staged(member.entry, 0, {member.staged.inode, member.staged.attributes, member.staged.otherMode},
                              Durable::Later)) {
            return false;
        }
    }
    return m_journal.flush().has_value();
}

Status Executor::makeVisible(Member& member) {
    const Op& op = m_journal.plan().entries[member.entry].ops.front();
    const OpRecord& record = m_journal.record(member.entry, 0);
    const Place& place = member.pinned.place;
    const std::string temp = tempName(member.entry, 0);
    const Status started = op.kind == OpKind::Put ? placeStaged(place, temp, record.old)
                                                  : m_writer.moveNew(place, place.name, place, temp);
    auto verdict = op.kind == OpKind::Put ? resolvePut(op, record, place, temp) : resolveRemove({member.entry, 0}, record, place, temp);
    if (!verdict) {
        return fail(std::move(verdict).error());
    }
    member.verdict = std::move(*verdict);
    explain(member.verdict, started);
    return {};
}

Status Executor::markTogether(const std::vector<Member>& members, const FolderTimes& times) {
    struct Folder {
        const Place* place = nullptr;
        std::optional<std::int64_t> time; // an undo puts it back where it finds the time that it expects
    };
    std::map<SharePath, Folder> folders;
    for (const auto& member : members) {
        const Op& op = m_journal.plan().entries[member.entry].ops.front();
        if (member.verdict.state != State::Done) {
            const auto outcome = member.verdict.state == State::Conflict ? Outcome::Conflict : Outcome::Failed;
            CARREL_TRY(m_journal.outcome(member.entry, outcome, member.verdict.reason + member.verdict.where));
            continue;
        }
        const auto [at, fresh] = folders.try_emplace(op.path.parent());
        Folder& folder = at->second;
        folder.place = &member.pinned.place;
        const auto finds = fresh ? times.of.at(op.path.parent()).original : folder.time;
        folder.time = op.folder && op.folder->expect == finds ? std::optional(op.folder->restore) : std::nullopt;
    }
    std::set<std::pair<dev_t, ino_t>> flushed; // by what they are: a path may have led to two of them meanwhile
    for (const auto& member : members) {
        struct stat folder {};
        const Place& place = member.pinned.place;
        const bool known = ::fstat(place.parent.get(), &folder) == 0;
        if (member.verdict.state == State::Done && (!known || flushed.emplace(folder.st_dev, folder.st_ino).second)) {
            CARREL_TRY(m_writer.flush(place));
        }
    }
    for (const auto& [path, folder] : folders) {
        if (folder.time) {
            CARREL_TRY(m_writer.setFolderTime(folder.place->parent.get(), *folder.time, path.text()));
        }
    }
    for (const auto& member : members) {
        if (member.verdict.state == State::Done) {
            CARREL_TRY(m_journal.done(member.entry, 0, timeLeft(member.entry, member.pinned.place), std::nullopt));
            CARREL_TRY(m_journal.outcome(member.entry, Outcome::Applied, remarkOn(member.entry)));
        }
    }
    return {};
}

// What the next file in the same folder found, if they went together.
std::optional<std::int64_t> Executor::timeLeft(std::size_t entry, const Place& place) const {
    const auto& plan = m_journal.plan().entries;
    const auto parent = plan[entry].ops.front().path.parent();
    for (auto next = entry + 1; next < std::min(plan.size(), entry + kMost) && plan[next].ops.size() == 1; ++next) {
        const auto& outcome = m_journal.entries()[next].outcome;
        if (m_journal.record(next, 0).begun && plan[next].ops.front().path.parent() == parent &&
            (!outcome || *outcome == Outcome::Applied)) {
            return m_journal.record(next, 0).folderBefore;
        }
    }
    return folderTime(place);
}

} // namespace carrel::files

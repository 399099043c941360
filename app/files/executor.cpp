// SPDX-License-Identifier: Apache-2.0
#include "app/files/executor.h"

#include "app/files/folder_links.h"

#include <algorithm>
#include <sys/stat.h>

namespace carrel::files {

namespace {

constexpr const char* kStillWritten = "another program has it open for writing";

Place beside(const Place& place, const std::string& name) {
    return {UniqueFd(::dup(place.parent.get())), name};
}

std::optional<std::int64_t> folderTime(const Place& place) {
    struct stat st {};
    if (::fstat(place.parent.get(), &st) != 0) {
        return std::nullopt;
    }
    return toNs(st.st_mtim);
}

// What stands under `name`, with content, and whether it may go: it is as it was and nobody writes to it.
Result<std::string> whyNotGone(const Place& place, const std::string& name, const NodeState& old) {
    const Place there = beside(place, name);
    auto now = observe(there, LookAt::Content);
    if (!now) {
        return fail(std::move(now).error());
    }
    if (now->kind == NodeKind::File) {
        auto fd = openFile(there);
        if (fd && !nobodyWrites(fd->get())) {
            return std::string(kStillWritten);
        }
    }
    return matches(*now, old) ? std::string() : difference(*now, old);
}

Result<std::pair<std::uint64_t, std::uint64_t>> both(const Place& a, const Place& b) {
    const auto first = inodeOf(a);
    const auto second = inodeOf(b);
    if (!first || !second) {
        return fail(!first ? first.error() : second.error());
    }
    return std::pair(*first, *second);
}

bool isConflict(const Error& error) {
    return error.code == ErrorCode::Conflict || error.code == ErrorCode::AlreadyExists ||
           error.code == ErrorCode::NotFound;
}

} // namespace

Executor::Executor(int root, Journal& journal, ContentStore& store, StepHook* hook)
    : m_root(root)
    , m_journal(journal)
    , m_store(store)
    , m_writer(store, hook) {}

std::string Executor::tempName(std::size_t entry, std::size_t op) const {
    return std::string(kTemporaryPrefix) + m_journal.plan().id + "-" + std::to_string(entry) + "-" +
           std::to_string(op);
}

Status Executor::finish(const Progress& progress) {
    const auto& entries = m_journal.entries();
    bool cancelled = false;
    for (std::size_t e = 0; e < entries.size(); ++e) {
        if (entries[e].outcome) {
            continue;
        }
        cancelled = cancelled || (progress && !progress(e, entries.size(), m_journal.plan().entries[e].path));
        CARREL_TRY(settleEntry(e, cancelled ? Rest::Leave : Rest::Run));
    }
    CARREL_TRY(newFolderTimes());
    return m_journal.end();
}

Status Executor::stopHere() {
    for (std::size_t e = 0; e < m_journal.entries().size(); ++e) {
        if (!m_journal.entries()[e].outcome) {
            CARREL_TRY(settleEntry(e, Rest::Leave));
        }
    }
    return m_journal.end();
}

Status Executor::settleEntry(std::size_t entry, Rest rest) {
    const PlanEntry& planned = m_journal.plan().entries[entry];
    if (!planned.blocked.empty()) {
        return m_journal.outcome(entry, Outcome::Conflict, planned.blocked);
    }
    for (std::size_t op = 0; op < planned.ops.size(); ++op) {
        if (m_journal.record(entry, op).done) {
            continue;
        }
        Verdict verdict;
        Outcome failure = Outcome::Conflict;
        if (m_journal.record(entry, op).begun) { // a crash came between: see what became of it
            auto resolved = resolve(entry, op);
            if (!resolved) {
                return fail(std::move(resolved).error());
            }
            verdict = std::move(*resolved);
        }
        if (verdict.state == State::NotDone && rest == Rest::Leave) {
            if (planned.ops[op].kind == OpKind::Put && !m_journal.record(entry, op).begun) {
                if (auto place = pin(m_root, planned.ops[op].path)) {
                    CARREL_TRY(clearStale(*place, tempName(entry, op)));
                }
            }
            verdict.reason = "stopped before it";
            failure = Outcome::NotRun;
        } else if (verdict.state == State::NotDone) {
            auto ran = run(entry, op);
            if (!ran) {
                return fail(std::move(ran).error());
            }
            verdict = std::move(*ran);
            failure = verdict.state == State::NotDone ? Outcome::Failed : Outcome::Conflict;
        }
        if (verdict.state != State::Done) {
            if (op > 0) {
                verdict.reason = "only its first half was possible: " + verdict.reason;
                failure = Outcome::Partial;
            }
            return m_journal.outcome(entry, failure, verdict.reason);
        }
    }
    return m_journal.outcome(entry, Outcome::Applied, "");
}

// NotDone with a reason: the system refused. An error: the state of the file could not be settled, or the
// journal could not be written.
Result<Executor::Verdict> Executor::run(std::size_t entry, std::size_t op) {
    const Status started = start(entry, op);
    if (!m_journal.record(entry, op).begun) {
        const Error& error = started.error();
        return Verdict{isConflict(error) ? State::Conflict : State::NotDone, error.message};
    }
    auto resolved = resolve(entry, op);
    if (resolved && resolved->state == State::NotDone) {
        resolved->reason = started ? "it could not be done" : started.error().message;
        if (!started && isConflict(started.error())) {
            resolved->state = State::Conflict;
        }
    }
    return resolved;
}

Status Executor::check(const Op& op, const Place& subject, NodeState& old) {
    auto now = observe(subject, LookAt::ContentAndXattrs);
    if (!now) {
        return fail(std::move(now).error());
    }
    old = std::move(*now);
    if (!matches(old, op.expect)) {
        return fail(ErrorCode::Conflict, difference(old, op.expect));
    }
    const bool applies = m_journal.plan().undoes.empty();
    if (applies && op.want.kind == NodeKind::Symlink && op.kind == OpKind::Put &&
        !staysInside(m_root, op.path, op.want.linkTarget)) {
        return fail(ErrorCode::Conflict, "the link leads out of the shared folder");
    }
    if (applies && op.kind == OpKind::Move && old.kind == NodeKind::Directory) {
        auto why = whyLinksForbid(m_root, *op.from, op.path, m_linkBudget);
        if (!why) {
            return fail(std::move(why).error());
        }
        if (!why->empty()) {
            return fail(ErrorCode::Conflict, *why);
        }
    }
    if (old.kind == NodeKind::Absent) {
        return {};
    }
    if (!isOurs(subject)) {
        return fail(ErrorCode::Conflict, "it belongs to another account on this computer");
    }
    if (old.kind == NodeKind::File && old.links > 1) {
        return fail(ErrorCode::Conflict, "the file has several names (hard links)");
    }
    if (old.kind == NodeKind::File && op.kind != OpKind::Mode) {
        auto fd = openFile(subject);
        if (fd && !nobodyWrites(fd->get())) {
            return fail(ErrorCode::Conflict, kStillWritten);
        }
    }
    if (op.kind == OpKind::Mode && old.kind == NodeKind::Directory && old.mode != op.expect.mode) {
        return fail(ErrorCode::Conflict, "its permissions are others now");
    }
    return {};
}

// What is about to go is in the store first (I10).
Status Executor::keep(const Place& subject, const NodeState& old) {
    if (old.kind != NodeKind::File || m_store.has(*old.content)) {
        return {};
    }
    auto fd = openFile(subject);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    auto stored = m_store.adopt(fd->get(), UINT64_MAX);
    if (!stored) {
        return fail(std::move(stored).error());
    }
    if (stored->sha256 != *old.content) {
        return fail(ErrorCode::Conflict, "its content is being changed at this moment");
    }
    return {};
}

Status Executor::start(std::size_t entry, std::size_t index) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    auto place = pin(m_root, op.path);
    if (!place) {
        return fail(std::move(place).error());
    }
    std::optional<Place> from;
    if (op.kind == OpKind::Move) {
        auto pinned = pin(m_root, *op.from);
        if (!pinned) {
            return fail(std::move(pinned).error());
        }
        from = std::move(*pinned);
    }
    OpRecord record;
    CARREL_TRY(check(op, from ? *from : *place, record.old));
    if (op.kind == OpKind::Put || op.kind == OpKind::Remove) {
        CARREL_TRY(keep(*place, record.old));
    }
    // A first attempt that a crash cut short moved the folder's time with its temporary file; what counts is what the
    // folder had before that one.
    const OpRecord& earlier = m_journal.record(entry, index);
    record.folderBefore = earlier.begun ? earlier.folderBefore : folderTime(*place);
    record.fromFolderBefore = earlier.begun ? earlier.fromFolderBefore : from ? folderTime(*from) : std::nullopt;
    if (op.kind == OpKind::Put && !earlier.begun) {
        CARREL_TRY(clearStale(*place, tempName(entry, index)));
    }
    // A put changes nothing before its "staged" line, which flushes this one, too.
    CARREL_TRY(m_journal.begin(entry, index, record, op.kind == OpKind::Put ? Durable::Later : Durable::Now));
    switch (op.kind) {
    case OpKind::Put:
        return startPut(entry, index, *place, record.old);
    case OpKind::Remove:
        if (record.old.kind == NodeKind::Directory) {
            return m_writer.removeFolder(*place, place->name);
        }
        return m_writer.moveNew(*place, place->name, *place, tempName(entry, index));
    case OpKind::Move:
        return m_writer.moveNew(*from, from->name, *place, place->name);
    case OpKind::Mode:
        return m_writer.setMode(*place, op.want.mode);
    }
    return {};
}

// A power cut may keep the temporary and lose the line that told of it, which is flushed with the next one only. Nothing was
// swapped then, and the name, with this apply's random id in it, is nobody else's.
Status Executor::clearStale(const Place& place, const std::string& temp) {
    auto there = observe(beside(place, temp), LookAt::Names);
    if (!there) {
        return fail(std::move(there).error());
    }
    if (there->kind == NodeKind::Absent) {
        return {};
    }
    return there->kind == NodeKind::Directory ? m_writer.removeFolder(place, temp) : m_writer.unlink(place, temp);
}

Status Executor::startPut(std::size_t entry, std::size_t index, const Place& place, const NodeState& old) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const std::string temp = tempName(entry, index);
    std::optional<Place> other;
    if (op.from) {
        auto pinned = pin(m_root, *op.from);
        if (!pinned && !isConflict(pinned.error())) {
            return fail(std::move(pinned).error()); // not without the attributes, for want of a descriptor
        }
        if (pinned) {
            other = std::move(*pinned);
        }
    }
    const bool files = old.kind == NodeKind::File && op.want.kind == NodeKind::File;
    const Place* keepFrom = files ? &place : (other ? &*other : nullptr);
    auto inode = m_writer.stage(place, temp, op.want, keepFrom, op.attributes);
    if (!inode) {
        return fail(std::move(inode).error());
    }
    CARREL_TRY(m_journal.staged(entry, index, *inode));
    if (old.kind == NodeKind::Absent) {
        return m_writer.moveNew(place, temp, place, place.name);
    }
    return m_writer.exchange(place, temp, place.name);
}

Result<Executor::Verdict> Executor::resolve(std::size_t entry, std::size_t index) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const OpRecord& record = m_journal.record(entry, index);
    auto place = pin(m_root, op.path);
    if (!place) {
        if (isConflict(place.error())) {
            return Verdict{State::Conflict, place.error().message};
        }
        return fail(std::move(place).error());
    }
    std::optional<Place> from;
    if (op.kind == OpKind::Move) {
        auto pinned = pin(m_root, *op.from);
        if (!pinned && !isConflict(pinned.error())) {
            return fail(std::move(pinned).error());
        }
        if (!pinned) {
            return Verdict{State::Conflict, pinned.error().message};
        }
        from = std::move(*pinned);
    }
    const std::string temp = tempName(entry, index);
    Result<Verdict> verdict = [&]() -> Result<Verdict> {
        switch (op.kind) {
        case OpKind::Put:
            return resolvePut(op, record, *place, temp);
        case OpKind::Remove:
            return resolveRemove(record, *place, temp);
        case OpKind::Move:
            return resolveMove(op, record, *place, *from);
        case OpKind::Mode:
            return resolveMode(op, *place);
        }
        return Verdict{};
    }();
    if (verdict && verdict->state == State::Done) {
        CARREL_TRY(markDone(entry, index, *place, from ? &*from : nullptr));
    }
    return verdict;
}

Status Executor::markDone(std::size_t entry, std::size_t index, const Place& place, const Place* from) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const OpRecord& record = m_journal.record(entry, index);
    CARREL_TRY(m_writer.flush(place));
    if (from != nullptr) {
        CARREL_TRY(m_writer.flush(*from));
    }
    const auto putBack = [&](const Place& where, const std::optional<FolderTime>& time,
                             std::optional<std::int64_t> before) -> Status {
        if (time && before && time->expect == *before) {
            return m_writer.setFolderTime(where.parent.get(), time->restore, op.path.text());
        }
        return {};
    };
    // A move within one folder has one time to put back, and the same one twice.
    CARREL_TRY(putBack(place, op.folder, record.folderBefore));
    if (from != nullptr) {
        CARREL_TRY(putBack(*from, op.fromFolder, record.fromFolderBefore));
    }
    return m_journal.done(entry, index, folderTime(place),
                          from == nullptr ? std::nullopt : folderTime(*from));
}

Result<Executor::Verdict> Executor::resolvePut(const Op& op, const OpRecord& record, const Place& place,
                                               const std::string& temp) {
    if (record.staged == 0) {
        // Without its line nothing has been swapped: whatever bears that name is our own, perhaps half
        // written.
        const auto there = inodeOf(beside(place, temp));
        if (!there) {
            return fail(there.error());
        }
        if (*there != 0) {
            CARREL_TRY(op.want.kind == NodeKind::Directory ? m_writer.removeFolder(place, temp)
                                                           : m_writer.unlink(place, temp));
        }
        return Verdict{};
    }
    return record.old.kind == NodeKind::Absent ? resolveCreate(op, record, place, temp)
                                               : resolveReplace(op, record, place, temp);
}

Result<Executor::Verdict> Executor::resolveCreate(const Op& op, const OpRecord& record, const Place& place,
                                                  const std::string& temp) {
    const auto inodes = both(beside(place, temp), place);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inTemp, inName] = *inodes;
    if (inTemp != 0) {
        CARREL_TRY(discard(place, temp, op.want));
        return Verdict{};
    }
    if (inName == record.staged) {
        return Verdict{State::Done, {}};
    }
    // Placed, and changed by somebody since; or removed after a conflict. Only what is there can tell.
    auto now = observe(place, LookAt::Content);
    if (!now) {
        return fail(std::move(now).error());
    }
    return Verdict{matches(*now, op.want) ? State::Done : State::NotDone, {}};
}

Result<Executor::Verdict> Executor::resolveReplace(const Op& op, const OpRecord& record, const Place& place,
                                                   const std::string& temp) {
    const auto inodes = both(beside(place, temp), place);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inTemp, inName] = *inodes;
    if (inTemp == 0) {
        // Finished, or taken back and cleaned up.
        return Verdict{inName == record.old.inode ? State::NotDone : State::Done, {}};
    }
    if (inTemp == record.staged) {
        CARREL_TRY(discard(place, temp, op.want)); // not swapped, or swapped back
        return Verdict{};
    }
    auto why = whyNotGone(place, temp, record.old);
    if (!why) {
        return fail(std::move(why).error());
    }
    if (why->empty()) {
        CARREL_TRY(m_writer.unlink(place, temp));
        return Verdict{State::Done, {}};
    }
    // Not the file that was reviewed: back with it. Somebody wrote to it between the look and the swap.
    if (inName == record.staged) {
        CARREL_TRY(m_writer.exchange(place, temp, place.name));
        CARREL_TRY(discard(place, temp, op.want));
    } else {
        CARREL_TRY(putAside(place, temp));
    }
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, *why};
}

Result<Executor::Verdict> Executor::resolveRemove(const OpRecord& record, const Place& place,
                                                  const std::string& temp) {
    const auto inodes = both(beside(place, temp), place);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inTemp, inName] = *inodes;
    if (record.old.kind == NodeKind::Directory || inTemp == 0) {
        return Verdict{inName == record.old.inode ? State::NotDone : State::Done, {}};
    }
    auto why = whyNotGone(place, temp, record.old);
    if (!why) {
        return fail(std::move(why).error());
    }
    if (why->empty()) {
        CARREL_TRY(m_writer.unlink(place, temp));
        return Verdict{State::Done, {}};
    }
    const Status back = m_writer.moveNew(place, temp, place, place.name);
    if (!back && back.error().code == ErrorCode::AlreadyExists) {
        CARREL_TRY(putAside(place, temp));
    } else {
        CARREL_TRY(back);
    }
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, *why};
}

Result<Executor::Verdict> Executor::resolveMove(const Op& op, const OpRecord& record, const Place& place,
                                                const Place& from) {
    const auto inodes = both(place, from);
    if (!inodes) {
        return fail(inodes.error());
    }
    if (inodes->first != record.old.inode || inodes->second == record.old.inode) {
        return Verdict{};
    }
    if (op.expect.kind == NodeKind::Directory) {
        return Verdict{State::Done, {}};
    }
    auto why = whyNotGone(place, place.name, record.old);
    if (!why) {
        return fail(std::move(why).error());
    }
    if (why->empty()) {
        return Verdict{State::Done, {}};
    }
    // If its old name is taken by now it stays under the new one: nothing is lost, and the reason says so.
    const Status back = m_writer.moveNew(place, place.name, from, from.name);
    if (!back && back.error().code != ErrorCode::AlreadyExists) {
        return fail(back.error());
    }
    CARREL_TRY(m_writer.flush(from));
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, *why};
}

Result<Executor::Verdict> Executor::resolveMode(const Op& op, const Place& place) {
    auto now = observe(place, LookAt::Names);
    if (!now) {
        return fail(std::move(now).error());
    }
    return Verdict{now->kind == op.want.kind && now->mode == op.want.mode ? State::Done : State::NotDone, {}};
}

// Our own complete temporary. It had the file's name for a moment if it was swapped back, so somebody may
// have written to it: then it is not ours to remove.
Status Executor::discard(const Place& place, const std::string& temp, const NodeState& want) {
    if (want.kind == NodeKind::Directory) {
        const Status removed = m_writer.removeFolder(place, temp);
        if (!removed && removed.error().code == ErrorCode::Conflict) {
            return putAside(place, temp);
        }
        return removed;
    }
    auto why = whyNotGone(place, temp, want);
    if (!why) {
        return fail(std::move(why).error());
    }
    return why->empty() ? m_writer.unlink(place, temp) : putAside(place, temp);
}

Status Executor::putAside(const Place& place, const std::string& temp) {
    const std::string suffix = ".carrel-kept-" + m_journal.plan().id;
    const std::string name = place.name.substr(0, kMaxNameBytes - suffix.size()) + suffix;
    return m_writer.moveNew(place, temp, place, name);
}

// A folder's time moves with every file that is put into it, so it is set when all are there.
Status Executor::newFolderTimes() {
    if (!m_journal.plan().undoes.empty()) {
        return {}; // there each step puts its folder's time back itself
    }
    const auto& entries = m_journal.entries();
    for (std::size_t e = entries.size(); e-- > 0;) {
        const auto& ops = m_journal.plan().entries[e].ops;
        for (std::size_t o = 0; o < ops.size(); ++o) {
            const bool made = ops[o].kind == OpKind::Put && ops[o].want.kind == NodeKind::Directory;
            if (!made || !entries[e].ops[o].done) {
                continue;
            }
            auto place = pin(m_root, ops[o].path);
            auto fd = place ? openFile(*place) : Result<UniqueFd>(fail(ErrorCode::NotFound, ""));
            if (fd) {
                CARREL_TRY(m_writer.setFolderTime(fd->get(), ops[o].want.mtimeNs, ops[o].path.text()));
            }
        }
    }
    return {};
}

} // namespace carrel::files

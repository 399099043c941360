// SPDX-License-Identifier: Apache-2.0
#include "app/files/executor.h"

#include "app/files/executor_look.h"
#include "app/files/folder_links.h"
#include "app/files/node_json.h"
#include "app/files/planner.h"

#include <algorithm>
#include <sys/stat.h>

namespace carrel::files {

namespace {

constexpr const char* kTooManyAttributes = "it has more extended attributes than Carrel could put back";

bool hasTwoNames(const Op& op) {
    return op.kind == OpKind::Move || op.kind == OpKind::Exchange;
}

} // namespace

Executor::Executor(int root, Journal& journal, ContentStore& store, StepHook* hook)
    : m_root(root)
    , m_journal(journal)
    , m_store(store)
    , m_writer(store, hook)
    , m_search(root) {}

std::string Executor::tempName(std::size_t entry, std::size_t op) const {
    return std::string(kTemporaryPrefix) + m_journal.plan().id + "-" + std::to_string(entry) + "-" +
           std::to_string(op);
}

Status Executor::finish(const Progress& progress) {
    const auto& entries = m_journal.entries();
    bool cancelled = false;
    std::size_t tried = 0; // together with others, up to here
    for (std::size_t e = 0; e < entries.size(); ++e) {
        const bool wasSettled = entries[e].outcome.has_value();
        if (wasSettled && e >= tried) {
            continue;
        }
        cancelled = cancelled || (progress && !progress(e, entries.size(), m_journal.plan().entries[e].path));
        if (!cancelled && e >= tried) {
            const auto together = togetherFrom(e);
            tried = e + together.size();
            CARREL_TRY(runTogether(together));
        }
        if (!entries[e].outcome) {
            CARREL_TRY(settleEntry(e, cancelled ? Rest::Leave : Rest::Run));
        }
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
    if (rest == Rest::Run && isStranded(entry)) {
        return m_journal.outcome(entry, Outcome::Conflict, "the folder that it belongs in could not be brought there");
    }
    for (std::size_t op = 0; op < planned.ops.size(); ++op) {
        if (m_journal.record(entry, op).done) {
            continue;
        }
        Verdict verdict;
        std::string where;
        Outcome failure = Outcome::Conflict;
        if (m_journal.record(entry, op).begun) { // a crash came between: see what became of it
            auto resolved = resolve(entry, op, Call::Unknown);
            if (!resolved) {
                return fail(std::move(resolved).error());
            }
            verdict = std::move(*resolved);
            where = verdict.where;
        } else if (planned.ops[op].kind == OpKind::Remove || rest == Rest::Leave) {
            auto kept = clearUntold(entry, op);
            if (!kept) {
                return fail(std::move(kept).error());
            }
            where = keptBeside(*kept);
            if (planned.ops[op].kind == OpKind::Remove && !kept->empty()) { // that name is another one's by now
                verdict = {State::Conflict, kSomethingElse};
            }
        }
        if (verdict.state == State::NotDone && rest == Rest::Leave) {
            verdict.reason = "stopped before it";
            failure = Outcome::NotRun;
        } else if (verdict.state == State::NotDone) {
            auto ran = run(entry, op);
            if (!ran) {
                return fail(std::move(ran).error());
            }
            verdict = std::move(*ran);
            where += verdict.where;
            failure = verdict.state == State::NotDone ? Outcome::Failed : Outcome::Conflict;
        }
        if (verdict.state != State::Done) {
            if (op > 0) {
                verdict.reason = "only a part of it was possible (" + doneBefore(entry, op) + "): " + verdict.reason;
                failure = Outcome::Partial;
            }
            return m_journal.outcome(entry, failure, verdict.reason + where);
        }
    }
    return m_journal.outcome(entry, Outcome::Applied, remarkOn(entry));
}

std::string Executor::remarkOn(std::size_t entry) const {
    const auto& ops = m_journal.plan().entries[entry].ops;
    const auto& records = m_journal.entries()[entry].ops;
    if (std::any_of(records.begin(), records.end(), [](const OpRecord& record) { return record.mode.has_value(); })) {
        return "this disk keeps no permissions: it has those that the disk gives to every file";
    }
    return std::any_of(ops.begin(), ops.end(), isWithoutItsGroup)
               ? "it is back without its group, which you do not belong to, and without what the group was allowed"
               : "";
}

bool Executor::isStranded(std::size_t entry) const {
    const PlanEntry& planned = m_journal.plan().entries[entry];
    const bool begun = !planned.ops.empty() && m_journal.record(entry, 0).begun;
    return !begun && std::any_of(planned.needs.begin(), planned.needs.end(), [&](std::size_t needed) {
        return m_journal.entries()[needed].outcome != Outcome::Applied && !isThere(m_journal.plan().entries[needed]);
    });
}

// Brought by an earlier apply, perhaps: then nothing is left where it came from. Whether its content is as expected each
// change finds out for itself.
bool Executor::isThere(const PlanEntry& moved) const {
    if (moved.ops.empty() || moved.ops.front().kind != OpKind::Move) {
        return false;
    }
    const auto from = pin(m_root, *moved.ops.front().from, &m_listed);
    if (!from) {
        return from.error().code == ErrorCode::NotFound;
    }
    const auto inode = inodeOf(*from);
    return inode && *inode == 0;
}

// NotDone with a reason: the system refused. An error: the state of the file could not be settled, or the
// journal could not be written.
Result<Executor::Verdict> Executor::run(std::size_t entry, std::size_t op) {
    auto pinned = pinBoth(m_journal.plan().entries[entry].ops[op]);
    const Status started = pinned ? start(entry, op, *pinned) : Status(fail(pinned.error()));
    if (!m_journal.record(entry, op).begun) {
        const Error& error = started.error();
        Verdict verdict{isConflict(error) ? State::Conflict : State::NotDone, error.message};
        if (verdict.state == State::Conflict) {
            auto kept = clearUntold(entry, op);
            if (!kept) {
                return fail(std::move(kept).error());
            }
            verdict.where = keptBeside(*kept);
        }
        return verdict;
    }
    // In the same folders, wherever they have gone: by now a path may lead to others.
    const bool here = pinned && isWhereItBegan(m_journal.record(entry, op), *pinned);
    const Call call = started ? Call::Succeeded : Call::Failed; // nothing of start() comes after it
    auto resolved = here ? resolveAt(entry, op, *pinned, call) : resolve(entry, op, call);
    if (resolved) {
        explain(*resolved, started);
    }
    return resolved;
}

void Executor::explain(Verdict& verdict, const Status& started) {
    if (verdict.state == State::NotDone) {
        if (!started || verdict.reason.empty()) {
            verdict.reason = started ? "it could not be done" : started.error().message;
        }
        if (!started && isConflict(started.error())) {
            verdict.state = State::Conflict;
        }
    }
}

Status Executor::check(const Op& op, const Place& subject, NodeState& old) {
    CARREL_TRY(checkSubject(op, subject, op.expect, old));
    const bool applies = m_journal.plan().undoes.empty();
    if (applies && op.want.kind == NodeKind::Symlink && op.kind == OpKind::Put &&
        !staysInside(m_root, op.path, op.want.linkTarget)) {
        return fail(ErrorCode::Conflict, "the link leads out of the shared folder");
    }
    if (applies && hasTwoNames(op)) {
        CARREL_TRY(checkLinks(old.kind, *op.from, op.path));
    }
    if (applies && op.kind == OpKind::Exchange) {
        CARREL_TRY(checkLinks(op.want.kind, op.path, *op.from));
    }
    return {};
}

Status Executor::checkLinks(NodeKind moved, const SharePath& from, const SharePath& to) {
    if (moved != NodeKind::Directory) {
        return {};
    }
    auto why = whyLinksForbid(m_root, from, to, m_linkBudget);
    if (!why) {
        return fail(std::move(why).error());
    }
    return why->empty() ? Status{} : Status(fail(ErrorCode::Conflict, *why));
}

Status Executor::checkSubject(const Op& op, const Place& subject, const NodeState& expected, NodeState& old) {
    auto now = observe(subject, LookAt::ContentAndXattrs);
    if (!now) {
        return fail(std::move(now).error());
    }
    old = std::move(*now);
    if (!matches(old, expected)) {
        return fail(ErrorCode::Conflict, difference(old, expected));
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
    if (!fitsJournal(old.xattrs)) {
        return fail(ErrorCode::Conflict, kTooManyAttributes);
    }
    // What the user set since the apply stays on what comes back in an undo (stagePut()): a tag says something of the file,
    // and is no reason to keep the agent's bytes. Where nothing comes that could bear it, it is one.
    const bool bears = old.kind == NodeKind::File && op.want.kind == NodeKind::File;
    const bool takesAway = op.kind == OpKind::Remove || (op.kind == OpKind::Put && !bears);
    if (op.attributes == Xattrs::Exact && takesAway && usersAttributes(old.xattrs) != usersAttributes(expected.xattrs)) {
        return fail(ErrorCode::Conflict, kOtherAttributes);
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
    // Read, not only named: what is in the store and damaged is no copy.
    if (old.kind != NodeKind::File || (m_store.has(*old.content) && m_store.openVerified(*old.content))) {
        return {};
    }
    auto fd = openFile(subject);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    auto stored = m_store.adoptLater(fd->get(), old.size);
    if (!stored && stored.error().code == ErrorCode::LimitExceeded) {
        return fail(ErrorCode::Conflict, "it is being written to at this moment");
    }
    if (!stored) {
        return fail(std::move(stored).error());
    }
    if (stored->sha256 != *old.content) {
        return fail(ErrorCode::Conflict, "its content is being changed at this moment");
    }
    return {};
}

Result<Executor::Pinned> Executor::pinBoth(const Op& op) {
    auto place = pin(m_root, op.path, &m_listed);
    if (!place) {
        return fail(std::move(place).error());
    }
    Pinned pinned{std::move(*place), std::nullopt};
    if (hasTwoNames(op)) {
        auto from = pin(m_root, *op.from, &m_listed);
        if (!from) {
            return fail(std::move(from).error());
        }
        pinned.from = std::move(*from);
    }
    return pinned;
}

Status Executor::start(std::size_t entry, std::size_t index, const Pinned& pinned) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const Place* place = &pinned.place;
    const auto& from = pinned.from;
    OpRecord record;
    CARREL_TRY(check(op, from ? *from : *place, record.old));
    NodeState other; // of an exchange: what stands at the path
    if (op.kind == OpKind::Exchange) {
        CARREL_TRY(checkSubject(op, *place, op.want, other));
    }
    if (op.kind == OpKind::Put || op.kind == OpKind::Remove) {
        CARREL_TRY(keep(*place, record.old));
        CARREL_TRY(m_store.flush());
    }
    // A first attempt that a crash cut short moved the folder's time with its temporary file; what counts is what the
    // folder had before that one.
    const OpRecord& earlier = m_journal.record(entry, index);
    record.in = idOfFolder(*place);
    record.fromIn = from ? idOfFolder(*from) : std::nullopt;
    record.folderBefore = earlier.begun ? earlier.folderBefore : folderTime(*place);
    record.fromFolderBefore = earlier.begun ? earlier.fromFolderBefore : from ? folderTime(*from) : std::nullopt;
    if (op.kind == OpKind::Put && !earlier.begun) {
        CARREL_TRY(clearStale(op, *place, tempName(entry, index)));
    }
    // These change nothing that counts before their "staged" line, which flushes this one, too.
    const bool stages = op.kind == OpKind::Put || op.kind == OpKind::Exchange;
    CARREL_TRY(m_journal.begin(entry, index, record, stages ? Durable::Later : Durable::Now));
    switch (op.kind) {
    case OpKind::Put: {
        auto staged = stagePut(entry, index, *place, record.old);
        if (!staged) {
            return fail(std::move(staged).error());
        }
        CARREL_TRY(m_writer.flush({&*staged, 1}));
        CARREL_TRY(m_journal.staged(entry, index, {staged->inode, staged->attributes, staged->otherMode}, Durable::Now));
        return placeStaged(*place, staged->name, record.old);
    }
    case OpKind::Remove:
        if (record.old.kind == NodeKind::Directory) {
            return m_writer.removeFolder(*place, place->name);
        }
        return m_writer.moveNew(*place, place->name, *place, tempName(entry, index));
    case OpKind::Move:
        return m_writer.moveNew(*from, from->name, *place, place->name);
    case OpKind::Exchange:
        CARREL_TRY(m_journal.staged(entry, index, {other.inode}, Durable::Now));
        return m_writer.exchange(*from, from->name, *place, place->name);
    case OpKind::Mode:
        return m_writer.setMode(*place, record.old.inode, op.want.mode);
    }
    return {};
}

// A power cut may keep the temporary and lose the line that told of it, which is flushed with the next one only. Nothing was
// swapped then, and the name, with this apply's random id in it, is nobody else's. But a folder may have been put to use
// meanwhile; and if the line rotted later it is the old file that is there, and perhaps nowhere else.
Result<std::string> Executor::clearStale(const Op& put, const Place& place, const std::string& temp) {
    const Place own = beside(place, temp);
    auto there = observe(own, LookAt::Names);
    if (there && there->kind == NodeKind::File && there->size == put.expect.size && put.expect.content != put.want.content) {
        there = observe(own, LookAt::Content);
    }
    if (!there) {
        return fail(std::move(there).error());
    }
    if (there->kind == NodeKind::Absent) {
        return std::string();
    }
    if (there->kind == NodeKind::Directory) {
        return discard(place, temp, *there);
    }
    // By its time, too: the beginning of the new content may be all that the old one was.
    const bool isOld = there->content && there->content == put.expect.content && there->mtimeNs == put.expect.mtimeNs;
    if (isOld) {
        return putAside(place, temp);
    }
    CARREL_TRY(m_writer.unlink(place, temp));
    return std::string();
}

Result<TreeWriter::Staged> Executor::stagePut(std::size_t entry, std::size_t index, const Place& place,
                                              const NodeState& old) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const std::string temp = tempName(entry, index);
    std::optional<Place> other;
    if (op.from) {
        auto pinned = pin(m_root, *op.from, &m_listed);
        if (!pinned && !isConflict(pinned.error())) {
            return fail(std::move(pinned).error()); // not without the attributes, for want of a descriptor
        }
        if (pinned) {
            other = std::move(*pinned);
        }
    }
    const bool files = old.kind == NodeKind::File && op.want.kind == NodeKind::File;
    const Place* keepFrom = files ? &place : (other ? &*other : nullptr);
    NodeState want = op.want;
    if (files && op.attributes == Xattrs::Exact) {
        want.xattrs = withChanges(std::move(want.xattrs), op.expect.xattrs, old.xattrs);
    }
    auto staged = m_writer.stage(place, temp, want, keepFrom, op.attributes);
    if (staged && !fitsJournal(staged->attributes)) {
        return fail(ErrorCode::Conflict, kTooManyAttributes);
    }
    return staged;
}

Status Executor::placeStaged(const Place& place, const std::string& temp, const NodeState& old) {
    return old.kind == NodeKind::Absent ? m_writer.moveNew(place, temp, place, place.name)
                                        : m_writer.exchange(place, temp, place, place.name);
}

Result<Executor::Verdict> Executor::resolveAt(std::size_t entry, std::size_t index, const Pinned& pinned, Call call) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const OpRecord& record = m_journal.record(entry, index);
    const Place* place = &pinned.place;
    const auto& from = pinned.from;
    const std::string temp = tempName(entry, index);
    Result<Verdict> verdict = [&]() -> Result<Verdict> {
        switch (op.kind) {
        case OpKind::Put:
            return resolvePut(op, record, *place, temp);
        case OpKind::Remove:
            return resolveRemove({entry, index}, record, *place, temp);
        case OpKind::Move:
            return resolveMove(op, record, pinned, call);
        case OpKind::Exchange:
            return resolveExchange(op, record, pinned, call);
        case OpKind::Mode:
            return resolveMode(op, record, *place);
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
    const bool onlyOne = m_journal.plan().entries[entry].ops.size() == 1 && from == nullptr;
    return m_journal.done(entry, index, onlyOne ? timeLeft(entry, place) : folderTime(place),
                          from == nullptr ? std::nullopt : folderTime(*from));
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
            auto place = pin(m_root, ops[o].path, &m_listed);
            auto fd = place ? openFile(*place) : Result<UniqueFd>(fail(ErrorCode::NotFound, ""));
            if (fd) {
                CARREL_TRY(m_writer.setFolderTime(fd->get(), ops[o].want.mtimeNs, ops[o].path.text()));
            }
        }
    }
    return {};
}

} // namespace carrel::files

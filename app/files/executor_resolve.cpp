// SPDX-License-Identifier: Apache-2.0
// The second halves of the operations: what became of a step, and what is still to be done or taken back.
#include "app/files/executor.h"
#include "app/files/executor_look.h"

namespace carrel::files {

bool Executor::isWhereItBegan(const OpRecord& record, const Pinned& pinned) {
    const auto is = [](const std::optional<FolderId>& began, const Place& place) { return !began || began == idOfFolder(place); };
    return is(record.in, pinned.place) && (!pinned.from || is(record.fromIn, *pinned.from));
}

// A folder that somebody renamed after a crash is still the one that our temporary is in, and another one of its name is
// not. A file system may give out other numbers after a mount; then the temporary's own name tells.
Result<std::optional<Executor::Located>> Executor::locate(const SharePath& path, const std::optional<FolderId>& id,
                                                          const std::string& temp) {
    auto place = pin(m_root, path);
    if (!place && !isConflict(place.error())) {
        return fail(std::move(place).error());
    }
    if (place) {
        auto held = inodeOf(beside(*place, temp));
        if (!held) {
            return fail(std::move(held).error());
        }
        if (!id || id == idOfFolder(*place) || *held != 0) {
            return Located{std::move(*place)};
        }
    }
    const std::string name(path.name());
    auto found = id ? m_search.find(*id, name) : std::nullopt;
    if (!found) {
        found = m_search.findHolder(temp, name);
    }
    if (found) {
        return Located{std::move(*found)};
    }
    return place ? std::optional(Located{std::move(*place), Sure::No}) : std::nullopt;
}

Executor::Verdict Executor::lost(std::size_t entry, std::size_t index) const {
    const OpKind kind = m_journal.plan().entries[entry].ops[index].kind;
    std::string reason = "in the middle of this its folder was moved out of the shared folder, or removed: in it, this may "
                         "have been done or not";
    if (kind == OpKind::Put || kind == OpKind::Remove) {
        reason += ", and it may hold " + tempName(entry, index) +
                  ", which is the file as it was or Carrel's copy of what was to take its place";
    }
    return {State::Conflict, std::move(reason)};
}

Result<Executor::Verdict> Executor::resolve(std::size_t entry, std::size_t index, Call call) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    const OpRecord& record = m_journal.record(entry, index);
    const std::string temp = tempName(entry, index);
    auto place = locate(op.path, record.in, temp);
    if (!place) {
        return fail(std::move(place).error());
    }
    const bool two = op.kind == OpKind::Move || op.kind == OpKind::Exchange;
    auto from = two ? locate(*op.from, record.fromIn, temp) : Result<std::optional<Located>>(std::nullopt);
    if (!from) {
        return fail(std::move(from).error());
    }
    if (!*place || (two && !*from)) {
        return lost(entry, index);
    }
    const bool sure = (*place)->sure == Sure::Yes && (!two || (*from)->sure == Sure::Yes);
    Pinned pinned{std::move((*place)->place), std::nullopt};
    if (two) {
        pinned.from = std::move((*from)->place);
    }
    auto verdict = resolveAt(entry, index, pinned, call);
    const bool proven = sure || (verdict && verdict->state == State::Done && op.kind != OpKind::Remove);
    return verdict && !proven ? lost(entry, index) : std::move(verdict);
}

// Our temporary, if a crash left one without its line (clearStale()), also in a folder that was renamed since.
Status Executor::clearUntold(std::size_t entry, std::size_t index) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    if (!m_journal.isResumed() || op.kind != OpKind::Put) {
        return {};
    }
    const std::string temp = tempName(entry, index);
    auto place = pin(m_root, op.path);
    if (place) {
        return clearStale(op, *place, temp);
    }
    if (!isConflict(place.error())) {
        return {}; // nothing to be seen of it, and so nothing to be said
    }
    const auto holder = m_search.findHolder(temp, std::string(op.path.name()));
    return holder ? clearStale(op, *holder, temp) : Status{};
}

Result<Executor::Verdict> Executor::resolvePut(const Op& op, const OpRecord& record, const Place& place,
                                               const std::string& temp) {
    if (record.staged == 0) {
        CARREL_TRY(clearStale(op, place, temp)); // without its line nothing has been swapped
        return Verdict{};
    }
    return record.old.kind == NodeKind::Absent ? resolveCreate(op, place, temp)
                                               : resolveReplace(op, record, place, temp);
}

Result<Executor::Verdict> Executor::resolveCreate(const Op& op, const Place& place, const std::string& temp) {
    const auto inTemp = inodeOf(beside(place, temp));
    if (!inTemp) {
        return fail(inTemp.error());
    }
    if (*inTemp != 0) {
        CARREL_TRY(discard(place, temp, op.want));
        return Verdict{};
    }
    // Placed; or not, and somebody made another of that name. Only what is there can tell: the number of a temporary that went
    // may be that of the next new file.
    auto now = observe(place, LookAt::Content);
    if (!now) {
        return fail(std::move(now).error());
    }
    return Verdict{matches(*now, op.want) ? State::Done : State::NotDone, {}};
}

Result<Executor::Verdict> Executor::resolveReplace(const Op& op, const OpRecord& record, const Place& place,
                                                   const std::string& temp) {
    const auto inodes = inodesOf(beside(place, temp), place);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inTemp, inName] = *inodes;
    if (inTemp == 0) {
        // Finished, or taken back and cleaned up. If it is neither the one nor the other by now, somebody saved it anew, after
        // the swap or before there was one: told as done, the agent's version would be given up. Numbers prove nothing here,
        // that of the temporary may have been given to that new file.
        auto now = observe(place, LookAt::Content);
        if (!now) {
            return fail(std::move(now).error());
        }
        const bool isOld = matches(*now, record.old);
        return matches(*now, op.want) ? Verdict{State::Done, {}}
               : isOld                ? Verdict{}
                                      : Verdict{State::Conflict, kSomethingElse};
    }
    if (inTemp == record.staged) {
        CARREL_TRY(discard(place, temp, op.want)); // not swapped, or swapped back
        return Verdict{};
    }
    auto why = whyNotGone(place, temp, record.old, LookAt::ContentAndXattrs);
    if (!why) {
        return fail(std::move(why).error());
    }
    if (why->empty()) {
        CARREL_TRY(m_writer.unlink(place, temp));
        return Verdict{State::Done, {}};
    }
    // Not the file that was reviewed: back with it. Somebody wrote to it between the look and the swap.
    if (inName == record.staged) {
        CARREL_TRY(m_writer.exchange(place, temp, place, place.name));
        CARREL_TRY(discard(place, temp, op.want));
    } else {
        CARREL_TRY(putAside(place, temp));
    }
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, *why};
}

Result<Executor::Verdict> Executor::resolveRemove(const OpIndex& index, const OpRecord& record, const Place& place,
                                                  const std::string& temp) {
    const auto inodes = inodesOf(beside(place, temp), place);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inTemp, inName] = *inodes;
    if (record.old.kind == NodeKind::Directory || inTemp == 0) {
        // Something else of that name, and nothing says that it was ever away: somebody made it anew before we came.
        if (inName != 0 && inName != record.old.inode && record.staged == 0) {
            return Verdict{State::Conflict, kSomethingElse};
        }
        return Verdict{inName == record.old.inode ? State::NotDone : State::Done, {}};
    }
    auto why = whyNotGone(place, temp, record.old, LookAt::ContentAndXattrs);
    if (!why) {
        return fail(std::move(why).error());
    }
    if (why->empty()) {
        CARREL_TRY(m_journal.staged(index.first, index.second, record.old.inode, {}, Durable::Later)); // it was away
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

// What the call moved may not be what was looked at: somebody saved the file anew just before it. Then it is not the
// reviewed one that moved, and it goes back. After a crash nobody knows who put there what, and it may have been long ago:
// everything stays where it is, and the user is told what to look at.
Result<Executor::Verdict> Executor::resolveMove(const OpRecord& record, const Pinned& pinned, Call call) {
    const Place& place = pinned.place;
    const auto inodes = inodesOf(place, *pinned.from);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inPlace, inFrom] = *inodes;
    const bool isIt = inPlace == record.old.inode;
    const bool stays = inFrom == record.old.inode && call != Call::Succeeded; // else it is a later file that got its number
    if (inPlace == 0 || stays || (!isIt && call == Call::Failed)) {
        return Verdict{};
    }
    auto why = whyNotThere(place, {record.old, record.old.inode});
    if (!why) {
        return fail(std::move(why).error());
    }
    const bool unproven = !isIt && call == Call::Unknown;
    if (why->empty() && (!unproven || inFrom == 0)) {
        return Verdict{State::Done, {}};
    }
    if (unproven) {
        return Verdict{State::Conflict, inFrom == 0
                                            ? "nothing is left under its old name, and under its new name stands something that was "
                                              "not reviewed: it may have been saved under the old one just before it was moved"
                                            : "something that was not reviewed stands under its old name, and under its new name as "
                                              "well, which may have been saved under the old one just before it was moved"};
    }
    return moveBack(pinned, std::move(*why));
}

// If its old name is taken by now it stays under the new one: nothing is lost, and the reason says so.
Result<Executor::Verdict> Executor::moveBack(const Pinned& pinned, std::string why) {
    const auto& [place, from] = pinned;
    const Status back = m_writer.moveNew(place, place.name, *from, from->name);
    if (!back && back.error().code != ErrorCode::AlreadyExists) {
        return fail(back.error());
    }
    if (!back) {
        why += "; it stands under its new name, since its old name was taken meanwhile";
    }
    CARREL_TRY(m_writer.flush(*from));
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, std::move(why)};
}

// Empty: it is there. A folder is known by its number only; a file by what is in it, since numbers are given again.
Result<std::string> Executor::whyNotThere(const Place& place, const Expected& expected) {
    if (expected.state.kind != NodeKind::Directory) {
        return whyNotGone(place, place.name, expected.state);
    }
    const auto inode = inodeOf(place);
    if (!inode) {
        return fail(inode.error());
    }
    return std::string(*inode == expected.inode ? "" : kSomethingElse);
}

// As resolveMove().
Result<Executor::Verdict> Executor::resolveExchange(const Op& op, const OpRecord& record, const Pinned& pinned, Call call) {
    const auto inodes = inodesOf(pinned.place, *pinned.from);
    if (!inodes) {
        return fail(inodes.error());
    }
    const Expected one{op.expect, record.old.inode};
    const Expected other{op.want, record.staged};
    const bool byNumber = *inodes == std::pair(one.inode, other.inode);
    if (record.staged == 0 || (call == Call::Failed && !byNumber)) {
        return Verdict{};
    }
    const auto whyNot = [&](const Expected& inPlace, const Expected& inFrom) {
        auto why = whyNotThere(pinned.place, inPlace);
        return why && why->empty() ? whyNotThere(*pinned.from, inFrom) : why;
    };
    auto exchanged = whyNot(one, other);
    if (!exchanged) {
        return fail(std::move(exchanged).error());
    }
    if (call == Call::Succeeded || byNumber) {
        return exchanged->empty() ? Verdict{State::Done, {}} : exchangeBack(pinned, std::move(*exchanged));
    }
    if (*inodes == std::pair(other.inode, one.inode)) {
        return Verdict{};
    }
    auto untouched = whyNot(other, one);
    if (!untouched) {
        return fail(std::move(untouched).error());
    }
    return exchanged->empty()   ? Verdict{State::Done, {}}
           : untouched->empty() ? Verdict{}
                                : Verdict{State::Conflict,
                                          "it was exchanging its name with another one, and something that was not reviewed stands "
                                          "under its old name or its new name: what was saved under the one just before may stand "
                                          "under the other"};
}

Result<Executor::Verdict> Executor::exchangeBack(const Pinned& pinned, std::string why) {
    const auto& [place, from] = pinned;
    const Status back = m_writer.exchange(*from, from->name, place, place.name);
    if (!back && back.error().code != ErrorCode::NotFound) {
        return fail(back.error());
    }
    if (!back) { // one was taken away meanwhile: the other one stays where it is, and nothing is lost
        why += "; one of the two went meanwhile, and the other one stands under its new name";
    }
    CARREL_TRY(m_writer.flush(*from));
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, std::move(why)};
}

Result<Executor::Verdict> Executor::resolveMode(const Op& op, const OpRecord& record, const Place& place) {
    auto now = observe(place, LookAt::Names);
    if (!now) {
        return fail(std::move(now).error());
    }
    const bool done = now->kind == op.want.kind && now->mode == op.want.mode && now->inode == record.old.inode;
    return Verdict{done ? State::Done : State::NotDone, {}};
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
    constexpr int kTries = 100; // long names may have their beginning in common
    Status moved;
    for (int i = 1; i <= kTries; ++i) {
        const std::string suffix = ".carrel-kept-" + m_journal.plan().id + (i == 1 ? "" : "-" + std::to_string(i));
        const std::string name = place.name.substr(0, kMaxNameBytes - suffix.size()) + suffix;
        moved = m_writer.moveNew(place, temp, place, name);
        if (moved || moved.error().code != ErrorCode::AlreadyExists) {
            break;
        }
    }
    return moved;
}

} // namespace carrel::files

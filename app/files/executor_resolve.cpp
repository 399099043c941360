// SPDX-License-Identifier: Apache-2.0
// The second halves of the operations: what became of a step, and what is still to be done or taken back.
#include "app/files/executor.h"
#include "app/files/executor_look.h"

#include <algorithm>

namespace carrel::files {

bool Executor::isWhereItBegan(const OpRecord& record, const Pinned& pinned) {
    const auto is = [](const std::optional<FolderId>& began, const Place& place) { return !began || began == idOfFolder(place); };
    return is(record.in, pinned.place) && (!pinned.from || is(record.fromIn, *pinned.from));
}

// A folder that somebody renamed after a crash is still the one that our temporary is in, and another one of its name is
// not. A file system may give out other numbers after a mount; then the temporary's own name tells.
Result<std::optional<Executor::Located>> Executor::locate(const SharePath& path, const std::optional<FolderId>& id,
                                                          const std::string& temp) {
    auto place = pin(m_root, path, &m_listed);
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

// Our temporary, if a crash left one without its line, also in a folder that was renamed since. Of a Put: clearStale(). Of a
// Remove its line was flushed before it, so the line rotted, and the temporary is the user's file under no name that says so.
Result<std::string> Executor::clearUntold(std::size_t entry, std::size_t index) {
    const Op& op = m_journal.plan().entries[entry].ops[index];
    if (!m_journal.isResumed() || (op.kind != OpKind::Put && op.kind != OpKind::Remove)) {
        return std::string();
    }
    const auto clear = [&](const Place& place, const std::string& temp) {
        return op.kind == OpKind::Put ? clearStale(op, place, temp) : bringBack(place, temp);
    };
    const std::string temp = tempName(entry, index);
    auto place = pin(m_root, op.path, &m_listed);
    if (place) {
        return clear(*place, temp);
    }
    if (!isConflict(place.error())) {
        return std::string(); // nothing to be seen of it, and so nothing to be said
    }
    const auto holder = m_search.findHolder(temp, std::string(op.path.name()));
    return holder ? clear(*holder, temp) : Result<std::string>(std::string());
}

// To its name; or beside it, if that is another one's by now.
Result<std::string> Executor::bringBack(const Place& place, const std::string& temp) {
    const auto there = inodeOf(beside(place, temp));
    if (!there || *there == 0) {
        return there ? Result<std::string>(std::string()) : fail(there.error());
    }
    std::string kept;
    const Status back = m_writer.moveNew(place, temp, place, place.name);
    if (!back && back.error().code == ErrorCode::AlreadyExists) {
        auto aside = putAside(place, temp);
        if (!aside) {
            return aside;
        }
        kept = std::move(*aside);
    } else {
        CARREL_TRY(back);
    }
    CARREL_TRY(m_writer.flush(place));
    return kept;
}

std::string Executor::doneBefore(std::size_t entry, std::size_t index) const {
    constexpr std::size_t kMost = 3; // a reason has only so much room, Journal::outcome()
    std::string text;
    for (std::size_t i = 0; i < std::min(index, kMost); ++i) {
        const Op& op = m_journal.plan().entries[entry].ops[i];
        const std::string path = shown(op.path.text());
        const std::string from = op.from ? shown(op.from->text()) : std::string();
        text += i == 0 ? "" : ", ";
        text += op.kind == OpKind::Move       ? from + " is " + path + " now"
                : op.kind == OpKind::Exchange ? from + " and " + path + " have changed places"
                : op.kind == OpKind::Remove   ? path + " is gone"
                                              : path + " is as the agent wants it";
    }
    return text + (index > kMost ? ", and more" : "");
}

Result<Executor::Verdict> Executor::resolvePut(const Op& op, const OpRecord& record, const Place& place,
                                               const std::string& temp) {
    if (record.staged == 0) {
        auto kept = clearStale(op, place, temp); // without its line nothing has been swapped
        return kept ? Result<Verdict>(Verdict{State::NotDone, {}, keptBeside(*kept)}) : fail(std::move(kept).error());
    }
    return record.old.kind == NodeKind::Absent ? resolveCreate(putBy(op, record), place, temp)
                                               : resolveReplace(op, record, place, temp);
}

Result<Executor::Verdict> Executor::resolveCreate(const NodeState& want, const Place& place, const std::string& temp) {
    const auto inTemp = inodeOf(beside(place, temp));
    if (!inTemp) {
        return fail(inTemp.error());
    }
    if (*inTemp != 0) {
        auto kept = discard(place, temp, want);
        return kept ? Result<Verdict>(Verdict{State::NotDone, {}, keptBeside(*kept)}) : fail(std::move(kept).error());
    }
    // Placed; or not, and somebody made another of that name. Only what is there can tell: the number of a temporary that went
    // may be that of the next new file.
    auto now = observe(place, LookAt::Content);
    if (!now) {
        return fail(std::move(now).error());
    }
    return Verdict{matches(*now, want) ? State::Done : State::NotDone, {}};
}

Result<Executor::Verdict> Executor::resolveReplace(const Op& op, const OpRecord& record, const Place& place,
                                                   const std::string& temp) {
    const auto inodes = inodesOf(beside(place, temp), place);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inTemp, inName] = *inodes;
    const NodeState want = putBy(op, record);
    if (inTemp == 0) {
        // Finished, or taken back and cleaned up. If it is neither the one nor the other by now, somebody saved it anew, after
        // the swap or before there was one: told as done, the agent's version would be given up. Numbers prove nothing here,
        // that of the temporary may have been given to that new file.
        auto now = observe(place, LookAt::Content);
        if (!now) {
            return fail(std::move(now).error());
        }
        const bool isOld = matches(*now, record.old);
        return matches(*now, want) ? Verdict{State::Done, {}}
               : isOld                ? Verdict{}
                                      : Verdict{State::Conflict, kSomethingElse};
    }
    if (inTemp == record.staged) {
        auto kept = discard(place, temp, want); // not swapped, or swapped back
        return kept ? Result<Verdict>(Verdict{State::NotDone, {}, keptBeside(*kept)}) : fail(std::move(kept).error());
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
    }
    auto kept = inName == record.staged ? discard(place, temp, want) : putAside(place, temp);
    if (!kept) {
        return fail(std::move(kept).error());
    }
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, *why, keptBeside(*kept)};
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
        CARREL_TRY(m_journal.staged(index.first, index.second, {record.old.inode}, Durable::Later)); // it was away
        CARREL_TRY(m_writer.unlink(place, temp));
        return Verdict{State::Done, {}};
    }
    auto kept = bringBack(place, temp);
    return kept ? Result<Verdict>(Verdict{State::Conflict, *why, keptBeside(*kept)}) : fail(std::move(kept).error());
}

// What the call moved may not be what was looked at: somebody saved the file anew just before it. Then it is not the
// reviewed one that moved, and it goes back. After a crash nobody knows who put there what, and it may have been long ago:
// everything stays where it is, and the user is told what to look at.
Result<Executor::Verdict> Executor::resolveMove(const Op& op, const OpRecord& record, const Pinned& pinned, Call call) {
    const Place& place = pinned.place;
    const auto inodes = inodesOf(place, *pinned.from);
    if (!inodes) {
        return fail(inodes.error());
    }
    const auto [inPlace, inFrom] = *inodes;
    const bool isIt = inPlace == record.old.inode;
    const bool stays = inFrom == record.old.inode && call != Call::Succeeded; // else it is a later file that got its number
    if (stays || (!isIt && call == Call::Failed)) {
        return Verdict{};
    }
    const std::string where = standing(op.path, inPlace, {}) + standing(*op.from, inFrom, {});
    if (inPlace == 0) {
        // At neither. A file goes again if one as expected stands at its old name; of a folder nothing could be expected, and
        // another one would go in its place.
        return op.expect.kind == NodeKind::Directory ? Verdict{State::Conflict, kSomethingElse, where} : Verdict{};
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
        return Verdict{State::Conflict,
                       "something that was not reviewed stands under its new name, which may have been saved under the old one "
                       "just before it was moved",
                       where};
    }
    return moveBack(op, pinned, std::move(*why));
}

// If its old name is taken by now it stays under the new one: nothing is lost, and the reason says so.
Result<Executor::Verdict> Executor::moveBack(const Op& op, const Pinned& pinned, std::string why) {
    const auto& [place, from] = pinned;
    const Status back = m_writer.moveNew(place, place.name, *from, from->name);
    if (!back && back.error().code != ErrorCode::AlreadyExists) {
        return fail(back.error());
    }
    CARREL_TRY(m_writer.flush(*from));
    CARREL_TRY(m_writer.flush(place));
    return Verdict{State::Conflict, std::move(why),
                   back ? "; it is " + shown(op.from->text()) + " as before"
                        : "; it is " + shown(op.path.text()) + " now, since another one is " + shown(op.from->text())};
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
    if (exchanged->empty() || untouched->empty()) {
        return exchanged->empty() ? Verdict{State::Done, {}} : Verdict{};
    }
    const auto tell = [&](const Place& place, const SharePath& path, std::uint64_t inode) {
        std::string was; // by number and content: a later file may have been given the number
        for (const auto& [expected, name] : {std::pair(&one, &*op.from), std::pair(&other, &op.path)}) {
            if (inode == expected->inode && whyNotThere(place, *expected).value_or(kSomethingElse).empty()) {
                was = name->text();
            }
        }
        return standing(path, inode, was);
    };
    return Verdict{State::Conflict,
                   "it was exchanging its name with another one, and something that was not reviewed stands under one of the two: "
                   "what was saved under the one just before may stand under the other",
                   tell(pinned.place, op.path, inodes->first) + tell(*pinned.from, *op.from, inodes->second)};
}

Result<Executor::Verdict> Executor::exchangeBack(const Pinned& pinned, std::string why) {
    const auto& [place, from] = pinned;
    const Status back = m_writer.exchange(*from, from->name, place, place.name);
    if (!back && back.error().code != ErrorCode::NotFound) {
        return fail(back.error());
    }
    CARREL_TRY(m_writer.flush(*from));
    CARREL_TRY(m_writer.flush(place));
    // Not back: one was taken away meanwhile. The other one stays where it is, and nothing is lost.
    return Verdict{State::Conflict, std::move(why),
                   back ? "; both have their own names again"
                        : "; one of the two went meanwhile, and the other one stands under its new name"};
}

Result<Executor::Verdict> Executor::resolveMode(const Op& op, const OpRecord& record, const Place& place) {
    auto now = observe(place, LookAt::Names);
    if (!now) {
        return fail(std::move(now).error());
    }
    const bool isIt = now->kind == op.want.kind && now->inode == record.old.inode;
    if (isIt && now->mode != op.want.mode) {
        return Verdict{State::NotDone, "its permissions stay as they are: this disk, or its owner, gives it no others"};
    }
    return Verdict{isIt ? State::Done : State::NotDone, {}};
}

// Our own complete temporary. It had the file's name for a moment if it was swapped back, so somebody may
// have written to it: then it is not ours to remove.
Result<std::string> Executor::discard(const Place& place, const std::string& temp, const NodeState& want) {
    if (want.kind == NodeKind::Directory) {
        const Status removed = m_writer.removeFolder(place, temp);
        if (!removed && removed.error().code == ErrorCode::Conflict) {
            return putAside(place, temp);
        }
        return removed ? Result<std::string>(std::string()) : fail(removed.error());
    }
    auto why = whyNotGone(place, temp, want);
    if (!why) {
        return fail(std::move(why).error());
    }
    if (!why->empty()) {
        return putAside(place, temp);
    }
    CARREL_TRY(m_writer.unlink(place, temp));
    return std::string();
}

Result<std::string> Executor::putAside(const Place& place, const std::string& temp) {
    constexpr int kTries = 100; // long names may have their beginning in common
    Status moved;
    for (int i = 1; i <= kTries; ++i) {
        const std::string suffix = ".carrel-kept-" + m_journal.plan().id + (i == 1 ? "" : "-" + std::to_string(i));
        const std::string name = place.name.substr(0, kMaxNameBytes - suffix.size()) + suffix;
        moved = m_writer.moveNew(place, temp, place, name);
        if (moved) {
            return name;
        }
        if (moved.error().code != ErrorCode::AlreadyExists) {
            break;
        }
    }
    return fail(moved.error());
}

} // namespace carrel::files

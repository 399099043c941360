// SPDX-License-Identifier: Apache-2.0
#include "app/files/applier.h"

#include "app/files/executor.h"
#include "app/files/journal.h"
#include "app/files/names.h"
#include "app/files/planner.h"
#include "app/files/standing.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>

namespace carrel::files {

namespace {

struct RootId {
    std::uint64_t inode = 0;
    std::int64_t bornNs = 0;
};

Result<RootId> idOfRoot(int root) {
    struct statx stx {};
    errno = 0;
    if (::statx(root, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_BTIME, &stx) != 0 || !S_ISDIR(stx.stx_mode)) {
        return failErrno("cannot open the shared folder", errno == 0 ? ENOTDIR : errno);
    }
    const bool born = (stx.stx_mask & STATX_BTIME) != 0;
    return RootId{stx.stx_ino, born ? toNs({stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec}) : 0};
}

bool isRootOf(const Plan& plan, const RootId& root) {
    const bool tells = plan.rootBornNs != 0 && root.bornNs != 0;
    return plan.rootInode == root.inode && (!tells || plan.rootBornNs == root.bornNs);
}

// Under another name of the share too, where the birth tells it from the root of another disk.
bool isOf(const Plan& plan, const std::string& share, const RootId& root) {
    const bool tells = plan.rootBornNs != 0 && root.bornNs != 0;
    return isRootOf(plan, root) && (plan.share == share || tells);
}

std::int64_t nowNs() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// One that is damaged does not take the others' undo with it, and no list stops at one that the disk does not give; only what
// either may need must not be given up for lost.
enum class PassOver { Damaged, Unreadable };

Result<std::vector<Journal>> loadAll(const std::string& dir, PassOver which) {
    auto ids = journalIds(dir);
    if (!ids) {
        return fail(std::move(ids).error());
    }
    std::vector<Journal> journals;
    for (const auto& id : *ids) {
        auto journal = Journal::load(dir, id, nullptr, Journal::Repair::No);
        const bool passes = which == PassOver::Unreadable ||
                            (which == PassOver::Damaged && !journal && journal.error().code == ErrorCode::Malformed);
        if (journal) {
            journals.push_back(std::move(*journal));
        } else if (!passes) {
            return fail(std::move(journal).error());
        }
    }
    return journals;
}

// Who finds one in a shared folder must know what it is, and not throw it away.
std::string temporariesOf(const std::string& id) {
    return std::string(kTemporaryPrefix) + id + "-…";
}

ApplyReport unreadable(const std::string& id, const Error& error) {
    ApplyReport report;
    report.id = id;
    report.unsettled =
        error.wrap("the journal of apply " + id + " cannot be read, so whether that apply was interrupted cannot be told",
                   "It is kept as it is, but that apply cannot be taken back. If there is a file " + temporariesOf(id) +
                       " in a shared folder, it is a file of yours as it was before or Carrel's copy of what was to take its "
                       "place: look at it before you remove it");
    return report;
}

ApplyReport unsettled(ApplyReport report, Error error) {
    for (auto& entry : report.entries) {
        if (entry.outcome == Outcome::NotRun) {
            entry.reason = error.text();
        }
    }
    report.unsettled = std::move(error);
    return report;
}

Result<ApplyReport> perform(int root, Journal& journal, ContentStore& store, StepHook* hook,
                            const Progress& progress) {
    Executor executor(root, journal, store, hook);
    if (auto finished = executor.finish(progress); !finished) {
        return fail(
            finished.error().wrap("the apply was interrupted", "It is finished when Carrel starts next"));
    }
    return journal.report();
}

void addReferences(std::set<Sha256>& keep, const Journal& journal) {
    const auto add = [&keep](const NodeState& state) {
        if (state.content) {
            keep.insert(*state.content);
        }
    };
    for (std::size_t e = 0; e < journal.entries().size(); ++e) {
        for (std::size_t o = 0; o < journal.plan().entries[e].ops.size(); ++o) {
            const Op& op = journal.plan().entries[e].ops[o];
            add(op.expect);
            add(op.want);
            add(journal.record(e, o).old);
        }
    }
}

} // namespace

std::string_view toString(Outcome outcome) {
    return nameOf(kOutcomes, outcome);
}

bool ApplyReport::complete() const {
    return !unsettled && std::all_of(entries.begin(), entries.end(),
                                     [](const auto& e) { return e.outcome == Outcome::Applied; });
}

bool ApplyReport::changedAnything() const {
    return std::any_of(entries.begin(), entries.end(), [](const auto& e) {
        return e.outcome == Outcome::Applied || e.outcome == Outcome::Partial;
    });
}

Applier::Applier(std::string dir, ContentStore& store, StepHook* hook)
    : m_dir(std::move(dir))
    , m_store(&store)
    , m_hook(hook) {}

Result<Applier> Applier::open(const std::string& dir, ContentStore& store, StepHook* hook) {
    CARREL_TRY(makeFolder(dir));
    return Applier(dir, store, hook);
}

Result<ApplyReport> Applier::apply(int root, const FrozenSet& set, std::span<const Selected> selection,
                                   const Progress& progress) {
    CARREL_TRY(settle(root, set.share));
    auto id = nextJournalId(m_dir);
    auto rootId = idOfRoot(root);
    auto entries = planApply(set, selection);
    if (!id || !rootId || !entries) {
        return fail(!id ? id.error() : !rootId ? rootId.error() : entries.error());
    }
    auto journal = Journal::create(
        m_dir, Plan{*id, set.id, set.share, "", nowNs(), rootId->inode, rootId->bornNs, std::move(*entries)}, m_hook);
    if (!journal) {
        return fail(std::move(journal).error());
    }
    return perform(root, *journal, *m_store, m_hook, progress);
}

Result<ApplyReport> Applier::undo(int root, const std::string& id, const Progress& progress) {
    auto wanted = Journal::load(m_dir, id, nullptr, Journal::Repair::No);
    if (!wanted) {
        return fail(std::move(wanted).error());
    }
    CARREL_TRY(settle(root, wanted->plan().share));
    return undoSettled(root, id, progress);
}

Result<ApplyReport> Applier::undoSettled(int root, const std::string& id, const Progress& progress) {
    auto journals = loadAll(m_dir, PassOver::Damaged);
    auto rootId = idOfRoot(root);
    auto next = nextJournalId(m_dir);
    if (!journals || !rootId || !next) {
        return fail(!journals ? journals.error() : !rootId ? rootId.error() : next.error());
    }
    const auto done =
        std::find_if(journals->begin(), journals->end(), [&](const auto& j) { return j.plan().id == id; });
    if (done == journals->end()) {
        return fail(ErrorCode::NotFound, "there is no apply of that id");
    }
    if (!done->ended()) {
        return fail(ErrorCode::Refused, "that apply was interrupted and is not finished yet",
                    "Start Carrel again first");
    }
    const Standing standing(*journals);
    if (standing.isBeingTakenBack(id)) {
        return fail(ErrorCode::Refused, "taking that apply back was interrupted and is not finished yet",
                    "Start Carrel again first");
    }
    if (!standing.takenBackBy(id).empty()) {
        return fail(ErrorCode::Refused, "that apply is taken back already");
    }
    if (!isRootOf(done->plan(), *rootId)) {
        return fail(ErrorCode::Refused, "the shared folder is another one than at the time of the apply");
    }
    Plan plan{*next, done->plan().set, done->plan().share, id, nowNs(), rootId->inode, rootId->bornNs, planUndo(*done, standing.operations(id))};
    auto journal = Journal::create(m_dir, std::move(plan), m_hook);
    if (!journal) {
        return fail(std::move(journal).error());
    }
    return perform(root, *journal, *m_store, m_hook, progress);
}

Status Applier::settle(int root, const std::string& share) {
    auto rootId = idOfRoot(root);
    if (!rootId) {
        return fail(std::move(rootId).error());
    }
    const auto settleOne = [&](const Journal& found) -> Status {
        if (found.goesBack() || !isOf(found.plan(), share, *rootId)) {
            return {};
        }
        auto journal = Journal::load(m_dir, found.plan().id, m_hook, Journal::Repair::Yes);
        if (!journal) {
            return fail(std::move(journal).error());
        }
        Executor executor(root, *journal, *m_store, m_hook);
        if (auto stopped = executor.stopHere(); !stopped) {
            return fail(stopped.error().wrap("an earlier apply was interrupted, and what it began cannot be settled",
                                             "Mend what is wrong with the disk or the folder, then try again"));
        }
        return {};
    };
    return eachUnended(settleOne, Damaged::PassOver);
}

Result<std::vector<ApplyReport>> Applier::recover(const OpenShare& openShare, RecoverTo to) {
    auto ids = journalIds(m_dir);
    if (!ids) {
        return fail(std::move(ids).error());
    }
    std::vector<ApplyReport> reports;
    std::vector<Journal> journals;
    std::set<std::string> takenBack;
    for (const auto& id : *ids) {
        auto journal = Journal::load(m_dir, id, nullptr, Journal::Repair::No);
        if (journal) {
            takenBack.insert(journal->plan().undoes);
            journals.push_back(std::move(*journal));
        } else {
            reports.push_back(unreadable(id, journal.error()));
        }
    }
    for (const auto& journal : journals) {
        const std::string& id = journal.plan().id;
        // Rolling back is two journals; the next start goes on with the second if a crash came between them.
        const bool halfBack = journal.goesBack() && !takenBack.contains(id);
        if (journal.ended() && !halfBack) {
            continue;
        }
        if (auto settled = recoverOne(id, openShare, to, reports); !settled) {
            auto soFar = report(id);
            reports.push_back(unsettled(
                soFar ? std::move(*soFar) : journal.report(),
                settled.error().wrap("an apply was interrupted, and what it had begun could not be settled",
                                     "Mend what is wrong with the disk or the folder, then start Carrel again. Until then "
                                     "that folder takes no apply and no undo; leave " +
                                         temporariesOf(id) + " in it as it is, it may be a file of yours")));
        }
    }
    return reports;
}

Status Applier::recoverOne(const std::string& id, const OpenShare& openShare, RecoverTo to, std::vector<ApplyReport>& reports) {
    auto loaded = Journal::load(m_dir, id, m_hook, Journal::Repair::Yes);
    if (!loaded) {
        return fail(std::move(loaded).error());
    }
    Journal& journal = *loaded;
    auto root = openShare(journal.plan().share);
    auto rootId = root ? idOfRoot(root->get()) : Result<RootId>(fail(root.error()));
    if (!rootId || !isRootOf(journal.plan(), *rootId)) {
        Error error{ErrorCode::Unavailable, "the shared folder is not there, so the interrupted apply could not be settled",
                    "It is gone on with when Carrel starts next and the folder is there again", 0, nullptr};
        reports.push_back(unsettled(journal.report(),
                                    rootId ? std::move(error) : rootId.error().wrap(error.message, error.hint)));
        return {};
    }
    // An undo is never rolled back half-way: it goes where it was going.
    const bool back = journal.goesBack() || (to == RecoverTo::RollBack && journal.plan().undoes.empty());
    if (back && !journal.goesBack()) {
        CARREL_TRY(journal.goBack());
    }
    if (!journal.ended()) {
        Executor executor(root->get(), journal, *m_store, m_hook);
        CARREL_TRY(back ? executor.stopHere() : executor.finish({}));
    }
    reports.push_back(journal.report());
    if (back) {
        auto undone = undoSettled(root->get(), journal.plan().id, {});
        if (!undone) {
            return fail(std::move(undone).error());
        }
        reports.push_back(std::move(*undone));
    }
    return {};
}

Result<MadeIn> Applier::madeIn(int root, const std::string& id) const {
    auto journal = Journal::load(m_dir, id, nullptr, Journal::Repair::No);
    auto rootId = idOfRoot(root);
    if (!journal || !rootId) {
        return fail(!journal ? journal.error() : rootId.error());
    }
    if (!isRootOf(journal->plan(), *rootId)) {
        return MadeIn::No;
    }
    return journal->plan().rootBornNs != 0 && rootId->bornNs != 0 ? MadeIn::Yes : MadeIn::CannotTell;
}

Result<std::vector<ApplySummary>> Applier::list() const {
    auto journals = loadAll(m_dir, PassOver::Unreadable);
    if (!journals) {
        return fail(std::move(journals).error());
    }
    const Standing standing(*journals);
    std::vector<ApplySummary> list;
    for (const auto& journal : *journals) {
        const Plan& plan = journal.plan();
        list.push_back({plan.id, plan.set, plan.share, plan.undoes, plan.atNs, journal.ended(),
                        standing.takenBackBy(plan.id), standing.isPartlyTakenBack(plan.id)});
    }
    return list;
}

Result<ApplyReport> Applier::report(const std::string& id) const {
    auto journal = Journal::load(m_dir, id, nullptr, Journal::Repair::No);
    if (!journal) {
        return fail(std::move(journal).error());
    }
    return journal->report();
}

Result<std::set<Sha256>> Applier::references() const {
    std::set<Sha256> keep;
    const auto add = [&keep](const Journal& journal) -> Status {
        addReferences(keep, journal);
        return {};
    };
    CARREL_TRY(eachUnended(add, Damaged::IsError));
    keep.insert(m_neededByEnded.begin(), m_neededByEnded.end());
    return keep;
}

Status Applier::eachUnended(const std::function<Status(const Journal&)>& each, Damaged damaged) const {
    auto ids = journalIds(m_dir);
    if (!ids) {
        return fail(std::move(ids).error());
    }
    for (const auto& id : *ids) {
        if (m_ended.contains(id)) {
            continue;
        }
        auto journal = Journal::load(m_dir, id, nullptr, Journal::Repair::No);
        if (!journal && damaged == Damaged::PassOver && journal.error().code == ErrorCode::Malformed) {
            continue;
        }
        if (!journal) {
            return fail(std::move(journal).error());
        }
        if (journal->ended()) {
            addReferences(m_neededByEnded, *journal);
            m_ended.insert(id);
        } else {
            CARREL_TRY(each(*journal));
        }
    }
    return {};
}

} // namespace carrel::files

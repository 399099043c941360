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

// One that is damaged does not take the others' undo with it; only what it may need must not be given up for lost.
enum class Damaged { PassOver, Refuse };

Result<std::vector<Journal>> loadAll(const std::string& dir, Damaged damaged, Journal::Repair repair = Journal::Repair::No,
                                     StepHook* hook = nullptr) {
    auto ids = journalIds(dir);
    if (!ids) {
        return fail(std::move(ids).error());
    }
    std::vector<Journal> journals;
    for (const auto& id : *ids) {
        auto journal = Journal::load(dir, id, hook, repair);
        if (journal) {
            journals.push_back(std::move(*journal));
        } else if (damaged == Damaged::Refuse || journal.error().code != ErrorCode::Malformed) {
            return fail(std::move(journal).error());
        }
    }
    return journals;
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

void addReferences(std::set<Sha256>& keep, const NodeState& state) {
    if (state.content) {
        keep.insert(*state.content);
    }
}

} // namespace

std::string_view toString(Outcome outcome) {
    return nameOf(kOutcomes, outcome);
}

bool ApplyReport::complete() const {
    return std::all_of(entries.begin(), entries.end(),
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
    auto journals = loadAll(m_dir, Damaged::PassOver);
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
    auto journals = loadAll(m_dir, Damaged::PassOver, Journal::Repair::No);
    auto rootId = idOfRoot(root);
    if (!journals || !rootId) {
        return fail(!journals ? journals.error() : rootId.error());
    }
    for (const auto& found : *journals) {
        if (found.ended() || found.goesBack() || !isOf(found.plan(), share, *rootId)) {
            continue;
        }
        auto journal = Journal::load(m_dir, found.plan().id, m_hook, Journal::Repair::Yes);
        if (!journal) {
            return fail(std::move(journal).error());
        }
        Executor executor(root, *journal, *m_store, m_hook);
        if (auto stopped = executor.stopHere(); !stopped) {
            return fail(stopped.error().wrap("an earlier apply was interrupted, and what it began cannot be settled",
                                             "Mend what is wrong with the disk, then try again"));
        }
    }
    return {};
}

Result<std::vector<ApplyReport>> Applier::recover(const OpenShare& openShare, RecoverTo to) {
    auto journals = loadAll(m_dir, Damaged::PassOver, Journal::Repair::Yes, m_hook);
    if (!journals) {
        return fail(std::move(journals).error());
    }
    std::set<std::string> takenBack;
    for (const auto& journal : *journals) {
        takenBack.insert(journal.plan().undoes);
    }
    std::vector<ApplyReport> reports;
    for (auto& journal : *journals) {
        // Rolling back is two journals; the next start goes on with the second if a crash came between them.
        const bool halfBack = journal.goesBack() && !takenBack.contains(journal.plan().id);
        if (!journal.ended() || halfBack) {
            CARREL_TRY(recoverOne(journal, openShare, to, reports));
        }
    }
    return reports;
}

Status Applier::recoverOne(Journal& journal, const OpenShare& openShare, RecoverTo to,
                           std::vector<ApplyReport>& reports) {
    auto root = openShare(journal.plan().share);
    auto rootId = root ? idOfRoot(root->get()) : Result<RootId>(fail(root.error()));
    if (!rootId || !isRootOf(journal.plan(), *rootId)) {
        ApplyReport report = journal.report();
        for (auto& entry : report.entries) {
            if (entry.outcome == Outcome::NotRun) {
                entry.reason = "the shared folder is not there, so the interrupted apply could not be settled";
            }
        }
        reports.push_back(std::move(report));
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
    auto journals = loadAll(m_dir, Damaged::PassOver);
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
    auto journals = loadAll(m_dir, Damaged::Refuse);
    if (!journals) {
        return fail(std::move(journals).error());
    }
    std::set<Sha256> keep;
    for (const auto& journal : *journals) {
        for (std::size_t e = 0; e < journal.entries().size(); ++e) {
            for (std::size_t o = 0; o < journal.plan().entries[e].ops.size(); ++o) {
                const Op& op = journal.plan().entries[e].ops[o];
                addReferences(keep, op.expect);
                addReferences(keep, op.want);
                addReferences(keep, journal.record(e, o).old);
            }
        }
    }
    return keep;
}

} // namespace carrel::files

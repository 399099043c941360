// SPDX-License-Identifier: Apache-2.0
// Staged work, decided on: applying, discarding, undoing. `allow` on a request to apply is this same apply().
#include "app/agents/agent.h"
#include "app/files/left.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;

namespace {

std::string_view outcomeName(const files::EntryOutcome& outcome) {
    switch (outcome.outcome) {
    case files::Outcome::Applied:
        return "done";
    case files::Outcome::Conflict:
        return "conflict";
    case files::Outcome::NotRun:
        return "refused";
    case files::Outcome::Failed:
    case files::Outcome::Partial:
        break;
    }
    return "failed";
}

std::size_t count(const std::vector<ItemOutcome>& items, std::string_view outcome) {
    return static_cast<std::size_t>(std::count_if(
        items.begin(), items.end(), [&](const ItemOutcome& item) { return item.outcome == outcome; }));
}

ApplyFacts factsOf(const ActionReport& report, std::string_view by) {
    ApplyFacts facts;
    facts.by = by;
    facts.atMs = std::chrono::duration_cast<std::chrono::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
    facts.done = count(report.items, "done");
    facts.open = report.items.size() - facts.done;
    const auto first = std::find_if(report.items.begin(), report.items.end(),
                                    [](const ItemOutcome& item) { return item.outcome == "done"; });
    if (first != report.items.end()) {
        facts.first = first->share + "/" + first->path.text();
    }
    return facts;
}

json::object totals(const ActionReport& report) {
    return {{"done", count(report.items, "done")},
            {"conflicts", count(report.items, "conflict")},
            {"refused", count(report.items, "refused")},
            {"failed", count(report.items, "failed")}};
}

} // namespace

std::size_t ActionReport::made() const {
    return count(items, "done");
}

Result<ActionReport> Agent::apply(const std::string& reviewId, const ReviewSelection& selection,
                                  const Progress& progress, IfBoth ifBoth, const Warrant& warrant) {
    bool all = false;
    auto report = applyInTurn(reviewId, selection, progress, ifBoth, warrant, all);
    if (report && all && warrant.approval == 0 && warrant.by == kByOwner) {
        tellOwnerDecided(reviewId);
    }
    return report;
}

Result<ActionReport> Agent::applyInTurn(const std::string& reviewId, const ReviewSelection& selection, const Progress& progress,
                                        IfBoth ifBoth, const Warrant& warrant, bool& all) {
    auto opened = openReview(reviewId);
    if (!opened) {
        return fail(std::move(opened).error());
    }
    const std::lock_guard operation(m_operation);
    const auto chosen = opened->select(selection);
    all = chosen.size() == opened->select({}).size();
    if (chosen.empty()) {
        return fail(ErrorCode::NotFound, "none of those paths is in the review",
                    "See: carrel changes " + name());
    }
    if (warrant.begin) {
        CARREL_TRY(warrant.begin(*opened));
    }
    // I5. The id names every byte of it. The sets are what its journals are known by after a kill (appliedBy()).
    json::array sets;
    for (std::size_t i = 0; i < opened->shares.size(); ++i) {
        if (std::any_of(chosen.begin(), chosen.end(), [&](const EntryView& view) { return view.share == &opened->shares[i]; })) {
            sets.emplace_back(opened->sets[i].id);
        }
    }
    json::object decided{{"entries", chosen.size()},
                         {"partly", !selection.paths.empty()},
                         {"by", warrant.by},
                         {"keep_both", ifBoth == IfBoth::KeepBoth},
                         {"sets", std::move(sets)}};
    if (warrant.approval != 0) {
        decided["approval"] = warrant.approval;
    }
    CARREL_TRY(note(EventKind::ApplyDecided, reviewId, std::move(decided)));
    auto report = applyChosen(*opened, chosen, warrant.by, progress, ifBoth);
    endHold(opened->shares);
    return report;
}

// One code path for whoever decided. The decision is in the log.
Result<ActionReport> Agent::applyChosen(const OpenedReview& opened, const std::vector<EntryView>& chosen,
                                        std::string_view by, const Progress& progress, IfBoth ifBoth) {
    settleLeft(opened.shares);
    // A person can stop what they wait for; auto mode must let them at the agent.
    const auto patience = by == kByAuto ? m_services.patience.autoAnswer : kAnswerPatience;
    ActionReport report;
    std::vector<ApplyPart> parts;
    bool collect = false;
    for (std::size_t i = 0; i < opened.shares.size(); ++i) {
        const auto& share = opened.shares[i];
        std::vector<files::Selected> selected;
        std::vector<Decided> beside; // nothing of them is wanted at their own names
        for (const auto& view : chosen) {
            if (view.share == &share && ifBoth == IfBoth::KeepBoth && bothChanged(*view.entry)) {
                const auto before = report.items.size();
                collect = true;
                if (const auto part = keepBeside(view, report)) {
                    parts.push_back(*part);
                }
                if (report.items.size() > before && report.items.back().outcome == "done") {
                    beside.push_back({view.entry->path, view.entry->generation});
                }
            } else if (view.share == &share) {
                selected.push_back({view.entry->path, files::IfFlagged::Leave});
            }
        }
        if (auto at = readyDoor(); at && !beside.empty()) {
            if (auto kept = tellGuest(**at, "changes.discard", share.id, beside); !kept) {
                m_services.complain(name() + ": " +
                                    kept.error().text()); // it stays staged, in conflict as before
            }
            (void)listChanges(**at, share, {}).has_value();
        }
        if (selected.empty()) {
            continue;
        }
        auto root = openShareRoot(share);
        auto done =
            root ? m_review->apply(root->get(), opened.sets[i].id, selected,
                                   [&](std::size_t at, std::size_t total, const SharePath& path) {
                                       progress("apply", std::to_string(at) + " of " + std::to_string(total) +
                                                             ": " + share.name + "/" + path.text());
                                       return true;
                                   })
                 : Result<files::ApplyReport>(fail(root.error()));
        if (!done) {
            m_applyLeft = true;
            for (const auto& each : selected) {
                report.items.push_back({share.name, each.path, opened.sets[i].find(each.path)->kind, "failed",
                                        done.error().text()});
            }
            continue;
        }
        if (done->changedAnything()) { // a number is what undo takes back
            parts.push_back({share.id, done->id});
        }
        std::vector<Decided> settled;
        files::ListedNames names(files::ListedNames::Missing::IsMissing);
        for (const auto& outcome : done->entries) {
            const auto* entry = opened.sets[i].find(outcome.path);
            report.items.push_back({share.name, outcome.path,
                                    entry != nullptr ? entry->kind : ChangeKind::Modified,
                                    std::string(outcomeName(outcome)), outcome.reason});
            if (outcome.outcome == files::Outcome::Applied) {
                auto left = entry != nullptr ? files::leftBy(root->get(), outcome.path, entry->wanted, &names) : std::nullopt;
                settled.push_back({outcome.path, outcome.generation, std::move(left)});
            }
        }
        if (auto kept = m_own->applied(share.id, opened.sets[i], *done); !kept) {
            m_services.complain(name() + ": " +
                                kept.error().text()); // then those files wait for review, as others do
        }
        if (auto at = readyDoor()) { // nobody waits for a guest that is not reached
            // The host's version shows in the guest from here on. Where this fails, the next review finds
            // that the host already is as wanted, and settles it then.
            if (auto kept = tellGuest(**at, "changes.settle", share.id, settled, patience); !kept) {
                m_services.complain(name() + ": " + kept.error().text());
            }
            (void)listChanges(**at, share, {}, patience).has_value();
        }
    }
    if (collect) {
        collectUnused();
    }
    if (!parts.empty()) {
        auto number = m_book->record(0, opened.id, parts, factsOf(report, by));
        if (!number) {
            return fail(std::move(number).error());
        }
        report.number = *number;
    }
    json::object detail = totals(report);
    detail["by"] = by;
    detail["number"] = report.number ? json::value(*report.number) : json::value(nullptr);
    noteAfter(EventKind::ApplyDone, opened.id, std::move(detail));
    return report;
}

Result<ActionReport> Agent::discard(const std::string& reviewId, const ReviewSelection& selection,
                                    const Progress& progress) {
    bool all = false;
    auto report = discardInTurn(reviewId, selection, progress, all);
    if (report && all) {
        tellOwnerDecided(reviewId);
    }
    return report;
}

Result<ActionReport> Agent::discardInTurn(const std::string& reviewId, const ReviewSelection& selection,
                                          const Progress& progress, bool& all) {
    auto opened = openReview(reviewId);
    if (!opened) {
        return fail(std::move(opened).error());
    }
    const std::lock_guard operation(m_operation);
    auto at = workingDoor();
    if (!at) {
        return fail(std::move(at).error());
    }
    const auto chosen = opened->select(selection);
    all = chosen.size() == opened->select({}).size();
    if (chosen.empty()) {
        return fail(ErrorCode::NotFound, "none of those paths is in the review",
                    "See: carrel changes " + name());
    }
    for (const auto& share : opened->shares) {
        CARREL_TRY(refuseUnsettled(share));
    }
    CARREL_TRY(note(EventKind::DiscardDecided, reviewId, {{"entries", chosen.size()}, {"by", "owner"}}));
    progress("discard", "Forgetting " + std::to_string(chosen.size()) + " staged changes");
    settleLeft(opened->shares);
    ActionReport report;
    for (std::size_t i = 0; i < opened->shares.size(); ++i) {
        const auto& share = opened->shares[i];
        if (auto root = openShareRoot(share)) { // else the next start would go on with what is forgotten now
            CARREL_TRY(m_review->settle(root->get(), opened->sets[i].share));
        }
        std::vector<Decided> entries;
        for (const auto& view : chosen) {
            if (view.share == &share) {
                entries.push_back({view.entry->path, view.entry->generation});
            }
        }
        auto kept = tellGuest(**at, "changes.discard", share.id, entries);
        if (!kept) {
            return fail(std::move(kept).error());
        }
        const std::set<std::string> staying(kept->begin(), kept->end()); // as many as the guest likes
        for (const auto& view : chosen) {
            if (view.share == &share) {
                const bool stays = staying.contains(view.entry->path.text());
                report.items.push_back({share.name, view.entry->path, view.entry->kind,
                                        stays ? "kept" : "done",
                                        stays ? "It was worked on since, so it stays staged" : ""});
            }
        }
        (void)listChanges(**at, share, {}).has_value();
    }
    endHold(opened->shares);
    noteAfter(EventKind::DiscardDone, reviewId, totals(report));
    return report;
}

Result<files::ApplyReport> Agent::undoPart(const ShareRecord& share, const std::string& apply,
                                           const Progress& progress) {
    auto root = openShareRoot(share);
    if (!root) {
        return fail(std::move(root).error());
    }
    return m_review->undo(root->get(), apply, [&](std::size_t at, std::size_t total, const SharePath& path) {
        progress("undo", std::to_string(at) + " of " + std::to_string(total) + ": " + share.name + "/" +
                             path.text());
        return true;
    });
}

// Of these, where something was done that is not taken back.
Result<std::vector<ApplyPart>> Agent::standingParts(const std::vector<ApplyPart>& parts) {
    const auto applies = m_review->applies();
    if (!applies) {
        return fail(applies.error());
    }
    std::set<std::string> standing;
    for (const auto& each : *applies) {
        if (!each.finished || each.undoneBy.empty()) {
            standing.insert(each.id);
        }
    }
    std::vector<ApplyPart> left;
    std::copy_if(parts.begin(), parts.end(), std::back_inserter(left),
                 [&](const ApplyPart& part) { return standing.contains(part.apply); });
    return left;
}

// Fills the report; answers what was undone, and the last trouble that a whole folder had.
std::vector<ApplyPart> Agent::undoParts(const std::vector<ApplyPart>& wanted, const Progress& progress,
                                        ActionReport& report, std::optional<Error>& failure) {
    std::vector<ApplyPart> parts;
    const auto of = record();
    for (const auto& part : wanted) {
        const auto found = shareOf(of, part.share, part.apply);
        const auto* share = found ? *found : nullptr;
        const auto before = m_review->report(part.apply);
        auto done = found ? undoPart(*share, part.apply, progress) : fail(found.error());
        if (!done) {
            m_applyLeft = true;
            // One folder's trouble leaves that folder as it is; the others are still undone, and told.
            for (const auto& outcome : before ? before->entries : std::vector<files::EntryOutcome>{}) {
                report.items.push_back({share == nullptr ? "(no longer shared)" : share->name,
                                        outcome.path, ChangeKind::Modified, "failed", done.error().text()});
            }
            failure = done.error();
            continue;
        }
        if (done->changedAnything()) {
            parts.push_back({share->id, done->id});
        }
        const auto set = before ? m_review->set(before->set) : fail(before.error());
        for (const auto& outcome : done->entries) {
            const auto* entry = set ? set->find(outcome.path) : nullptr;
            report.items.push_back({share->name, outcome.path,
                                    entry != nullptr ? entry->kind : ChangeKind::Modified,
                                    std::string(outcomeName(outcome)), outcome.reason});
        }
    }
    return parts;
}

Result<ActionReport> Agent::undo(std::optional<std::uint64_t> number, const Progress& progress) {
    const std::lock_guard operation(m_operation);
    // The last one may be one that was interrupted and has no number yet.
    const auto of = record();
    auto touched = of.shares;
    if (const auto* asked = number ? m_book->apply(*number) : nullptr) {
        std::erase_if(touched, [&](const ShareRecord& s) {
            return std::none_of(asked->parts.begin(), asked->parts.end(), [&](const ApplyPart& part) {
                const auto share = shareOf(of, part.share, part.apply);
                return share && (*share)->id == s.id;
            });
        });
    }
    settleLeft(touched);
    const auto* target = number ? m_book->apply(*number) : m_book->lastStanding();
    if (target == nullptr) {
        return fail(ErrorCode::NotFound,
                    number ? "there is no apply of that number" : "there is nothing to undo");
    }
    const NumberedApply undone = *target; // record() below moves the book's own
    const auto by = m_book->undoneBy(undone.number);
    const auto already = [&](const std::string& but) {
        return fail(ErrorCode::Refused, "that apply has been undone already, by undo " + std::to_string(by) + but,
                    "To have it back: carrel undo " + name() + " " + std::to_string(by));
    };
    auto wanted = undone.parts;
    if (by != 0) { // what could not be undone then may be possible now
        auto left = standingParts(undone.parts);
        if (!left) {
            return fail(std::move(left).error());
        }
        if (left->empty()) {
            return already("");
        }
        wanted = std::move(*left);
    }
    CARREL_TRY(note(EventKind::UndoDecided, std::to_string(undone.number), {{"by", "owner"}}));
    ActionReport report;
    report.undone = undone.number;
    std::optional<Error> failure;
    const auto parts = undoParts(wanted, progress, report, failure);
    if (parts.empty() && failure) {
        noteAfter(EventKind::UndoDone, std::to_string(undone.number), {{"error", failure->text()}});
        return fail(std::move(*failure));
    }
    if (by != 0 && !report.items.empty() && count(report.items, "conflict") == report.items.size()) {
        noteAfter(EventKind::UndoDone, std::to_string(undone.number), totals(report));
        const auto& first = report.items.front();
        return already(", but for what was changed again since, or is in use: " + first.share + "/" + first.path.text() +
                       ": " + first.reason);
    }
    if (!parts.empty()) { // else the apply stands, and undo may be tried again
        auto recorded = m_book->record(undone.number, undone.review, parts, factsOf(report, kByOwner));
        if (!recorded) {
            return fail(std::move(recorded).error());
        }
        report.number = *recorded;
    }
    json::object detail = totals(report);
    detail["number"] = report.number ? json::value(*report.number) : json::value(nullptr);
    noteAfter(EventKind::UndoDone, std::to_string(undone.number), std::move(detail));
    return report;
}

std::vector<Agent::PastApply> Agent::history(std::optional<std::uint64_t> before, std::size_t limit) {
    const std::lock_guard operation(m_operation);
    const auto of = record();
    std::vector<PastApply> out;
    const auto& all = m_book->applies();
    std::map<std::uint32_t, std::string> names; // an id is of one folder, also when that was shared again
    for (auto at = all.rbegin(); at != all.rend() && out.size() < limit; ++at) {
        if (before && at->number >= *before) {
            continue;
        }
        PastApply past{*at, m_book->undoneBy(at->number), {}};
        for (const auto& part : at->parts) {
            const auto [name, unknown] = names.try_emplace(part.share);
            if (unknown) {
                const auto share = shareOf(of, part.share, part.apply);
                name->second = share ? (*share)->name : "(no longer shared)";
            }
            past.shares.push_back(name->second);
        }
        out.push_back(std::move(past));
    }
    return out;
}

} // namespace carrel::agents

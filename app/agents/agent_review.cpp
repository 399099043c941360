// SPDX-License-Identifier: Apache-2.0
// Staged work: freezing, applying, discarding, undoing. `allow` on a request to apply will be this same apply().
#include "app/agents/agent.h"

#include "app/clerk/hidden_names.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;
using files::FrozenEntry;
using files::FrozenSet;

namespace {

constexpr std::size_t kEntriesPerRequest = 20; // with the longest paths they fit a link message
constexpr int kListRetries = 3;                // after a new epoch the guest has to be asked again
constexpr std::size_t kMaxListBytes = 64 * 1024 * 1024; // of names; each is held several times over
constexpr int kFreezeRounds = 3;               // a folder renamed already gives other names to all that is in it
constexpr int kListShare = 3;                  // a whole list gets that many times the patience for one answer

// The content of staged files, through the clerk.
class DoorContent final : public files::ContentSource {
public:
    DoorContent(Door& door, std::uint32_t share, std::stop_token stop)
        : m_door(door), m_share(share), m_stop(std::move(stop)) {}
    Status fetch(const ChangeEntry& entry, int into, std::uint64_t maxBytes) override {
        json::object params{{"share", m_share}, {"generation", entry.generation}, {"max", maxBytes}};
        putPath(params, "path", entry.path.text());
        auto done = m_door.request("content.copy", std::move(params), {into}, m_stop);
        return done ? Status{} : fail(std::move(done).error());
    }

private:
    Door& m_door;
    std::uint32_t m_share;
    std::stop_token m_stop;
};

bool hides(const clerk::HiddenNames& names, const SharePath& path) {
    for (SharePath at = path; !at.isRoot(); at = at.parent()) {
        if (names.hides(at.parent().text(), at.name())) {
            return true;
        }
    }
    return false;
}

// Among what the host has already: then the rest was judged by the folder's old name.
bool renamesFolder(const std::vector<ChangeEntry>& claims, const std::vector<files::LeftOut>& leftOut) {
    std::set<SharePath> renamed;
    for (const auto& claim : claims) {
        if (claim.kind == ChangeKind::Renamed && claim.type == EntryType::Directory) {
            renamed.insert(claim.path);
        }
    }
    return std::any_of(leftOut.begin(), leftOut.end(), [&](const files::LeftOut& left) {
        return left.why == files::LeftOutWhy::AlreadySo && renamed.contains(left.path);
    });
}

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
    return static_cast<std::size_t>(
        std::count_if(items.begin(), items.end(), [&](const ItemOutcome& item) { return item.outcome == outcome; }));
}

json::object totals(const ActionReport& report) {
    return {{"done", count(report.items, "done")},
            {"conflicts", count(report.items, "conflict")},
            {"refused", count(report.items, "refused")},
            {"failed", count(report.items, "failed")}};
}

} // namespace

std::vector<EntryView> OpenedReview::select(const ReviewSelection& selection) const {
    std::vector<EntryView> out;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        for (const auto& entry : sets[i].entries) {
            const std::string full = shares[i].name + "/" + entry.path.text();
            const bool wanted =
                selection.paths.empty() ||
                std::any_of(selection.paths.begin(), selection.paths.end(), [&](const std::string& path) {
                    return full == path || shares[i].name == path ||
                           (full.size() > path.size() && full.starts_with(path) && full[path.size()] == '/');
                });
            if (wanted) {
                out.push_back({&shares[i], &entry});
            }
        }
    }
    return out;
}

Result<std::vector<ChangeEntry>> Agent::listChanges(Door& at, const ShareRecord& share, std::stop_token stop,
                                                    std::chrono::seconds patience) {
    std::vector<ChangeEntry> entries;
    std::string after;
    std::size_t bytes = 0;
    int retries = kListRetries;
    const auto until = std::chrono::steady_clock::now() + kListShare * patience;
    for (;;) {
        if (std::chrono::steady_clock::now() >= until) { // page after page, each just in time
            return fail(ErrorCode::Expired, "the agent's machine takes too long to list its changes",
                        "Stop the agent and start it again");
        }
        json::object params{{"share", share.id}, {"limit", kMaxChangesPerPage}};
        putPath(params, "after", after);
        auto page = at.request("changes.list", std::move(params), {}, stop, patience);
        if (!page) {
            if (page.error().code == ErrorCode::Unavailable && retries-- > 0 && at.alive() && at.awaitHello()) {
                continue;
            }
            return fail(std::move(page).error());
        }
        JsonFields fields(*page, "changes.list");
        const std::uint64_t staged = fields.number("staged");
        const std::size_t before = entries.size();
        const auto next = takeOptionalPath(fields, *page, "next");
        for (const auto& item : fields.array("entries", kMaxChangesPerPage)) {
            auto entry = item.is_object() ? changeEntryFrom(item.get_object())
                                          : fail(ErrorCode::Malformed, "a change is not an object");
            if (!entry) {
                return fail(std::move(entry).error());
            }
            bytes += entry->path.text().size() + entry->linkTarget.size() + (entry->from ? entry->from->text().size() : 0);
            entries.push_back(std::move(*entry));
        }
        CARREL_TRY(fields.finish());
        if (entries.size() > kMaxChanges || bytes > kMaxListBytes) {
            return fail(ErrorCode::LimitExceeded, "the agent's machine reports more changes than any review can hold");
        }
        if (!next) {
            rememberStaged(share.id, staged);
            return entries;
        }
        if (*next <= after || entries.size() == before) { // there is always one more name: "a", "aa", "aaa", …
            return fail(ErrorCode::Malformed, "the agent's machine lists its changes in circles");
        }
        after = *next;
    }
}

void Agent::rememberStaged(std::uint32_t share, std::uint64_t staged) {
    auto now = record();
    for (auto& each : now.shares) {
        if (each.id == share && each.staged != staged) {
            each.staged = staged;
            (void)saveRecord(now).has_value();
            return;
        }
    }
}

Result<FrozenSet> Agent::freezeShare(Door& at, const ShareRecord& share, const Progress& progress, std::stop_token stop) {
    auto root = openShareRoot(share);
    if (!root) {
        return fail(std::move(root).error());
    }
    DoorContent source(at, share.id, stop);
    files::FreezeLimits limits;
    limits.hidden = [names = clerk::HiddenNames(kHiddenNames)](const SharePath& path) { return hides(names, path); };
    for (int round = 1;; ++round) {
        progress("list", "Asking what changed in " + share.name);
        auto claims = listChanges(at, share, stop);
        if (!claims) {
            return fail(std::move(claims).error());
        }
        auto set = m_review->freeze(root->get(), std::to_string(share.id), *claims, source, limits,
                                    [&](std::size_t done, std::size_t total, const SharePath&) {
                                        if (done % 50 == 0) {
                                            progress("freeze", "Copying what changed: " + std::to_string(done) +
                                                                   " of " + std::to_string(total));
                                        }
                                        return !stop.stop_requested();
                                    });
        if (!set) {
            return fail(std::move(set).error());
        }
        settleSameAsHost(at, share, *set);
        if (round == kFreezeRounds || !renamesFolder(*claims, set->leftOut)) {
            return set;
        }
        CARREL_TRY(m_review->forget(set->id));
    }
}

Result<OpenedReview> Agent::freeze(const Progress& progress, std::stop_token stop) {
    const std::lock_guard operation(m_operation);
    auto at = workingDoor();
    if (!at) {
        return fail(std::move(at).error());
    }
    OpenedReview opened;
    std::vector<ReviewPart> parts;
    for (const auto& share : record().shares) {
        if (share.mode != ShareMode::Review) {
            continue;
        }
        auto set = freezeShare(**at, share, progress, stop);
        if (!set) {
            return fail(std::move(set).error());
        }
        for (const auto& left : set->leftOut) {
            if (left.why != files::LeftOutWhy::AlreadySo) {
                noteAfter(EventKind::EngineNote, share.name + "/" + left.path.text(),
                          {{"left_out", toString(left.why)}, {"reason", left.reason}});
            }
        }
        parts.push_back({share.id, set->id});
        opened.shares.push_back(share);
        opened.sets.push_back(std::move(*set));
    }
    const bool empty =
        std::all_of(opened.sets.begin(), opened.sets.end(), [](const FrozenSet& set) { return set.entries.empty(); });
    if (empty) {
        for (const auto& part : parts) {
            (void)m_review->forget(part.set).has_value();
        }
        return opened; // no id: there is nothing to decide
    }
    std::vector<Review> dropped;
    const auto* last = m_book->reviews().empty() ? nullptr : &m_book->reviews().back();
    const std::string lastId = last == nullptr ? std::string() : last->id;
    auto review = m_book->add(parts, dropped);
    if (!review) {
        return fail(std::move(review).error());
    }
    for (const auto& old : dropped) {
        for (const auto& part : old.parts) {
            const auto& kept = m_book->reviews();
            const bool used = std::any_of(kept.begin(), kept.end(), [&](const Review& r) {
                return std::any_of(r.parts.begin(), r.parts.end(), [&](const ReviewPart& p) { return p.set == part.set; });
            });
            if (!used) {
                (void)m_review->forget(part.set).has_value();
            }
        }
    }
    if (!dropped.empty()) {
        (void)m_review->collect().has_value();
    }
    opened.id = review->id;
    if (review->id != lastId) { // looking again at the same bytes is no event
        std::size_t entries = 0;
        for (const auto& set : opened.sets) {
            entries += set.entries.size();
        }
        CARREL_TRY(note(EventKind::ReviewFrozen, review->id, {{"entries", entries}}));
    }
    return opened;
}

Result<OpenedReview> Agent::openReview(const std::string& id) {
    const std::lock_guard operation(m_operation);
    const auto* review = m_book->find(id);
    if (review == nullptr) {
        return fail(ErrorCode::NotFound, "there is no review of that id any more", "Look at the changes again");
    }
    OpenedReview opened;
    opened.id = id;
    const auto of = record();
    for (const auto& part : review->parts) {
        const auto share =
            std::find_if(of.shares.begin(), of.shares.end(), [&](const ShareRecord& s) { return s.id == part.share; });
        if (share == of.shares.end()) {
            return fail(ErrorCode::NotFound, "a folder of that review is no longer shared", "Look at the changes again");
        }
        auto set = m_review->set(part.set);
        if (!set) {
            return fail(std::move(set).error());
        }
        opened.shares.push_back(*share);
        opened.sets.push_back(std::move(*set));
    }
    return opened;
}

Result<files::TextDiff> Agent::diff(const FrozenEntry& entry) {
    return m_review->diff(entry);
}

Result<std::vector<std::string>> Agent::tellGuest(Door& at, std::string_view method, std::uint32_t share,
                                                  const std::vector<std::pair<SharePath, std::uint64_t>>& entries) {
    std::vector<std::string> kept;
    const auto until = std::chrono::steady_clock::now() + kAnswerPatience;
    for (std::size_t from = 0; from < entries.size(); from += kEntriesPerRequest) {
        json::array page;
        for (std::size_t i = from; i < std::min(entries.size(), from + kEntriesPerRequest); ++i) {
            json::object item{{"generation", entries[i].second}};
            putPath(item, "path", entries[i].first.text());
            page.push_back(std::move(item));
        }
        const auto left = std::chrono::ceil<std::chrono::seconds>(until - std::chrono::steady_clock::now());
        auto answer = at.request(method, {{"share", share}, {"entries", std::move(page)}}, {}, {},
                                 std::max(left, std::chrono::seconds(0)));
        if (!answer) {
            return fail(std::move(answer).error());
        }
        JsonFields fields(*answer, method);
        for (const auto& item : fields.array("kept", 100'000)) { // a text, or {path_b64} where it is not UTF-8
            if (item.is_string()) {
                kept.emplace_back(item.get_string());
            } else if (item.is_object()) {
                JsonFields path(item.get_object(), "kept");
                kept.push_back(takeOptionalPath(path, item.get_object(), "path").value_or(""));
            }
        }
        CARREL_TRY(fields.finish());
    }
    return kept;
}

// What the host already has as the guest wants it needs no decision: an apply that the guest was not told of, because the
// engine or the clerk died in its middle, or a user who made the same edit.
void Agent::settleSameAsHost(Door& at, const ShareRecord& share, const FrozenSet& set) {
    std::vector<std::pair<SharePath, std::uint64_t>> same;
    for (const auto& left : set.leftOut) {
        if (left.why == files::LeftOutWhy::AlreadySo) {
            same.emplace_back(left.path, left.generation);
        }
    }
    if (auto told = tellGuest(at, "changes.settle", share.id, same); !told) {
        m_services.complain(name() + ": " + told.error().text());
    }
}

Result<ActionReport> Agent::apply(const std::string& reviewId, const ReviewSelection& selection,
                                  const Progress& progress) {
    auto opened = openReview(reviewId);
    if (!opened) {
        return fail(std::move(opened).error());
    }
    const std::lock_guard operation(m_operation);
    const auto chosen = opened->select(selection);
    if (chosen.empty()) {
        return fail(ErrorCode::NotFound, "none of those paths is in the review", "See: carrel changes " + name());
    }
    // I5. The id names every byte of it.
    CARREL_TRY(note(EventKind::ApplyDecided, reviewId,
                    {{"entries", chosen.size()}, {"partly", !selection.paths.empty()}, {"by", "owner"}}));
    ActionReport report;
    std::vector<ApplyPart> parts;
    for (std::size_t i = 0; i < opened->shares.size(); ++i) {
        const auto& share = opened->shares[i];
        std::vector<files::Selected> selected;
        for (const auto& view : chosen) {
            if (view.share == &share) {
                selected.push_back({view.entry->path, files::IfFlagged::Leave});
            }
        }
        if (selected.empty()) {
            continue;
        }
        auto root = openShareRoot(share);
        auto done = root ? m_review->apply(root->get(), opened->sets[i].id, selected,
                                           [&](std::size_t at, std::size_t total, const SharePath& path) {
                                               progress("apply", std::to_string(at) + " of " + std::to_string(total) +
                                                                     ": " + share.name + "/" + path.text());
                                               return true;
                                           })
                         : Result<files::ApplyReport>(fail(root.error()));
        if (!done) {
            for (const auto& each : selected) {
                report.items.push_back({share.name, each.path, opened->sets[i].find(each.path)->kind, "failed", done.error().text()});
            }
            continue;
        }
        if (done->changedAnything()) { // a number is what undo takes back
            parts.push_back({share.id, done->id});
        }
        std::vector<std::pair<SharePath, std::uint64_t>> settled;
        for (const auto& outcome : done->entries) {
            const auto* entry = opened->sets[i].find(outcome.path);
            report.items.push_back({share.name, outcome.path, entry != nullptr ? entry->kind : ChangeKind::Modified,
                                    std::string(outcomeName(outcome)), outcome.reason});
            if (outcome.outcome == files::Outcome::Applied) {
                settled.emplace_back(outcome.path, outcome.generation);
            }
        }
        if (auto at = readyDoor()) { // nobody waits for a guest that is not reached
            // The host's version shows in the guest from here on. Where this fails, the next review finds that the
            // host already is as wanted, and settles it then.
            if (auto kept = tellGuest(**at, "changes.settle", share.id, settled); !kept) {
                m_services.complain(name() + ": " + kept.error().text());
            }
            (void)listChanges(**at, share, {}).has_value();
        }
    }
    if (!parts.empty()) {
        auto number = m_book->record(0, reviewId, parts);
        if (!number) {
            return fail(std::move(number).error());
        }
        report.number = *number;
    }
    json::object detail = totals(report);
    detail["number"] = report.number ? json::value(*report.number) : json::value(nullptr);
    noteAfter(EventKind::ApplyDone, reviewId, std::move(detail));
    return report;
}

Result<ActionReport> Agent::discard(const std::string& reviewId, const ReviewSelection& selection,
                                    const Progress& progress) {
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
    if (chosen.empty()) {
        return fail(ErrorCode::NotFound, "none of those paths is in the review", "See: carrel changes " + name());
    }
    CARREL_TRY(note(EventKind::DiscardDecided, reviewId, {{"entries", chosen.size()}, {"by", "owner"}}));
    progress("discard", "Forgetting " + std::to_string(chosen.size()) + " staged changes");
    ActionReport report;
    for (const auto& share : opened->shares) {
        std::vector<std::pair<SharePath, std::uint64_t>> entries;
        for (const auto& view : chosen) {
            if (view.share == &share) {
                entries.emplace_back(view.entry->path, view.entry->generation);
            }
        }
        auto kept = tellGuest(**at, "changes.discard", share.id, entries);
        if (!kept) {
            return fail(std::move(kept).error());
        }
        for (const auto& view : chosen) {
            if (view.share == &share) {
                const bool stays = std::find(kept->begin(), kept->end(), view.entry->path.text()) != kept->end();
                report.items.push_back({share.name, view.entry->path, view.entry->kind, stays ? "kept" : "done",
                                        stays ? "It was worked on since, so it stays staged" : ""});
            }
        }
        (void)listChanges(**at, share, {}).has_value();
    }
    noteAfter(EventKind::DiscardDone, reviewId, totals(report));
    return report;
}

Result<files::ApplyReport> Agent::undoPart(const ShareRecord* share, const std::string& apply, const Progress& progress) {
    if (share == nullptr) {
        return fail(ErrorCode::NotFound, "the folder of that apply is no longer shared",
                    "Share the folder again before undoing");
    }
    auto root = openShareRoot(*share);
    if (!root) {
        return fail(std::move(root).error());
    }
    return m_review->undo(root->get(), apply, [&](std::size_t at, std::size_t total, const SharePath& path) {
        progress("undo", std::to_string(at) + " of " + std::to_string(total) + ": " + share->name + "/" + path.text());
        return true;
    });
}

Result<ActionReport> Agent::undo(std::optional<std::uint64_t> number, const Progress& progress) {
    const std::lock_guard operation(m_operation);
    const auto* target = number ? m_book->apply(*number) : m_book->lastStanding();
    if (target == nullptr) {
        return fail(ErrorCode::NotFound, number ? "there is no apply of that number" : "there is nothing to undo");
    }
    if (m_book->isUndone(target->number)) {
        return fail(ErrorCode::Refused, "that apply has been undone already", "To have it back, undo the undo by its number");
    }
    const NumberedApply undone = *target; // record() below moves the book's own
    CARREL_TRY(note(EventKind::UndoDecided, std::to_string(undone.number), {{"by", "owner"}}));
    ActionReport report;
    report.undone = undone.number;
    std::optional<Error> failure;
    std::vector<ApplyPart> parts;
    const auto of = record();
    for (const auto& part : undone.parts) {
        const auto share =
            std::find_if(of.shares.begin(), of.shares.end(), [&](const ShareRecord& s) { return s.id == part.share; });
        const auto before = m_review->report(part.apply);
        auto done = undoPart(share == of.shares.end() ? nullptr : &*share, part.apply, progress);
        if (!done) {
            // One folder's trouble leaves that folder as it is; the others are still undone, and told.
            for (const auto& outcome : before ? before->entries : std::vector<files::EntryOutcome>{}) {
                report.items.push_back({share == of.shares.end() ? "(no longer shared)" : share->name, outcome.path,
                                        ChangeKind::Modified, "failed", done.error().text()});
            }
            failure = done.error();
            continue;
        }
        if (done->changedAnything()) {
            parts.push_back({part.share, done->id});
        }
        const auto set = before ? m_review->set(before->set) : fail(before.error());
        for (const auto& outcome : done->entries) {
            const auto* entry = set ? set->find(outcome.path) : nullptr;
            report.items.push_back({share->name, outcome.path, entry != nullptr ? entry->kind : ChangeKind::Modified,
                                    std::string(outcomeName(outcome)), outcome.reason});
        }
    }
    if (parts.empty() && failure) {
        noteAfter(EventKind::UndoDone, std::to_string(undone.number), {{"error", failure->text()}});
        return fail(std::move(*failure));
    }
    if (!parts.empty()) { // else the apply stands, and undo may be tried again
        auto recorded = m_book->record(undone.number, undone.review, parts);
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

// delete and share remove lose nothing by accident (I10).
Status Agent::refuseStaged(std::optional<std::uint32_t> share, Staged staged) {
    if (staged == Staged::Discard) {
        return {};
    }
    if (readyDoor()) {
        const std::lock_guard operation(m_operation);
        const auto at = workingDoor();
        if (!at) {
            return fail(at.error());
        }
        for (const auto& each : record().shares) {
            if (!share || each.id == *share) {
                if (auto listed = listChanges(**at, each, {}); !listed) {
                    return fail(listed.error().wrap("It could not be found out whether changes wait for review"));
                }
            }
        }
    }
    const auto of = record();
    std::uint64_t waiting = 0;
    bool any = false;
    for (const auto& each : of.shares) {
        if (!share || each.id == *share) {
            waiting += each.staged;
            any = any || each.mode == ShareMode::Review;
        }
    }
    const std::string hint = "Look with: carrel changes " + of.name + ". To lose them, repeat the command with --discard";
    if (waiting > 0) {
        return fail(ErrorCode::Refused, waiting == 1 ? "1 change waits for review and would be lost"
                                                   : std::to_string(waiting) + " changes wait for review and would be lost", hint);
    }
    if (any && of.unclean && state() != AgentState::Ready) {
        return fail(ErrorCode::Refused,
                    "the machine was not shut down in order, so changes may wait for review that nobody has counted",
                    "Start the agent and look. " + hint);
    }
    return {};
}

} // namespace carrel::agents

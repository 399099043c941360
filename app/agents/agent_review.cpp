// SPDX-License-Identifier: Apache-2.0
// Staged work, looked at: what is listed is frozen, and a frozen review stays as it is until it is decided on.
#include "app/agents/agent.h"

#include "app/agents/paths_within.h"
#include "app/clerk/hidden_names.h"
#include "app/clerk/placeholders.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <chrono>
#include <map>
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
constexpr std::chrono::hours kWholeFreeze{24}; // a person waits for it, and can call it off
constexpr int kListShare = 3;                  // a whole list gets that many times the patience for one answer

// The content of staged files, through the clerk.
class DoorContent final : public files::ContentSource {
public:
    DoorContent(Door& door, std::uint32_t share, std::stop_token stop, std::chrono::seconds patience)
        : m_door(door)
        , m_share(share)
        , m_stop(std::move(stop))
        , m_until(std::chrono::steady_clock::now() + patience) {}
    Status fetch(const ChangeEntry& entry, int into, std::uint64_t maxBytes) override {
        const auto left = std::chrono::ceil<std::chrono::seconds>(m_until - std::chrono::steady_clock::now());
        if (left <= std::chrono::seconds(0)) {
            return fail(ErrorCode::Cancelled, "the agent's machine takes too long to send what changed");
        }
        json::object params{{"share", m_share}, {"generation", entry.generation}, {"max", maxBytes}};
        putPath(params, "path", entry.path.text());
        auto done = m_door.request("content.copy", std::move(params), {into}, m_stop, std::min(left, kAnswerPatience));
        return done ? Status{} : fail(std::move(done).error());
    }

private:
    Door& m_door;
    std::uint32_t m_share;
    std::stop_token m_stop;
    std::chrono::steady_clock::time_point m_until;
};

bool hides(const clerk::HiddenNames& names, const SharePath& path) {
    for (std::string_view at = path.text(); !at.empty();) { // in place: a path can have two thousand folders
        const auto slash = at.rfind('/');
        const auto folder = slash == std::string_view::npos ? std::string_view() : at.substr(0, slash);
        if (names.hides(folder, slash == std::string_view::npos ? at : at.substr(slash + 1))) {
            return true;
        }
        at = folder;
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

// Those at and beneath the chosen paths, and the folders on the way to them that the agent made or moved.
std::vector<ChangeEntry> neededBy(const ReviewSelection& only, const std::string& share, std::vector<ChangeEntry> claims) {
    const PathsWithin wanted(only.paths);
    std::set<std::string, std::less<>> onTheWay;
    for (const auto& path : only.paths) {
        for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
            onTheWay.insert(path.substr(0, slash));
        }
    }
    std::erase_if(claims, [&](const ChangeEntry& claim) {
        const auto path = share + "/" + claim.path.text();
        const bool leadsThere = claim.type == EntryType::Directory && claim.kind != ChangeKind::Deleted && onTheWay.contains(path);
        return !wanted.holds(path) && !leadsThere;
    });
    return claims;
}

} // namespace

std::vector<EntryView> OpenedReview::select(const ReviewSelection& selection) const {
    std::vector<EntryView> out;
    const PathsWithin wanted(selection.paths);
    for (std::size_t i = 0; i < shares.size(); ++i) {
        for (const auto& entry : sets[i].entries) {
            if (selection.paths.empty() || wanted.holds(shares[i].name + "/" + entry.path.text())) {
                out.push_back({&shares[i], &entry});
            }
        }
    }
    return out;
}

Result<std::vector<ChangeEntry>> Agent::listChanges(Door& at, const ShareRecord& share, std::stop_token stop,
                                                    std::chrono::seconds patience, IfBetween ifBetween) {
    std::vector<ChangeEntry> entries;
    std::string after;
    std::size_t bytes = 0;
    int retries = ifBetween == IfBetween::Wait ? kListRetries : 0;
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
            if (page.error().code == ErrorCode::Unavailable && retries-- > 0 && at.alive()) {
                CARREL_TRY(at.awaitHello(stop, patience));
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
            (void)saveRecordOwing(now).has_value(); // delete goes by it
            return;
        }
    }
}

bool Agent::rememberLast(const json::object& answer) {
    JsonFields fields(answer, "power.off");
    std::map<std::uint64_t, std::uint64_t> told;
    for (const auto& item : fields.array("staged", clerk::kMaxSharesPerAgent)) {
        if (!item.is_object()) {
            return false;
        }
        JsonFields one(item.get_object(), "staged");
        const auto share = one.number("share", UINT32_MAX);
        told[share] = one.number("staged");
        if (!one.finish()) {
            return false;
        }
    }
    bool each = fields.finish().has_value();
    for (const auto& share : record().shares) {
        const auto count = told.find(share.id);
        each = each && count != told.end();
        if (count != told.end()) {
            rememberStaged(share.id, count->second);
        }
    }
    return each;
}

files::FreezeLimits Agent::freezeLimits() {
    files::FreezeLimits limits;
    limits.hidden = [names = clerk::HiddenNames(kHiddenNames)](const SharePath& path) { return hides(names, path); };
    limits.placeholder = [](const SharePath& path, const files::NodeState& state) {
        return state.kind == files::NodeKind::File && clerk::placeholderOf(path.name(), state.size).has_value();
    };
    return limits;
}

Result<FrozenSet> Agent::freezeClaims(Door& at, const ShareRecord& share, const std::vector<ChangeEntry>& claims,
                                     const Progress& progress, std::stop_token stop, std::chrono::seconds patience) {
    auto root = openShareRoot(share);
    if (!root) {
        return fail(std::move(root).error());
    }
    DoorContent source(at, share.id, stop, patience);
    auto set = m_review->freeze(root->get(), std::to_string(share.id), claims, source, freezeLimits(),
                                [&](std::size_t done, std::size_t total, const SharePath&) {
                                    if (done % 50 == 0) {
                                        progress("freeze", "Copying what changed: " + std::to_string(done) + " of " +
                                                               std::to_string(total));
                                    }
                                    return !stop.stop_requested();
                                });
    if (set) {
        settleSameAsHost(at, share, *set, patience);
    }
    return set;
}

Result<FrozenSet> Agent::freezeShare(Door& at, const ShareRecord& share, const ReviewSelection& only,
                                     const Progress& progress, std::stop_token stop) {
    for (int round = 1;; ++round) {
        progress("list", "Asking what changed in " + share.name);
        auto claims = listChanges(at, share, stop);
        if (!claims) {
            return fail(std::move(claims).error());
        }
        if (!only.paths.empty()) {
            *claims = neededBy(only, share.name, std::move(*claims));
        }
        auto set = freezeClaims(at, share, *claims, progress, stop, kWholeFreeze);
        if (!set || round == kFreezeRounds || !renamesFolder(*claims, set->leftOut)) {
            return set;
        }
        CARREL_TRY(m_review->forget(set->id));
    }
}

Result<OpenedReview> Agent::freeze(const Progress& progress, std::stop_token stop, Look look, const By& by,
                                   const ReviewSelection& only) {
    const std::lock_guard operation(m_operation);
    const auto began = std::chrono::steady_clock::now();
    auto at = workingDoor(stop);
    if (!at) {
        return fail(std::move(at).error());
    }
    OpenedReview opened;
    std::vector<ReviewPart> parts;
    for (const auto& share : record().shares) {
        if (share.mode == ShareMode::ReadOnly) {
            continue;
        }
        auto set = freezeShare(**at, share, only, progress, stop);
        if (const auto why = set ? std::nullopt : failureOf(share.id); why && set.error().code == ErrorCode::NotFound) {
            opened.notListed.push_back({share.name, *why}); // it holds up no other
            continue;
        }
        if (!set) {
            return fail(std::move(set).error());
        }
        for (const auto& left : set->leftOut) {
            if (look == Look::Decide && left.why != files::LeftOutWhy::AlreadySo) {
                noteAfter(EventKind::EngineNote, share.name + "/" + left.path.text(),
                          {{"left_out", toString(left.why)}, {"reason", left.reason}});
            }
        }
        parts.push_back({share.id, set->id});
        opened.shares.push_back(share);
        opened.sets.push_back(std::move(*set));
    }
    {
        const std::lock_guard lock(m_mutex);
        m_listTook = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    }
    const bool empty =
        std::all_of(opened.sets.begin(), opened.sets.end(), [](const FrozenSet& set) { return set.entries.empty(); });
    if (empty) {
        for (const auto& part : parts) {
            (void)m_review->forget(part.set).has_value();
        }
        const bool fetched = std::any_of(opened.sets.begin(), opened.sets.end(), [](const FrozenSet& set) { return !set.leftOut.empty(); });
        if (fetched) { // what was looked at and is in no review would stay for ever
            collectUnused();
        }
        return opened; // no id: there is nothing to decide
    }
    auto review = remember(std::move(parts), look);
    if (!review) {
        return fail(std::move(review).error());
    }
    opened.id = review->id;
    if (look == Look::Decide) {
        holdAuto(opened.shares);
    }
    auto& noted = by.client.empty() ? m_notedReview : m_notedForClient;
    const auto seen = by.client.empty() ? review->id : by.client + " " + review->id;
    if ((look != Look::Watch || !by.client.empty()) && seen != noted) { // looking again at the same bytes is no event
        std::size_t entries = 0;
        for (const auto& set : opened.sets) {
            entries += set.entries.size();
        }
        CARREL_TRY(note(EventKind::ReviewFrozen, review->id, by.mark({{"entries", entries}})));
        noted = seen;
    }
    return opened;
}

// A watcher's list makes room for the next one: it must not push out what somebody else looks at, or is asked about.
Result<Review> Agent::remember(std::vector<ReviewPart> parts, Look look) {
    std::vector<Review> dropped;
    const auto kept = keptReviews();
    auto review = m_book->add(std::move(parts), dropped, kept);
    if (!review) {
        return review;
    }
    if (look != Look::Watch && m_watchReview == review->id) {
        m_watchReview.clear();
    } else if (look == Look::Watch && m_watchReview != review->id && review->id != m_notedReview) {
        const auto last = std::exchange(m_watchReview, kept.contains(review->id) ? std::string() : review->id);
        if (!kept.contains(last)) {
            CARREL_TRY(m_book->drop(last, dropped));
        }
    }
    forgetUnused(dropped);
    return review;
}

void Agent::forgetUnused(const std::vector<Review>& dropped) {
    forgetSets(dropped);
    if (!dropped.empty()) {
        collectUnused();
    }
}

void Agent::collectUnused() {
    if (auto freed = m_review->collect(); !freed) {
        m_services.complain(name() + ": what no review needs any more stays on the disk: " + freed.error().text());
    }
}

void Agent::forgetSets(const std::vector<Review>& dropped) {
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
}

Result<OpenedReview> Agent::openReview(const std::string& id, Look look) {
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
    if (look == Look::Decide && id != m_watchReview) {
        holdAuto(opened.shares);
    }
    return opened;
}

Result<files::TextDiff> Agent::diff(const FrozenEntry& entry) {
    return m_review->diff(entry);
}

Result<UniqueFd> Agent::openFrozen(const files::Sha256& content) {
    return m_review->store().openVerified(content);
}

Result<std::vector<std::string>> Agent::tellGuest(Door& at, std::string_view method, std::uint32_t share,
                                                  const std::vector<Decided>& entries,
                                                  std::chrono::seconds patience) {
    std::vector<std::string> kept;
    const auto until = std::chrono::steady_clock::now() + std::min(patience, kAnswerPatience);
    for (std::size_t from = 0; from < entries.size(); from += kEntriesPerRequest) {
        json::array page;
        for (std::size_t i = from; i < std::min(entries.size(), from + kEntriesPerRequest); ++i) {
            json::object item{{"generation", entries[i].generation}};
            putPath(item, "path", entries[i].path.text());
            if (entries[i].left) {
                item["left"] = toJson(*entries[i].left);
            }
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
void Agent::settleSameAsHost(Door& at, const ShareRecord& share, const FrozenSet& set, std::chrono::seconds patience) {
    std::vector<Decided> same;
    for (const auto& left : set.leftOut) {
        if (left.why == files::LeftOutWhy::AlreadySo) {
            same.push_back({left.path, left.generation, left.left});
        }
    }
    if (auto told = tellGuest(at, "changes.settle", share.id, same, patience); !told) {
        m_services.complain(name() + ": " + told.error().text());
    }
}

// delete and share remove lose nothing by accident (I10).
Status Agent::refuseStaged(std::optional<std::uint32_t> share, Staged staged) {
    if (staged == Staged::Discard) {
        return {};
    }
    if (readyDoor()) {
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
            any = any || each.mode != ShareMode::ReadOnly;
        }
    }
    const std::string hint = "Look with: carrel changes " + of.name + ". To lose them, repeat the command with --discard";
    if (waiting > 0) {
        return fail(ErrorCode::Refused, waiting == 1 ? "1 change waits for review and would be lost"
                                                   : std::to_string(waiting) + " changes wait for review and would be lost", hint);
    }
    const bool willSay = [this] { // now, or when it is stopped
        const std::lock_guard lock(m_mutex);
        return m_paused ? !m_booting && m_state != AgentState::Failed : m_state == AgentState::Ready;
    }();
    if (any && of.unclean && !willSay) {
        return fail(ErrorCode::Refused,
                    "the machine ended without saying what was staged last, so changes may wait for review that nobody has counted",
                    "Start the agent and look. " + hint);
    }
    return {};
}

} // namespace carrel::agents

// SPDX-License-Identifier: Apache-2.0
// Verbs of staged work: changes, diff, apply, discard, undo, history.
#include "app/engine/describe_change.h"
#include "app/engine/describe_report.h"
#include "app/engine/documents.h"
#include "app/engine/engine.h"

#include "app/api/display_text.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>

namespace carrel::engine {

namespace json = boost::json;
using agents::Agent;
using agents::EntryView;
using agents::OpenedReview;
using agents::ReviewSelection;

namespace {

// For the viewer, in one call: a person who wanted to wait must not be held up by documents that draw it out.
constexpr std::chrono::minutes kLongestWait{3};

json::object totalsOf(const std::vector<EntryView>& views) {
    std::uint64_t bytes = 0;
    std::uint64_t high = 0;
    std::uint64_t conflicts = 0;
    for (const auto& view : views) {
        bytes += view.entry->contentChanged ? view.entry->wanted.size : 0;
        high += view.entry->risk == files::Risk::High ? 1 : 0;
        conflicts += view.entry->conflict != files::ConflictKind::None ? 1 : 0;
    }
    return {{"changes", views.size()}, {"bytes", bytes}, {"high_risk", high}, {"conflicts", conflicts}};
}

ReviewSelection readPaths(JsonFields& fields) {
    ReviewSelection selection;
    for (const auto& item : fields.optionalArray("paths", 10'000)) {
        if (!item.is_object()) {
            fields.problem("paths", "holds something that is no path");
            break;
        }
        JsonFields inner(item.get_object(), "path");
        auto path = takeOptionalPath(inner, item.get_object(), "path");
        while (path && !path->empty() && path->back() == '/') {
            path->pop_back();
        }
        if (!inner.finish() || !path || path->empty()) {
            fields.problem("paths", "holds something that is no path");
            break;
        }
        selection.paths.push_back(std::move(*path));
    }
    return selection;
}

struct Page {
    std::shared_ptr<Agent> agent;
    OpenedReview review;
    std::vector<EntryView> views;
    bool threeWay = false;
    bool watching = false;
    std::optional<std::chrono::steady_clock::time_point> awaitDocuments; // until then
    std::size_t after = 0;
    std::size_t limit = api::kPageEntries;
};

// What changes and diff have in common: freeze anew, or look at a frozen review again.
Result<Page> openPage(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), call.verb());
    Page page;
    const auto name = fields.string("agent", 256);
    const auto selection = readPaths(fields);
    const auto review = fields.optionalString("review", 64);
    page.threeWay = call.verb() == "diff" && fields.optionalBoolean("three_way");
    page.watching = call.verb() == "changes" && fields.optionalBoolean("watching");
    if (call.verb() == "diff") {
        const auto documents = fields.optionalString("documents", 8).value_or("now");
        if (documents == "wait") {
            page.awaitDocuments = std::chrono::steady_clock::now() + kLongestWait;
        } else if (documents != "now") {
            fields.problem("documents", "is neither now nor wait");
        }
    }
    page.after = fields.optionalNumber("after").value_or(0);
    page.limit = fields.optionalNumber("limit", api::kPageEntries).value_or(api::kPageEntries);
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    page.agent = *agent;
    // A client decides on nothing: its look is a watcher's.
    const bool client = !call.caller().isOwner();
    const auto look = page.watching || client ? Agent::Look::Watch : Agent::Look::Decide;
    auto opened = review ? page.agent->openReview(*review, client ? Agent::Look::Watch : Agent::Look::Decide)
                         : page.agent->freeze(progressOf(call), call.stop(), look, byOf(call));
    if (!opened) {
        return fail(std::move(opened).error());
    }
    page.review = std::move(*opened);
    page.views = page.review.select(selection);
    if (client) { // the lines of a diff are the user's file as it is now, which the agent sees no more
        std::erase_if(page.views, [](const EntryView& view) { return view.share->revoked; });
    }
    return page;
}

// Adds entries until the page is full; answers the index of the first that did not fit.
json::value fillPage(const Page& page, json::array& into, const std::function<Result<json::object>(const EntryView&)>& make,
                     Status& status) {
    std::size_t bytes = 0;
    std::size_t at = std::min(page.after, page.views.size());
    for (std::size_t added = 0; at < page.views.size() && added < page.limit; ++at, ++added) {
        auto item = make(page.views[at]);
        if (!item) {
            status = fail(std::move(item).error());
            return nullptr;
        }
        bytes += json::serialize(*item).size();
        if (bytes > api::kPageBytes && added > 0) {
            break;
        }
        into.push_back(std::move(*item));
    }
    return at < page.views.size() ? json::value(at) : json::value(nullptr);
}

json::value reviewName(const OpenedReview& review) {
    return review.id.empty() ? json::value(nullptr) : json::value(review.id);
}

// What waits in the machine and is not in the review: somebody who applies "everything" must know. What the folder has
// already is no such thing.
json::array leftOutOf(const OpenedReview& review) {
    json::array out;
    for (std::size_t i = 0; i < review.shares.size(); ++i) {
        for (const auto& left : review.sets[i].leftOut) {
            if (left.why == files::LeftOutWhy::AlreadySo || out.size() >= kMaxOutcomes) {
                continue;
            }
            json::object item{{"share", review.shares[i].name}, {"reason", api::asUtf8(left.reason)}};
            putFullPath(item, "path", review.shares[i].name, left.path);
            out.push_back(std::move(item));
        }
    }
    return out;
}

Result<json::value> changes(Engine& engine, api::Call& call) {
    auto page = openPage(engine, call);
    if (!page) {
        return fail(std::move(page).error());
    }
    Documents documents(engine.viewer(), page->agent);
    if (call.caller().isOwner() && !page->watching) { // somebody is about to look
        documents.askAhead(std::span(page->views).subspan(std::min(page->after, page->views.size())));
    }
    json::array list;
    Status status;
    json::value next = fillPage(
        *page, list,
        [&](const EntryView& view) -> Result<json::object> {
            auto item = describeChange(view);
            if (const auto document = documentOf(*view.entry)) {
                item["document"] = documents.look(*document).document;
            }
            return item;
        },
        status);
    CARREL_TRY(status);
    json::array full;
    for (const auto& each : page->agent->autoFull()) {
        full.push_back({{"share", each.share}, {"until", activity::formatTime(each.untilMs * 1'000'000)}});
    }
    json::object out{{"review", reviewName(page->review)},
                     {"changes", std::move(list)},
                     {"left_out", leftOutOf(page->review)},
                     {"totals", totalsOf(page->views)},
                     {"next", std::move(next)}};
    if (!full.empty()) {
        out["auto_full"] = std::move(full);
    }
    json::array notListed;
    for (const auto& each : page->review.notListed) {
        notListed.push_back({{"share", each.share}, {"why", each.why}});
    }
    if (!notListed.empty()) {
        out["not_listed"] = std::move(notListed);
    }
    return out;
}

Result<json::value> waitChanges(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "changes.wait");
    const auto name = fields.string("agent", 256);
    const auto mark = fields.optionalString("mark", 64);
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto state = (*agent)->waitStaged(mark.value_or(""), call.stop());
    if (!state) {
        return fail(std::move(state).error());
    }
    return json::object{{"mark", state->mark}, {"running", state->running}};
}

Status putThreeWay(Agent& agent, const EntryView& view, const Agent::ClaimedBases& bases, json::object& item) {
    auto three = agent.threeWay(view, bases);
    if (!three) {
        return fail(std::move(three).error());
    }
    if (!*three || !isUtf8((*three)->listing)) {
        return {};
    }
    json::object shown{{"base_known", (*three)->baseKnown}, {"listing", (*three)->listing}, {"both_changed", (*three)->both}};
    if (!(*three)->baseKnown) {
        shown["why_no_base"] = (*three)->whyNot;
    }
    item["three_way"] = std::move(shown);
    return {};
}

// The text of a document comes from the viewer, which may still be at work. False: it cannot read it, but its bytes are text.
bool putDocument(Documents& documents, const DocumentChange& change, const Page& page, const EntryView& view, api::Call& call,
                 json::object& item) {
    const auto here = static_cast<std::size_t>(&view - page.views.data());
    // The viewer's machine is the owner's to start; a client sees what has been read.
    const bool owners = call.caller().isOwner();
    if (owners) {
        documents.ask(change, viewer::DocumentViewer::When::Now);
        documents.askAhead(std::span(page.views).subspan(here + 1));
    }
    if (owners && page.awaitDocuments && documents.waiting(change)) {
        call.progress("document", "The viewer reads " + api::asUtf8(view.share->name + "/" + view.entry->path.text()));
        documents.await(change, *page.awaitDocuments, call.stop());
    }
    auto told = documents.lookAndCompare(change);
    item["change"].get_object()["document"] = std::move(told.document);
    if (told.diff) {
        item["diff"] = std::move(*told.diff);
    } else if (told.state == viewer::Reading::State::Failed && change.plain) {
        return false;
    } else {
        item["no_diff"] = api::asUtf8(told.whyNone);
    }
    return true;
}

Result<json::value> diff(Engine& engine, api::Call& call) {
    auto page = openPage(engine, call);
    if (!page) {
        return fail(std::move(page).error());
    }
    json::array list;
    Status status;
    Documents documents(engine.viewer(), page->agent);
    const auto bases = page->threeWay ? page->agent->claimedBases(page->review, call.stop()) : Agent::ClaimedBases{};
    json::value next = fillPage(
        *page, list,
        [&](const EntryView& view) -> Result<json::object> {
            json::object item{{"change", describeChange(view)}, {"diff", nullptr}};
            if (page->threeWay) {
                CARREL_TRY(putThreeWay(*page->agent, view, bases, item));
            }
            if (const auto document = documentOf(*view.entry);
                document && putDocument(documents, *document, *page, view, call, item)) {
                return item;
            }
            auto text = page->agent->diff(*view.entry);
            if (!text) {
                return fail(std::move(text).error());
            }
            if (text->available && isUtf8(text->unified)) {
                item["diff"] = text->unified;
            } else {
                item["no_diff"] = text->available ? "its text is not UTF-8" : text->whyNot;
            }
            return item;
        },
        status);
    CARREL_TRY(status);
    return json::object{{"review", reviewName(page->review)},
                        {"files", std::move(list)},
                        {"totals", totalsOf(page->views)},
                        {"next", std::move(next)}};
}

struct Decision {
    std::shared_ptr<Agent> agent;
    std::string review;
    ReviewSelection selection;
    bool keepBoth = false;
};

Result<Decision> readDecision(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), call.verb());
    Decision decision;
    const auto name = fields.string("agent", 256);
    decision.review = fields.string("review", 64);
    decision.selection = readPaths(fields);
    decision.keepBoth = call.verb() == "apply" && fields.optionalBoolean("keep_both");
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    decision.agent = *agent;
    return decision;
}

Result<json::value> apply(Engine& engine, api::Call& call) {
    auto decision = readDecision(engine, call);
    if (!decision) {
        return fail(std::move(decision).error());
    }
    auto report = decision->agent->apply(decision->review, decision->selection, progressOf(call),
                                         decision->keepBoth ? Agent::IfBoth::KeepBoth : Agent::IfBoth::Conflict);
    if (!report) {
        return fail(std::move(report).error());
    }
    json::object out = describeReport(*report);
    out["apply"] = numberOf(*report);
    out["review"] = decision->review;
    return out;
}

Result<json::value> discard(Engine& engine, api::Call& call) {
    auto decision = readDecision(engine, call);
    if (!decision) {
        return fail(std::move(decision).error());
    }
    auto report = decision->agent->discard(decision->review, decision->selection, progressOf(call));
    if (!report) {
        return fail(std::move(report).error());
    }
    json::object out = describeReport(*report);
    out["review"] = decision->review;
    return out;
}

Result<json::value> undo(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "undo");
    const auto name = fields.string("agent", 256);
    const auto number = fields.optionalNumber("apply");
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto report = (*agent)->undo(number, progressOf(call));
    if (!report) {
        return fail(std::move(report).error());
    }
    json::object out = describeReport(*report);
    out["apply"] = numberOf(*report);
    out["undone"] = report->undone;
    return out;
}

json::value orNull(std::uint64_t number) {
    return number == 0 ? json::value(nullptr) : json::value(number);
}

Result<json::value> history(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "history");
    const auto name = fields.string("agent", 256);
    const auto before = fields.optionalNumber("before");
    const auto limit = std::max<std::uint64_t>(fields.optionalNumber("limit", api::kPageEntries).value_or(api::kPageEntries), 1);
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    const auto past = (*agent)->history(before, limit + 1); // one more tells whether there is more
    json::array list;
    std::size_t bytes = 0;
    json::value next = nullptr;
    for (const auto& each : past) {
        const auto& apply = each.apply;
        json::object item{{"number", apply.number},
                          {"kind", apply.undoes == 0 ? "apply" : "undo"},
                          {"time", activity::formatTime(apply.facts.atMs * 1'000'000)},
                          {"by", apply.facts.by},
                          {"done", apply.facts.done},
                          {"not_done", apply.facts.open},
                          {"undoes", orNull(apply.undoes)},
                          {"undone_by", orNull(each.undoneBy)},
                          {"shares", json::value_from(each.shares)}};
        putPath(item, "first", apply.facts.first);
        bytes += json::serialize(item).size();
        if (list.size() == limit || (bytes > api::kPageBytes && !list.empty())) {
            next = past[list.size() - 1].apply.number;
            break;
        }
        list.push_back(std::move(item));
    }
    return json::object{{"applies", std::move(list)}, {"next", std::move(next)}};
}

} // namespace

void addReviewVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("changes", changes);
    add("changes.wait", waitChanges);
    add("diff", diff);
    add("apply", apply);
    add("discard", discard);
    add("undo", undo);
    add("history", history);
}

} // namespace carrel::engine

// SPDX-License-Identifier: Apache-2.0
#include "app/engine/documents.h"

#include "app/api/display_text.h"
#include "app/files/line_diff.h"

namespace carrel::engine {

namespace json = boost::json;
using files::FrozenEntry;
using files::NodeKind;
using files::NodeState;
using viewer::Reading;
using State = viewer::Reading::State;

namespace {

constexpr std::size_t kAhead = 16;       // documents that the viewer is given before somebody comes to them
constexpr std::size_t kLookAhead = 1000; // entries that are looked at for that
constexpr char kNote[] = "text taken from the document by an offline viewer; layout, pictures and macros are not shown";

std::optional<viewer::Version> versionOf(const NodeState& state, const SharePath& path) {
    const auto kind = files::documentKindOf(path.text());
    return kind && state.content ? std::optional(viewer::Version{*state.content, state.size, *kind}) : std::nullopt;
}

} // namespace

std::optional<DocumentChange> documentOf(const FrozenEntry& entry) {
    if (!(entry.contentChanged || entry.wanted.kind == NodeKind::Absent)) {
        return std::nullopt;
    }
    DocumentChange change;
    change.plain = entry.text;
    if (entry.wanted.kind == NodeKind::File) {
        change.after = versionOf(entry.wanted, entry.path);
    }
    if (entry.base.kind == NodeKind::File) {
        change.before = versionOf(entry.base, entry.from ? *entry.from : entry.path);
    }
    const bool complete = (entry.wanted.kind == NodeKind::File) == change.after.has_value() &&
                          (entry.base.kind == NodeKind::File) == change.before.has_value();
    if (!complete || (!change.before && !change.after)) {
        return std::nullopt;
    }
    change.kind = (change.after ? change.after : change.before)->kind;
    if (change.before && !entry.baseKept) {
        change.whyNot = "your version of it was not kept: it is too large, or changed while the review was made";
    }
    return change;
}

Documents::Documents(viewer::DocumentViewer& viewer, std::shared_ptr<agents::Agent> agent)
    : m_viewer(viewer)
    , m_agent(std::move(agent))
    , m_id(m_agent->id()) {}

void Documents::ask(const DocumentChange& change, viewer::DocumentViewer::When when) {
    const auto open = [agent = m_agent](const files::Sha256& content) { return agent->openFrozen(content); };
    for (const auto& version : {change.before, change.after}) {
        if (version && change.whyNot.empty()) {
            m_viewer.ask(m_id, *version, open, when);
        }
    }
}

void Documents::askAhead(std::span<const agents::EntryView> views) {
    std::size_t asked = 0;
    for (const auto& view : views.first(std::min(views.size(), kLookAhead))) {
        if (const auto change = documentOf(*view.entry)) {
            ask(*change, viewer::DocumentViewer::When::Ahead);
            if (++asked == kAhead) {
                return;
            }
        }
    }
}

bool Documents::waiting(const DocumentChange& change) const {
    Reading before, after;
    return readingOf(change, before, after).state == State::Waiting;
}

void Documents::await(const DocumentChange& change, std::chrono::steady_clock::time_point until, const std::stop_token& stop) const {
    for (const auto& version : {change.before, change.after}) {
        if (version && change.whyNot.empty()) {
            (void)m_viewer.await(m_id, *version, until, stop);
        }
    }
}

// What is to be said of both together: the worst of the two, and whose fault it is.
Reading Documents::readingOf(const DocumentChange& change, Reading& before, Reading& after) const {
    const auto failed = [](std::string why) { return Reading{State::Failed, nullptr, false, std::move(why)}; };
    if (!change.whyNot.empty()) {
        return failed(change.whyNot);
    }
    const auto none = [] { return Reading{State::Ready, std::make_shared<const std::string>(), false, {}}; };
    before = change.before ? m_viewer.look(m_id, *change.before) : none();
    after = change.after ? m_viewer.look(m_id, *change.after) : none();
    if (before.state == State::Failed || after.state == State::Failed) {
        const bool both = before.state == after.state && before.why == after.why;
        if (!change.before || !change.after || both) {
            return failed(before.state == State::Failed ? before.why : after.why);
        }
        return failed(before.state == State::Failed ? "your version: " + before.why : "the agent's version: " + after.why);
    }
    for (const auto state : {State::Unasked, State::Waiting}) {
        if (before.state == state || after.state == state) {
            return Reading{state, nullptr, false, {}};
        }
    }
    return Reading{State::Ready, nullptr, before.cut || after.cut, {}};
}

Documents::Told Documents::look(const DocumentChange& change) const {
    Reading before, after;
    const auto reading = readingOf(change, before, after);
    Told told{{{"kind", files::toString(change.kind)}, {"state", viewer::toString(reading.state)}}, reading.state, std::nullopt, {}};
    if (reading.state == State::Failed) {
        told.document["why"] = api::asUtf8(reading.why);
        told.whyNone = "its text cannot be shown: " + reading.why;
    } else if (reading.state != State::Ready) {
        told.whyNone = "the viewer is at work on its text; look again in a moment";
    }
    return told;
}

Documents::Told Documents::lookAndCompare(const DocumentChange& change) const {
    Reading before, after;
    const auto reading = readingOf(change, before, after);
    if (reading.state != State::Ready) {
        return look(change);
    }
    Told told{{{"kind", files::toString(change.kind)}, {"state", viewer::toString(State::Ready)}, {"note", kNote}}, State::Ready, std::nullopt, {}};
    const auto lines = files::diffLines(*before.text, *after.text);
    told.document["cut"] = reading.cut;
    told.document["same_text"] = lines.hunks.empty();
    told.diff = files::unified(lines);
    return told;
}

} // namespace carrel::engine

// SPDX-License-Identifier: Apache-2.0
// The activity of an agent, once or for as long as somebody watches.
#include "app/engine/engine.h"
#include "app/engine/event_page.h"

#include "guest/protocol/strict_json.h"

namespace carrel::engine {

namespace json = boost::json;
using activity::EventKind;

namespace {

// "exec.started", or "exec" for all that begin so.
bool addKinds(std::string_view text, std::vector<EventKind>& to) {
    const std::size_t before = to.size();
    for (const auto kind : activity::kEventKinds) {
        const auto name = activity::toString(kind);
        if (name == text || (name.starts_with(text) && name.size() > text.size() && name[text.size()] == '.')) {
            to.push_back(kind);
        }
    }
    return to.size() > before;
}

// The last event of all, whatever kinds are asked for.
bool isOver(activity::ActivityLog& log) {
    activity::Query last;
    last.kinds = {EventKind::AgentDeleted};
    last.limit = 1;
    const auto found = log.query(last);
    return found && !found->empty();
}

Result<json::value> follow(activity::ActivityLog& log, activity::Query query, api::Call& call) {
    while (!call.peerGone()) {
        auto events = log.query(query);
        if (!events) {
            return fail(std::move(events).error());
        }
        for (const auto& event : *events) {
            if (!call.event(activity::toJson(event))) {
                return json::object{{"events", json::array{}}, {"next_seq", nullptr}};
            }
            query.afterSeq = event.seq;
        }
        if (events->empty()) {
            if (isOver(log)) {
                break;
            }
            // Events of other kinds wake us too; they are passed over by the next query.
            (void)log.waitNewer(std::max(query.afterSeq, log.head().seq), call.stop());
        }
    }
    return json::object{{"events", json::array{}}, {"next_seq", nullptr}};
}

Result<json::value> timeline(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "timeline");
    const auto name = fields.string("agent", 256);
    activity::Query query;
    if (const auto since = fields.optionalNumber("since_ms", INT64_MAX / 1'000'000)) {
        query.sinceNs = static_cast<std::int64_t>(*since) * 1'000'000;
    }
    for (const auto& kind : fields.optionalArray("kinds", 32)) {
        if (!kind.is_string() || !addKinds(std::string_view(kind.get_string()), query.kinds)) {
            return fail(ErrorCode::InvalidArgument, "there is no such kind of event",
                        "Kinds are vm, clerk, share, file, exec, review, apply, undo, discard, guest, engine, agent, client, approval, rule, net, credential, forward, canary, task, provider, budget, recording, log");
        }
    }
    query.afterSeq = fields.optionalNumber("after_seq").value_or(0);
    query.limit = fields.optionalNumber("limit", activity::kMaxQueryEvents).value_or(activity::kMaxQueryEvents);
    const auto newest = fields.optionalNumber("newest");
    const bool following = fields.optionalBoolean("follow");
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    if (const auto last = (*agent)->log().head().seq; newest && last > *newest) { // there are no gaps
        query.afterSeq = std::max(query.afterSeq, last - *newest);
    }
    if (following) {
        return follow((*agent)->log(), query, call);
    }
    auto events = (*agent)->log().query(query);
    if (!events) {
        return fail(std::move(events).error());
    }
    auto page = pageOf(*events, query.limit);
    return json::object{{"events", std::move(page.events)}, {"next_seq", std::move(page.next)}};
}

} // namespace

void addTimelineVerb(Engine& engine, api::Handlers& to) {
    to["timeline"] = [&engine](api::Call& call) { return timeline(engine, call); };
}

} // namespace carrel::engine

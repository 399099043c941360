// SPDX-License-Identifier: Apache-2.0
// The agents' logs as evidence: heads that are handed out, a search, how long they are kept. All of it the owner's (app/api/roles.h).
#include "app/engine/engine.h"
#include "app/engine/event_page.h"

#include "guest/protocol/strict_json.h"

namespace carrel::engine {

namespace json = boost::json;

namespace {

// What a log is now, and what is to become of it.
Result<json::value> kept(Engine& engine, const std::shared_ptr<agents::Agent>& agent) {
    const auto log = engine.keptLog(agent);
    const auto limits = LogKeeper::limitsOf(log.folder);
    const auto size = agent->log().size();
    if (!limits || !size) {
        return fail(!limits ? limits.error() : size.error());
    }
    return json::object{{"agent", agent->name()},
                        {"bytes", limits->bytes},
                        {"age_s", limits->ageS},
                        {"first_seq", size->first},
                        {"last_seq", size->last},
                        {"first_time", size->first == 0 ? json::value(nullptr) : json::value(activity::formatTime(size->firstNs))},
                        {"size", size->bytes}};
}

Result<json::value> head(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "log.head");
    const auto name = fields.string("agent", 256);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto signedHead = engine.logKeeper().sign((*agent)->log(), "asked");
    if (!signedHead) {
        return fail(signedHead.error());
    }
    return json::object{{"agent", (*agent)->name()},
                        {"head", activity::textOf(*signedHead)},
                        {"key", activity::textOf(signedHead->key)},
                        {"seq", signedHead->seq},
                        {"time", activity::formatTime(signedHead->timeNs)},
                        {"file", (engine.keptLog(*agent).folder / "activity.db").string()}};
}

Result<json::value> search(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "log.search");
    const auto name = fields.string("agent", 256);
    activity::SearchQuery query;
    query.words = fields.string("words", 1024);
    query.beforeSeq = fields.optionalNumber("before_seq");
    query.limit = fields.optionalNumber("limit", activity::kMaxQueryEvents).value_or(activity::kMaxQueryEvents);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto events = (*agent)->log().search(query);
    if (!events) {
        return fail(events.error());
    }
    auto page = pageOf(*events, query.limit);
    return json::object{{"events", std::move(page.events)}, {"before_seq", std::move(page.next)}};
}

Result<json::value> keep(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "log.keep");
    const auto name = fields.string("agent", 256);
    const auto bytes = fields.optionalNumber("bytes");
    const auto age = fields.optionalNumber("age_s");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    if (bytes || age) {
        const auto log = engine.keptLog(*agent);
        auto limits = LogKeeper::limitsOf(log.folder).value_or(LogLimits()); // what cannot be read is replaced
        limits.bytes = bytes.value_or(limits.bytes);
        limits.ageS = age.value_or(limits.ageS);
        CARREL_TRY(engine.logKeeper().setLimits(log, limits));
    }
    return kept(engine, *agent);
}

} // namespace

void addLogVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("log.head", head);
    add("log.search", search);
    add("log.keep", keep);
}

} // namespace carrel::engine

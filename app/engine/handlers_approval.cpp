// SPDX-License-Identifier: Apache-2.0
// Verbs of what agents ask to do beyond their machines. All of them the owner's (app/api/roles.h).
#include "app/engine/describe_approval.h"
#include "app/engine/describe_forward.h"
#include "app/engine/describe_report.h"
#include "app/engine/engine.h"
#include "app/engine/read_rule.h"

#include "app/api/display_text.h"
#include "app/policy/approval_log.h"
#include "app/policy/attention.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using policy::Approval;
using policy::ApprovalState;
using policy::DecisionWanted;

namespace {

constexpr std::size_t kMaxStatsRows = 10'000;

// For the log: who it was, in words.
std::string ownerAt(JsonFields& fields) {
    const auto where = fields.optionalString("where", 32);
    if (where && *where != "command line" && *where != "desktop" && *where != "notification") {
        fields.problem("where", "is none of: command line, desktop, notification");
    }
    return where ? "the owner at the " + *where : "the owner";
}

// None: of all.
Result<std::optional<std::string>> agentId(Engine& engine, api::Call& call, const std::optional<std::string>& name) {
    if (!name) {
        return std::optional<std::string>();
    }
    auto agent = engine.agentFor(call, *name);
    return agent ? Result<std::optional<std::string>>((*agent)->id()) : fail(std::move(agent).error());
}

Result<json::value> list(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.list");
    const auto name = fields.optionalString("agent", 256);
    const bool closedToo = fields.optionalBoolean("closed");
    const auto after = fields.optionalNumber("after").value_or(0);
    const auto limit = std::clamp<std::uint64_t>(fields.optionalNumber("limit").value_or(api::kPageEntries), 1, api::kPageEntries);
    CARREL_TRY(fields.finish());
    const auto agent = agentId(engine, call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto mark = engine.approvalNews().mark(); // before what it is the mark of
    json::array list;
    json::value next = nullptr;
    std::size_t bytes = 0;
    for (const auto& each : engine.approvals().queue().list(closedToo)) {
        if (each.id <= after || (*agent && each.agent != **agent)) {
            continue;
        }
        auto item = describeApproval(each, namesOf(engine));
        bytes += json::serialize(item).size();
        if (list.size() == limit || (bytes > api::kPageBytes && !list.empty())) {
            next = list.back().at("id");
            break;
        }
        list.push_back(std::move(item));
    }
    json::array away;
    for (const auto& each : engine.approvals().queue().turnedAway()) {
        if (!*agent || each.agent == **agent) {
            away.push_back({{"agent", engine.approvals().nameOf(each.agent)},
                            {"count", each.count},
                            {"since", activity::formatTime(each.sinceMs * 1'000'000)}});
        }
    }
    json::object out{{"approvals", std::move(list)}, {"turned_away", std::move(away)}, {"mark", mark}, {"next", std::move(next)}};
    if (const auto rules = engine.approvals().rules().rules(); !rules) {
        out["rules_trouble"] = describeTrouble(rules.error());
    }
    return out;
}

Result<json::value> wait(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.wait");
    const auto mark = fields.optionalNumber("mark");
    CARREL_TRY(fields.finish());
    auto now = engine.approvalNews().waitOther(mark, call.stop());
    if (!now) {
        return fail(std::move(now).error());
    }
    return json::object{{"mark", *now}};
}

Result<Approval> find(Engine& engine, JsonFields& fields) {
    const auto id = fields.number("id");
    CARREL_TRY(fields.finish());
    return engine.approvals().queue().find(id);
}

Result<json::value> show(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.show");
    const auto of = find(engine, fields);
    if (!of) {
        return fail(of.error());
    }
    const bool apply = of->action == policy::Action::Apply;
    json::object out{{"approval", describeApproval(*of, namesOf(engine))},
                     {"things", describeThings(*of)},
                     {"complete", of->question.complete()},
                     {"review", apply ? json::value(of->question.evidence.reference) : json::value(nullptr)}};
    if (of->question.cover) {
        out["rule"] = describeRule(*of->question.cover, namesOf(engine));
    }
    if (of->question.risk == policy::Risk::High) {
        out["confirm"] = confirmWord(*of, engine.approvals().nameOf(of->agent));
    }
    return out;
}

Result<json::value> shown(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.shown");
    const auto where = fields.string("where", 32);
    (void)ownerAt(fields);
    const auto of = find(engine, fields);
    if (!of) {
        return fail(of.error());
    }
    engine.approvals().queue().shown(of->id, where);
    return json::object{};
}

Result<json::value> hold(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.hold");
    auto of = find(engine, fields);
    if (!of) {
        return fail(std::move(of).error());
    }
    engine.approvals().queue().hold(of->id);
    of = engine.approvals().queue().find(of->id);
    return of ? Result<json::value>(json::object{{"approval", describeApproval(*of, namesOf(engine))}}) : fail(std::move(of).error());
}

Result<json::value> reopen(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.reopen");
    const auto by = ownerAt(fields);
    auto of = find(engine, fields);
    if (!of) {
        return fail(std::move(of).error());
    }
    CARREL_TRY(engine.approvals().queue().reopen(of->id, by));
    of = engine.approvals().queue().find(of->id);
    return of ? Result<json::value>(json::object{{"approval", describeApproval(*of, namesOf(engine))}}) : fail(std::move(of).error());
}

// `choice`: where one can be made.
Result<DecisionWanted> readDecision(Engine& engine, api::Call& call, Approvals::FolderChoice* choice) {
    JsonFields fields(call.params(), call.verb());
    DecisionWanted wanted;
    wanted.id = fields.number("id");
    const auto effect = policy::effectFrom(fields.string("effect", 16));
    const auto scope = policy::scopeFrom(fields.string("scope", 16));
    const auto digest = files::Sha256::parse(fields.string("digest", 64));
    wanted.revision = fields.number("revision");
    wanted.asked = fields.number("asked");
    if (const auto seconds = fields.optionalNumber("seconds", 315'360'000)) {
        wanted.lasting = std::chrono::seconds(*seconds);
    }
    wanted.by = ownerAt(fields);
    const auto* rule = fields.optionalObject("rule");
    if (choice != nullptr) {
        choice->folder = takeOptionalPath(fields, call.params(), "folder");
        if (choice->folder && !choice->folder->starts_with('/')) {
            fields.problem("folder", "is not an absolute path");
        }
        if (const auto mode = fields.optionalString("mode", 16)) {
            const auto known = agents::shareModeFrom(*mode);
            if (!known) {
                return fail(known.error());
            }
            choice->mode = *known;
        }
    }
    if (!effect) {
        fields.problem("effect", "is neither allow nor deny");
    }
    if (!scope) {
        fields.problem("scope", "is none of: once, session, agent, everywhere");
    }
    if (!digest) {
        fields.problem("digest", "is no SHA-256");
    }
    if (wanted.revision == 0) {
        fields.problem("revision", "is not a number from 1 on");
    }
    CARREL_TRY(fields.finish());
    wanted.effect = *effect;
    wanted.scope = *scope;
    wanted.digest = *digest;
    if (rule != nullptr) {
        auto read = readRule(engine, call, *rule);
        if (!read) {
            return fail(std::move(read).error());
        }
        wanted.rule = std::move(*read);
    }
    return wanted;
}

Result<json::value> preview(Engine& engine, api::Call& call) {
    const auto wanted = readDecision(engine, call, nullptr);
    if (!wanted) {
        return fail(wanted.error());
    }
    const auto rule = engine.approvals().queue().ruleOf(*wanted);
    if (!rule) {
        return fail(rule.error());
    }
    return json::object{{"rule", *rule ? json::value(describeRule(**rule, namesOf(engine))) : json::value(nullptr)}};
}

Result<json::value> decide(Engine& engine, api::Call& call) {
    Approvals::FolderChoice choice;
    const auto wanted = readDecision(engine, call, &choice);
    if (!wanted) {
        return fail(wanted.error());
    }
    auto done = engine.approvals().decide(*wanted, progressOf(call), choice);
    if (!done) {
        return fail(std::move(done).error());
    }
    const auto& of = done->decided.approval;
    json::object out{{"approval", describeApproval(of, namesOf(engine))}};
    if (done->report) {
        auto applied = describeReport(*done->report);
        applied["apply"] = numberOf(*done->report);
        applied["review"] = of.question.evidence.reference;
        out["applied"] = std::move(applied);
    }
    if (!done->share.empty()) {
        out["given"] = done->share;
    }
    if (done->forward) {
        out["forward"] = describeForward(*done->forward);
    }
    if (done->effectTrouble) {
        out["effect_trouble"] = api::asUtf8(done->effectTrouble->text());
    }
    if (done->decided.ruleTrouble) {
        out["rule_trouble"] = api::asUtf8(done->decided.ruleTrouble->text());
    }
    return out;
}

void add(policy::AttentionCounts& to, const policy::AttentionCounts& more) {
    to.asked += more.asked;
    to.shown += more.shown;
    to.merged += more.merged;
    to.answered += more.answered;
    to.byRule += more.byRule;
    to.expired += more.expired;
    to.cancelled += more.cancelled;
    to.turnedAway += more.turnedAway;
    to.waitedMs += more.waitedMs;
}

// Counted from the whole of a log, since a request that ended today may have been asked yesterday; `since` chooses days.
Result<json::value> stats(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "approval.stats");
    const auto name = fields.optionalString("agent", 256);
    const auto since = fields.optionalNumber("since_ms", INT64_MAX / 1'000'000).value_or(0);
    CARREL_TRY(fields.finish());
    const auto id = agentId(engine, call, name);
    if (!id) {
        return fail(id.error());
    }
    policy::Attention attention(policy::Attention::utcDay);
    for (const auto& agent : engine.agentsFor(call)) {
        if (*id && agent->id() != **id) {
            continue;
        }
        const auto read = policy::readApprovals(agent->id(), agent->log());
        if (!read) {
            return fail(read.error());
        }
        for (const auto& record : read->records) {
            attention.add(record);
        }
    }
    const auto firstDay = policy::Attention::utcDay(static_cast<std::int64_t>(since));
    policy::AttentionCounts total;
    std::vector<std::pair<policy::Attention::Key, policy::AttentionCounts>> rows;
    for (const auto& [key, counts] : attention.counts()) {
        if (key.day >= firstDay && counts != policy::AttentionCounts{}) {
            rows.emplace_back(key, counts);
            add(total, counts);
        }
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return std::tie(a.first.day, a.first.agent, a.first.task) < std::tie(b.first.day, b.first.agent, b.first.task);
    });
    if (rows.size() > kMaxStatsRows) { // the newest
        rows.erase(rows.begin(), rows.end() - kMaxStatsRows);
    }
    json::array list;
    for (const auto& [key, counts] : rows) {
        list.push_back(describeAttention(key, counts, namesOf(engine)));
    }
    return json::object{{"rows", std::move(list)}, {"total", describeAttention({}, total, namesOf(engine))}};
}

} // namespace

void addApprovalVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("approval.list", list);
    add("approval.wait", wait);
    add("approval.show", show);
    add("approval.shown", shown);
    add("approval.hold", hold);
    add("approval.reopen", reopen);
    add("approval.preview", preview);
    add("approval.decide", decide);
    add("approval.stats", stats);
}

} // namespace carrel::engine

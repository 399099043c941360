// SPDX-License-Identifier: Apache-2.0
#include "app/policy/approval_record.h"

#include "app/policy/rules_text.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>

namespace carrel::policy {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 11> kKinds{
    "approval.asked", "approval.changed",  "approval.repeated", "approval.shown", "approval.decided",    "rule.kept",
    "approval.ended", "approval.reopened", "approval.effect",   "rule.answered",  "approval.turned_away"};
constexpr std::size_t kMaxWords = 4096;
constexpr std::size_t kMaxRuleText = 2 * kMaxCoverBytes;

json::string text(std::string_view view) {
    return json::string(view.data(), view.size());
}

// A rule stands there as it will stand in the rules' file, so that who reads the log reads one language.
std::string ruleText(Rule rule) {
    rule.id = 1;
    return toToml(rule);
}
std::optional<Rule> takeRule(JsonFields& fields, std::string_view key) {
    const auto found = fields.optionalString(key, kMaxRuleText);
    if (!found) {
        return std::nullopt;
    }
    auto set = rulesFrom("version = 1\nserial = 0\nnext_id = 2\n" + *found);
    if (!set || set->rules.size() != 1) {
        fields.problem(key, "is not one rule");
        return std::nullopt;
    }
    set->rules.front().id = 0;
    return std::move(set->rules.front());
}

json::object itemJson(const Request& item) {
    json::object out;
    if (item.risk == Risk::High) {
        out["risk"] = text(toString(item.risk));
    }
    for (const auto& [name, value] : item.fields) {
        putPath(out, name, value);
    }
    return out;
}

void put(json::object& out, const Question& question) {
    json::array items;
    for (const auto& item : question.items) {
        items.push_back(itemJson(item));
    }
    out["risk"] = text(toString(question.risk));
    if (!question.riskReason.empty()) {
        out["risk_reason"] = question.riskReason;
    }
    out["items"] = std::move(items);
    out["item_count"] = question.itemCount;
    out["digest"] = question.evidence.digest.hex();
    out["evidence"] = question.evidence.reference;
    out["claimed_reason"] = question.claim; // of an agent's machine: a claim
    if (question.cover) {
        out["rule"] = ruleText(*question.cover);
    }
}

files::Sha256 takeDigest(JsonFields& fields) {
    const auto digest = files::Sha256::parse(fields.string("digest", 64));
    if (!digest) {
        fields.problem("digest", "is not a SHA-256");
    }
    return digest.value_or(files::Sha256{});
}

template <class Enum> Enum taken(JsonFields& fields, std::string_view key, std::optional<Enum> (*from)(std::string_view)) {
    const auto value = from(fields.string(key, 32));
    if (!value) {
        fields.problem(key, "is a word that is not known");
    }
    return value.value_or(Enum{});
}

// `like` has what all items of a request have in common.
Question takeQuestion(JsonFields& fields, const Request& like) {
    Question out;
    out.risk = taken(fields, "risk", riskFrom);
    out.riskReason = fields.optionalString("risk_reason", kMaxReasonBytes).value_or("");
    for (const auto& each : fields.array("items", kMaxKeptItems)) {
        if (!each.is_object()) {
            fields.problem("items", "holds something that is none");
            break;
        }
        JsonFields inner(each.get_object(), "item");
        Request item = like;
        item.risk = inner.optionalString("risk", 16).value_or("") == toString(Risk::High) ? Risk::High : Risk::Routine;
        for (const auto& field : fieldsOf(item.action)) {
            if (auto value = takeOptionalPath(inner, each.get_object(), field.name)) {
                item.fields[std::string(field.name)] = std::move(*value);
            }
        }
        if (!inner.finish()) {
            fields.problem("items", "holds something that is none");
            break;
        }
        out.items.push_back(std::move(item));
    }
    out.itemCount = fields.number("item_count", kMaxItems);
    if (out.items.size() > out.itemCount) {
        fields.problem("item_count", "is less than there are");
    }
    out.evidence = {takeDigest(fields), fields.string("evidence", kMaxReferenceBytes)};
    out.claim = fields.string("claimed_reason", 4 * kMaxClaimCharacters);
    out.cover = takeRule(fields, "rule");
    return out;
}

struct ToJson {
    json::object& out;

    void operator()(const record::Asked& what) const {
        out["session"] = what.session;
        out["task"] = what.task;
        out["action"] = text(toString(what.action));
        out["about"] = what.about;
        put(out, what.question);
    }
    void operator()(const record::Changed& what) const {
        out["session"] = what.session;
        out["action"] = text(toString(what.action));
        out["revision"] = what.revision;
        put(out, what.question);
    }
    void operator()(const record::Repeated& what) const { out["asked"] = what.asked; }
    void operator()(const record::Shown& what) const { out["where"] = what.where; }
    void operator()(const record::Decided& what) const {
        const auto& facts = what.facts;
        out["decision"] = text(toString(facts.effect));
        out["scope"] = text(toString(facts.scope));
        if (facts.untilMs) {
            out["until_ms"] = *facts.untilMs;
        }
        out["by"] = facts.by;
        out["uses"] = facts.uses;
        if (facts.rule) {
            out["rule"] = ruleText(*facts.rule);
        }
        if (facts.ruleId != 0) {
            out["rule_id"] = facts.ruleId;
        }
        out["digest"] = what.digest.hex();
        out["asked"] = what.asked;
        out["waited_ms"] = what.waitedMs;
    }
    void operator()(const record::RuleKept& what) const {
        out["rule_id"] = what.ruleId;
        if (!what.why.empty()) {
            out["why"] = what.why;
        }
    }
    void operator()(const record::Ended& what) const {
        out["reason"] = text(toString(what.reason));
        out["asked"] = what.asked;
        out["waited_ms"] = what.waitedMs;
    }
    void operator()(const record::Reopened& what) const { out["by"] = what.by; }
    void operator()(const record::EffectEnded& what) const {
        out["outcome"] = text(toString(what.state));
        if (!what.words.empty()) {
            out["words"] = what.words;
        }
    }
    void operator()(const record::RuleAnswered& what) const {
        out["session"] = what.session;
        out["action"] = text(toString(what.action));
        out["about"] = what.about;
        out["digest"] = what.digest.hex();
        out["decision"] = text(toString(what.effect));
        out["rule_id"] = what.ruleId;
        if (!what.trouble.empty()) {
            out["trouble"] = what.trouble;
        }
        out["count"] = what.count;
    }
    void operator()(const record::TurnedAway& what) const {
        out["count"] = what.count;
        out["since_ms"] = what.sinceMs;
    }
};

std::int64_t takeTime(JsonFields& fields, std::string_view key) {
    return fields.signedNumber(key);
}

Request likeOf(JsonFields& fields, const std::string& agent) {
    Request like;
    like.agent = agent;
    like.session = fields.string("session", kMaxIdBytes);
    like.action = taken(fields, "action", actionFrom);
    return like;
}

DecisionFacts takeFacts(JsonFields& fields, const json::object& detail, std::int64_t atMs) {
    DecisionFacts out;
    out.effect = taken(fields, "decision", effectFrom);
    out.scope = taken(fields, "scope", scopeFrom);
    if (detail.contains("until_ms")) {
        out.untilMs = takeTime(fields, "until_ms");
    }
    out.by = fields.string("by", kMaxByBytes);
    out.uses = fields.number("uses");
    out.rule = takeRule(fields, "rule");
    out.ruleId = fields.optionalNumber("rule_id").value_or(0);
    out.atMs = atMs;
    return out;
}

void read(std::size_t kind, JsonFields& fields, const json::object& detail, ApprovalRecord& out) {
    switch (kind) {
    case 0: {
        const auto like = likeOf(fields, out.agent);
        record::Asked what{like.session, fields.string("task", kMaxTaskBytes), like.action,
                           fields.string("about", kMaxAboutBytes), {}};
        what.question = takeQuestion(fields, like);
        out.what = std::move(what);
        return;
    }
    case 1: {
        const auto like = likeOf(fields, out.agent);
        const auto revision = fields.number("revision");
        out.what = record::Changed{like.session, like.action, revision, takeQuestion(fields, like)};
        return;
    }
    case 2:
        out.what = record::Repeated{fields.number("asked")};
        return;
    case 3:
        out.what = record::Shown{fields.string("where", kMaxByBytes)};
        return;
    case 4: {
        record::Decided what{takeFacts(fields, detail, out.atMs), takeDigest(fields), 0, 0};
        what.asked = fields.number("asked");
        what.waitedMs = fields.number("waited_ms");
        out.what = std::move(what);
        return;
    }
    case 5:
        out.what = record::RuleKept{fields.number("rule_id"), fields.optionalString("why", kMaxWords).value_or("")};
        return;
    case 6: {
        const auto reason = taken(fields, "reason", endReasonFrom);
        const auto asked = fields.number("asked");
        out.what = record::Ended{reason, asked, fields.number("waited_ms")};
        return;
    }
    case 7:
        out.what = record::Reopened{fields.string("by", kMaxByBytes)};
        return;
    case 8: {
        const auto state = taken(fields, "outcome", effectStateFrom);
        out.what = record::EffectEnded{state, fields.optionalString("words", kMaxWords).value_or("")};
        return;
    }
    case 9: {
        record::RuleAnswered what;
        const auto like = likeOf(fields, out.agent);
        what.session = like.session;
        what.action = like.action;
        what.about = fields.string("about", kMaxAboutBytes);
        what.digest = takeDigest(fields);
        what.effect = taken(fields, "decision", effectFrom);
        what.ruleId = fields.number("rule_id");
        what.trouble = fields.optionalString("trouble", kMaxWords).value_or("");
        what.count = fields.number("count");
        out.what = std::move(what);
        return;
    }
    default: {
        const auto count = fields.number("count");
        out.what = record::TurnedAway{count, takeTime(fields, "since_ms")};
        return;
    }
    }
}

} // namespace

std::string_view kindOf(const ApprovalRecord& record) {
    return kKinds.at(record.what.index());
}

json::object detailOf(const ApprovalRecord& record) {
    json::object out{{"id", record.id}};
    std::visit(ToJson{out}, record.what);
    return out;
}

Result<ApprovalRecord> recordFrom(std::string_view kind, std::string agent, std::int64_t atMs, const json::object& detail) {
    const auto at = std::find(kKinds.begin(), kKinds.end(), kind);
    if (at == kKinds.end()) {
        return fail(ErrorCode::Malformed, "a row of the log is of no kind that tells of a request");
    }
    ApprovalRecord out;
    out.agent = std::move(agent);
    out.atMs = atMs;
    JsonFields fields(detail, kind);
    out.id = fields.number("id");
    read(static_cast<std::size_t>(at - kKinds.begin()), fields, detail, out);
    CARREL_TRY(fields.finish());
    return out;
}

} // namespace carrel::policy

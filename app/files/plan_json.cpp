// SPDX-License-Identifier: Apache-2.0
#include "app/files/plan_json.h"

#include "app/files/names.h"
#include "app/files/node_json.h"

#include <algorithm>
#include <array>

namespace carrel::files {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;

constexpr std::array<Name<OpKind>, 5> kOps{{{OpKind::Put, "put"},
                                            {OpKind::Remove, "remove"},
                                            {OpKind::Move, "move"},
                                            {OpKind::Exchange, "exchange"},
                                            {OpKind::Mode, "mode"}}};

json::object toJson(const FolderTime& time) {
    return {{"expect", time.expect}, {"restore", time.restore}};
}

json::object toJson(const Op& op) {
    json::object out;
    out["op"] = nameOf(kOps, op.kind);
    putPath(out, "path", op.path.text());
    if (op.from) {
        putPath(out, "from", op.from->text());
    }
    out["expect"] = nodeToJson(op.expect);
    out["want"] = nodeToJson(op.want);
    out["exact"] = op.attributes == Xattrs::Exact;
    if (op.folder) {
        out["folder"] = toJson(*op.folder);
    }
    if (op.fromFolder) {
        out["from_folder"] = toJson(*op.fromFolder);
    }
    if (op.reverses) {
        out["reverses"] = json::object{{"entry", op.reverses->first}, {"op", op.reverses->second}};
    }
    return out;
}

SharePath takePath(JsonFields& fields, const json::object& object, std::string_view key) {
    auto path = SharePath::parse(takeOptionalPath(fields, object, key).value_or(""));
    if (!path || path->isRoot()) {
        fields.problem(key, "is not a path inside the folder");
        return {};
    }
    return std::move(*path);
}

Result<std::optional<FolderTime>> takeFolder(JsonFields& fields, std::string_view key) {
    const auto* object = fields.optionalObject(key);
    if (object == nullptr) {
        return std::optional<FolderTime>();
    }
    JsonFields inner(*object, "folder time");
    const FolderTime time{inner.signedNumber("expect"), inner.signedNumber("restore")};
    CARREL_TRY(inner.finish());
    return std::optional(time);
}

Result<Op> opFrom(const json::object& object) {
    JsonFields fields(object, "operation");
    Op op;
    const auto kind = valueOf(kOps, fields.string("op", 16));
    if (!kind) {
        fields.problem("op", "is not a known word");
    }
    op.kind = kind.value_or(OpKind::Put);
    op.path = takePath(fields, object, "path");
    if (object.contains("from") || object.contains("from_b64")) {
        op.from = takePath(fields, object, "from");
    }
    auto expect = nodeFrom(fields.object("expect"));
    auto want = nodeFrom(fields.object("want"));
    auto folder = takeFolder(fields, "folder");
    auto fromFolder = takeFolder(fields, "from_folder");
    if (const auto* reverses = fields.optionalObject("reverses")) {
        JsonFields index(*reverses, "reversed operation");
        op.reverses = OpIndex{index.number("entry", kMaxChanges), index.number("op", kMaxOps)};
        CARREL_TRY(index.finish());
    }
    op.attributes = fields.boolean("exact") ? Xattrs::Exact : Xattrs::Keep;
    CARREL_TRY(fields.finish());
    if (!expect || !want || !folder || !fromFolder || ((op.kind == OpKind::Move || op.kind == OpKind::Exchange) && !op.from)) {
        return fail(ErrorCode::Malformed, "an operation of the journal does not parse");
    }
    op.expect = std::move(*expect);
    op.want = std::move(*want);
    op.folder = *folder;
    op.fromFolder = *fromFolder;
    return op;
}

} // namespace

void putTime(json::object& out, std::string_view key, std::optional<std::int64_t> time) {
    if (time) {
        out[key] = *time;
    }
}

std::optional<std::int64_t> takeTime(JsonFields& fields, const json::object& object, std::string_view key) {
    if (!object.contains(key)) {
        return std::nullopt;
    }
    return fields.signedNumber(key);
}

std::string planText(const Plan& plan) {
    json::object out;
    out["schema"] = kSchema;
    out["id"] = plan.id;
    out["set"] = plan.set;
    out["share"] = plan.share;
    out["undoes"] = plan.undoes;
    out["at_ns"] = plan.atNs;
    out["root_inode"] = plan.rootInode;
    out["root_born_ns"] = plan.rootBornNs;
    json::array entries;
    for (const auto& entry : plan.entries) {
        json::object one;
        putPath(one, "path", entry.path.text());
        one["generation"] = entry.generation;
        json::array ops;
        for (const auto& op : entry.ops) {
            ops.push_back(toJson(op));
        }
        one["ops"] = std::move(ops);
        one["blocked"] = entry.blocked;
        if (!entry.also.empty()) {
            json::array also;
            for (const auto& [path, generation] : entry.also) {
                json::object other;
                putPath(other, "path", path.text());
                other["generation"] = generation;
                also.push_back(std::move(other));
            }
            one["also"] = std::move(also);
        }
        if (!entry.needs.empty()) {
            one["needs"] = json::value_from(entry.needs);
        }
        entries.push_back(std::move(one));
    }
    out["entries"] = std::move(entries);
    return json::serialize(out);
}

namespace {

Result<PlanEntry> planEntryFrom(const json::object& object) {
    JsonFields fields(object, "planned change");
    PlanEntry entry;
    entry.path = takePath(fields, object, "path");
    entry.generation = fields.number("generation");
    entry.blocked = fields.string("blocked", 4096);
    for (const auto& item : fields.array("ops", kMaxOps)) {
        auto op = item.is_object() ? opFrom(item.get_object())
                                   : fail(ErrorCode::Malformed, "an operation is no object");
        if (!op) {
            return fail(std::move(op).error());
        }
        entry.ops.push_back(std::move(*op));
    }
    for (const auto& item : fields.optionalArray("also", kMaxOps)) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "a planned change is no object");
        }
        JsonFields other(item.get_object(), "planned change");
        SharePath path = takePath(other, item.get_object(), "path");
        const auto generation = other.number("generation");
        CARREL_TRY(other.finish());
        entry.also.emplace_back(std::move(path), generation);
    }
    for (const auto& item : fields.optionalArray("needs", kMaxNeeds)) {
        const auto* number = item.if_int64();
        if (number == nullptr || *number < 0) {
            fields.problem("needs", "is not a list of numbers");
            break;
        }
        entry.needs.push_back(static_cast<std::size_t>(*number));
    }
    CARREL_TRY(fields.finish());
    return entry;
}

} // namespace

Result<Plan> planFrom(std::string_view text) {
    auto object = parseJsonObject(text, JsonLimits{kMaxPlanText, 12});
    if (!object) {
        return fail(std::move(object).error());
    }
    JsonFields fields(*object, "plan");
    Plan plan;
    if (fields.number("schema") != kSchema) {
        fields.problem("schema", "is of another version");
    }
    plan.id = fields.string("id", 64);
    plan.set = fields.string("set", 64);
    plan.share = fields.string("share", 1024);
    plan.undoes = fields.string("undoes", 64);
    plan.atNs = fields.signedNumber("at_ns");
    plan.rootInode = fields.number("root_inode");
    plan.rootBornNs = takeTime(fields, *object, "root_born_ns").value_or(0);
    for (const auto& item : fields.array("entries", kMaxChanges)) {
        auto entry = item.is_object() ? planEntryFrom(item.get_object())
                                      : fail(ErrorCode::Malformed, "a planned change is no object");
        if (!entry) {
            return fail(std::move(entry).error());
        }
        if (std::any_of(entry->needs.begin(), entry->needs.end(), [&](auto needed) { return needed >= plan.entries.size(); })) {
            return fail(ErrorCode::Malformed, "a planned change needs one that comes after it");
        }
        plan.entries.push_back(std::move(*entry));
    }
    CARREL_TRY(fields.finish());
    return plan;
}

} // namespace carrel::files

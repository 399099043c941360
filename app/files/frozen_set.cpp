// SPDX-License-Identifier: Apache-2.0
#include "app/files/frozen_set.h"

#include "app/files/names.h"
#include "app/files/node_json.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::files {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxReason = 4096;

json::object entryToJson(const FrozenEntry& entry) {
    json::object out;
    putPath(out, "path", entry.path.text());
    out["kind"] = carrel::toString(entry.kind);
    out["type"] = carrel::toString(entry.type);
    if (entry.from) {
        putPath(out, "from", entry.from->text());
    }
    out["generation"] = entry.generation;
    out["content_changed"] = entry.contentChanged;
    out["base"] = nodeToJson(entry.base);
    out["target"] = nodeToJson(entry.target);
    out["wanted"] = nodeToJson(entry.wanted);
    out["risk"] = toString(entry.risk);
    out["risk_reason"] = entry.riskReason;
    out["conflict"] = toString(entry.conflict);
    out["conflict_reason"] = entry.conflictReason;
    out["text"] = entry.text;
    out["base_kept"] = entry.baseKept;
    out["counted"] = entry.counted;
    out["added"] = entry.linesAdded;
    out["removed"] = entry.linesRemoved;
    return out;
}

std::optional<SharePath> takePath(JsonFields& fields, const json::object& object, std::string_view key) {
    const auto text = takeOptionalPath(fields, object, key);
    if (!text) {
        return std::nullopt;
    }
    auto path = SharePath::parse(*text);
    if (!path || path->isRoot()) {
        fields.problem(key, "is not a path inside the folder");
        return std::nullopt;
    }
    return std::move(*path);
}

template <class Value, class Table>
Value takeName(JsonFields& fields, std::string_view key, const Table& table, Value fallback) {
    const auto value = valueOf(table, fields.string(key, 32));
    if (!value) {
        fields.problem(key, "is not a known word");
    }
    return value.value_or(fallback);
}

NodeState takeNode(JsonFields& fields, std::string_view key) {
    auto node = nodeFrom(fields.object(key));
    if (!node) {
        fields.problem(key, "is not a state");
        return {};
    }
    return std::move(*node);
}

Result<FrozenEntry> entryFrom(const json::object& object) {
    JsonFields fields(object, "frozen change");
    FrozenEntry entry;
    entry.path = takePath(fields, object, "path").value_or(SharePath());
    if (entry.path.isRoot()) {
        fields.problem("path", "is missing");
    }
    const auto kind = changeKindFrom(fields.string("kind", 16));
    const auto type = entryTypeFrom(fields.string("type", 16));
    if (!kind || !type) {
        fields.problem("kind", "is not a known word");
    }
    entry.kind = kind.value_or(ChangeKind::Created);
    entry.type = type.value_or(EntryType::File);
    entry.from = takePath(fields, object, "from");
    entry.generation = fields.number("generation");
    entry.contentChanged = fields.boolean("content_changed");
    entry.base = takeNode(fields, "base");
    entry.target = takeNode(fields, "target");
    entry.wanted = takeNode(fields, "wanted");
    entry.risk = takeName(fields, "risk", kRisks, Risk::High);
    entry.riskReason = fields.string("risk_reason", kMaxReason);
    entry.conflict = takeName(fields, "conflict", kConflicts, ConflictKind::Refused);
    entry.conflictReason = fields.string("conflict_reason", kMaxReason);
    entry.text = fields.boolean("text");
    entry.baseKept = fields.boolean("base_kept");
    entry.counted = fields.boolean("counted");
    entry.linesAdded = fields.number("added");
    entry.linesRemoved = fields.number("removed");
    CARREL_TRY(fields.finish());
    return entry;
}

Result<LeftOut> leftOutFrom(const json::object& object) {
    JsonFields fields(object, "left out change");
    LeftOut out;
    out.path = takePath(fields, object, "path").value_or(SharePath());
    out.generation = fields.number("generation");
    out.why = takeName(fields, "why", kLeftOutWhys, LeftOutWhy::Failed);
    out.reason = fields.string("reason", kMaxReason);
    CARREL_TRY(fields.finish());
    return out;
}

} // namespace

std::string_view toString(Risk risk) {
    return nameOf(kRisks, risk);
}
std::string_view toString(ConflictKind kind) {
    return nameOf(kConflicts, kind);
}
std::string_view toString(LeftOutWhy why) {
    return nameOf(kLeftOutWhys, why);
}

const FrozenEntry* FrozenSet::find(const SharePath& path) const {
    const auto at = std::lower_bound(entries.begin(), entries.end(), path,
                                     [](const FrozenEntry& e, const SharePath& p) { return e.path < p; });
    return at != entries.end() && at->path == path ? &*at : nullptr;
}

std::string toCanonical(const FrozenSet& set) {
    json::object out;
    out["schema"] = kSchema;
    out["share"] = set.share;
    json::array entries;
    for (const auto& entry : set.entries) {
        entries.push_back(entryToJson(entry));
    }
    out["entries"] = std::move(entries);
    json::array leftOut;
    for (const auto& item : set.leftOut) {
        json::object one;
        putPath(one, "path", item.path.text());
        one["generation"] = item.generation;
        one["why"] = toString(item.why);
        one["reason"] = item.reason;
        leftOut.push_back(std::move(one));
    }
    out["left_out"] = std::move(leftOut);
    return json::serialize(out);
}

Result<FrozenSet> frozenSetFrom(std::string_view text, const std::string& id) {
    if (Sha256::of(text).hex() != id) {
        return fail(ErrorCode::Malformed, "the stored review is damaged: it is not what its name says",
                    "Open the review again");
    }
    auto object = parseJsonObject(text, JsonLimits{kMaxSetText, 12});
    if (!object) {
        return fail(std::move(object).error());
    }
    JsonFields fields(*object, "frozen set");
    FrozenSet set;
    set.id = id;
    if (fields.number("schema") != kSchema) {
        fields.problem("schema", "is of another version");
    }
    set.share = fields.string("share", 1024);
    for (const auto& item : fields.array("entries", kMaxChanges)) {
        auto entry = item.is_object() ? entryFrom(item.get_object())
                                      : fail(ErrorCode::Malformed, "an entry is no object");
        if (!entry) {
            return fail(std::move(entry).error());
        }
        set.entries.push_back(std::move(*entry));
    }
    for (const auto& item : fields.array("left_out", kMaxChanges)) {
        auto out = item.is_object() ? leftOutFrom(item.get_object())
                                    : fail(ErrorCode::Malformed, "an entry is no object");
        if (!out) {
            return fail(std::move(out).error());
        }
        set.leftOut.push_back(std::move(*out));
    }
    CARREL_TRY(fields.finish());
    return set;
}

} // namespace carrel::files

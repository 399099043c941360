// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/change_report.h"

#include "guest/protocol/strict_json.h"

#include <array>
#include <utility>

namespace carrel {

namespace json = boost::json;

namespace {

constexpr std::array<std::pair<ChangeKind, std::string_view>, 6> kKinds{{{ChangeKind::Created, "created"},
                                                                         {ChangeKind::Modified, "modified"},
                                                                         {ChangeKind::Deleted, "deleted"},
                                                                         {ChangeKind::Renamed, "renamed"},
                                                                         {ChangeKind::Mode, "mode"},
                                                                         {ChangeKind::Link, "link"}}};
constexpr std::array<std::pair<EntryType, std::string_view>, 3> kTypes{
    {{EntryType::File, "file"}, {EntryType::Directory, "directory"}, {EntryType::Symlink, "symlink"}}};

template <class Table, class Key> std::string_view nameOf(const Table& table, Key key) {
    for (const auto& [value, name] : table) {
        if (value == key) {
            return name;
        }
    }
    return "unknown";
}

template <class Value, class Table> std::optional<Value> valueOf(const Table& table, std::string_view text) {
    for (const auto& [value, name] : table) {
        if (name == text) {
            return value;
        }
    }
    return std::nullopt;
}

bool isHexSha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

json::object toJson(const BaseVersion& base) {
    return {
        {"inode", base.inode}, {"size", base.size}, {"mtime_ns", base.mtimeNs}, {"ctime_ns", base.ctimeNs}};
}

BaseVersion takeVersion(JsonFields& fields) {
    return {fields.number("inode"), fields.number("size"), fields.signedNumber("mtime_ns"), fields.signedNumber("ctime_ns")};
}

} // namespace

json::object toJson(const Left& left) {
    json::object out;
    if (left.version) {
        out["version"] = toJson(*left.version);
    }
    return out;
}

std::optional<Left> takeLeft(JsonFields& fields, std::string_view key) {
    const auto* object = fields.optionalObject(key);
    if (object == nullptr) {
        return std::nullopt;
    }
    JsonFields inner(*object, "left");
    Left left;
    Status good;
    if (const auto* version = inner.optionalObject("version")) {
        JsonFields numbers(*version, "left.version");
        left.version = takeVersion(numbers);
        good = numbers.finish();
    }
    good = good ? inner.finish() : std::move(good);
    if (!good) {
        fields.problem(key, good.error().message);
    }
    return left;
}

std::string_view toString(ChangeKind kind) {
    return nameOf(kKinds, kind);
}
std::string_view toString(EntryType type) {
    return nameOf(kTypes, type);
}
std::optional<ChangeKind> changeKindFrom(std::string_view text) {
    return valueOf<ChangeKind>(kKinds, text);
}
std::optional<EntryType> entryTypeFrom(std::string_view text) {
    return valueOf<EntryType>(kTypes, text);
}

void putPath(json::object& into, std::string_view key, std::string_view path) {
    if (isUtf8(path)) {
        into[key] = path;
    } else {
        into[std::string(key) + "_b64"] = toBase64(path);
    }
}

std::optional<std::string> takeOptionalPath(JsonFields& fields, const json::object& object,
                                            std::string_view key) {
    const std::string coded = std::string(key) + "_b64";
    const auto* value = object.if_contains(key);
    const bool plain = value != nullptr && !value->is_null();
    if (!plain && !object.contains(coded)) {
        fields.allow(key);
        return std::nullopt;
    }
    if (plain && object.contains(coded)) {
        fields.allow(key);
        fields.allow(coded);
        fields.problem(key, "is given twice");
        return std::nullopt;
    }
    if (plain) {
        return fields.string(key, kMaxPathBytes);
    }
    auto raw = fromBase64(fields.string(coded, kMaxPathBytes * 2));
    if (!raw || raw->size() > kMaxPathBytes) {
        fields.problem(coded, raw ? "is too long" : "is not base64");
        return std::nullopt;
    }
    return std::move(*raw);
}

json::object toJson(const ChangeEntry& entry) {
    json::object out;
    putPath(out, "path", entry.path.text());
    out["kind"] = toString(entry.kind);
    out["type"] = toString(entry.type);
    if (entry.from) {
        putPath(out, "from", entry.from->text());
    }
    out["size"] = entry.size;
    out["mode"] = entry.mode;
    out["mtime_ns"] = entry.mtimeNs;
    out["generation"] = entry.generation;
    out["content_changed"] = entry.contentChanged;
    if (entry.base) {
        out["base"] = toJson(*entry.base);
    }
    if (entry.baseSha256) {
        out["base_sha256"] = *entry.baseSha256;
    }
    if (!entry.linkTarget.empty()) {
        putPath(out, "target", entry.linkTarget);
    }
    return out;
}

Result<ChangeEntry> changeEntryFrom(const json::object& object) {
    JsonFields fields(object, "change");
    ChangeEntry entry;
    const auto takeSharePath = [&](std::string_view key) -> std::optional<SharePath> {
        auto text = takeOptionalPath(fields, object, key);
        if (!text) {
            return std::nullopt;
        }
        auto path = SharePath::parse(*text);
        if (!path || path->isRoot()) {
            fields.problem(key, "is not a path inside the folder");
            return std::nullopt;
        }
        return std::move(*path);
    };
    if (auto path = takeSharePath("path")) {
        entry.path = std::move(*path);
    } else {
        fields.problem("path", "is missing");
    }
    entry.from = takeSharePath("from");
    if (auto kind = changeKindFrom(fields.string("kind", 16))) {
        entry.kind = *kind;
    } else {
        fields.problem("kind", "is not a known kind of change");
    }
    if (auto type = entryTypeFrom(fields.string("type", 16))) {
        entry.type = *type;
    } else {
        fields.problem("type", "is not a known type of entry");
    }
    if ((entry.kind == ChangeKind::Renamed) != entry.from.has_value()) {
        fields.problem("from", "belongs to a rename and to nothing else");
    }
    entry.size = fields.number("size", std::uint64_t{1} << 62U);
    entry.mode = static_cast<std::uint32_t>(fields.number("mode", 07777));
    entry.mtimeNs = fields.signedNumber("mtime_ns");
    entry.generation = fields.number("generation");
    entry.contentChanged = fields.boolean("content_changed");
    if (const auto* inner = fields.optionalObject("base")) {
        JsonFields base(*inner, "change.base");
        entry.base = takeVersion(base);
        CARREL_TRY(base.finish());
    }
    entry.baseSha256 = fields.optionalString("base_sha256", 64);
    if (entry.baseSha256 && !isHexSha256(*entry.baseSha256)) {
        fields.problem("base_sha256", "is not a SHA-256");
    }
    if (auto target = takeOptionalPath(fields, object, "target")) {
        if (entry.type != EntryType::Symlink || target->empty() || target->find('\0') != std::string::npos) {
            fields.problem("target", "is not the text of a link");
        }
        entry.linkTarget = std::move(*target);
    } else if (entry.type == EntryType::Symlink && entry.kind != ChangeKind::Deleted) {
        fields.problem("target", "is missing");
    }
    CARREL_TRY(fields.finish());
    return entry;
}

} // namespace carrel

// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/strict_json.h"
#include "guest/worktree/upper_store.h"

#include <boost/crc.hpp>

#include <array>
#include <set>

namespace json = boost::json;

namespace carrel::worktree {
namespace {

constexpr std::array<std::string_view, 6> kKinds{"file", "directory", "symlink",
                                                 "fifo", "socket",    "whiteout"};
constexpr std::size_t kMaxRecordItems = 2'000'000;
const JsonLimits kRecordLimits{kMaxLogRecord, 12};

json::object coverToJson(const Cover& cover) {
    json::object out{{"type", toString(cover.type)},      {"mode", cover.mode},
                     {"inode", cover.version.inode},      {"size", cover.version.size},
                     {"mtime_ns", cover.version.mtimeNs}, {"ctime_ns", cover.version.ctimeNs}};
    if (cover.sha256) {
        out["sha256"] = *cover.sha256;
    }
    return out;
}

Result<Cover> coverFrom(const json::object& object) {
    JsonFields fields(object, "upper.cover");
    Cover cover;
    if (const auto type = entryTypeFrom(fields.string("type", 16))) {
        cover.type = *type;
    } else {
        fields.problem("type", "is unknown");
    }
    cover.mode = static_cast<std::uint32_t>(fields.number("mode", 07777));
    cover.version = {fields.number("inode"), fields.number("size"), fields.signedNumber("mtime_ns"),
                     fields.signedNumber("ctime_ns")};
    cover.sha256 = fields.optionalString("sha256", 64);
    CARREL_TRY(fields.finish());
    return cover;
}

json::object entryToJson(const EntryRecord& entry) {
    json::object out{{"id", entry.id},
                     {"parent", entry.parent},
                     {"kind", kKinds[static_cast<std::size_t>(entry.kind)]},
                     {"mode", entry.mode},
                     {"uid", entry.uid},
                     {"gid", entry.gid}};
    putPath(out, "name", entry.name);
    if (entry.mtimeNs) {
        out["mtime_ns"] = *entry.mtimeNs;
    }
    if (entry.fromLower) {
        out["lower"] = true;
    }
    if (!entry.origin.empty()) {
        putPath(out, "origin", entry.origin);
        out["place"] = entry.originPlace;
    }
    if (entry.originBase) {
        out["origin_base"] = coverToJson(*entry.originBase);
    }
    if (entry.cover) {
        out["cover"] = coverToJson(*entry.cover);
    }
    if (!entry.link.empty()) {
        putPath(out, "link", entry.link);
    }
    if (entry.object != 0) {
        out["object"] = entry.object;
    }
    return out;
}

Result<EntryRecord> entryFrom(const json::object& object) {
    JsonFields fields(object, "upper.entry");
    EntryRecord entry;
    entry.id = fields.number("id", kMaxEntryId);
    entry.parent = fields.number("parent", kMaxEntryId);
    const auto kind = fields.string("kind", 16);
    bool known = false;
    for (std::size_t i = 0; i < kKinds.size(); ++i) {
        if (kKinds[i] == kind) {
            entry.kind = static_cast<EntryKind>(i);
            known = true;
        }
    }
    if (!known) {
        fields.problem("kind", "is unknown");
    }
    entry.mode = static_cast<std::uint32_t>(fields.number("mode", 07777));
    entry.uid = static_cast<std::uint32_t>(fields.number("uid", UINT32_MAX));
    entry.gid = static_cast<std::uint32_t>(fields.number("gid", UINT32_MAX));
    entry.name = takeOptionalPath(fields, object, "name").value_or("");
    if (entry.id <= kRootEntry || entry.id == entry.parent || !isValidName(entry.name)) {
        fields.problem("name", "is no entry's");
    }
    if (object.contains("mtime_ns")) {
        entry.mtimeNs = fields.signedNumber("mtime_ns");
    }
    entry.fromLower = fields.optionalBoolean("lower");
    if (auto origin = takeOptionalPath(fields, object, "origin")) {
        if (const auto path = SharePath::parse(*origin); !path || path->isRoot()) {
            fields.problem("origin", "is no path");
        }
        entry.origin = std::move(*origin);
        entry.originPlace = fields.number("place", kMaxEntryId);
    }
    for (const auto& [key, target] : {std::pair{"origin_base", &entry.originBase}, {"cover", &entry.cover}}) {
        if (const auto* inner = fields.optionalObject(key)) {
            auto cover = coverFrom(*inner);
            if (!cover) {
                return fail(std::move(cover).error());
            }
            *target = std::move(*cover);
        }
    }
    entry.link = takeOptionalPath(fields, object, "link").value_or("");
    entry.object = fields.optionalNumber("object", kMaxEntryId).value_or(0);
    CARREL_TRY(fields.finish());
    return entry;
}

} // namespace

void dropLoose(std::map<std::uint64_t, EntryRecord>& entries) {
    std::multimap<std::uint64_t, const EntryRecord*>
        children; // those of one parent in the order of their ids
    for (const auto& [id, entry] : entries) {
        children.emplace(entry.parent, &entry);
    }
    std::set<std::uint64_t> good;
    std::vector<std::uint64_t> open{kRootEntry};
    while (!open.empty()) {
        const auto [begin, end] = children.equal_range(open.back());
        open.pop_back();
        std::set<std::string_view> names;
        for (auto it = begin; it != end; ++it) {
            if (names.insert(it->second->name).second) {
                good.insert(it->second->id);
                open.push_back(it->second->id);
            }
        }
    }
    std::erase_if(entries, [&](const auto& item) { return !good.contains(item.first); });
}

std::string encodeTransaction(const Transaction& transaction) {
    json::array put;
    for (const auto& entry : transaction.put) {
        put.push_back(entryToJson(entry));
    }
    json::object out;
    out["put"] = std::move(put);
    json::array del;
    for (const auto id : transaction.del) {
        del.push_back(id);
    }
    out["del"] = std::move(del);
    if (transaction.epoch) {
        out["epoch"] = *transaction.epoch;
    }
    return json::serialize(out);
}

Result<Transaction> decodeTransaction(std::string_view text) {
    auto object = parseJsonObject(text, kRecordLimits);
    if (!object) {
        return fail(std::move(object).error());
    }
    JsonFields fields(*object, "upper");
    Transaction out;
    for (const auto& item : fields.array("put", kMaxRecordItems)) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "An entry of the staged work is damaged");
        }
        auto entry = entryFrom(item.get_object());
        if (!entry) {
            return fail(std::move(entry).error());
        }
        out.put.push_back(std::move(*entry));
    }
    for (const auto& item : fields.array("del", kMaxRecordItems)) {
        if (!item.is_int64() && !item.is_uint64()) {
            return fail(ErrorCode::Malformed, "An entry of the staged work is damaged");
        }
        out.del.push_back(item.is_uint64() ? item.get_uint64()
                                           : static_cast<std::uint64_t>(item.get_int64()));
    }
    out.epoch = fields.optionalNumber("epoch", kMaxEpoch);
    CARREL_TRY(fields.finish());
    return out;
}

Result<Replayed> replayLog(ByteSpan log) {
    static constexpr std::string_view kMagic = "CARREL-UPPER-2\n";
    if (log.size() < kMagic.size() || asText(log.first(kMagic.size())) != kMagic) {
        return fail(ErrorCode::Malformed, "The record of the staged work is not one of this version");
    }
    Replayed out;
    std::size_t at = kMagic.size();
    while (log.size() - at >= 8) {
        const auto length = loadLe<std::uint32_t>(log, at);
        const auto sum = loadLe<std::uint32_t>(log, at + 4);
        if (length == 0 || length > kMaxLogRecord || length > log.size() - at - 8) {
            break;
        }
        const auto payload = log.subspan(at + 8, length);
        boost::crc_32_type crc;
        crc.process_bytes(payload.data(), payload.size());
        if (crc.checksum() != sum) {
            break;
        }
        auto transaction = decodeTransaction(asText(payload));
        if (!transaction) {
            break;
        }
        for (auto& entry : transaction->put) {
            const auto id = entry.id;
            out.entries.insert_or_assign(id, std::move(entry));
        }
        for (const auto id : transaction->del) {
            out.entries.erase(id);
        }
        out.epoch = transaction->epoch.value_or(out.epoch);
        ++out.records;
        at += 8 + length;
    }
    dropLoose(out.entries);
    return out;
}

} // namespace carrel::worktree

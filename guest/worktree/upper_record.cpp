// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/strict_json.h"
#include "guest/worktree/upper_store.h"

#include <boost/crc.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <set>
#include <utility>

namespace json = boost::json;

namespace carrel::worktree {
namespace {

constexpr std::array<std::string_view, 6> kKinds{"file", "directory", "symlink",
                                                 "fifo", "socket",    "whiteout"};
constexpr std::size_t kMaxRecordItems = 2'000'000;
constexpr std::size_t kMaxBoot = 64;
const JsonLimits kRecordLimits{kMaxLogRecord, 12};

// Each write of a program in the guest waits for one: text put together at once costs a tenth of a tree of
// values.
class ObjectText {
public:
    explicit ObjectText(std::string& out)
        : m_out(out) {
        m_out += '{';
    }
    ~ObjectText() { m_out += '}'; }
    ObjectText(const ObjectText&) = delete;
    ObjectText& operator=(const ObjectText&) = delete;

    // What follows is the value.
    std::string& key(std::string_view name) {
        if (m_some) {
            m_out += ',';
        }
        m_some = true;
        m_out += '"';
        m_out += name;
        m_out += "\":";
        return m_out;
    }
    template <std::integral Number> void number(std::string_view name, Number value) {
        key(name) += std::to_string(value);
    }
    void text(std::string_view name, std::string_view value) { quoted(key(name), value); }
    void path(std::string_view name, std::string_view value) { // as takeOptionalPath() reads it
        if (isUtf8(value)) {
            text(name, value);
        } else {
            text(std::string(name) + "_b64", toBase64(value));
        }
    }

private:
    static void quoted(std::string& out, std::string_view value) {
        const bool plain = std::none_of(value.begin(), value.end(), [](char each) {
            return static_cast<unsigned char>(each) < 0x20 || each == '"' || each == '\\';
        });
        if (plain) {
            out += '"';
            out += value;
            out += '"';
        } else {
            out += json::serialize(json::string_view(value.data(), value.size()));
        }
    }
    std::string& m_out;
    bool m_some = false;
};

void putCover(std::string& out, const Cover& cover) {
    ObjectText object(out);
    object.text("type", toString(cover.type));
    object.number("mode", cover.mode);
    object.number("inode", cover.version.inode);
    object.number("size", cover.version.size);
    object.number("mtime_ns", cover.version.mtimeNs);
    object.number("ctime_ns", cover.version.ctimeNs);
    if (cover.sha256) {
        object.text("sha256", *cover.sha256);
    }
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

void putEntry(std::string& out, const EntryRecord& entry) {
    ObjectText object(out);
    object.number("id", entry.id);
    object.number("parent", entry.parent);
    object.text("kind", kKinds[static_cast<std::size_t>(entry.kind)]);
    object.number("mode", entry.mode);
    object.number("uid", entry.uid);
    object.number("gid", entry.gid);
    object.path("name", entry.name);
    if (entry.mtimeNs) {
        object.number("mtime_ns", *entry.mtimeNs);
    }
    if (entry.fromLower) {
        object.key("lower") += "true";
    }
    if (!entry.origin.empty()) {
        object.path("origin", entry.origin);
        object.number("place", entry.originPlace);
    }
    if (entry.originBase) {
        putCover(object.key("origin_base"), *entry.originBase);
    }
    if (entry.cover) {
        putCover(object.key("cover"), *entry.cover);
    }
    if (!entry.link.empty()) {
        object.path("link", entry.link);
    }
    if (entry.object != 0) {
        object.number("object", entry.object);
    }
}

template <class Items, class Put> void putArray(std::string& out, const Items& items, Put put) {
    out += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) {
            out += ',';
        }
        put(items[i]);
    }
    out += ']';
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
    std::string out;
    out.reserve(64 + 512 * transaction.put.size());
    {
        ObjectText object(out);
        putArray(object.key("put"), transaction.put, [&](const EntryRecord& entry) { putEntry(out, entry); });
        putArray(object.key("del"), transaction.del, [&](std::uint64_t id) { out += std::to_string(id); });
        if (transaction.epoch) {
            object.number("epoch", *transaction.epoch);
        }
        if (transaction.more) {
            object.key("more") += "true";
        }
        if (transaction.durable) {
            object.number("durable", *transaction.durable);
        }
        if (!transaction.boot.empty()) {
            object.text("boot", transaction.boot);
        }
    }
    return out;
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
    out.more = fields.optionalBoolean("more");
    out.durable = fields.optionalNumber("durable", kMaxEntryId);
    out.boot = fields.optionalString("boot", kMaxBoot).value_or("");
    CARREL_TRY(fields.finish());
    return out;
}

namespace {

// The records that are whole, with where each of them ends; until `each` has seen enough.
template <class Each> void eachRecord(ByteSpan log, std::size_t at, Each each) {
    while (log.size() - at >= 8) {
        const auto length = loadLe<std::uint32_t>(log, at);
        const auto sum = loadLe<std::uint32_t>(log, at + 4);
        if (length == 0 || length > kMaxLogRecord || length > log.size() - at - 8) {
            return;
        }
        const auto payload = log.subspan(at + 8, length);
        boost::crc_32_type crc;
        crc.process_bytes(payload.data(), payload.size());
        if (crc.checksum() != sum) {
            return;
        }
        auto transaction = decodeTransaction(asText(payload));
        at += 8 + length;
        if (!transaction || !each(std::move(*transaction), at)) {
            return;
        }
    }
}

// As many bytes of it count.
std::uint64_t countedOf(ByteSpan log, std::size_t begin, std::string_view boot) {
    bool anotherBoot = false;
    std::uint64_t durable = 0;
    bool first = true;
    eachRecord(log, begin, [&](const Transaction& record, std::size_t) {
        if (std::exchange(first, false)) {
            anotherBoot = !record.boot.empty() && record.boot != boot;
        }
        durable = std::max(durable, record.durable.value_or(0));
        return anotherBoot;
    });
    return anotherBoot ? durable : log.size();
}

} // namespace

Result<Replayed> replayLog(ByteSpan log, std::string_view boot) {
    static constexpr std::string_view kMagic = "CARREL-UPPER-2\n";
    if (log.size() < kMagic.size() || asText(log.first(kMagic.size())) != kMagic) {
        return fail(ErrorCode::Malformed, "The record of the staged work is not one of this version");
    }
    Replayed out;
    const auto counted = countedOf(log, kMagic.size(), boot);
    std::vector<Transaction> parts; // of an operation that goes on
    eachRecord(log, kMagic.size(), [&](Transaction record, std::size_t end) {
        if (end > counted) {
            return false;
        }
        const bool more = record.more;
        parts.push_back(std::move(record));
        if (more) {
            return true;
        }
        for (auto& part : parts) {
            for (auto& entry : part.put) {
                const auto id = entry.id;
                out.entries.insert_or_assign(id, std::move(entry));
            }
            for (const auto id : part.del) {
                out.entries.erase(id);
            }
            out.epoch = part.epoch.value_or(out.epoch);
        }
        parts.clear();
        ++out.records;
        return true;
    });
    dropLoose(out.entries);
    return out;
}

} // namespace carrel::worktree

// SPDX-License-Identifier: Apache-2.0
#include "app/agents/own_files.h"

#include "app/files/durable_file.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

namespace carrel::agents {

namespace json = boost::json;
using files::NodeKind;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFileBytes = 256 * 1024 * 1024;

} // namespace

Result<OwnFiles> OwnFiles::open(std::filesystem::path file, std::size_t maxPathBytes) {
    OwnFiles own(std::move(file), maxPathBytes);
    auto text = files::readWhole(own.m_file, kMaxFileBytes);
    if (!text) {
        if (text.error().code == ErrorCode::NotFound || text.error().code == ErrorCode::LimitExceeded) {
            return own; // an agent must not be lost for it
        }
        return fail(std::move(text).error());
    }
    auto object = parseJsonObject(*text, {kMaxFileBytes, 6});
    if (!object) {
        return fail(std::move(object).error());
    }
    JsonFields fields(*object, "own files");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported,
                    "the list of an agent's own files was written by a later version of Carrel",
                    "Update Carrel");
    }
    for (const auto& item : fields.array("files", kMaxFileBytes)) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "the list of an agent's own files is damaged");
        }
        JsonFields one(item.get_object(), "own file");
        const auto share = static_cast<std::uint32_t>(one.number("share", UINT32_MAX));
        const auto path = takeOptionalPath(one, item.get_object(), "path").value_or("");
        own.m_files[share][path] = one.string("content", 64);
        CARREL_TRY(one.finish());
    }
    CARREL_TRY(fields.finish());
    return own;
}

Status OwnFiles::store() const {
    json::array items;
    for (const auto& [share, paths] : m_files) {
        for (const auto& [path, content] : paths) {
            json::object item{{"share", share}, {"content", content}};
            putPath(item, "path", path);
            items.push_back(std::move(item));
        }
    }
    return files::replaceDurably(m_file,
                          json::serialize(json::object{{"schema", kSchema}, {"files", std::move(items)}}));
}

std::size_t OwnFiles::pathBytes() const {
    std::size_t bytes = 0;
    for (const auto& [share, paths] : m_files) {
        for (const auto& [path, content] : paths) {
            bytes += path.size();
        }
    }
    return bytes;
}

bool OwnFiles::knows(std::uint32_t share, const SharePath& path) const {
    const auto known = m_files.find(share);
    return known != m_files.end() && known->second.contains(path.text());
}

bool OwnFiles::has(std::uint32_t share, const SharePath& path, const files::NodeState& now) const {
    return knows(share, path) && now.kind == NodeKind::File && now.content &&
           m_files.at(share).at(path.text()) == now.content->hex();
}

Status OwnFiles::applied(std::uint32_t share, const files::FrozenSet& set, const files::ApplyReport& report) {
    auto& own = m_files[share];
    const auto before = own;
    std::size_t bytes = pathBytes();
    const auto drop = [&](const SharePath& path) { bytes -= own.erase(path.text()) * path.text().size(); };
    for (const auto& outcome : report.entries) {
        const auto* entry = set.find(outcome.path);
        if (entry == nullptr || outcome.outcome != files::Outcome::Applied ||
            entry->type == EntryType::Directory) {
            continue; // a folder that moved takes its files out of the list: they are looked at again
        }
        const bool wasOwn = has(share, entry->from.value_or(entry->path), entry->base);
        const bool made = entry->kind == ChangeKind::Created && entry->base.kind == NodeKind::Absent;
        if (entry->from) {
            drop(*entry->from);
        }
        drop(entry->path);
        const bool file = entry->wanted.kind == NodeKind::File && entry->wanted.content.has_value();
        const auto size = entry->path.text().size();
        if (file && (made || wasOwn) && own.size() < kMaxOwnFiles && bytes + size <= m_maxPathBytes) {
            own[entry->path.text()] = entry->wanted.content->hex();
            bytes += size;
        }
    }
    return own == before ? Status{} : store();
}

Status OwnFiles::forget(std::uint32_t share) {
    return m_files.erase(share) == 0 ? Status{} : store();
}

} // namespace carrel::agents

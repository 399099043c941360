// SPDX-License-Identifier: Apache-2.0
#include "app/files/node_json.h"

#include "app/files/names.h"
#include "guest/protocol/strict_json.h"

namespace carrel::files {

namespace json = boost::json;

std::string_view toString(NodeKind kind) {
    return nameOf(kNodeKinds, kind);
}

json::object nodeToJson(const NodeState& state) {
    json::object out;
    out["kind"] = toString(state.kind);
    if (state.kind == NodeKind::Absent) {
        return out;
    }
    out["mode"] = state.mode;
    out["mtime_ns"] = state.mtimeNs;
    out["ctime_ns"] = state.ctimeNs;
    out["size"] = state.size;
    out["inode"] = state.inode;
    out["links"] = state.links;
    if (state.content) {
        out["sha256"] = state.content->hex();
    }
    if (!state.linkTarget.empty()) {
        putPath(out, "target", state.linkTarget);
    }
    if (state.gid) {
        out["gid"] = *state.gid;
    }
    putAttributes(out, "xattrs", state.xattrs);
    return out;
}

Result<NodeState> nodeFrom(const json::object& object) {
    JsonFields fields(object, "state");
    NodeState state;
    const auto kind = valueOf(kNodeKinds, fields.string("kind", 16));
    if (!kind) {
        fields.problem("kind", "is not a known kind");
    }
    state.kind = kind.value_or(NodeKind::Absent);
    if (state.kind == NodeKind::Absent) {
        CARREL_TRY(fields.finish());
        return state;
    }
    state.mode = static_cast<std::uint32_t>(fields.number("mode", 07777));
    state.mtimeNs = fields.signedNumber("mtime_ns");
    state.ctimeNs = fields.signedNumber("ctime_ns");
    state.size = fields.number("size");
    state.inode = fields.number("inode");
    state.links = fields.number("links");
    if (const auto hex = fields.optionalString("sha256", 64)) {
        if (auto hash = Sha256::parse(*hex)) {
            state.content = *hash;
        } else {
            fields.problem("sha256", "is not a SHA-256");
        }
    }
    if ((state.kind == NodeKind::File) < state.content.has_value()) {
        fields.problem("sha256", "belongs to files only");
    }
    state.linkTarget = takeOptionalPath(fields, object, "target").value_or("");
    if (object.contains("gid")) {
        state.gid = static_cast<std::uint32_t>(fields.number("gid", UINT32_MAX));
    }
    state.xattrs = takeAttributes(fields, "xattrs");
    CARREL_TRY(fields.finish());
    return state;
}

void putAttributes(json::object& out, std::string_view key, const std::map<std::string, std::string>& attributes) {
    if (attributes.empty()) {
        return;
    }
    json::array list;
    for (const auto& [name, value] : attributes) {
        list.push_back(json::array{toBase64(name), toBase64(value)});
    }
    out[key] = std::move(list);
}

std::map<std::string, std::string> takeAttributes(JsonFields& fields, std::string_view key) {
    std::map<std::string, std::string> attributes;
    for (const auto& item : fields.optionalArray(key, kMaxAttributes)) {
        const auto* pair = item.if_array();
        if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string()) {
            fields.problem(key, "is not a list of pairs");
            break;
        }
        auto name = fromBase64((*pair)[0].get_string());
        auto value = fromBase64((*pair)[1].get_string());
        if (!name || !value) {
            fields.problem(key, "is not base64");
            break;
        }
        attributes[std::move(*name)] = std::move(*value);
    }
    return attributes;
}

bool fitsJournal(const std::map<std::string, std::string>& attributes) {
    std::size_t bytes = 0;
    for (const auto& [name, value] : attributes) {
        bytes += name.size() + value.size();
    }
    return attributes.size() <= kMaxAttributes && bytes <= kMaxAttributeBytes;
}

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/tool_specs.h"

#include "guest/agent/tools/tool_texts.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostText = 4096; // of one line, and of one field: every conversation carries them
constexpr std::size_t kMostFields = 16;

bool isName(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

// What every schema of ours has: fields that say what they are for, and no room for others.
Status judgeSchema(const json::object& schema) {
    JsonFields of(schema, "the schema");
    if (of.string("type", kMostText) != "object") {
        of.problem("type", "is not \"object\"");
    }
    const auto& properties = of.object("properties");
    for (const auto& [name, value] : properties) {
        const auto* field = value.if_object();
        const auto* type = field == nullptr ? nullptr : field->if_contains("type");
        const auto* words = field == nullptr ? nullptr : field->if_contains("description");
        if (!isName(name) || type == nullptr || !type->is_string() || words == nullptr || !words->is_string()) {
            of.problem("properties", "has a field without a type, a description or a plain name");
        }
    }
    for (const auto& name : of.strings("required", kMostFields, kMostText)) {
        if (!properties.contains(name)) {
            of.problem("required", "names a field that is none");
        }
    }
    if (of.boolean("additionalProperties")) {
        of.problem("additionalProperties", "is not false");
    }
    return of.finish();
}

} // namespace

Result<ToolSpec> toolSpecFrom(std::string_view text) {
    const auto object = parseJsonObject(text);
    if (!object) {
        return fail(object.error());
    }
    JsonFields of(*object, "a tool");
    ToolSpec out{of.string("name", kMostText), {}, of.object("schema")};
    if (!isName(out.name)) {
        of.problem("name", "is not a plain name");
    }
    for (const auto& line : of.strings("description", kMostFields, kMostText)) {
        out.description += (out.description.empty() ? "" : "\n") + line;
    }
    if (out.description.empty()) {
        of.problem("description", "is empty");
    }
    CARREL_TRY(of.finish());
    CARREL_TRY(judgeSchema(out.schema));
    return out;
}

Result<ToolSpec> ownToolSpec(std::string_view name) {
    const auto text = toolText(name);
    if (text.empty()) {
        return fail(ErrorCode::NotFound, "there is no tool \"" + std::string(name) + "\"");
    }
    return toolSpecFrom(text);
}

} // namespace carrel::agent

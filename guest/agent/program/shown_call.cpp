// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/program/shown_call.h"

#include "guest/agent/loop.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"

#include <algorithm>

namespace carrel::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostTitle = 200; // bytes
constexpr std::size_t kMostInput = 16 * 1024;
constexpr std::size_t kMostShown = 16 * 1024;

struct Form {
    std::string_view tool;
    std::string_view before; // of the title
    std::string_view field;  // of the input, what the title names
    acp::ToolKind kind;
};
constexpr Form kForms[] = {
    {"bash", "", "command", acp::ToolKind::Execute},       {"read", "Read ", "path", acp::ToolKind::Read},
    {"write", "Write ", "path", acp::ToolKind::Edit},       {"edit", "Change ", "path", acp::ToolKind::Edit},
    {"list", "List ", "path", acp::ToolKind::Read},         {"search", "Search for ", "pattern", acp::ToolKind::Search},
    {"fetch", "Get ", "url", acp::ToolKind::Fetch},        {"ask", "Ask: ", "question", acp::ToolKind::Other},
    {"plan", "Plan", "", acp::ToolKind::Think},
};

std::string fieldOf(const json::object& input, std::string_view name) {
    const auto* value = name.empty() ? nullptr : input.if_contains({name.data(), name.size()});
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

std::string titleOf(std::string_view before, const std::string& what) {
    const auto end = what.find('\n');
    const auto line = std::string_view(what).substr(0, end);
    return std::string(before) + shownLine(line.substr(0, kMostTitle), std::min(line.size(), kMostTitle), kMostTitle) +
           (end != std::string::npos || line.size() > kMostTitle ? " …" : "");
}

} // namespace

json::object shownCall(const ToolUse& call, const std::string& folder) {
    const auto* form = std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& each) { return each.tool == call.name; });
    const bool isKnown = form != std::end(kForms);
    const auto what = isKnown ? fieldOf(call.input, form->field) : std::string();
    json::object out{{"toolCallId", call.id},
                     {"title", isKnown ? titleOf(form->before, what.empty() ? call.name : what) : mended(call.name)},
                     {"kind", acp::toString(isKnown ? form->kind : acp::ToolKind::Other)}};
    const auto place = fieldOf(call.input, "path");
    if (const auto path = place.empty() ? fail(ErrorCode::NotFound, "") : placeOf(place, folder); path) {
        out["locations"] = json::array{json::object{{"path", mended(*path)}}};
    }
    if (json::serialize(call.input).size() <= kMostInput) {
        out["rawInput"] = call.input;
    }
    return out;
}

json::object textContent(std::string_view text) {
    return {{"type", "text"}, {"text", text}};
}

json::array shownResult(const ToolResult& result, const std::optional<FileChange>& change) {
    json::array out;
    if (change) {
        json::object diff{{"type", "diff"}, {"path", mended(change->path)}, {"newText", mended(change->after)}};
        diff["oldText"] = change->before ? json::value(mended(*change->before)) : json::value(nullptr);
        out.emplace_back(std::move(diff));
    }
    if (!result.text.empty()) {
        out.emplace_back(json::object{{"type", "content"}, {"content", textContent(fittingResult(result.text, kMostShown))}});
    }
    return out;
}

bool mayChange(const ToolUse& call) {
    return call.name == "bash" || call.name == "write" || call.name == "edit" || (call.name == "fetch" && call.input.contains("save"));
}

} // namespace carrel::agent

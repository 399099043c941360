// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/tool_states.h"

#include <boost/json.hpp>

#include <algorithm>

namespace carrel::runner {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostKnown = 256;
constexpr std::size_t kMostContent = 64;
constexpr std::size_t kKept = 2 * talk::kMaxOutputBytes; // of each text; more than what is shown of it, at both ends
constexpr std::size_t kMostIdBytes = 4096; // by which calls are told apart; what is told of it is shorter

std::string bothEnds(std::string_view text) {
    if (text.size() <= kKept) {
        return std::string(text);
    }
    std::string out(text.substr(0, kKept / 2));
    out += text.substr(text.size() - kKept / 2);
    return out;
}

const json::value* valueIn(const json::object& object, std::string_view key) {
    return object.if_contains({key.data(), key.size()});
}

} // namespace

std::optional<std::string_view> textIn(const json::object& object, std::string_view key) {
    const auto* value = valueIn(object, key);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::nullopt : std::optional(std::string_view(text->data(), text->size()));
}

const json::object* objectIn(const json::object& object, std::string_view key) {
    const auto* value = valueIn(object, key);
    return value == nullptr ? nullptr : value->if_object();
}

const json::array* arrayIn(const json::object& object, std::string_view key) {
    const auto* value = valueIn(object, key);
    return value == nullptr ? nullptr : value->if_array();
}

ToolStates::Known& ToolStates::known(std::uint64_t turn, std::string_view id) {
    const auto found = std::find_if(m_known.begin(), m_known.end(), [&](const Known& each) { return each.tool.id == id; });
    if (found != m_known.end()) {
        m_known.splice(m_known.begin(), m_known, found);
    } else {
        m_known.emplace_front().tool.id = id;
        if (m_known.size() > kMostKnown) {
            m_known.pop_back();
        }
    }
    m_known.front().tool.turn = turn;
    return m_known.front();
}

std::optional<talk::Tool> ToolStates::merge(std::uint64_t turn, const json::object& update) {
    const auto id = textIn(update, "toolCallId");
    if (!id || id->empty() || id->size() > kMostIdBytes) {
        return std::nullopt;
    }
    Known& at = known(turn, *id);
    if (const auto title = textIn(update, "title")) {
        at.tool.title = title->substr(0, kKept);
    }
    if (const auto kind = textIn(update, "kind")) {
        at.tool.kind = talk::toolKindFrom(*kind).value_or(talk::ToolKind::Other);
    }
    if (const auto status = textIn(update, "status")) {
        at.tool.status = talk::toolStatusFrom(*status).value_or(at.tool.status);
    }
    if (const auto* input = valueIn(update, "rawInput"); input != nullptr && !input->is_null()) {
        at.tool.input = json::serialize(*input).substr(0, kKept);
    }
    if (const auto* output = valueIn(update, "rawOutput"); output != nullptr && !output->is_null()) {
        at.rawOutput = bothEnds(output->is_string() ? std::string(output->get_string()) : json::serialize(*output));
    }
    if (const auto* places = arrayIn(update, "locations")) {
        at.tool.paths.clear();
        for (const auto& place : *places) {
            const auto path = place.is_object() ? textIn(place.get_object(), "path") : std::nullopt;
            if (path && at.tool.paths.size() < talk::kMaxPaths) {
                at.tool.paths.emplace_back(path->substr(0, kKept));
            }
        }
    }
    if (const auto* content = arrayIn(update, "content")) {
        readContent(at, *content);
    }
    return shown(at);
}

void ToolStates::readContent(Known& into, const json::array& content) const {
    into.content.clear();
    into.tool.diffs.clear();
    for (const auto& item : content) {
        const auto* object = item.if_object();
        const auto type = object == nullptr ? std::nullopt : textIn(*object, "type");
        if (!type || into.content.size() == kMostContent) {
            continue;
        }
        if (*type == "diff") {
            const auto path = textIn(*object, "path");
            const auto after = textIn(*object, "newText");
            if (path && after && into.tool.diffs.size() < talk::kMaxDiffs) {
                const auto before = textIn(*object, "oldText");
                into.tool.diffs.push_back({std::string(path->substr(0, kKept)),
                                           before ? std::optional(std::string(before->substr(0, kKept))) : std::nullopt,
                                           std::string(after->substr(0, kKept))});
            }
        } else if (*type == "terminal") {
            if (const auto terminal = textIn(*object, "terminalId")) {
                into.content.push_back({std::string(terminal->substr(0, kKept)), {}});
            }
        } else if (const auto* block = *type == "content" ? objectIn(*object, "content") : nullptr) {
            const auto text = textIn(*block, "text");
            const auto named = textIn(*block, "type").value_or("something");
            into.content.push_back({{}, text ? bothEnds(*text) : "[" + std::string(named.substr(0, talk::kMaxNameBytes)) + "]"});
        }
    }
}

talk::Tool ToolStates::shown(Known& of) const {
    talk::Tool out = of.tool;
    for (auto& piece : of.content) {
        if (!piece.terminal.empty()) {
            if (const auto now = m_terminalText(piece.terminal)) { // else what it last said stays: it was released
                piece.text = bothEnds(*now);
            }
        }
        if (!out.output.empty() && !out.output.ends_with('\n')) {
            out.output += '\n';
        }
        out.output += piece.text;
    }
    if (out.output.empty()) {
        out.output = of.rawOutput;
    }
    return out;
}

std::vector<talk::Tool> ToolStates::showing(std::string_view terminal) {
    std::vector<talk::Tool> out;
    for (auto& each : m_known) {
        const auto shows = [&](const Piece& piece) { return piece.terminal == terminal; };
        if (std::any_of(each.content.begin(), each.content.end(), shows)) {
            out.push_back(shown(each));
        }
    }
    return out;
}

} // namespace carrel::runner

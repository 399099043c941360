// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/turn_builder.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <set>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostName = 64;
constexpr std::size_t kInputDepth = 32;

template <class... Cases> struct Each : Cases... { using Cases::operator()...; };
template <class... Cases> Each(Cases...) -> Each<Cases...>;

bool fitsName(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

} // namespace

std::string fittingName(std::string_view name) {
    std::string out(name.substr(0, kMostName));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return !fitsName(c); }, '_');
    return out.empty() ? "unnamed" : out;
}

bool isBlank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

TurnStatus TurnBuilder::count(std::size_t bytes) {
    if (bytes > m_limits.bytes - m_bytes) {
        return failTurn(FailureKind::TooMuch,
                        "the model's answer is longer than " + std::to_string(m_limits.bytes) + " bytes and was broken off",
                        "ask it for less at a time");
    }
    m_bytes += bytes;
    if (m_turn.message.parts.size() > m_limits.parts) {
        return failTurn(FailureKind::TooMuch, "the model's answer falls into too many parts and was broken off",
                        "ask it for less at a time");
    }
    return {};
}

TurnStatus TurnBuilder::add(const Delta& delta) {
    return std::visit(Each{[this](const TextDelta& text) { return addText(text.text); },
                           [this](const ThoughtDelta& thought) { return count(thought.text.size()); },
                           [this](const ToolBegun& begun) { return begin(begun); },
                           [this](const ToolInput& input) { return addInput(input); },
                           [this](const ToolEnded& ended) -> TurnStatus {
                               if (const auto found = m_calls.find(ended.place); found != m_calls.end()) {
                                   read(found->second);
                                   m_calls.erase(found);
                               }
                               return {};
                           },
                           [this](const Sealed& sealed) -> TurnStatus { // its words were counted as thoughts
                               m_turn.message.parts.emplace_back(sealed);
                               return count(0);
                           },
                           [this](const UsageSeen& seen) -> TurnStatus {
                               m_turn.usage = seen.usage;
                               return {};
                           },
                           [this](const Stopped& stopped) -> TurnStatus {
                               m_turn.stop = stopped.reason;
                               return {};
                           }},
                      delta);
}

TurnStatus TurnBuilder::addText(const std::string& text) {
    auto& parts = m_turn.message.parts;
    if (parts.empty() || !std::holds_alternative<Text>(parts.back())) {
        parts.emplace_back(Text{});
    }
    if (auto counted = count(text.size()); !counted) {
        return counted;
    }
    std::get<Text>(parts.back()).text += text;
    return {};
}

TurnStatus TurnBuilder::begin(const ToolBegun& begun) {
    auto& parts = m_turn.message.parts;
    const auto calls = static_cast<std::size_t>(
        std::count_if(parts.begin(), parts.end(), [](const Part& part) { return std::holds_alternative<ToolUse>(part); }));
    if (calls >= m_limits.tools) {
        return failTurn(FailureKind::TooMuch, "the model asks for more than " + std::to_string(m_limits.tools) + " tools in one turn",
                        "ask it to go step by step");
    }
    if (m_calls.contains(begun.place)) {
        return failTurn(FailureKind::Malformed, "the model's server begins the same tool call twice", "try again, or use another model");
    }
    m_calls[begun.place] = {parts.size(), {}};
    parts.emplace_back(ToolUse{begun.id, fittingName(begun.name), {}, {}});
    return count(begun.id.size() + begun.name.size());
}

TurnStatus TurnBuilder::addInput(const ToolInput& input) {
    const auto found = m_calls.find(input.place);
    if (found == m_calls.end()) {
        return failTurn(FailureKind::Malformed, "the model's server sends input for a tool call that it did not begin",
                        "try again, or use another model");
    }
    auto& json = found->second.json;
    if (input.json.size() > m_limits.toolInput - json.size()) {
        return failTurn(FailureKind::TooMuch,
                        "the input of a tool is longer than " + std::to_string(m_limits.toolInput) + " bytes and was broken off",
                        "ask the model to write it in pieces");
    }
    if (auto counted = count(input.json.size()); !counted) {
        return counted;
    }
    json += input.json;
    return {};
}

void TurnBuilder::read(Call& call) {
    auto& use = std::get<ToolUse>(m_turn.message.parts[call.part]);
    if (isBlank(call.json)) {
        return; // a tool without input: both interfaces may send nothing then
    }
    auto object = parseJsonObject(call.json, {.bytes = m_limits.toolInput, .depth = kInputDepth});
    if (object) {
        use.input = std::move(*object);
    } else {
        use.problem = object.error().message;
    }
}

TurnResult<ModelTurn> TurnBuilder::finish() {
    for (auto& [place, call] : m_calls) {
        read(call);
    }
    m_calls.clear();
    auto& parts = m_turn.message.parts;
    if (m_turn.stop == StopReason::MaxTokens && !parts.empty()) {
        if (auto* use = std::get_if<ToolUse>(&parts.back()); use != nullptr && use->input.empty() && use->problem.empty()) {
            use->problem = "the answer was cut off there"; // and no tool was asked to run with nothing
        }
    }
    std::erase_if(parts, [](const Part& part) { // both interfaces refuse a text of nothing when it is sent back
        const auto* text = std::get_if<Text>(&part);
        return text != nullptr && isBlank(text->text);
    });
    const bool spoke = std::any_of(parts.begin(), parts.end(), [](const Part& part) { return !std::holds_alternative<Sealed>(part); });
    if (!spoke && m_turn.stop != StopReason::MaxTokens && m_turn.stop != StopReason::WindowFull && m_turn.stop != StopReason::Refusal) {
        return failTurn(FailureKind::Empty, "the model ended its turn without a word", "say what is to be done next, or use another model");
    }
    return std::move(m_turn);
}

Message TurnBuilder::spokenSoFar() const {
    Message out{Role::Assistant, {}};
    for (const auto& part : m_turn.message.parts) {
        if (const auto* text = std::get_if<Text>(&part); text != nullptr && !isBlank(text->text)) {
            out.parts.emplace_back(*text);
        }
    }
    return out;
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/anthropic_codec.h"

#include "guest/protocol/json_pick.h"
#include "guest/agent/turn_builder.h"

#include <map>

namespace carrel::agent {

namespace json = boost::json;

namespace {

json::value blockOf(const Part& part, std::string_view api) {
    if (const auto* text = std::get_if<Text>(&part)) {
        return isBlank(text->text) ? json::value() : json::object{{"type", "text"}, {"text", text->text}};
    }
    if (const auto* use = std::get_if<ToolUse>(&part)) {
        return json::object{{"type", "tool_use"}, {"id", use->id}, {"name", use->name}, {"input", use->input}};
    }
    if (const auto* result = std::get_if<ToolResult>(&part)) {
        json::object block{{"type", "tool_result"}, {"tool_use_id", result->id}, {"content", result->text}};
        if (result->isError) {
            block["is_error"] = true;
        }
        return block;
    }
    const auto& sealed = std::get<Sealed>(part);
    return sealed.api == api ? json::value(sealed.block) : json::value();
}

// Up to here what is read is the same in the next turn: the provider may keep it, and reads it at a tenth of the price.
void markForCache(json::value& block) {
    block.as_object()["cache_control"] = json::object{{"type", "ephemeral"}};
}

StopReason stopOf(std::string_view word) {
    if (word == "end_turn" || word == "stop_sequence") {
        return StopReason::EndOfTurn;
    }
    if (word == "tool_use") {
        return StopReason::ToolUse;
    }
    if (word == "max_tokens") {
        return StopReason::MaxTokens;
    }
    if (word == "model_context_window_exceeded") {
        return StopReason::WindowFull;
    }
    return word == "refusal" ? StopReason::Refusal : StopReason::Other;
}

class Reader final : public TurnReader {
public:
    TurnResult<std::vector<Delta>> read(const StreamEvent& event) override;
    bool isOver() const override { return m_over; }
    TurnStatus ended() const override;

private:
    struct Block {
        std::string type;
        json::object sealed; // of a thought: what goes back
        std::string thought;
        std::string signature;
    };
    Status start(const json::object& event, std::vector<Delta>& out);
    Status blockStart(const json::object& event, std::vector<Delta>& out);
    Status blockDelta(const json::object& event, std::vector<Delta>& out);
    Status blockStop(const json::object& event, std::vector<Delta>& out);
    Status messageDelta(const json::object& event, std::vector<Delta>& out);
    Status addUsage(const json::object& usage, std::vector<Delta>& out);

    std::map<std::uint64_t, Block> m_blocks; // those that are open, by index
    Usage m_usage;
    bool m_over = false;
};

TurnResult<std::vector<Delta>> Reader::read(const StreamEvent& event) {
    std::vector<Delta> out;
    auto object = eventObject(event);
    if (!object) {
        return failTurn(std::move(object).error());
    }
    JsonPick pick(*object, "an event");
    const auto type = pick.text("type").value_or(event.type);
    Status read = pick.finish();
    if (!read) {
        return malformedTurn(read.error());
    }
    if (type == "error") {
        const auto* error = object->if_contains("error");
        return failTurn(streamError(error == nullptr ? json::value(*object) : *error));
    }
    if (type == "message_start") {
        read = start(*object, out);
    } else if (type == "content_block_start") {
        read = blockStart(*object, out);
    } else if (type == "content_block_delta") {
        read = blockDelta(*object, out);
    } else if (type == "content_block_stop") {
        read = blockStop(*object, out);
    } else if (type == "message_delta") {
        read = messageDelta(*object, out);
    } else if (type == "message_stop") {
        m_over = true;
    }
    if (!read) {
        return malformedTurn(read.error());
    }
    return out;
}

Status Reader::start(const json::object& event, std::vector<Delta>& out) {
    JsonPick pick(event, "message_start");
    if (const auto* message = pick.object("message", Wanted::Always)) {
        JsonPick inner(*message, "message_start");
        if (const auto* usage = inner.object("usage")) {
            CARREL_TRY(addUsage(*usage, out));
        }
        CARREL_TRY(inner.finish());
    }
    return pick.finish();
}

Status Reader::addUsage(const json::object& usage, std::vector<Delta>& out) {
    JsonPick pick(usage, "usage"); // each number is that of the whole turn so far; what is not told again stays
    m_usage.input = pick.number("input_tokens").value_or(m_usage.input);
    m_usage.cacheRead = pick.number("cache_read_input_tokens").value_or(m_usage.cacheRead);
    m_usage.cacheWrite = pick.number("cache_creation_input_tokens").value_or(m_usage.cacheWrite);
    m_usage.output = pick.number("output_tokens").value_or(m_usage.output);
    CARREL_TRY(pick.finish());
    out.emplace_back(UsageSeen{m_usage});
    return {};
}

Status Reader::blockStart(const json::object& event, std::vector<Delta>& out) {
    JsonPick pick(event, "content_block_start");
    const auto index = pick.number("index", Wanted::Always);
    const auto* object = pick.object("content_block", Wanted::Always);
    CARREL_TRY(pick.finish());
    if (m_blocks.contains(*index)) {
        return fail(ErrorCode::Malformed, "content_block_start: block " + std::to_string(*index) + " was begun before");
    }
    JsonPick of(*object, "content_block");
    Block block;
    block.type = of.text("type", Wanted::Always).value_or("");
    if (block.type == "text") {
        if (const auto text = of.text("text").value_or(""); !text.empty()) {
            out.emplace_back(TextDelta{std::string(text)});
        }
    } else if (block.type == "tool_use") {
        const auto id = of.text("id", Wanted::Always).value_or("");
        const auto name = of.text("name", Wanted::Always).value_or("");
        out.emplace_back(ToolBegun{*index, std::string(id), std::string(name)});
        if (const auto* input = of.object("input"); input != nullptr && !input->empty()) {
            out.emplace_back(ToolInput{*index, json::serialize(*input)}); // some servers send it at once
        }
    } else if (block.type == "thinking") {
        block.thought = of.text("thinking").value_or("");
        block.signature = of.text("signature").value_or("");
        if (!block.thought.empty()) {
            out.emplace_back(ThoughtDelta{block.thought});
        }
    } else if (block.type == "redacted_thinking") {
        block.sealed = *object;
    }
    CARREL_TRY(of.finish());
    m_blocks.emplace(*index, std::move(block));
    return {};
}

Status Reader::blockDelta(const json::object& event, std::vector<Delta>& out) {
    JsonPick pick(event, "content_block_delta");
    const auto index = pick.number("index", Wanted::Always);
    const auto* object = pick.object("delta", Wanted::Always);
    CARREL_TRY(pick.finish());
    const auto found = m_blocks.find(*index);
    if (found == m_blocks.end()) {
        return fail(ErrorCode::Malformed, "content_block_delta: block " + std::to_string(*index) + " was not begun");
    }
    auto& block = found->second;
    JsonPick of(*object, "delta");
    const auto type = of.text("type", Wanted::Always).value_or("");
    if (type == "text_delta" && block.type == "text") {
        out.emplace_back(TextDelta{std::string(of.text("text", Wanted::Always).value_or(""))});
    } else if (type == "input_json_delta" && block.type == "tool_use") {
        out.emplace_back(ToolInput{*index, std::string(of.text("partial_json", Wanted::Always).value_or(""))});
    } else if (type == "thinking_delta" && block.type == "thinking") {
        const auto text = of.text("thinking", Wanted::Always).value_or("");
        block.thought += text;
        out.emplace_back(ThoughtDelta{std::string(text)});
    } else if (type == "signature_delta" && block.type == "thinking") {
        block.signature += of.text("signature", Wanted::Always).value_or("");
    }
    return of.finish();
}

Status Reader::blockStop(const json::object& event, std::vector<Delta>& out) {
    JsonPick pick(event, "content_block_stop");
    const auto index = pick.number("index", Wanted::Always);
    CARREL_TRY(pick.finish());
    const auto found = m_blocks.find(*index);
    if (found == m_blocks.end()) {
        return fail(ErrorCode::Malformed, "content_block_stop: block " + std::to_string(*index) + " was not begun");
    }
    auto& block = found->second;
    if (block.type == "tool_use") {
        out.emplace_back(ToolEnded{*index});
    } else if (block.type == "thinking" && !block.signature.empty()) { // without one it would not be taken back
        out.emplace_back(Sealed{"anthropic", {{"type", "thinking"}, {"thinking", block.thought}, {"signature", block.signature}}});
    } else if (block.type == "redacted_thinking") {
        out.emplace_back(Sealed{"anthropic", std::move(block.sealed)});
    }
    m_blocks.erase(found);
    return {};
}

Status Reader::messageDelta(const json::object& event, std::vector<Delta>& out) {
    JsonPick pick(event, "message_delta");
    if (const auto* delta = pick.object("delta")) {
        JsonPick of(*delta, "message_delta");
        if (const auto word = of.text("stop_reason")) {
            out.emplace_back(Stopped{stopOf(*word)});
        }
        CARREL_TRY(of.finish());
    }
    if (const auto* usage = pick.object("usage")) {
        CARREL_TRY(addUsage(*usage, out));
    }
    return pick.finish();
}

TurnStatus Reader::ended() const {
    if (m_over) {
        return {};
    }
    return failTurn(FailureKind::Dropped, "the model's answer broke off before its end",
                    "try again; the connection or the provider failed");
}

} // namespace

std::vector<std::pair<std::string, std::string>> AnthropicCodec::headers(std::string_view key) const {
    std::vector<std::pair<std::string, std::string>> out{{"anthropic-version", "2023-06-01"}};
    if (!key.empty()) {
        out.emplace_back("x-api-key", key);
    }
    return out;
}

std::string AnthropicCodec::body(const TurnRequest& request) const {
    json::array messages;
    for (const auto& message : request.messages) {
        json::array content;
        for (const auto& part : message.parts) {
            if (auto block = blockOf(part, name()); !block.is_null()) {
                content.push_back(std::move(block));
            }
        }
        if (!content.empty()) {
            messages.push_back(json::object{{"role", message.role == Role::User ? "user" : "assistant"}, {"content", std::move(content)}});
        }
    }
    if (!messages.empty()) {
        markForCache(messages.back().as_object()["content"].as_array().back()); // the user's: a text or a result, which may be marked
    }
    json::object body{{"model", request.model}, {"max_tokens", request.maxTokens}, {"stream", true}};
    if (!isBlank(request.system)) {
        json::value system = json::object{{"type", "text"}, {"text", request.system}};
        markForCache(system); // what goes before it, the tools, is kept with it
        body["system"] = json::array{std::move(system)};
    }
    if (!request.tools.empty()) {
        json::array tools;
        for (const auto& tool : request.tools) {
            tools.push_back(json::object{{"name", tool.name}, {"description", tool.description}, {"input_schema", tool.schema}});
        }
        body["tools"] = std::move(tools);
    }
    body["messages"] = std::move(messages);
    return json::serialize(body);
}

std::unique_ptr<TurnReader> AnthropicCodec::reader() const {
    return std::make_unique<Reader>();
}

} // namespace carrel::agent

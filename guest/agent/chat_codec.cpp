// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/chat_codec.h"

#include "guest/protocol/json_pick.h"
#include "guest/agent/turn_builder.h"

#include <algorithm>

namespace carrel::agent {

namespace json = boost::json;

namespace {

void addUser(const Message& message, json::array& out) {
    std::string text;
    for (const auto& part : message.parts) { // the results first: they answer what stands right before
        if (const auto* result = std::get_if<ToolResult>(&part)) {
            out.push_back(json::object{{"role", "tool"},
                                       {"tool_call_id", result->id},
                                       // the interface has no field for it, and a model has to see it
                                       {"content", (result->isError ? "Error: " : "") + result->text}});
        } else if (const auto* words = std::get_if<Text>(&part); words != nullptr && !isBlank(words->text)) {
            text += (text.empty() ? "" : "\n\n") + words->text;
        }
    }
    if (!text.empty()) {
        out.push_back(json::object{{"role", "user"}, {"content", text}});
    }
}

void addAssistant(const Message& message, json::array& out) {
    std::string text;
    json::array calls;
    for (const auto& part : message.parts) {
        if (const auto* words = std::get_if<Text>(&part); words != nullptr && !isBlank(words->text)) {
            text += (text.empty() ? "" : "\n\n") + words->text;
        } else if (const auto* use = std::get_if<ToolUse>(&part)) {
            calls.push_back(json::object{{"id", use->id},
                                         {"type", "function"},
                                         {"function", json::object{{"name", use->name}, {"arguments", json::serialize(use->input)}}}});
        }
    }
    if (text.empty() && calls.empty()) {
        return;
    }
    json::object of{{"role", "assistant"}, {"content", text.empty() ? json::value() : json::value(text)}};
    if (!calls.empty()) {
        of["tool_calls"] = std::move(calls);
    }
    out.push_back(std::move(of));
}

class Reader final : public TurnReader {
public:
    TurnResult<std::vector<Delta>> read(const StreamEvent& event) override;
    bool isOver() const override { return m_done; }
    TurnStatus ended() const override;

private:
    struct Call {
        std::uint64_t index = 0;
        std::string id;
    };
    Status readChunk(const json::object& chunk, std::vector<Delta>& out);
    Status readChoice(const json::object& choice, std::vector<Delta>& out);
    Status readCall(const json::object& call, std::vector<Delta>& out);
    Status readUsage(const json::object& usage, std::vector<Delta>& out);
    std::size_t placeOf(std::optional<std::uint64_t> index, std::string_view id, std::string_view name, std::vector<Delta>& out);

    std::vector<Call> m_calls; // a call's place is where it stands here
    bool m_refused = false;
    bool m_finished = false; // the reason of the end was told; the usage may follow
    bool m_done = false;
};

TurnResult<std::vector<Delta>> Reader::read(const StreamEvent& event) {
    std::vector<Delta> out;
    if (event.data == "[DONE]") {
        m_done = true;
        return out;
    }
    if (event.type != "message" && event.type != "error") {
        return out;
    }
    auto chunk = eventObject(event);
    if (!chunk) {
        return failTurn(std::move(chunk).error());
    }
    if (const auto* error = chunk->if_contains("error"); error != nullptr && !error->is_null()) {
        return failTurn(streamError(*error));
    }
    if (event.type == "error") {
        return failTurn(streamError(json::value(*chunk)));
    }
    if (auto read = readChunk(*chunk, out); !read) {
        return malformedTurn(read.error());
    }
    return out;
}

Status Reader::readChunk(const json::object& chunk, std::vector<Delta>& out) {
    JsonPick pick(chunk, "a chunk");
    if (const auto* choices = pick.array("choices")) {
        for (const auto& each : *choices) {
            const auto* choice = each.if_object();
            if (choice == nullptr) {
                return fail(ErrorCode::Malformed, "a chunk: a choice is not an object");
            }
            CARREL_TRY(readChoice(*choice, out));
        }
    }
    if (const auto* usage = pick.object("usage")) {
        CARREL_TRY(readUsage(*usage, out));
    }
    return pick.finish();
}

Status Reader::readChoice(const json::object& choice, std::vector<Delta>& out) {
    JsonPick pick(choice, "a choice");
    if (pick.number("index").value_or(0) != 0) {
        return pick.finish(); // one answer was asked for
    }
    if (const auto* delta = pick.object("delta")) {
        JsonPick of(*delta, "a delta");
        for (const auto* key : {"reasoning_content", "reasoning"}) { // llama.cpp, vLLM and DeepSeek; Ollama and OpenRouter
            if (const auto text = of.text(key).value_or(""); !text.empty()) {
                out.emplace_back(ThoughtDelta{std::string(text)});
                break;
            }
        }
        if (const auto text = of.text("content").value_or(""); !text.empty()) {
            out.emplace_back(TextDelta{std::string(text)});
        }
        if (const auto text = of.text("refusal").value_or(""); !text.empty()) {
            m_refused = true;
            out.emplace_back(TextDelta{std::string(text)});
        }
        if (const auto* calls = of.array("tool_calls")) {
            for (const auto& each : *calls) {
                const auto* call = each.if_object();
                if (call == nullptr) {
                    return fail(ErrorCode::Malformed, "a delta: a tool call is not an object");
                }
                CARREL_TRY(readCall(*call, out));
            }
        }
        CARREL_TRY(of.finish());
    }
    if (const auto word = pick.text("finish_reason"); word && !word->empty()) {
        m_finished = true;
        StopReason reason = StopReason::Other;
        if (m_refused || *word == "content_filter") {
            reason = StopReason::Refusal;
        } else if (*word == "length") {
            reason = StopReason::MaxTokens;
        } else if (!m_calls.empty()) {
            reason = StopReason::ToolUse;
        } else if (*word == "stop") {
            reason = StopReason::EndOfTurn;
        }
        out.emplace_back(Stopped{reason});
    }
    return pick.finish();
}

// The call that this piece belongs to; begins it where it is a new one.
std::size_t Reader::placeOf(std::optional<std::uint64_t> index, std::string_view id, std::string_view name, std::vector<Delta>& out) {
    const bool begins = !name.empty() && !id.empty(); // some servers give each piece another id, but then no name again
    const auto found = std::find_if(m_calls.rbegin(), m_calls.rend(), [&](const Call& call) { return !index || call.index == *index; });
    const bool isNew = found == m_calls.rend() || (begins && found->id != id) || (!index && !name.empty());
    if (!isNew) {
        return static_cast<std::size_t>(found.base() - m_calls.begin()) - 1;
    }
    m_calls.push_back({index.value_or(m_calls.size()), std::string(id)});
    out.emplace_back(ToolBegun{m_calls.size() - 1, std::string(id), std::string(name)});
    return m_calls.size() - 1;
}

Status Reader::readCall(const json::object& call, std::vector<Delta>& out) {
    JsonPick pick(call, "a tool call");
    const auto index = pick.number("index");
    const auto id = pick.text("id").value_or("");
    std::string_view name;
    std::string arguments;
    if (const auto* function = pick.object("function")) {
        JsonPick of(*function, "a tool call");
        name = of.text("name").value_or("");
        if (const auto* value = of.any("arguments")) {
            if (const auto* object = value->if_object()) {
                arguments = json::serialize(*object);
            } else {
                arguments = of.text("arguments").value_or("");
            }
        }
        CARREL_TRY(of.finish());
    }
    CARREL_TRY(pick.finish());
    const auto place = placeOf(index, id, name, out);
    if (!arguments.empty()) {
        out.emplace_back(ToolInput{place, std::move(arguments)});
    }
    return {};
}

Status Reader::readUsage(const json::object& usage, std::vector<Delta>& out) {
    JsonPick pick(usage, "usage");
    Usage of;
    of.input = pick.number("prompt_tokens").value_or(0);
    of.output = pick.number("completion_tokens").value_or(0);
    if (const auto* details = pick.object("prompt_tokens_details")) {
        JsonPick inner(*details, "usage");
        of.cacheRead = std::min(inner.number("cached_tokens").value_or(0), of.input);
        of.input -= of.cacheRead; // there the one is a part of the other
        CARREL_TRY(inner.finish());
    }
    CARREL_TRY(pick.finish());
    out.emplace_back(UsageSeen{of});
    return {};
}

TurnStatus Reader::ended() const {
    if (m_done || m_finished) {
        return {};
    }
    return failTurn(FailureKind::Dropped, "the model's answer broke off before its end",
                    "try again; the connection or the provider failed");
}

} // namespace

std::vector<std::pair<std::string, std::string>> ChatCodec::headers(std::string_view key) const {
    std::vector<std::pair<std::string, std::string>> out;
    if (!key.empty()) {
        out.emplace_back("authorization", "Bearer " + std::string(key));
    }
    return out;
}

std::string ChatCodec::body(const TurnRequest& request) const {
    json::array messages;
    if (!isBlank(request.system)) {
        messages.push_back(json::object{{"role", "system"}, {"content", request.system}});
    }
    for (const auto& message : request.messages) {
        message.role == Role::User ? addUser(message, messages) : addAssistant(message, messages);
    }
    json::object body{{"model", request.model},
                      {"stream", true},
                      {"stream_options", json::object{{"include_usage", true}}},
                      {m_limit == LimitWord::MaxTokens ? "max_tokens" : "max_completion_tokens", request.maxTokens}};
    if (!request.tools.empty()) {
        json::array tools;
        for (const auto& tool : request.tools) {
            tools.push_back(json::object{
                {"type", "function"},
                {"function", json::object{{"name", tool.name}, {"description", tool.description}, {"parameters", tool.schema}}}});
        }
        body["tools"] = std::move(tools);
    }
    body["messages"] = std::move(messages);
    return json::serialize(body);
}

std::unique_ptr<TurnReader> ChatCodec::reader() const {
    return std::make_unique<Reader>();
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/openai.h"

namespace carrel::test::model {

namespace json = boost::json;

namespace {

constexpr std::int64_t kCreated = 1'735'689'600; // always, so that the bytes are the same each time

std::string_view stopWord(Stop stop) {
    switch (stop) {
    case Stop::End: return "stop";
    case Stop::Tools: return "tool_calls";
    case Stop::Length: return "length";
    case Stop::Refusal: return "content_filter";
    }
    return {};
}

json::object usageOf(const Tokens& usage) {
    const auto prompt = usage.input + usage.cacheRead + usage.cacheWrite;
    return {{"prompt_tokens", prompt},
            {"completion_tokens", usage.output},
            {"total_tokens", prompt + usage.output},
            {"prompt_tokens_details", json::object{{"cached_tokens", usage.cacheRead}}}};
}

json::object headOf(std::string_view object, const Conversation& asked, const Numbers& numbers) {
    return {{"id", numbered("chatcmpl-", numbers.request)}, {"object", object}, {"created", kCreated}, {"model", asked.model}};
}

std::string idOf(const ToolPart& part, Numbers& numbers) {
    return part.id.empty() ? numbered("call_", ++numbers.call) : part.id;
}

class Stream {
public:
    Stream(Reply& reply, const Conversation& asked, const Numbers& numbers)
        : m_steps(reply.steps)
        , m_asked(asked)
        , m_head(headOf("chat.completion.chunk", asked, numbers)) {}

    void delta(json::object delta, json::value finish = nullptr) {
        auto chunk = m_head;
        chunk["choices"] = json::array{json::object{
            {"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", std::move(finish)}}};
        if (m_asked.usageInStream) {
            chunk["usage"] = nullptr;
        }
        data(json::serialize(chunk));
    }
    void usage(const Tokens& usage) {
        auto chunk = m_head;
        chunk["choices"] = json::array();
        chunk["usage"] = usageOf(usage);
        data(json::serialize(chunk));
    }
    void data(const std::string& text) { addBytes(m_steps, "data: " + text + "\n\n"); }
    void text(const std::vector<Piece>& pieces) {
        for (const auto& piece : pieces) {
            if (piece.hold) {
                addHold(m_steps, piece.text);
            } else {
                delta({{"content", piece.text}});
            }
        }
    }
    void tool(const ToolPart& tool, const std::string& id) {
        call({{"index", m_calls}, {"id", id}, {"type", "function"}, {"function", json::object{{"name", tool.tool}, {"arguments", ""}}}});
        for (const auto& piece : tool.arguments) {
            if (piece.hold) {
                addHold(m_steps, piece.text);
            } else {
                call({{"index", m_calls}, {"function", json::object{{"arguments", piece.text}}}});
            }
        }
        ++m_calls;
    }
    void endless(const std::string& text) {
        delta({{"content", text}});
        m_steps.back().kind = Step::Kind::Endless;
    }

private:
    void call(json::object call) {
        json::array calls;
        calls.push_back(std::move(call));
        delta({{"tool_calls", std::move(calls)}});
    }
    std::vector<Step>& m_steps;
    const Conversation& m_asked;
    json::object m_head;
    std::size_t m_calls = 0;
};

Reply streamed(const Answer& answer, const Conversation& asked, Numbers& numbers) {
    Reply reply{200, {{"Content-Type", "text/event-stream; charset=utf-8"}, {"Cache-Control", "no-cache"}}, true};
    Stream stream(reply, asked, numbers);
    const bool calls = !answer.content.empty() && std::holds_alternative<ToolPart>(answer.content.front());
    stream.delta({{"role", "assistant"}, {"content", calls ? json::value(nullptr) : json::value("")}, {"refusal", nullptr}});
    for (const auto& part : answer.content) {
        if (streamAlike(part, reply.steps)) {
            continue;
        }
        if (const auto* text = std::get_if<TextPart>(&part)) {
            stream.text(text->pieces);
        } else if (const auto* tool = std::get_if<ToolPart>(&part)) {
            stream.tool(*tool, idOf(*tool, numbers));
        } else if (const auto* error = std::get_if<ErrorPart>(&part)) {
            stream.data(json::serialize(json::object{
                {"error", json::object{{"message", error->message}, {"type", error->type}, {"param", nullptr}, {"code", nullptr}}}}));
            return reply;
        } else if (const auto* endless = std::get_if<EndlessPart>(&part)) {
            stream.endless(endless->text);
            return reply;
        }
    }
    stream.delta({}, json::value(stopWord(answer.stop)));
    if (asked.usageInStream) {
        stream.usage(answer.usage);
    }
    stream.data("[DONE]");
    return reply;
}

Reply whole(const Answer& answer, const Conversation& asked, Numbers& numbers) {
    std::optional<std::string> text;
    json::array calls;
    std::vector<Step> holds;
    for (const auto& part : answer.content) {
        if (const auto* said = std::get_if<TextPart>(&part)) {
            text = text.value_or("") + joined(said->pieces, holds);
        } else if (const auto* tool = std::get_if<ToolPart>(&part)) {
            calls.push_back(json::object{{"id", idOf(*tool, numbers)},
                                         {"type", "function"},
                                         {"function", json::object{{"name", tool->tool}, {"arguments", joined(tool->arguments, holds)}}}});
        } else if (const auto* hold = std::get_if<HoldPart>(&part)) {
            addHold(holds, hold->name);
        }
    }
    json::object message{{"role", "assistant"},
                         {"content", text || calls.empty() ? json::value(text.value_or("")) : json::value(nullptr)},
                         {"refusal", nullptr}};
    if (!calls.empty()) {
        message["tool_calls"] = std::move(calls);
    }
    auto body = headOf("chat.completion", asked, numbers);
    body["choices"] = json::array{json::object{
        {"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", stopWord(answer.stop)}}};
    body["usage"] = usageOf(answer.usage);
    auto reply = jsonReply(200, json::serialize(body));
    reply.steps.insert(reply.steps.begin(), holds.begin(), holds.end());
    return reply;
}

} // namespace

tl::expected<Reply, std::string> openAiReply(const Answer& answer, const Conversation& asked, Numbers& numbers) {
    return asked.stream ? streamed(answer, asked, numbers) : whole(answer, asked, numbers);
}

std::string openAiModels(const std::vector<std::string>& models) {
    json::array data;
    for (const auto& model : models) {
        data.push_back(json::object{{"id", model}, {"object", "model"}, {"created", kCreated}, {"owned_by", "a test"}});
    }
    return json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
}

} // namespace carrel::test::model

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/anthropic.h"

namespace carrel::test::model {

namespace json = boost::json;

namespace {

std::string_view stopWord(Stop stop) {
    switch (stop) {
    case Stop::End: return "end_turn";
    case Stop::Tools: return "tool_use";
    case Stop::Length: return "max_tokens";
    case Stop::Refusal: return "refusal";
    }
    return {};
}

json::object usageOf(const Tokens& usage, std::uint64_t output) {
    return {{"input_tokens", usage.input},
            {"cache_creation_input_tokens", usage.cacheWrite},
            {"cache_read_input_tokens", usage.cacheRead},
            {"output_tokens", output}};
}

json::object messageOf(const Conversation& asked, const Numbers& numbers, json::array content, json::value stop, json::object usage) {
    return {{"id", numbered("msg_", numbers.request)},
            {"type", "message"},
            {"role", "assistant"},
            {"model", asked.model},
            {"content", std::move(content)},
            {"stop_reason", std::move(stop)},
            {"stop_sequence", nullptr},
            {"stop_details", nullptr},
            {"usage", std::move(usage)}};
}

class Stream {
public:
    explicit Stream(Reply& reply)
        : m_steps(reply.steps) {}

    void event(std::string_view type, json::object fields) {
        json::object data{{"type", type}};
        for (auto& [key, value] : fields) {
            data[key] = std::move(value);
        }
        addBytes(m_steps, framed(type, json::serialize(data)));
    }
    void ping() {
        if (!m_pinged) {
            addBytes(m_steps, framed("ping", R"({"type": "ping"})"));
        }
        m_pinged = true;
    }
    void start(json::object block) {
        event("content_block_start", {{"index", m_index}, {"content_block", std::move(block)}});
        ping();
    }
    void stop() {
        event("content_block_stop", {{"index", m_index}});
        ++m_index;
    }
    void deltas(const std::vector<Piece>& pieces, std::string_view type, std::string_view field) {
        for (const auto& piece : pieces) {
            if (piece.hold) {
                addHold(m_steps, piece.text);
            } else {
                delta(type, field, piece.text);
            }
        }
    }
    void delta(std::string_view type, std::string_view field, std::string_view text) {
        event("content_block_delta", {{"index", m_index}, {"delta", json::object{{"type", type}, {field, text}}}});
    }
    void endless(std::string_view text) {
        start({{"type", "text"}, {"text", ""}});
        delta("text_delta", "text", text);
        m_steps.back().kind = Step::Kind::Endless;
    }
    void error(const ErrorPart& error) { event("error", {{"error", json::object{{"type", error.type}, {"message", error.message}}}}); }

private:
    static std::string framed(std::string_view type, const std::string& data) {
        return "event: " + std::string(type) + "\ndata: " + data + "\n\n";
    }
    std::vector<Step>& m_steps;
    std::size_t m_index = 0;
    bool m_pinged = false;
};

json::object useOf(const ToolPart& part, json::value input, Numbers& numbers) {
    return {{"type", "tool_use"},
            {"id", part.id.empty() ? numbered("toolu_", ++numbers.call) : part.id},
            {"name", part.tool},
            {"input", std::move(input)},
            {"caller", json::object{{"type", "direct"}}}}; // the model itself, no program of its own
}

Reply streamed(const Answer& answer, const Conversation& asked, Numbers& numbers) {
    Reply reply{200, {{"Content-Type", "text/event-stream; charset=utf-8"}, {"Cache-Control", "no-cache"}}, true};
    Stream stream(reply);
    stream.event("message_start", {{"message", messageOf(asked, numbers, {}, nullptr, usageOf(answer.usage, 1))}});
    for (const auto& part : answer.content) {
        if (streamAlike(part, reply.steps)) {
            continue;
        }
        if (const auto* text = std::get_if<TextPart>(&part)) {
            stream.start({{"type", "text"}, {"text", ""}});
            stream.deltas(text->pieces, "text_delta", "text");
            stream.stop();
        } else if (const auto* tool = std::get_if<ToolPart>(&part)) {
            stream.start(useOf(*tool, json::object(), numbers));
            stream.delta("input_json_delta", "partial_json", ""); // the API's own first piece
            stream.deltas(tool->arguments, "input_json_delta", "partial_json");
            stream.stop();
        } else if (const auto* error = std::get_if<ErrorPart>(&part)) {
            stream.error(*error);
            return reply;
        } else if (const auto* endless = std::get_if<EndlessPart>(&part)) {
            stream.endless(endless->text);
            return reply;
        }
    }
    stream.ping();
    stream.event("message_delta", {{"delta", json::object{{"stop_reason", stopWord(answer.stop)}, {"stop_sequence", nullptr}, {"stop_details", nullptr}}},
                                   {"usage", usageOf(answer.usage, answer.usage.output)}});
    stream.event("message_stop", {});
    return reply;
}

tl::expected<Reply, std::string> whole(const Answer& answer, const Conversation& asked, Numbers& numbers) {
    json::array content;
    std::vector<Step> holds;
    for (const auto& part : answer.content) {
        if (const auto* text = std::get_if<TextPart>(&part)) {
            content.push_back(json::object{{"type", "text"}, {"text", joined(text->pieces, holds)}});
        } else if (const auto* tool = std::get_if<ToolPart>(&part)) {
            json::error_code failed;
            auto input = json::parse(joined(tool->arguments, holds), failed);
            if (failed || !input.is_object()) {
                return tl::unexpected<std::string>("calls a tool with arguments that are no object, which only a stream can");
            }
            content.push_back(useOf(*tool, std::move(input), numbers));
        } else if (const auto* hold = std::get_if<HoldPart>(&part)) {
            addHold(holds, hold->name);
        }
    }
    auto reply = jsonReply(200, json::serialize(messageOf(asked, numbers, std::move(content), json::value(stopWord(answer.stop)),
                                                          usageOf(answer.usage, answer.usage.output))));
    reply.steps.insert(reply.steps.begin(), holds.begin(), holds.end());
    return reply;
}

} // namespace

tl::expected<Reply, std::string> anthropicReply(const Answer& answer, const Conversation& asked, Numbers& numbers) {
    return asked.stream ? streamed(answer, asked, numbers) : whole(answer, asked, numbers);
}

std::string anthropicModels(const std::vector<std::string>& models) {
    json::array data;
    for (const auto& model : models) {
        data.push_back(json::object{
            {"type", "model"}, {"id", model}, {"display_name", model}, {"created_at", "2025-01-01T00:00:00Z"}, {"lifecycle", "active"},
            {"max_input_tokens", 200'000}, {"max_tokens", 64'000}});
    }
    return json::serialize(json::object{
        {"data", std::move(data)}, {"has_more", false}, {"first_id", models.front()}, {"last_id", models.back()}});
}

} // namespace carrel::test::model

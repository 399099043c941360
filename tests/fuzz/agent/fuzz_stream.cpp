// SPDX-License-Identifier: Apache-2.0
// A model's streamed answer, from random bytes: the first says which interface, the second in which pieces it comes. Whatever the pieces,
// the events are the same; and a turn that was taken makes a conversation which can be kept, read again, and sent by either interface.
#include "guest/agent/anthropic_codec.h"
#include "guest/agent/chat_codec.h"
#include "guest/agent/conversation_file.h"
#include "guest/agent/turn_builder.h"
#include "guest/protocol/strict_json.h"

#include <array>
#include <cstdlib>

using namespace carrel;
using namespace carrel::agent;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

constexpr SseLimits kSmall{.line = 4096, .event = 8192};

std::optional<std::vector<StreamEvent>> inPieces(std::string_view text, std::size_t piece) {
    SseReader sse(kSmall);
    std::vector<StreamEvent> all;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        auto events = sse.feed(text.substr(at, piece));
        if (!events) {
            return std::nullopt;
        }
        std::move(events->begin(), events->end(), std::back_inserter(all));
    }
    return all;
}

void goOn(Message message) {
    Conversation of;
    require(of.addUser("go").has_value());
    require(of.addTurn(std::move(message)).has_value());
    std::vector<ToolResult> results;
    for (const auto& call : of.openCalls()) {
        results.push_back({call.id, "ok", false});
    }
    require(results.empty() || of.addResults(std::move(results)).has_value());
    require(Conversation::restored(of.messages()).has_value());
    const std::vector<ToolSpec> tools{{"read", "Reads.", {{"type", "object"}}}};
    const AnthropicCodec anthropic;
    const ChatCodec chat;
    const std::array<const ModelCodec*, 2> codecs{&anthropic, &chat};
    for (const auto* codec : codecs) {
        const auto body = codec->body({"m", "s", of.messages(), tools, 10});
        require(parseJsonObject(body, {.bytes = body.size(), .depth = 64}).has_value());
    }
    for (const auto& each : of.messages()) {
        const auto again = messageFrom(messageJson(each));
        require(again.has_value() && messageJson(*again) == messageJson(each));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto whole = inPieces(text, std::max<std::size_t>(1, text.size()));
    const auto pieces = inPieces(text, 1U + data[1] % 16U);
    require(whole.has_value() == pieces.has_value());
    if (!whole) {
        return 0;
    }
    require(whole->size() == pieces->size());
    const AnthropicCodec anthropic;
    const ChatCodec chat;
    const auto reader = (data[0] % 2 == 0 ? static_cast<const ModelCodec&>(anthropic) : chat).reader();
    TurnBuilder builder({.bytes = 16 * 1024, .toolInput = 8 * 1024, .tools = 8, .parts = 64});
    for (std::size_t at = 0; at < whole->size(); ++at) {
        const auto& event = (*whole)[at];
        require(event.type == (*pieces)[at].type && event.data == (*pieces)[at].data);
        const auto deltas = reader->read(event);
        if (!deltas) {
            require(!deltas.error().error.message.empty());
            return 0;
        }
        for (const auto& delta : *deltas) {
            if (!builder.add(delta)) {
                return 0;
            }
        }
        if (reader->isOver()) {
            break;
        }
    }
    goOn(builder.spokenSoFar());
    if (auto turn = builder.finish()) {
        goOn(std::move(turn->message));
    }
    return 0;
}

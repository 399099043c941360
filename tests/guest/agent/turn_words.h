// SPDX-License-Identifier: Apache-2.0
// A turn from the bytes of a stream, and in words that a test can compare.
#pragma once

#include "guest/agent/model_codec.h"
#include "guest/agent/turn_builder.h"

namespace carrel::agent::test {

// JSON as a test can write it: ' stands for ", and ^ for an escaped one. (Qt's moc loses its way in raw strings with quotes.)
inline std::string j(std::string text) {
    std::string out;
    for (const char c : text) {
        out += c == '\'' ? "\"" : c == '^' ? "\\\"" : std::string(1, c);
    }
    return out;
}

// Each of these lines as the data of one event, named by its own "type" where it has one.
inline std::string events(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) {
        out += "data: " + line + "\n\n";
    }
    return out;
}

// "text|call id name {input}|call id name ! problem|sealed api {…}".
inline std::string words(const Message& message) {
    std::string out;
    for (const auto& part : message.parts) {
        out += out.empty() ? "" : "|";
        if (const auto* text = std::get_if<Text>(&part)) {
            out += text->text;
        } else if (const auto* use = std::get_if<ToolUse>(&part)) {
            out += "call " + use->id + " " + use->name + " " + boost::json::serialize(use->input) + (use->problem.empty() ? "" : " !");
        } else if (const auto* result = std::get_if<ToolResult>(&part)) {
            out += (result->isError ? "error " : "result ") + result->id + " " + result->text;
        } else {
            out += "sealed " + std::get<Sealed>(part).api + " " + boost::json::serialize(std::get<Sealed>(part).block);
        }
    }
    return out;
}

struct Read {
    TurnResult<ModelTurn> turn;
    std::string thoughts;
};

inline Read readTurn(const ModelCodec& codec, std::string_view stream, TurnLimits limits = {}) {
    SseReader sse;
    TurnBuilder builder(limits);
    const auto reader = codec.reader();
    std::string thoughts;
    const auto events = sse.feed(stream);
    if (!events) {
        return {failTurn(FailureKind::TooMuch, events.error()), {}};
    }
    for (const auto& event : *events) {
        const auto deltas = reader->read(event);
        if (!deltas) {
            return {failTurn(deltas.error()), thoughts};
        }
        for (const auto& delta : *deltas) {
            if (const auto* thought = std::get_if<ThoughtDelta>(&delta)) {
                thoughts += thought->text;
            }
            if (auto added = builder.add(delta); !added) {
                return {failTurn(added.error()), thoughts};
            }
        }
        if (reader->isOver()) {
            break;
        }
    }
    if (auto ended = reader->ended(); !ended) {
        return {failTurn(ended.error()), thoughts};
    }
    return {builder.finish(), thoughts};
}

} // namespace carrel::agent::test

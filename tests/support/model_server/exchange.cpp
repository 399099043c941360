// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/exchange.h"

#include <algorithm>

namespace carrel::test::model {

namespace json = boost::json;

std::string HttpRequest::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

std::string HttpRequest::path() const {
    return target.substr(0, target.find('?'));
}

std::string errorType(Api api, int status) {
    if (api == Api::OpenAi) {
        return status >= 500 ? "server_error" : status == 429 ? "requests" : "invalid_request_error";
    }
    static const std::map<int, std::string> kTypes{
        {401, "authentication_error"}, {402, "billing_error"},     {403, "permission_error"}, {404, "not_found_error"},
        {413, "request_too_large"},    {429, "rate_limit_error"}, {504, "timeout_error"},    {529, "overloaded_error"}};
    const auto found = kTypes.find(status);
    return found != kTypes.end() ? found->second : status >= 500 ? "api_error" : "invalid_request_error";
}

std::string errorWords(int status) {
    static const std::map<int, std::string> kWords{{400, "The request is not good"},
                                                   {401, "The key is not good"},
                                                   {403, "The key may not do this"},
                                                   {404, "There is no such thing"},
                                                   {429, "This request would exceed your rate limit"},
                                                   {500, "Internal server error"},
                                                   {529, "Overloaded"}};
    const auto found = kWords.find(status);
    return found == kWords.end() ? reasonPhrase(status) : found->second;
}

std::string errorCode(int status) {
    return status == 401 ? "invalid_api_key" : status == 429 ? "rate_limit_exceeded" : "";
}

std::string reasonPhrase(int status) {
    static const std::map<int, std::string> kPhrases{
        {200, "OK"},        {400, "Bad Request"},        {401, "Unauthorized"},      {403, "Forbidden"},
        {404, "Not Found"}, {405, "Method Not Allowed"}, {413, "Payload Too Large"}, {415, "Unsupported Media Type"},
        {429, "Too Many Requests"}, {500, "Internal Server Error"}, {502, "Bad Gateway"}, {503, "Service Unavailable"}};
    const auto found = kPhrases.find(status);
    return found == kPhrases.end() ? "Status " + std::to_string(status) : found->second;
}

std::string errorBody(Api api, const ApiError& error, const std::string& requestId) {
    if (api == Api::Anthropic) {
        return json::serialize(json::object{
            {"type", "error"},
            {"error", json::object{{"type", errorType(api, error.status)}, {"message", error.message}}},
            {"request_id", requestId}});
    }
    const auto orNull = [](const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); };
    return json::serialize(json::object{{"error", json::object{{"message", error.message},
                                                               {"type", errorType(api, error.status)},
                                                               {"param", orNull(error.param)},
                                                               {"code", orNull(error.code)}}}});
}

Reply jsonReply(int status, std::string body) {
    Reply reply{status, {{"Content-Type", "application/json"}}};
    addBytes(reply.steps, std::move(body));
    return reply;
}

void addBytes(std::vector<Step>& into, std::string bytes) {
    into.push_back({Step::Kind::Bytes, std::move(bytes)});
}

void addHold(std::vector<Step>& into, const std::string& name) {
    into.push_back({Step::Kind::Hold, name});
}

bool streamAlike(const Part& part, std::vector<Step>& into) {
    if (const auto* hold = std::get_if<HoldPart>(&part)) {
        addHold(into, hold->name);
    } else if (const auto* comment = std::get_if<CommentPart>(&part)) {
        addBytes(into, ": " + comment->text + "\n\n");
    } else if (const auto* event = std::get_if<EventPart>(&part)) {
        addBytes(into, (event->name.empty() ? "" : "event: " + event->name + "\n") + "data: " + event->data + "\n\n");
    } else {
        return false;
    }
    return true;
}

std::string joined(const std::vector<Piece>& pieces, std::vector<Step>& holds) {
    std::string text;
    for (const auto& piece : pieces) {
        if (piece.hold) {
            addHold(holds, piece.text);
        } else {
            text += piece.text;
        }
    }
    return text;
}

std::string onlyStreamed(const Answer& answer) {
    for (const auto& part : answer.content) {
        if (!std::holds_alternative<TextPart>(part) && !std::holds_alternative<ToolPart>(part) && !std::holds_alternative<HoldPart>(part)) {
            return "has a comment, an event, an error or an endless text, which only a stream can have";
        }
    }
    return {};
}

std::string numbered(std::string_view prefix, std::size_t number) {
    auto digits = std::to_string(number);
    digits.insert(0, 4 - std::min<std::size_t>(digits.size(), 4), '0');
    return std::string(prefix) + digits;
}

} // namespace carrel::test::model

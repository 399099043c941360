// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/model_codec.h"

#include "guest/protocol/strict_json.h"

namespace carrel::agent {

namespace json = boost::json;

namespace {

constexpr JsonLimits kEventLimits{.bytes = SseLimits{}.event, .depth = 48};

std::string textOr(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains({key.data(), key.size()});
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

// {"message", "type", "code"} or only a sentence; servers on own computers know both.
void readError(const json::value& error, Answer& answer) {
    if (const auto* text = error.if_string()) {
        answer.said = std::string(text->data(), text->size());
        return;
    }
    const auto* object = error.if_object();
    if (object == nullptr) {
        return;
    }
    answer.said = textOr(*object, "message");
    answer.type = textOr(*object, "type");
    if (const auto code = textOr(*object, "code"); !code.empty()) { // says more than the type where there are both
        answer.type = code;
    }
    if (const auto* details = object->if_contains("details"); details != nullptr && details->is_object()) {
        if (const auto code = textOr(details->get_object(), "error_code"); !code.empty()) {
            answer.type = code;
        }
    }
}

} // namespace

void readErrorBody(std::string_view body, Answer& answer) {
    const auto object = parseJsonObject(body, kEventLimits);
    if (!object) {
        answer.said = std::string(body);
        return;
    }
    if (const auto* error = object->if_contains("error")) {
        readError(*error, answer);
    } else {
        readError(*object, answer);
        if (answer.said.empty()) {
            answer.said = textOr(*object, "detail"); // FastAPI's servers
        }
    }
}

TurnFailure streamError(const json::value& error) {
    Answer answer;
    readError(error, answer);
    if (const auto* object = error.if_object()) {
        if (const auto* code = object->if_contains("code");
            code != nullptr && code->is_int64() && code->get_int64() >= 400 && code->get_int64() <= 599) {
            answer.status = static_cast<int>(code->get_int64());
        }
    }
    if (answer.status == 0 && answer.type.empty()) {
        answer.type = "server_error"; // the stream was begun, so the request as such was good
    }
    return failureOf(answer);
}

TurnResult<json::object> eventObject(const StreamEvent& event) {
    auto object = parseJsonObject(event.data, kEventLimits);
    if (!object) {
        return malformedTurn(object.error());
    }
    return std::move(*object);
}

tl::unexpected<TurnFailure> malformedTurn(const Error& error) {
    return failTurn(FailureKind::Malformed,
                    error.wrap("the model's server sent what its interface does not know",
                               "if it happens again, look at the address and the kind of interface that are set for the provider"));
}

} // namespace carrel::agent

// SPDX-License-Identifier: Apache-2.0
#include "guest/acp/message.h"

#include "guest/protocol/json_pick.h"
#include "guest/protocol/plain_text.h"

namespace carrel::acp {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostHint = 2000; // bytes

tl::unexpected<Unreadable> unreadable(ErrorCode code, std::string why, std::optional<Code> told, std::optional<Id> id = std::nullopt) {
    return tl::unexpected<Unreadable>({Error{code, std::move(why), {}, 0, nullptr}, told, std::move(id)});
}

std::optional<Id> idOf(const json::value* value) {
    if (value == nullptr) {
        return std::nullopt;
    }
    if (const auto* number = value->if_int64()) {
        return Id(*number);
    }
    const auto* text = value->if_string();
    if (text != nullptr && text->size() <= kMostTextId) {
        return Id(std::string(text->data(), text->size()));
    }
    return std::nullopt;
}

json::value jsonOf(const Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) {
        return *number;
    }
    return json::value(std::get<std::string>(id));
}

Problem problemFrom(const json::value& error) {
    Problem problem;
    const auto* object = error.if_object();
    if (object == nullptr) {
        problem.message = "an error that is none";
        return problem;
    }
    if (const auto* code = object->if_contains("code"); code != nullptr && code->is_int64()) {
        problem.code = code->get_int64();
    }
    if (const auto* message = object->if_contains("message"); message != nullptr && message->is_string()) {
        problem.message = plainText(std::string_view(message->get_string()), kMostProblem);
    }
    if (const auto* data = object->if_contains("data"); data != nullptr) {
        problem.data = *data;
    }
    return problem;
}

tl::expected<Message, Unreadable> readAnswer(const json::object& object) {
    const auto* id = object.if_contains("id");
    const auto* error = object.if_contains("error");
    const auto* result = object.if_contains("result");
    if (error != nullptr && error->is_null()) { // some write both, one of them null
        error = nullptr;
    }
    const auto known = idOf(id);
    if (!known) {
        return unreadable(ErrorCode::Malformed,
                          error == nullptr ? "an answer without an id"
                                           : "the other side could not read what was said to it: " + problemFrom(*error).message,
                          std::nullopt);
    }
    if (error != nullptr) {
        return Answer{*known, tl::unexpected<Problem>(problemFrom(*error))};
    }
    if (result == nullptr) {
        return Answer{*known, tl::unexpected<Problem>({static_cast<std::int64_t>(Code::InvalidRequest),
                                                       "the answer holds neither a result nor an error", nullptr})};
    }
    return Answer{*known, *result};
}

json::object headOf() {
    return {{"jsonrpc", "2.0"}};
}

json::object toJson(const Problem& problem) {
    json::object error{{"code", problem.code}, {"message", plainText(problem.message, kMostProblem)}};
    if (!problem.data.is_null()) {
        error["data"] = problem.data;
    }
    return error;
}

struct Writer {
    json::object operator()(const Request& request) const {
        auto out = headOf();
        out["id"] = jsonOf(request.id);
        out["method"] = request.method;
        out["params"] = request.params;
        return out;
    }
    json::object operator()(const Notification& notification) const {
        auto out = headOf();
        out["method"] = notification.method;
        out["params"] = notification.params;
        return out;
    }
    json::object operator()(const Answer& answer) const {
        auto out = headOf();
        out["id"] = jsonOf(answer.id);
        if (answer.outcome) {
            out["result"] = *answer.outcome;
        } else {
            out["error"] = toJson(answer.outcome.error());
        }
        return out;
    }
};

} // namespace

tl::expected<Message, Unreadable> readMessage(std::string_view line, JsonLimits limits) {
    auto value = parseJson(line, limits);
    if (!value) {
        // What does not even begin like a message is something that a program printed: the other side asked nothing.
        const bool looksLikeOne = line.starts_with('{') || line.starts_with('[');
        return unreadable(value.error().code, value.error().message, looksLikeOne ? std::optional(Code::Unparsable) : std::nullopt);
    }
    const auto* object = value->if_object();
    if (object == nullptr) {
        return unreadable(ErrorCode::Malformed, "not a message: no JSON object",
                          value->is_array() ? std::optional(Code::InvalidRequest) : std::nullopt);
    }
    const auto* method = object->if_contains("method");
    if (method == nullptr) {
        if (!object->contains("id") || (!object->contains("result") && !object->contains("error"))) {
            return unreadable(ErrorCode::Malformed, "not a message: neither a method nor an answer", std::nullopt);
        }
        return readAnswer(*object);
    }
    const auto* id = object->if_contains("id");
    const auto known = idOf(id);
    const auto told = id == nullptr ? std::nullopt : std::optional(Code::InvalidRequest);
    const auto* version = object->if_contains("jsonrpc");
    if (version == nullptr || *version != "2.0") {
        return unreadable(ErrorCode::Malformed, "not a message of JSON-RPC 2.0", told, known);
    }
    const auto* name = method->if_string();
    if (name == nullptr || name->empty() || name->size() > kMostMethod) {
        return unreadable(ErrorCode::Malformed, "\"method\" is no name of a method", told, known);
    }
    if (id != nullptr && !known) {
        return unreadable(ErrorCode::Malformed, "\"id\" is neither a whole number nor a short text", told);
    }
    json::object params;
    if (auto* given = value->get_object().if_contains("params"); given != nullptr && !given->is_null()) {
        if (!given->is_object()) {
            return unreadable(ErrorCode::Malformed, "\"params\" is not an object",
                              id == nullptr ? std::nullopt : std::optional(Code::InvalidParams), known);
        }
        params = std::move(given->get_object());
    }
    std::string text(name->data(), name->size());
    if (known) {
        return Request{*known, std::move(text), std::move(params)};
    }
    return Notification{std::move(text), std::move(params)};
}

std::string lineOf(const Message& message) {
    return json::serialize(std::visit(Writer{}, message));
}

std::string lineOf(Code told, const std::optional<Id>& id, const Error& why) {
    auto out = headOf();
    out["id"] = id ? jsonOf(*id) : json::value(nullptr);
    out["error"] = toJson(Problem{static_cast<std::int64_t>(told), why.text(), nullptr});
    return json::serialize(out);
}

Problem problemOf(const Error& error, Code code) {
    json::object data{{"code", toString(error.code)}};
    if (!error.hint.empty()) {
        data["hint"] = plainText(error.hint, kMostHint);
    }
    return {static_cast<std::int64_t>(code), plainText(error.text(), kMostProblem), std::move(data)};
}

Error errorOf(const Problem& problem) {
    Error error;
    error.message = problem.message;
    switch (static_cast<Code>(problem.code)) {
    case Code::Unparsable:
    case Code::InvalidRequest:
        error.code = ErrorCode::Malformed;
        break;
    case Code::NoSuchMethod:
        error.code = ErrorCode::Unsupported;
        break;
    case Code::InvalidParams:
        error.code = ErrorCode::InvalidArgument;
        break;
    case Code::AuthenticationRequired:
        error.code = ErrorCode::Refused;
        break;
    case Code::NotFound:
        error.code = ErrorCode::NotFound;
        break;
    case Code::Cancelled:
        error.code = ErrorCode::Cancelled;
        break;
    case Code::Internal:
        break;
    }
    const auto* data = problem.data.if_object();
    if (data == nullptr) {
        return error;
    }
    JsonPick pick(*data, "an error's data");
    if (const auto hint = pick.text("hint")) {
        error.hint = plainText(*hint, kMostHint);
    }
    if (const auto name = pick.text("code")) {
        for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
            if (toString(static_cast<ErrorCode>(i)) == *name) {
                error.code = static_cast<ErrorCode>(i);
            }
        }
    }
    return error;
}

} // namespace carrel::acp

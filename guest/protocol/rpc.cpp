// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/rpc.h"

#include "guest/protocol/plain_text.h"

#include <boost/json/serialize.hpp>

namespace carrel {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxErrorTextBytes = 2000;
constexpr std::int64_t kFirstErrorCode = -32000; // of the range that the specification leaves to servers
constexpr std::uint64_t kMaxErrno = 4095;        // the kernel's own MAX_ERRNO

bool isMethodName(std::string_view text) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

ErrorCode errorCodeFrom(std::string_view kind) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        if (toString(static_cast<ErrorCode>(i)) == kind) {
            return static_cast<ErrorCode>(i);
        }
    }
    return ErrorCode::Internal;
}

// A message may name a file, and a file's name may be any bytes; JSON may not.
std::string presentable(std::string_view text) {
    return plainText(text, kMaxErrorTextBytes);
}

std::string stringOf(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains({key.data(), key.size()});
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(cutBetweenCharacters({text->data(), text->size()}, kMaxErrorTextBytes));
}

int errnoOf(const json::object& object) {
    const auto* value = object.if_contains("errno");
    const auto* number = value == nullptr ? nullptr : value->if_int64();
    return number != nullptr && *number > 0 && static_cast<std::uint64_t>(*number) <= kMaxErrno
               ? static_cast<int>(*number)
               : 0;
}

Result<RpcMessage> readRequest(const json::object& object) {
    JsonFields fields(object, "request");
    RpcRequest request;
    fields.allow("jsonrpc");
    request.method = fields.string("method", kMaxMethodBytes);
    if (!isMethodName(request.method)) {
        fields.problem("method", "is not the name of a method");
    }
    if (object.contains("id")) { // null is not "absent" here: a notification has no id at all
        request.id = fields.number("id");
    }
    if (object.contains("params")) {
        request.params = fields.object("params");
    }
    CARREL_TRY(fields.finish());
    return request;
}

Result<RpcMessage> readResponse(const json::object& object) {
    JsonFields fields(object, "response");
    RpcResponse response;
    fields.allow("jsonrpc");
    response.id = fields.number("id");
    const auto* result = object.if_contains("result");
    fields.allow("result");
    if (object.contains("error")) {
        const auto& error = fields.object("error");
        JsonFields inner(error, "error");
        (void)inner.signedNumber("code");
        if (!error.contains("message") || !error.at("message").is_string()) {
            inner.problem("message", "is not a string");
        }
        inner.allow("message");
        (void)inner.optionalObject("data");
        if (result != nullptr) {
            fields.problem("result", "is there beside an error");
        }
        CARREL_TRY(fields.finish());
        CARREL_TRY(inner.finish());
        response.result = fail(errorFrom(error));
        return response;
    }
    if (result == nullptr) {
        fields.problem("result", "is missing");
    }
    CARREL_TRY(fields.finish());
    response.result = *result;
    return response;
}

} // namespace

Result<RpcMessage> parseRpc(std::string_view text, JsonLimits limits) {
    const auto object = parseJsonObject(text, limits);
    if (!object) {
        return fail(object.error());
    }
    const auto* version = object->if_contains("jsonrpc");
    if (version == nullptr || *version != "2.0") {
        return fail(ErrorCode::Malformed, "not a JSON-RPC 2.0 message");
    }
    return object->contains("method") ? readRequest(*object) : readResponse(*object);
}

std::string toText(const RpcRequest& request) {
    json::object out{{"jsonrpc", "2.0"}};
    if (request.id) {
        out["id"] = *request.id;
    }
    out["method"] = request.method;
    out["params"] = request.params;
    return json::serialize(out);
}

std::string toText(const RpcResponse& response) {
    json::object out{{"jsonrpc", "2.0"}, {"id", response.id}};
    if (response.result) {
        out["result"] = *response.result;
    } else {
        out["error"] = toJson(response.result.error());
    }
    return json::serialize(out);
}

json::object toJson(const Error& error) {
    json::object data{{"kind", toString(error.code)}, {"hint", presentable(error.hint)}};
    if (error.sysErrno != 0) {
        data["errno"] = error.sysErrno;
    }
    return {{"code", kFirstErrorCode - static_cast<std::int64_t>(error.code)},
            {"message", presentable(error.text())}, // with its causes: they do not travel on their own
            {"data", std::move(data)}};
}

Error errorFrom(const json::object& object) {
    Error error;
    error.message = stringOf(object, "message");
    const auto* value = object.if_contains("data");
    if (const auto* data = value == nullptr ? nullptr : value->if_object()) {
        error.code = errorCodeFrom(stringOf(*data, "kind"));
        error.hint = stringOf(*data, "hint");
        error.sysErrno = errnoOf(*data);
    }
    return error;
}

} // namespace carrel

// SPDX-License-Identifier: Apache-2.0
#include "app/api/exchange.h"

#include "app/api/wire.h"
#include "guest/protocol/rpc.h"

namespace carrel::api {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxTextBytes = 4096;

Result<Progress> progressFrom(const json::object& params, std::uint64_t id) {
    JsonFields fields(params, "progress");
    Progress progress;
    if (fields.number("id") != id) {
        fields.problem("id", "is of another request");
    }
    progress.step = fields.string("step", kMaxTextBytes);
    progress.text = fields.string("text", kMaxTextBytes);
    fields.allow("fraction");
    if (const auto* fraction = params.if_contains("fraction")) {
        if (fraction->is_number()) {
            progress.fraction = fraction->to_number<double>();
        } else {
            fields.problem("fraction", "is not a number");
        }
    }
    if (auto done = fields.finish(); !done) {
        return fail(std::move(done).error());
    }
    return progress;
}

Flow handOn(const RpcRequest& message, std::uint64_t id, const Listener& listener) {
    if (message.method == "progress" && listener.progress) {
        if (auto progress = progressFrom(message.params, id)) {
            listener.progress(*progress);
        }
    } else if (message.method == "event" && listener.event) {
        if (const auto* event = message.params.if_contains("event"); event != nullptr && event->is_object()) {
            return listener.event(event->get_object());
        }
    }
    return Flow::Continue; // other notifications are of a later version's: not for us
}

} // namespace

Exchange::Exchange(std::uint64_t id, std::string_view verb, json::object params)
    : m_id(id)
    , m_request(toText(RpcRequest{id, std::string(verb), std::move(params)}) + "\n")
    , m_reader(kMaxResponseLine) {}

Error Exchange::wentAway() {
    return {ErrorCode::Unavailable, "the engine went away before it answered", "Try again; 'carrel timeline' shows what was done.", 0, {}};
}

std::optional<Result<json::value>> Exchange::line(const std::string& text, const Listener& listener) const {
    auto message = parseRpc(text, JsonLimits{kMaxResponseLine, kMaxDepth});
    if (!message) {
        return fail(message.error().wrap("the engine's answer cannot be read",
                                         "This program and the engine may be of different versions: run 'carrel engine stop', then "
                                         "try again."));
    }
    if (const auto* notification = std::get_if<RpcRequest>(&*message)) {
        if (handOn(*notification, m_id, listener) == Flow::Stop) {
            return fail(ErrorCode::Cancelled, "stopped by the caller");
        }
        return std::nullopt;
    }
    auto& response = std::get<RpcResponse>(*message);
    if (response.id == m_id || (response.id == 0 && !response.result)) { // 0: the connection's own error
        return std::move(response.result);
    }
    return fail(ErrorCode::Malformed, "the engine answered something that was not asked");
}

std::optional<Result<json::value>> Exchange::take(std::string_view& bytes, const Listener& listener) {
    while (!bytes.empty()) {
        auto next = m_reader.take(bytes);
        if (!next) {
            return fail(std::move(next).error());
        }
        if (*next) {
            if (auto answer = line(**next, listener)) {
                return answer;
            }
        }
    }
    return std::nullopt;
}

} // namespace carrel::api

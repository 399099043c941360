// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/guest_session.h"

#include "guest/protocol/rpc.h"
#include "guest/protocol/strict_json.h"

namespace carrel::clerk {

namespace json = boost::json;

namespace {
constexpr JsonLimits kSessionMessageLimits{16 * 1024, 4};
}

json::object sessionOutcome(std::string_view text) {
    const auto message = parseJsonObject(text, kSessionMessageLimits);
    if (message && message->contains("started")) {
        return {};
    }
    const auto* exit = message ? message->if_contains("exit") : nullptr;
    const auto* error = message ? message->if_contains("error") : nullptr;
    if (exit != nullptr && exit->is_object()) {
        JsonFields fields(exit->get_object(), "exit");
        const auto code = fields.optionalNumber("code", 255);
        const auto signal = fields.optionalNumber("signal", 64);
        if (fields.finish() && code.has_value() != signal.has_value()) {
            return code ? json::object{{"code", *code}} : json::object{{"signal", *signal}};
        }
    } else if (error != nullptr && error->is_object()) {
        auto told = errorFrom(error->get_object());
        told.hint.clear(); // as in GuestRpc: advice is Carrel's to give
        return {{"error", toJson(told)}};
    }
    return {{"error", toJson(Error{ErrorCode::Malformed, "the agent's machine told the outcome in a wrong form", {}, 0, {}})}};
}

} // namespace carrel::clerk

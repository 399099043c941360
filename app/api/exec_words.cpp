// SPDX-License-Identifier: Apache-2.0
#include "app/api/exec_words.h"

#include "guest/protocol/rpc.h"
#include "guest/protocol/strict_json.h"

#include <boost/json.hpp>

namespace carrel::api {

namespace json = boost::json;

Result<ExecWord> execWord(std::string_view text) {
    const auto broken = [] { return fail(ErrorCode::Malformed, "the machine's answer cannot be read"); };
    const auto message = parseJsonObject(text, JsonLimits{kMaxExecWord, 6});
    if (!message || message->size() != 1) {
        return broken();
    }
    JsonFields fields(*message, "session");
    if (const auto* exit = fields.optionalObject("exit")) {
        JsonFields status(*exit, "exit");
        const auto code = status.optionalNumber("code", 255);
        const auto signal = status.optionalNumber("signal", 127);
        if (!status.finish() || code.has_value() == signal.has_value()) {
            return broken();
        }
        if (code) {
            return ExecExited{static_cast<int>(*code)};
        }
        return ExecSignalled{static_cast<int>(*signal)};
    }
    if (const auto* error = fields.optionalObject("error")) {
        return errorFrom(*error);
    }
    if (message->if_contains("started") == nullptr) {
        return broken();
    }
    return ExecStarted{};
}

std::string execSignal(int number) {
    return json::serialize(json::object{{"signal", number}});
}

std::string execResize(std::uint16_t rows, std::uint16_t columns) {
    return json::serialize(json::object{{"resize", {{"rows", rows}, {"cols", columns}}}});
}

} // namespace carrel::api

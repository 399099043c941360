// SPDX-License-Identifier: Apache-2.0
// A line of the Agent Client Protocol, from random bytes: what is read can be written and is read again, nothing that is told to the other side
// makes it answer, and every reader of what both sides say takes it or says what is wrong.
#include "guest/acp/message.h"
#include "guest/acp/session.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;
using namespace carrel::acp;

namespace {
constexpr JsonLimits kLimits{.bytes = 64 * 1024, .depth = 32};

void check(bool isSo) {
    if (!isSo) {
        std::abort();
    }
}

void readAll(const boost::json::object& object) {
    if (const auto params = initializeParamsFrom(object)) {
        check(initializeParamsFrom(toJson(*params)).has_value());
    }
    if (const auto result = initializeResultFrom(object)) {
        check(initializeResultFrom(toJson(*result)).has_value());
    }
    if (const auto place = sessionPlaceFrom(object)) {
        check(sessionPlaceFrom(toJson(*place)).has_value());
    }
    if (const auto state = sessionStateFrom(object)) {
        check(sessionStateFrom(toJson(*state)).has_value());
    }
    if (const auto prompt = promptFrom(object)) {
        const bool isWhole = std::none_of(prompt->blocks.begin(), prompt->blocks.end(),
                                          [](const Block& each) { return std::holds_alternative<OtherBlock>(each); });
        check(!isWhole || promptFrom(toJson(*prompt)).has_value()); // of what is not known here the type alone is kept
    }
    if (auto update = updateFrom(object)) {
        check(updateFrom(toJson(*update)).has_value());
    }
    if (const auto permission = permissionFrom(object)) {
        check(permissionFrom(toJson(*permission)).has_value());
    }
    (void)stopReasonFrom(object);
    (void)permissionOutcomeFrom(object);
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto read = readMessage({reinterpret_cast<const char*>(data), size}, kLimits);
    if (!read) {
        const auto& bad = read.error();
        if (bad.told) {
            const auto back = readMessage(lineOf(*bad.told, bad.id, bad.why), kLimits);
            check(back ? std::holds_alternative<Answer>(*back) : !back.error().told);
        }
        return 0;
    }
    const auto line = lineOf(*read);
    check(line.find('\n') == std::string::npos);
    const auto again = readMessage(line, {.bytes = 1024 * 1024, .depth = 33});
    check(again && again->index() == read->index()); // fractions do not come back to the last digit
    if (const auto* request = std::get_if<Request>(&*read)) {
        readAll(request->params);
    } else if (const auto* notification = std::get_if<Notification>(&*read)) {
        readAll(notification->params);
    } else if (const auto* answer = std::get_if<Answer>(&*read)) {
        if (answer->outcome && answer->outcome->is_object()) {
            readAll(answer->outcome->get_object());
        } else if (!answer->outcome) {
            (void)errorOf(answer->outcome.error());
        }
    }
    return 0;
}

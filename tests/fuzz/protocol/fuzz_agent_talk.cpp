// SPDX-License-Identifier: Apache-2.0
// What the host and guestd say to each other about an agent program, from random bytes: what is read is written and read again as the
// same, is within its bounds, and needs no more cutting; an answer's numbers go up.
#include "guest/protocol/agent_talk.h"
#include "guest/protocol/strict_json.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::talk;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto object = parseJsonObject({reinterpret_cast<const char*>(data), size});
    if (!object) {
        return 0;
    }
    for (const auto* method : {"agent.start", "agent.prompt", "agent.cancel", "agent.permit", "agent.mode", "agent.stop", "agent.updates"}) {
        if (const auto call = callFrom(method, *object)) {
            require(methodOf(*call) == method);
            const auto again = callFrom(methodOf(*call), paramsOf(*call));
            require(again.has_value() && *again == *call);
        }
    }
    if (const auto update = updateFrom(*object)) {
        const auto again = updateFrom(toJson(*update));
        require(again.has_value() && *again == *update);
        require(boost::json::serialize(answerWith(std::span(&*update, 1))).size() <= kMaxAnswerBytes);
    }
    if (const auto updates = updatesFrom(3, *object)) {
        std::uint64_t last = 3;
        for (const auto& update : *updates) {
            require(update.number > last);
            last = update.number;
        }
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Lines of a kept conversation, from random bytes: what is taken for a message is written as it was read.
#include "guest/agent/conversation_file.h"
#include "guest/protocol/strict_json.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto json = parseJson({reinterpret_cast<const char*>(data), size}, {.bytes = 64 * 1024, .depth = 24});
    if (!json) {
        return 0;
    }
    const auto message = messageFrom(*json);
    if (!message) {
        return 0;
    }
    const auto again = messageFrom(messageJson(*message));
    if (!again || messageJson(*again) != messageJson(*message)) {
        std::abort();
    }
    (void)Conversation::restored({*message});
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// What a guest tells of its programs, from random bytes: what is read and written again is the same, and within its bounds.
#include "guest/protocol/strict_json.h"
#include "guest/protocol/watch_event.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::watch;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    Bytes again;
    const auto count = readBatch(asBytes(text), [&](const Event& event) {
        const auto one = toWire(event);
        require(one.has_value());
        again.insert(again.end(), one->begin(), one->end());
        return Status();
    });
    if (count) {
        require(asText(batchOf(*count, again)) == text && size <= kMaxBatchBytes);
    }
    if (const auto object = parseJsonObject(text)) {
        if (const auto ask = askFrom(*object)) {
            require(askFrom(paramsOf(*ask)).value() == *ask);
        }
        if (const auto told = toldFrom({}, *object)) {
            require(told->first != 0 && told->book != 0);
        }
    }
    return 0;
}

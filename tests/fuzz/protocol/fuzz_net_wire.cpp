// SPDX-License-Identifier: Apache-2.0
// Any bytes as the head of a network stream: what is taken lies within them, is within its bounds, and is written again as
// the same bytes.
#include "guest/protocol/net_wire.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

template <class Head> void sameAgain(const net::Taken<Head>& taken, ByteSpan bytes) {
    require(taken.bytes <= bytes.size());
    const auto again = net::toWire(taken.head);
    require(again.size() == taken.bytes && std::equal(again.begin(), again.end(), bytes.begin()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteSpan bytes(reinterpret_cast<const std::byte*>(data), size);
    if (const auto opening = net::openingFrom(bytes); opening && *opening) {
        const auto& head = (*opening)->head;
        require(head.port != 0);
        if (const auto* name = std::get_if<std::string>(&head.host)) {
            require(net::isHostName(*name) && name->size() <= net::kMaxHostName);
        }
        require(net::textOf(head.host).find_first_of("\r\n \"\\") == std::string::npos);
        sameAgain(**opening, bytes);
    }
    if (const auto answer = net::answerFrom(bytes); answer && *answer) {
        require((*answer)->head.text.size() <= net::kMaxAnswerText);
        sameAgain(**answer, bytes);
    }
    if (const auto inward = net::inwardFrom(bytes); inward && *inward) {
        require((*inward)->head.port != 0);
        sameAgain(**inward, bytes);
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Any bytes as the requests of a plain HTTP connection. How they are cut changes nothing: the same bytes pass, whether they
// come one by one or at once, as long as the server says nothing.
#include "app/clerk/http_requests.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::clerk;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// How many of them pass in all; the gate's last word on the rest.
std::size_t passed(ByteSpan bytes, std::size_t piece, bool& good) {
    HttpRequests gate("www.example.org", 80);
    std::size_t done = 0;
    good = true;
    for (std::size_t come = 0; come < bytes.size() && good;) {
        come = std::min(bytes.size(), come + piece);
        for (;;) {
            const auto verdict = gate.look(bytes.subspan(done, come - done));
            require(verdict.pass <= come - done && (verdict.good || (verdict.pass == 0 && !verdict.why.empty())));
            good = verdict.good;
            done += verdict.pass;
            if (verdict.pass == 0) {
                break;
            }
        }
    }
    return done;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteSpan bytes(reinterpret_cast<const std::byte*>(data), size);
    bool goodAtOnce = false;
    bool goodByOne = false;
    const auto atOnce = passed(bytes, size + 1, goodAtOnce);
    const auto byOne = passed(bytes, 1, goodByOne);
    require(atOnce == byOne && goodAtOnce == goodByOne);
    const auto text = asText(bytes.first(atOnce));
    const bool named = text.find("www.example.org") != std::string_view::npos || text.find_first_of("wW") != std::string_view::npos;
    require(atOnce == 0 || named); // nothing passes before its host was seen
    return 0;
}

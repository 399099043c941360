// SPDX-License-Identifier: Apache-2.0
// Any bytes as a TLS connection's first. A verdict does not depend on how they come: what is good when whole is never bad
// in part, what is bad stays so; and whatever passes bears the host's name in the open.
#include "app/clerk/tls_hello.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;
using namespace carrel::clerk;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::string_view kHost = "www.example.org";
    const ByteSpan bytes(reinterpret_cast<const std::byte*>(data), size);
    (void)looksLikeRetry(bytes);
    (void)changeCipherSpec(bytes);
    const auto whole = lookAtHello(bytes, kHost);
    require(whole.bytes <= std::min(size, kMaxHello) && (whole.look == Look::Bad) == !whole.why.empty());
    for (std::size_t part = 0; part < size; part += 1 + size / 16) {
        const auto early = lookAtHello(bytes.first(part), kHost);
        require(early.look != Look::Bad || whole.look == Look::Bad);
        require(early.look != Look::Good || (whole.look == Look::Good && whole.bytes == early.bytes));
    }
    if (whole.look == Look::Good) {
        std::string text(asText(bytes.first(whole.bytes)));
        std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
        // In one piece, unless records cut it.
        require(text.find(kHost) != std::string::npos || static_cast<std::size_t>(std::count(text.begin(), text.end(), '\x16')) > 1);
        require(lookAtHello(bytes, "other.example.org").look == Look::Bad);
    }
    return 0;
}

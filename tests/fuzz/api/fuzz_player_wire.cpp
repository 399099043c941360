// SPDX-License-Identifier: Apache-2.0
// Whatever a program that draws recordings, or a window, sends to the other: what is taken has one form only.
#include "app/api/player_wire.h"
#include "app/api/terminal_wire.h"

#include <cstdlib>

using namespace carrel::api::player;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    carrel::api::terminal::MessageSplitter splitter(kMaxToPlayer);
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t step = data[0] % 7 + 1U;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        splitter.feed(bytes.substr(at, step));
        for (auto next = splitter.next(); next && *next; next = splitter.next()) {
            if (const auto drawn = decodeDrawn(**next)) {
                require(encode(*drawn).substr(4) == **next);
            }
            if (const auto order = decodeToPlayer(**next)) {
                const auto* piece = std::get_if<Piece>(&*order);
                require((piece != nullptr ? encode(*piece) : encode(std::get<Until>(*order))).substr(4) == **next);
            }
        }
    }
    return 0;
}

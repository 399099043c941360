// SPDX-License-Identifier: Apache-2.0
// Whatever a guest writes to its terminal, at whatever size: each picture of it has the form that a window takes, and within its
// bounds; libvterm neither breaks nor goes round for ever on what the filter and the mender let through. A byte 0xff and two after
// it are a new size.
#include "app/terminal/screen.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel::api::terminal;
using carrel::terminal::Screen;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void picture(Screen& screen) {
    MessageSplitter splitter(kMaxToWindow);
    splitter.feed(screen.takeFrame());
    const auto message = splitter.next();
    require(message && *message);
    const auto decoded = decodeToWindow(**message);
    require(decoded.has_value() && std::holds_alternative<Frame>(*decoded));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Screen screen(24, 80);
    std::string slice;
    const auto feed = [&] {
        screen.feed(slice);
        slice.clear();
        if (!screen.hasRoom()) {
            picture(screen);
        }
    };
    for (std::size_t at = 0; at < size; ++at) {
        if (data[at] == 0xff && at + 2 < size) {
            feed();
            // Small ones: a large screen differs in nothing but the time that it takes.
            const auto rows = std::clamp<int>(data[at + 1] % 40, kMinRows, kMaxRows);
            const auto columns = std::clamp<int>(data[at + 2] % 90, kMinColumns, kMaxColumns);
            screen.resize(static_cast<std::uint16_t>(rows), static_cast<std::uint16_t>(columns));
            at += 2;
            continue;
        }
        slice += static_cast<char>(data[at]);
        if (slice.size() == Screen::kSlice) {
            feed();
        }
    }
    feed();
    while (screen.changed()) {
        picture(screen);
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Whatever the program that draws a terminal sends to a window: what is taken has one form only, stays within the bounds, and
// shows nothing but visible characters, judged by another reading than the decoder's.
#include "app/api/terminal_wire.h"

#include <cstdlib>

using namespace carrel::api;
using namespace carrel::api::terminal;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check(const Line& line) {
    std::size_t columns = 0;
    for (const Cell& cell : line) {
        columns += cell.columns;
        require(cell.count <= kMaxCharacters && (cell.columns == 1 || cell.columns == 2));
        for (std::size_t i = 0; i < cell.count; ++i) {
            const auto kind = characterKind(cell.points[i]);
            require(kind != CharacterKind::Hidden && (kind == CharacterKind::Mark) == (i > 0));
        }
    }
    require(columns <= kMaxColumns);
}

void check(const Frame& frame, std::string_view message) {
    FrameWriter again(frame.screen);
    for (const auto& encoded : frame.scrolled) {
        const auto line = decodeLine(encoded);
        require(line.has_value());
        check(*line);
        require(encodeLine(*line) == encoded && again.addScrolled(encoded));
    }
    for (const auto& [row, line] : frame.rows) {
        check(line);
        require(row < frame.screen.rows && again.addRow(row, encodeLine(line)));
    }
    require(again.finish().substr(4) == message);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    MessageSplitter splitter(kMaxToWindow);
    const std::size_t step = data[0] % 7 + 1U;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        splitter.feed(bytes.substr(at, step));
        for (auto next = splitter.next(); next && *next; next = splitter.next()) {
            require((*next)->size() <= kMaxToWindow);
            const auto message = decodeToWindow(**next);
            if (!message) {
                continue;
            }
            if (const auto* frame = std::get_if<Frame>(&*message)) {
                check(*frame, **next);
            } else if (const auto* ended = std::get_if<Ended>(&*message)) {
                require(ended->error.message.size() <= kMaxWords && encode(*ended).substr(4) == **next);
            } else {
                require(encode(std::get<Confined>(*message)).substr(4) == **next);
            }
        }
    }
    (void)decodeToTerminal(bytes);
    return 0;
}

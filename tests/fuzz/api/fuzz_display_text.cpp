// SPDX-License-Identifier: Apache-2.0
// Whatever comes in: valid UTF-8 goes out, no control character, within the bounds, and a second pass changes
// nothing.
#include "app/api/display_text.h"
#include "guest/protocol/share_path.h"

#include <cstdlib>

using carrel::api::DisplayText;

namespace {
void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}
bool hasControl(std::string_view text, bool block) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte < 0x20 && !(block && (byte == '\n' || byte == '\t'))) || byte == 0x7f) {
            return true;
        }
        if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
            return true; // C1
        }
    }
    return false;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view raw(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t columns = data[0];
    const auto line = DisplayText::line(raw, columns);
    require(carrel::isUtf8(line.text()) && !hasControl(line.text(), false) && line.columns() <= columns);
    require(DisplayText::line(line.text(), columns).text() == line.text());
    const auto block = DisplayText::block(raw, columns * 16);
    require(carrel::isUtf8(block.text()) && !hasControl(block.text(), true));
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Whatever a guest writes: only sequences of the allow-list come out (judged by a second, independent
// reading), the cut of the bytes never matters, and a second pass changes nothing.
#include "app/api/terminal_filter.h"
#include "guest/protocol/share_path.h"

#include <cstdlib>
#include <regex>

using carrel::api::TerminalFilter;

namespace {
void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}
void onlyAllowed(const std::string& out) {
    static const std::regex kAllowed(
        "^\x1b(?:[78DEM=>]|\\([0B]|\\[[0-9;:]*m|\\[[0-9;]*[A-HJKLMPSTXZ@adefbIru`]|\\[s|"
        "\\[[0-6]? q|\\[!p|\\[4[hl]|\\[\\?[0-9;]+[hl])");
    for (std::size_t at = 0; at < out.size(); ++at) {
        const auto byte = static_cast<unsigned char>(out[at]);
        if (byte == 0x1b) {
            std::smatch match;
            const std::string rest = out.substr(at, 80);
            require(std::regex_search(rest, match, kAllowed));
            const std::string sequence = match.str();
            for (const char* never : {"1000", "1002", "1003", "1004", "1006"}) {
                require(sequence.find("?") == std::string::npos || sequence.find(never) == std::string::npos);
            }
        }
        require(byte >= 0x20 || byte == 0x1b || (byte >= 0x07 && byte <= 0x0d));
        require(byte != 0x7f);
        require(byte != 0xc2 || at + 1 >= out.size() || static_cast<unsigned char>(out[at + 1]) >= 0xa0);
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    TerminalFilter whole;
    const auto out = whole.feed(bytes);
    onlyAllowed(out);
    onlyAllowed(whole.restore());
    require(carrel::isUtf8(out));
    TerminalFilter cut;
    std::string pieces;
    for (std::size_t at = 0; at < bytes.size(); at += data[0] % 5 + 1U) {
        pieces += cut.feed(bytes.substr(at, data[0] % 5 + 1U));
    }
    require(pieces == out);
    TerminalFilter second;
    require(second.feed(out) == out);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// What the server does with bytes: lines out of any pieces, then a request or an error; the cut never
// matters.
#include "app/api/line_reader.h"
#include "guest/protocol/rpc.h"

#include <cstdlib>
#include <vector>

using namespace carrel;

namespace {
constexpr std::size_t kMaxLine = 300;

std::vector<std::string> linesOf(std::string_view bytes, std::size_t piece) {
    api::LineReader reader(kMaxLine);
    std::vector<std::string> lines;
    while (!bytes.empty()) {
        auto part = bytes.substr(0, piece);
        bytes.remove_prefix(part.size());
        while (!part.empty()) {
            auto line = reader.take(part);
            if (!line) {
                lines.emplace_back("broken");
                return lines;
            }
            if (*line) {
                if ((*line)->size() > kMaxLine) {
                    std::abort();
                }
                lines.push_back(std::move(**line));
            }
        }
    }
    return lines;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto lines = linesOf(bytes, bytes.size() + 1);
    if (lines != linesOf(bytes, data[0] % 7 + 1U)) {
        std::abort();
    }
    for (const auto& line : lines) {
        auto message = parseRpc(line, JsonLimits{kMaxLine, 8});
        if (message && std::holds_alternative<RpcRequest>(*message)) {
            const auto text = toText(std::get<RpcRequest>(*message));
            if (text.find('\n') != std::string::npos || !parseRpc(text, JsonLimits{4096, 8})) {
                std::abort();
            }
        }
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Lines of the agent's programs to guestd's socket, from random bytes: what is taken for a question goes to the host in the
// agreed form, within its bounds, and names no share but one that is there; what guestd answers by itself goes nowhere.
#include "guest/guestd/ask_line.h"
#include "guest/protocol/rpc.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::guestd;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto line = askLineFrom(
        text, [](std::string_view name) { return name == "papers" ? std::optional<std::uint32_t>(4) : std::nullopt; });
    if (!line || !line->asked) {
        return 0;
    }
    if (const auto* wanted = std::get_if<net::RefusalsWanted>(&*line->asked)) {
        const auto again = net::refusalsWantedFrom(toJson(*wanted));
        require(again.has_value() && *again == *wanted);
        return 0;
    }
    const auto& question = std::get<ask::Question>(*line->asked);
    if (const auto* apply = std::get_if<ask::Apply>(&question)) {
        for (const auto& place : apply->places) {
            require(place.share == 4);
        }
    }
    const auto sent = toText(RpcRequest{1, std::string(ask::methodOf(question)), ask::paramsOf(question)});
    const auto heard = parseRpc(sent);
    require(heard.has_value());
    const auto& request = std::get<RpcRequest>(*heard);
    const auto again = ask::questionFrom(request.method, request.params);
    require(again.has_value() && *again == question);
    return 0;
}

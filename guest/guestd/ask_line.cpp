// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/ask_line.h"

#include "guest/ask/ask_places.h"
#include "guest/protocol/rpc.h"

namespace carrel::guestd {

namespace json = boost::json;

namespace {

// What is of another form stays as it is: questionFrom() refuses it.
Status nameToId(json::value& item, const ShareIds& shareIds) {
    auto* place = item.if_object();
    auto* share = place == nullptr ? nullptr : place->if_contains("share");
    if (share == nullptr) {
        return {};
    }
    const auto* name = share->if_string();
    if (name == nullptr || name->size() > kMaxNameBytes) {
        return fail(ErrorCode::Malformed, "a share is not named");
    }
    const auto id = shareIds({name->data(), name->size()});
    if (!id) {
        return fail(ErrorCode::NotFound, "no folder of that name is shared with this machine");
    }
    *share = *id;
    return {};
}

Result<Asked> askedOf(RpcRequest&& request, const ShareIds& shareIds) {
    if (request.method == net::kRefusalsMethod) {
        return net::refusalsWantedFrom(request.params);
    }
    if (request.method == ask::kPackagesMethod) {
        return request.params.empty() ? Result<Asked>(PackagesWanted()) : fail(ErrorCode::Malformed, "that question has no fields");
    }
    // What the kernel refused, and what Debian has signed, is told by guestd alone.
    if (request.method == ask::methodOf(ask::Program{}) || request.method == ask::methodOf(ask::Installed{})) {
        return fail(ErrorCode::Refused, "no program can ask that");
    }
    auto* paths = request.params.if_contains("paths");
    if (auto* list = paths == nullptr ? nullptr : paths->if_array(); list != nullptr && list->size() <= ask::kMaxPaths) {
        for (auto& item : *list) {
            CARREL_TRY(nameToId(item, shareIds));
        }
    }
    return ask::questionFrom(request.method, request.params);
}

} // namespace

std::optional<AskLine> askLineFrom(std::string_view text, const ShareIds& shareIds) {
    constexpr std::size_t kDepth = 6;
    auto message = parseRpc(text, {kMaxAskLine, kDepth});
    auto* request = message ? std::get_if<RpcRequest>(&*message) : nullptr;
    if (request == nullptr || !request->id) {
        return std::nullopt;
    }
    const std::uint64_t id = *request->id;
    return AskLine{id, askedOf(std::move(*request), shareIds)};
}

} // namespace carrel::guestd

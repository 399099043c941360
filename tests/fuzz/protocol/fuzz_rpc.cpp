// SPDX-License-Identifier: Apache-2.0
// Any text as a JSON-RPC message. What is accepted is within its bounds, and says the same when written and
// read again.
#include "guest/protocol/rpc.h"

#include <cstdlib>

using namespace carrel;

namespace {

bool sameResponse(const RpcResponse& left, const RpcResponse& right) {
    if (left.id != right.id || left.result.has_value() != right.result.has_value()) {
        return false;
    }
    if (left.result) {
        // Text, not values: 1e400 is read as a number that equals nothing.
        return boost::json::serialize(*left.result) == boost::json::serialize(*right.result);
    }
    const Error& a = left.result.error();
    const Error& b = right.result.error();
    if (a.message.size() > 2000 || a.hint.size() > 2000) {
        return false;
    }
    return a.code == b.code && a.message == b.message && a.hint == b.hint && a.sysErrno == b.sysErrno;
}

bool sameRequest(const RpcRequest& left, const RpcRequest& right) {
    return left.id == right.id && left.method == right.method && !left.method.empty() &&
           left.method.size() <= kMaxMethodBytes &&
           boost::json::serialize(left.params) == boost::json::serialize(right.params);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto first = parseRpc({reinterpret_cast<const char*>(data), size}, {.bytes = 4096});
    if (!first) {
        return 0;
    }
    const auto* request = std::get_if<RpcRequest>(&*first);
    const auto text = request != nullptr ? toText(*request) : toText(std::get<RpcResponse>(*first));
    const auto second = parseRpc(text, {.bytes = 1024 * 1024});
    if (!second || second->index() != first->index()) {
        std::abort();
    }
    const bool same = request != nullptr
                          ? sameRequest(*request, std::get<RpcRequest>(*second))
                          : sameResponse(std::get<RpcResponse>(*first), std::get<RpcResponse>(*second));
    if (!same) {
        std::abort();
    }
    return 0;
}

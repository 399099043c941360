// SPDX-License-Identifier: Apache-2.0
// Any text as a JSON-RPC message. What is accepted is within its bounds, and says the same when written and
// read again.
#include "guest/protocol/rpc.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;

namespace {

// Fractions, and whole numbers beyond 64 bits: Boost.JSON does not promise their last digit, and no message
// of ours has one (JsonFields refuses them).
bool hasFraction(const boost::json::value& value) {
    if (const auto* object = value.if_object()) {
        return std::any_of(object->begin(), object->end(),
                           [](const auto& item) { return hasFraction(item.value()); });
    }
    if (const auto* array = value.if_array()) {
        return std::any_of(array->begin(), array->end(), hasFraction);
    }
    return value.is_double();
}

bool sameValue(const boost::json::value& left, const boost::json::value& right) {
    return left == right || hasFraction(left);
}

bool sameResponse(const RpcResponse& left, const RpcResponse& right) {
    if (left.id != right.id || left.result.has_value() != right.result.has_value()) {
        return false;
    }
    if (left.result) {
        return sameValue(*left.result, *right.result);
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
           left.method.size() <= kMaxMethodBytes && sameValue(left.params, right.params);
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

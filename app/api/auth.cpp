// SPDX-License-Identifier: Apache-2.0
#include "app/api/auth.h"

#include <algorithm>

namespace carrel::api {

bool isTokenForm(std::string_view text) {
    if (text.size() != kTokenBytes || !text.starts_with(kTokenPrefix)) {
        return false;
    }
    text.remove_prefix(kTokenPrefix.size());
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<std::string> tokenFrom(const RpcRequest& request) {
    if (request.method != kAuthVerb) {
        return fail(ErrorCode::Refused, "this is the clients' socket: nothing is answered here before a token",
                    "Send auth with a token first; the owner makes one with: carrel token create");
    }
    JsonFields fields(request.params, kAuthVerb);
    auto token = fields.string("token", kMaxAuthLine);
    CARREL_TRY(fields.finish());
    return token;
}

} // namespace carrel::api

// SPDX-License-Identifier: Apache-2.0
#include "app/egress/limits.h"

#include "guest/protocol/byte_amount.h"

namespace carrel::egress {

Status check(const Limits& limits) {
    if (limits.rate != 0 && (limits.rate < kLeastRate || limits.rate > kMostLimit)) {
        return fail(ErrorCode::InvalidArgument, "that is no rate that an agent can be held to", "Use 4KiB/s to 1PiB/s, or none");
    }
    if (limits.day != 0 && (limits.day < kLeastDay || limits.day > kMostLimit)) {
        return fail(ErrorCode::InvalidArgument, "that is no volume that an agent can be held to", "Use 64KiB to 1PiB a day, or none");
    }
    return {};
}

std::string limitsText(const Limits& limits) {
    std::string out = limits.rate != 0 ? amountText(limits.rate) + " a second" : "";
    if (limits.day != 0) {
        out += (out.empty() ? "" : ", ") + amountText(limits.day) + " a day";
    }
    return out.empty() ? "none" : out;
}

} // namespace carrel::egress

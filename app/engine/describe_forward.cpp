// SPDX-License-Identifier: Apache-2.0
#include "app/engine/describe_forward.h"

namespace carrel::engine {

boost::json::object describeForward(const egress::Forward& forward) {
    boost::json::object out{{"number", forward.number},
                            {"port", forward.port},
                            {"host", forward.host},
                            {"at", forward.at},
                            {"url", forward.url()},
                            {"open", forward.open},
                            {"connections", forward.begun},
                            {"refused", forward.refused},
                            {"sent", forward.bytes.sent},
                            {"received", forward.bytes.received},
                            {"age_ms", forward.age.count()}};
    if (forward.untilMs) {
        out["until"] = activity::formatTime(*forward.untilMs * 1'000'000);
    }
    return out;
}

} // namespace carrel::engine

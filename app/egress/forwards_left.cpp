// SPDX-License-Identifier: Apache-2.0
#include "app/egress/forwards_left.h"

#include <algorithm>
#include <string>

namespace carrel::egress {

using activity::EventKind;

Result<std::vector<activity::Event>> forwardsLeftOpen(activity::ActivityLog& log) {
    std::vector<activity::Event> open;
    activity::Query query;
    query.kinds = {EventKind::ForwardOpened, EventKind::ForwardClosed};
    for (;;) {
        auto page = log.query(query);
        if (!page) {
            return fail(std::move(page).error());
        }
        if (page->empty()) {
            break;
        }
        for (auto& each : *page) {
            query.afterSeq = each.seq;
            if (each.event.kind == EventKind::ForwardOpened) {
                open.push_back(std::move(each.event));
                continue;
            }
            // Known by its name: a session's numbers begin anew with each engine.
            const auto* const name = each.event.detail.if_contains("host");
            std::erase_if(open, [&](const activity::Event& one) {
                const auto* const its = one.detail.if_contains("host");
                return name != nullptr && its != nullptr && *its == *name;
            });
        }
    }
    for (auto& one : open) {
        one.kind = EventKind::ForwardClosed;
        one.timeNs = 0; // when it is written: when it ended nobody saw
        one.detail.erase("by");
        one.detail.erase("until");
        one.detail.erase("approval");
        one.detail["why"] = "The engine ended";
    }
    return open;
}

} // namespace carrel::egress

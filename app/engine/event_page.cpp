// SPDX-License-Identifier: Apache-2.0
#include "app/engine/event_page.h"

#include "app/api/wire.h"

#include <boost/json/serialize.hpp>

namespace carrel::engine {

EventPage pageOf(const std::vector<activity::Recorded>& events, std::size_t limit) {
    EventPage page;
    std::size_t bytes = 0;
    bool more = events.size() == limit;
    for (const auto& event : events) {
        auto item = activity::toJson(event);
        bytes += boost::json::serialize(item).size();
        if (bytes > api::kPageBytes && !page.events.empty()) {
            more = true;
            break;
        }
        page.events.push_back(std::move(item));
    }
    if (more && !page.events.empty()) {
        page.next = page.events.back().at("seq");
    }
    return page;
}

} // namespace carrel::engine

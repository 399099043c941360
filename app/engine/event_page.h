// SPDX-License-Identifier: Apache-2.0
// Events as one answer of the local interface, which is bounded. Thread: pure.
#pragma once

#include "app/activity/event.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <vector>

namespace carrel::engine {

struct EventPage {
    boost::json::array events;
    boost::json::value next; // the seq of the last one; null: that was all
};

// As many as fit into api::kPageBytes, and at least one. `limit`: how many were asked for; as many as that, and there may be more.
[[nodiscard]] EventPage pageOf(const std::vector<activity::Recorded>& events, std::size_t limit);

} // namespace carrel::engine

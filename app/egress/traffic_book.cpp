// SPDX-License-Identifier: Apache-2.0
#include "app/egress/traffic_book.h"

#include <algorithm>

namespace carrel::egress {

TrafficRow& TrafficBook::rowOf(const std::string& destination, Outcome outcome, Time now) {
    // What was written more than a minute ago, and has no news, makes room.
    std::erase_if(m_rows, [&](const auto& each) { return !each.second.news && each.second.written && now - *each.second.written >= kTrafficEvery; });
    Key key{destination, outcome};
    if (m_rows.size() >= kMaxTrafficKeys && !m_rows.contains(key)) {
        key.destination.clear();
    }
    auto& kept = m_rows[key];
    kept.news = true;
    kept.row.destination = key.destination;
    kept.row.outcome = outcome;
    return kept.row;
}

void TrafficBook::began(const std::string& destination, bool unchecked, Time now) {
    auto& row = rowOf(destination, Outcome::Open, now);
    ++row.begun;
    row.unchecked = row.unchecked || unchecked;
}

void TrafficBook::ended(const std::string& destination, bool unchecked, const SocketCounts& bytes, Time now) {
    auto& row = rowOf(destination, Outcome::Open, now);
    ++row.ended;
    row.bytes.sent += bytes.sent;
    row.bytes.received += bytes.received;
    row.unchecked = row.unchecked || unchecked;
}

void TrafficBook::failed(const std::string& destination, Outcome outcome, std::string why, Time now) {
    auto& row = rowOf(destination, outcome, now);
    ++row.begun;
    row.why = std::move(why);
}

std::vector<TrafficRow> TrafficBook::take(Time now, Which which) {
    std::vector<TrafficRow> out;
    for (auto& [key, kept] : m_rows) {
        if (kept.news && (which == Which::All || !kept.written || now - *kept.written >= kTrafficEvery)) {
            out.push_back(std::exchange(kept.row, {}));
            kept.written = now;
            kept.news = false;
        }
    }
    return out;
}

bool TrafficBook::holdsAny() const {
    return std::any_of(m_rows.begin(), m_rows.end(), [](const auto& each) { return each.second.news; });
}

} // namespace carrel::egress

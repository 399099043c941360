// SPDX-License-Identifier: Apache-2.0
// What is written down of an agent's connections: not a row for each, since a machine can open thousands in a second, but one for
// each destination and outcome, at once the first time and once a minute from then on while there is news. A machine that tries
// one destination after the other fills kMaxKeys rows a minute; the rest is counted in one row for all of them.
//
// Owner: an Egress. Thread: the caller serialises.
#pragma once

#include "app/egress/outcome.h"
#include "app/egress/socket_counts.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace carrel::egress {

inline constexpr std::size_t kMaxTrafficKeys = 60; // destinations and outcomes in a minute
inline constexpr std::chrono::minutes kTrafficEvery{1};

struct TrafficRow { // since the last one of its destination and outcome
    std::string destination; // empty: all those that have no row of their own
    Outcome outcome = Outcome::Open;
    std::uint64_t begun = 0; // connections, or tries
    std::uint64_t ended = 0; // of those that were open, also from before
    SocketCounts bytes;      // of those that ended
    bool unchecked = false;  // through a proxy: nobody saw which address it was
    std::string why;         // of the last one that did not come about
};

class TrafficBook {
public:
    using Time = std::chrono::steady_clock::time_point;
    void began(const std::string& destination, bool unchecked, Time now);
    void ended(const std::string& destination, bool unchecked, const SocketCounts& bytes, Time now);
    void failed(const std::string& destination, Outcome outcome, std::string why, Time now);
    // What is to be written now; All: whatever there is, as nobody comes for the rest.
    enum class Which { Due, All };
    [[nodiscard]] std::vector<TrafficRow> take(Time now, Which which = Which::Due);
    [[nodiscard]] bool holdsAny() const;

private:
    struct Key {
        std::string destination;
        Outcome outcome;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Kept {
        TrafficRow row;
        std::optional<Time> written;
        bool news = false;
    };
    TrafficRow& rowOf(const std::string& destination, Outcome outcome, Time now);
    std::map<Key, Kept> m_rows;
};

} // namespace carrel::egress

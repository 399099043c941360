// SPDX-License-Identifier: Apache-2.0
// The staged work's log, written a second time by hand as upper_store.h describes it, and what must be true
// of everything that is read from one.
#pragma once

#include "guest/worktree/upper_store.h"

#include <boost/crc.hpp>

#include <set>
#include <string_view>

namespace carrel::worktree {

inline Bytes emptyLog() {
    return toBytes("CARREL-UPPER-2\n");
}
inline void appendRecord(Bytes& log, std::string_view payload) {
    boost::crc_32_type sum;
    sum.process_bytes(payload.data(), payload.size());
    appendLe(log, static_cast<std::uint32_t>(payload.size()));
    appendLe(log, static_cast<std::uint32_t>(sum.checksum()));
    const auto bytes = asBytes(payload);
    log.insert(log.end(), bytes.begin(), bytes.end());
}

// Every entry hangs on the root, no two have one name in one place, and all numbers leave room for the next.
inline bool sound(const Replayed& state) {
    std::set<std::pair<std::uint64_t, std::string_view>> names;
    for (const auto& [id, entry] : state.entries) {
        if (id != entry.id || id <= kRootEntry || id > kMaxEntryId || entry.object > kMaxEntryId ||
            entry.originPlace > kMaxEntryId || !isValidName(entry.name) ||
            !names.emplace(entry.parent, entry.name).second) {
            return false;
        }
        std::size_t steps = 0;
        for (auto at = entry.parent; at != kRootEntry; ++steps) {
            const auto parent = state.entries.find(at);
            if (parent == state.entries.end() || steps > state.entries.size()) {
                return false;
            }
            at = parent->second.parent;
        }
    }
    return state.epoch <= kMaxEpoch;
}

} // namespace carrel::worktree

// SPDX-License-Identifier: Apache-2.0
// What of each apply and undo stands today. An undo takes back operations, not applies: where some of them conflict the
// rest of the apply stands, and another undo can take that back later. An undo that was itself taken back, wholly or in
// part, took back so much less. Internal to app/files. Thread: value.
#pragma once

#include "app/files/journal.h"

#include <map>
#include <set>
#include <span>
#include <string>

namespace carrel::files {

class Standing {
public:
    // All journals, oldest first.
    explicit Standing(std::span<const Journal> journals);

    // The operations that were done and not taken back since.
    [[nodiscard]] const std::set<OpIndex>& operations(const std::string& id) const;
    // The id of the undo that took back the last of it; empty: something stands, or nobody tried.
    [[nodiscard]] std::string takenBackBy(const std::string& id) const;
    [[nodiscard]] bool isPartlyTakenBack(const std::string& id) const;
    // An undo of it began and is not finished.
    [[nodiscard]] bool isBeingTakenBack(const std::string& id) const;

private:
    struct Entry {
        std::set<OpIndex> operations;
        std::string undo; // the newest one that stands
        bool partly = false;
        bool unfinished = false;
    };
    std::map<std::string, Entry> m_entries;
};

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
// Freezing: from what a guest claims to have changed to a FrozenSet. Believes nothing of the claim: every
// path is resolved again beneath the share, every byte copied and hashed by the host, every base looked at
// and hashed as it is.
//
// Thread: blocking, one freeze at a time per agent. Errors: LimitExceeded (too many entries, or too long names), Malformed (a
// path reported twice), Io. What goes wrong with one entry leaves that entry out, by name and reason.
#pragma once

#include "app/files/content_store.h"
#include "app/files/frozen_set.h"

#include <functional>
#include <span>

namespace carrel::files {

// Where new content comes from; the engine implements it over the clerk.
class ContentSource {
public:
    virtual ~ContentSource() = default;
    // Writes the content of exactly that generation of that entry to `into` (a fresh, empty file), at most
    // `maxBytes`, and returns when the last byte is written. Conflict: the entry has another generation by
    // now.
    [[nodiscard]] virtual Status fetch(const ChangeEntry& entry, int into, std::uint64_t maxBytes) = 0;
};

// Called between entries with what is done; returning false cancels (error Cancelled, nothing stored but
// unreferenced content, which the next collect() removes).
using Progress = std::function<bool(std::size_t done, std::size_t total, const SharePath& path)>;

// `root` is a descriptor of the share's root folder, borrowed.
[[nodiscard]] Result<FrozenSet> freeze(int root, const std::string& share,
                                       std::span<const ChangeEntry> claims, ContentSource& source,
                                       ContentStore& store, const FreezeLimits& limits = {},
                                       const Progress& progress = {});

} // namespace carrel::files

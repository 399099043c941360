// SPDX-License-Identifier: Apache-2.0
// A look through a folder when the user chooses it: what of it will not be as one may expect. Bounded, so that it is no long
// one in a large folder, nor on a slow drive; what it misses is found when it is read. Reads names only. Thread: blocking.
#pragma once

#include "app/clerk/drives.h"
#include "app/clerk/placeholders.h"

#include <boost/json.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

namespace carrel::agents {

struct FolderLook {
    std::map<clerk::Placeholder, std::uint64_t> placeholders; // how many
    bool inPart = false;                                      // there was more than it looked at
    bool unreported = false; // the drive does not report changes: the agent looks again every second
};

struct FolderLookLimits {
    std::size_t names = 20'000;
    std::chrono::milliseconds patience{1000};
    std::function<clerk::Reports(int folder)> reports = clerk::reportsOfFolder; // unless a test has another drive
};

// `folder`: O_DIRECTORY, borrowed. Follows no link, and enters nothing that is mounted in it.
[[nodiscard]] FolderLook lookThrough(int folder, const FolderLookLimits& limits = {});

// Into a share's description (common.json, share): what there is to tell.
void tell(const FolderLook& look, boost::json::object& share);

} // namespace carrel::agents

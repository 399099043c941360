// SPDX-License-Identifier: Apache-2.0
// From a path as a program names it to a shared folder and a path within. Thread: looks at the file system.
#pragma once

#include "guest/protocol/share_path.h"

#include <string>
#include <vector>

namespace carrel::ask {

struct NamedPlace {
    std::string share; // its name: the folder in the workspace
    SharePath path;    // the root: all of it
    friend bool operator==(const NamedPlace&, const NamedPlace&) = default;
};

// Links on the way are followed, the last name is not: it may be a link that was made, or something that is gone. None where
// one of them is the workspace itself: then everything is meant. InvalidArgument: one is in no shared folder.
[[nodiscard]] Result<std::vector<NamedPlace>> placesOf(const std::vector<std::string>& paths, const std::string& workingFolder,
                                                       const std::string& workspace);

} // namespace carrel::ask

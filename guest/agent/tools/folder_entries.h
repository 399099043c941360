// SPDX-License-Identifier: Apache-2.0
// What is in a folder. Thread: pure functions of the disk. See readdir(3), fstatat(2).
#pragma once

#include "guest/agent/tools/plain_file.h"

#include <stop_token>
#include <vector>

namespace carrel::agent {

// Never waits, whatever is there. NotFound; InvalidArgument: it is no folder. Io.
[[nodiscard]] Result<UniqueFd> openFolder(int at, const std::string& path, FinalLink link);

struct FolderEntry {
    std::string name; // whatever bytes but '/' and NUL
    struct stat about {}; // of a link: its own
};
struct FolderEntries {
    std::vector<FolderEntry> entries; // by their names, byte by byte
    bool isWhole = true;              // false: there were more than `most`, and which of them are here is the file system's choice
};
// `folder` stands at its beginning. Cancelled, Io. What is gone again before it is looked at is passed over.
[[nodiscard]] Result<FolderEntries> readFolder(UniqueFd folder, std::size_t most, const std::stop_token& stop);

} // namespace carrel::agent

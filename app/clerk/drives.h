// SPDX-License-Identifier: Apache-2.0
// Whether this computer's kernel hears of every change on a drive. Of one that other computers or programs write to behind
// its back (network drives, FUSE) it does not: inotify(7), statfs(2). Thread: any; no state.
#pragma once

#include <cstdint>

namespace carrel::clerk {

enum class Reports { Changes, OnlyItsOwn, Unknown };

[[nodiscard]] Reports reportsOf(std::uint64_t fileSystem); // statfs(2), f_type
[[nodiscard]] Reports reportsOfFolder(int folderFd);       // O_PATH is enough; Unknown: it cannot be asked

} // namespace carrel::clerk

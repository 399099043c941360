// SPDX-License-Identifier: Apache-2.0
// Files that a user gives an agent with a task: copied into a folder of the agent's own, one below it for each task, which its machine has as
// a share that is only read. Thread: any; blocks for the disk.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>
#include <string_view>
#include <vector>

namespace carrel::agents {

inline constexpr std::string_view kAttachments = "attachments";
inline constexpr std::uint64_t kMaxAttached = 2ULL * 1024 * 1024 * 1024; // bytes, of one saying

// Their copies' paths below `folder`, which is made where it is not there, but not what it is in. All of them, or none. Refused: the
// file's own name, or that of a folder which it is in, is one of those that no share shows; both as it was named and where it truly is.
[[nodiscard]] Result<std::vector<std::filesystem::path>> copyAttachments(const std::filesystem::path& folder, std::uint64_t task,
                                                                         const std::vector<std::filesystem::path>& files);

} // namespace carrel::agents

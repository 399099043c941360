// SPDX-License-Identifier: Apache-2.0
// Small files that must be whole: written beside, flushed, renamed over, the folder flushed (rename(2), fsync(2)).
// Thread: any; blocks for the disk.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace carrel::files {

// 0600. On an error the old content stands.
[[nodiscard]] Status replaceDurably(const std::filesystem::path& file, std::string_view content);
[[nodiscard]] Result<std::string> readWhole(const std::filesystem::path& file, std::size_t maxBytes);

} // namespace carrel::files

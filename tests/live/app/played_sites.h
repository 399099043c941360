// SPDX-License-Identifier: Apache-2.0
// Sites for a PlayedProxy: files of a folder, and repositories of git (git-http-backend(1)). Thread: any.
#pragma once

#include "tests/live/app/played_proxy.h"

#include <filesystem>

namespace carrel::live {

[[nodiscard]] PlayedSite filesOf(std::filesystem::path folder); // "/a/" is its index.html
// Clone, fetch and push, of any who asks.
[[nodiscard]] PlayedSite repositoriesOf(std::filesystem::path folder);

} // namespace carrel::live

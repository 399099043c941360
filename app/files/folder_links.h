// SPDX-License-Identifier: Apache-2.0
// I4 for what moves along with a folder: a link that stays inside the share where it is may lead out of it from a place
// higher up. Internal to app/files. Thread: blocking, no shared state.
#pragma once

#include "app/files/tree.h"

#include <optional>

namespace carrel::files {

// Looks at so many entries of a folder at most; a larger one is not moved to a place higher up.
inline constexpr std::size_t kMaxMovedEntries = 1'000'000;

// Why the folder `from` cannot stand at `to`: a link in it would lead out of the share. Empty: it can. Links that lead out
// today are the user's own and no worse afterwards.
[[nodiscard]] Result<std::string> whyLinksForbid(int root, const SharePath& from, const SharePath& to);

} // namespace carrel::files

// SPDX-License-Identifier: Apache-2.0
// I4 for what moves along with a folder: a link that stays inside the share where it is may lead out of it from a place
// higher up. Internal to app/files. Thread: blocking, no shared state.
#pragma once

#include "app/files/tree.h"

#include <optional>

namespace carrel::files {

// Why the folder `from` cannot stand at `to`: a link in it would lead out of the share. Empty: it can. Links that lead out
// today are the user's own and no worse afterwards. `budget`: how many entries may still be looked at, counted down. One
// for a whole freeze or apply, for a report may name a hundred thousand folders; past it a folder is not moved up.
[[nodiscard]] Result<std::string> whyLinksForbid(int root, const SharePath& from, const SharePath& to, std::size_t& budget);

} // namespace carrel::files

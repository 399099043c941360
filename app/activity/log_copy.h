// SPDX-License-Identifier: Apache-2.0
// A log's copy, to be given away or kept elsewhere: whole, of one moment, also while the engine writes. (What cp copies meanwhile lacks
// what is still in the journal, and may be torn: it would look as if somebody had cut its end off.)
// Thread: any; blocks for the disk.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>

namespace carrel::activity {

// `to` is made, for its owner alone. Conflict: it is there already. NotFound, Malformed: `from` is not there, or is damaged so that it
// cannot be read. After a failure there is no copy.
[[nodiscard]] Status copyLog(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace carrel::activity

// SPDX-License-Identifier: Apache-2.0
// Flushing many files costs little more than flushing one: what fsync(2) waits for is mostly the file system's own log, and
// one turn of it serves all files whose blocks are allocated by then. So writing starts for all of them first
// (sync_file_range(2), where there is one), and only then is each waited for. Only files of ours are flushed, never a whole
// disk (syncfs(2)), which would wait for what other programs write. Internal to app/files. Thread: blocking, no state.
#pragma once

#include <span>

namespace carrel::files {

// 0, or the errno of the first that could not be flushed: then nothing is known of any.
[[nodiscard]] int flushTogether(std::span<const int> files);

} // namespace carrel::files

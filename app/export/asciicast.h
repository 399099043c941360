// SPDX-License-Identifier: Apache-2.0
// One recording as an asciicast, for whatever plays those: version 3 (docs.asciinema.org/manual/asciicast/v3), whose events tell the
// time since the one before, or version 2 (…/v2), whose events tell the time since the beginning. Both are lines of JSON.
// Thread: pure functions.
#pragma once

#include "app/activity/log_reader.h"
#include "app/export/sink.h"

namespace carrel::exporting {

enum class CastVersion { Two, Three };

struct CastWritten {
    std::uint64_t recording = 0;
    std::uint64_t events = 0;
};

// `recording` 0: the newest. NotFound: there is none, or nothing is in it. Malformed, Conflict: a piece cannot be read, or was changed.
[[nodiscard]] Result<CastWritten> writeAsciicast(activity::LogReader& log, std::uint64_t recording, CastVersion version, const Sink& sink);

// Also of other exports: the one that is meant.
[[nodiscard]] Result<activity::RecordingRow> findRecording(activity::LogReader& log, std::uint64_t recording);

} // namespace carrel::exporting

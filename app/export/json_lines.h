// SPDX-License-Identifier: Apache-2.0
// A log as JSON Lines (jsonlines.org): one object a line for each event, with what its hash is of, so that a stranger checks the chain
// with whatever computes SHA-256. In each line:
//   seq            its number: 1, 2, 3 …
//   time           RFC 3339, for people; time_ns: nanoseconds since 1970 UTC, as a string of digits, exactly
//   kind, provenance ("host": seen by the host itself; "guest": reported by the machine, a claim), subject
//   detail         an object, for programs; detail_text: the same as it is stored, byte for byte
//   previous, hash lower-case hex; previous is the hash of the line before, and 64 zeros for event 1
//   signed_head    where it was signed when it was the newest event: the line that "carrel log head" prints
//   as_written     false, and only then there, where the event is not the one that its hash or signature tells of
// hash = SHA-256 over "carrel-event-1", a zero byte, previous (32 bytes), seq, time_ns (8 bytes each, little-endian), and of kind,
// provenance, subject and detail_text each its length in bytes (8 bytes, little-endian) and its bytes in UTF-8.
// Thread: pure functions.
#pragma once

#include "app/activity/log_reader.h"
#include "app/export/sink.h"

namespace carrel::exporting {

struct EventsWritten {
    std::uint64_t events = 0;
    std::uint64_t firstWrong = 0; // the first one that is not as it was written; 0: all are
};

[[nodiscard]] std::string jsonLine(const activity::StoredEvent& event); // with its line end
[[nodiscard]] Result<EventsWritten> writeJsonLines(activity::LogReader& log, const Sink& sink);

} // namespace carrel::exporting

// SPDX-License-Identifier: Apache-2.0
// A session as one page of HTML that is complete in itself: the timeline, and the recordings of terminals to be played. It loads
// nothing and reaches nothing: its own Content-Security-Policy (w3.org/TR/CSP3) forbids all but its one script and its one style, each
// named by its SHA-256. What comes from a machine is data in it, made fit for a person's eyes (DisplayText) and never markup or
// script; who reported an event stands beside each (invariant I9). Needs a browser of 2021 or later.
// Thread: pure functions.
#pragma once

#include "app/activity/log_reader.h"
#include "app/export/json_lines.h"
#include "app/export/sink.h"

#include <optional>

namespace carrel::exporting {

inline constexpr std::uint64_t kMostPageEvents = 20'000;              // the newest; how many are left out, it tells
inline constexpr std::uint64_t kMostPageBytes = 512ULL * 1024 * 1024; // more, no browser opens

struct PageSubject {
    std::string agent;                      // its name
    std::optional<std::uint64_t> recording; // only this one
    std::int64_t madeNs = 0;                // now
    std::uint64_t mostBytes = kMostPageBytes;
};

struct PageWritten {
    EventsWritten events;
    std::uint64_t recordings = 0; // those with something in them
};

// NotFound: there is no such recording. LimitExceeded: the page would be too large. Malformed, Conflict: a piece of a recording cannot
// be read, or was changed.
[[nodiscard]] Result<PageWritten> writePage(activity::LogReader& log, const PageSubject& subject, const Sink& sink);

} // namespace carrel::exporting

// SPDX-License-Identifier: Apache-2.0
// verifyLog() on a log that is open already. Private to app/activity. Thread: that of the database.
#pragma once

#include "app/activity/database.h"
#include "app/activity/verifier.h"

namespace carrel::activity {

// `expected`: an event as it was seen once, signed or not.
[[nodiscard]] Result<Verdict> verifyDatabase(Database& database, const Trust& trust, const std::optional<Head>& expected = {},
                                             const std::function<void(std::uint64_t events)>& told = {});

} // namespace carrel::activity

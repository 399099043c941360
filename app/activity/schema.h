// SPDX-License-Identifier: Apache-2.0
// The tables of an activity log's file, and how a file of an earlier version becomes one of today's. Private to app/activity and to
// who reads recordings (app/recording), which are in the same file.
//
// Version 1 had events only. Version 2 adds signed heads, the cut, the words to search and recordings; no event is touched, so what
// was handed out of an older log still holds.
//
// Thread: that of the database.
#pragma once

#include "app/activity/database.h"

#include <array>
#include <cstdint>

namespace carrel::activity {

inline constexpr std::int64_t kApplicationId = 0x4361724c; // "CarL", so that file(1) and we can tell it
inline constexpr std::int64_t kSchemaVersion = 2;

using LogId = std::array<std::uint8_t, 16>; // random, made with the file: a signature of one log says nothing of another

// Makes the tables of an empty file, brings an older one up to date (all of it or nothing), leaves one of today as it is.
// Malformed: another program's file, or a damaged one. Unsupported: of a later version of Carrel.
[[nodiscard]] Status prepareSchema(Database& database);

// For who only reads: as above, but a file of an older version is as good, and nothing is written. The version is the answer.
[[nodiscard]] Result<std::int64_t> checkSchema(Database& database);

// Conflict: a table of ours is not the one that we make, so that reading it could mean anything.
[[nodiscard]] Status checkTables(Database& database);

} // namespace carrel::activity

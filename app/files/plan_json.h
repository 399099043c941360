// SPDX-License-Identifier: Apache-2.0
// A plan as plan.json holds it, schema 1. Internal to app/files. Thread: pure functions.
#pragma once

#include "app/files/journal.h"
#include "guest/protocol/strict_json.h"

#include <optional>
#include <string>
#include <string_view>

namespace carrel::files {

[[nodiscard]] std::string planText(const Plan& plan);
[[nodiscard]] Result<Plan> planFrom(std::string_view text);

// A time that may be missing.
void putTime(boost::json::object& out, std::string_view key, std::optional<std::int64_t> time);
[[nodiscard]] std::optional<std::int64_t> takeTime(JsonFields& fields, const boost::json::object& object,
                                                   std::string_view key);

} // namespace carrel::files

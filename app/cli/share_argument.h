// SPDX-License-Identifier: Apache-2.0
// DIR[:read-only|review] of the command line. Thread: pure function.
#pragma once

#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <string>

namespace carrel::cli {

// {dir | dir_b64, mode}. A colon that is followed by neither mode belongs to the folder's name.
[[nodiscard]] Result<boost::json::object> shareFrom(const std::string& argument);

} // namespace carrel::cli

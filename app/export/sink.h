// SPDX-License-Identifier: Apache-2.0
// Where an export goes, piece by piece: nothing of it is ever whole in memory. An error ends the export. Thread: the caller's.
#pragma once

#include "guest/protocol/result.h"

#include <functional>
#include <string_view>

namespace carrel::exporting {

using Sink = std::function<Status(std::string_view)>;

} // namespace carrel::exporting

// SPDX-License-Identifier: Apache-2.0
// NodeState in JSON, for frozen sets and journals: fields in a fixed order, what has its default is left out.
// Internal to app/files. Thread: pure functions.
#pragma once

#include "app/files/frozen_set.h"

#include <boost/json/object.hpp>

namespace carrel::files {

[[nodiscard]] boost::json::object nodeToJson(const NodeState& state);
[[nodiscard]] Result<NodeState> nodeFrom(const boost::json::object& object);

inline constexpr std::size_t kMaxAttributes = 1000; // of one file, and their bytes; a line holds them
inline constexpr std::size_t kMaxAttributeBytes = std::size_t{8} << 20U;
// What has more attributes can be told in no line of a journal, and so not be put back.
[[nodiscard]] bool fitsJournal(const NodeState& state);

} // namespace carrel::files

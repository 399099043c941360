// SPDX-License-Identifier: Apache-2.0
// NodeState in JSON, for frozen sets and journals: fields in a fixed order, what has its default is left out.
// Internal to app/files. Thread: pure functions.
#pragma once

#include "app/files/frozen_set.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/object.hpp>

#include <map>
#include <string>
#include <string_view>

namespace carrel::files {

[[nodiscard]] boost::json::object nodeToJson(const NodeState& state);
[[nodiscard]] Result<NodeState> nodeFrom(const boost::json::object& object);

// Extended attributes; none: no field.
void putAttributes(boost::json::object& out, std::string_view key, const std::map<std::string, std::string>& attributes);
[[nodiscard]] std::map<std::string, std::string> takeAttributes(JsonFields& fields, std::string_view key);

inline constexpr std::size_t kMaxAttributes = 1000; // of one file, and their bytes; a line holds them
inline constexpr std::size_t kMaxAttributeBytes = std::size_t{8} << 20U;
// What has more attributes can be told in no line of a journal, and so not be put back.
[[nodiscard]] bool fitsJournal(const std::map<std::string, std::string>& attributes);

} // namespace carrel::files

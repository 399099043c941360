// SPDX-License-Identifier: Apache-2.0
// Reading the engine's answers. It is trusted to speak the schema's form only as far as reading goes: what is missing, or is of
// another kind, reads as empty, so that a window of another version shows less and never fails. Texts come as they are: through
// DisplayText before a person sees them. Thread: pure functions.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::api {

[[nodiscard]] std::string textAt(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::uint64_t numberAt(const boost::json::object& object, std::string_view key);
[[nodiscard]] bool flagAt(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::array& listAt(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::object& objectAt(const boost::json::object& object, std::string_view key);
// "key" or the decoded "key_b64".
[[nodiscard]] std::string pathAt(const boost::json::object& object, std::string_view key);

} // namespace carrel::api

// SPDX-License-Identifier: Apache-2.0
// What the checks of both APIs' requests are made of. Thread: pure functions.
#pragma once

#include "tests/support/model_server/exchange.h"

#include <set>
#include <string_view>

namespace carrel::test::model {

// The kinds of a field's value, in the words of the APIs.
enum class Kind { Text, Whole, Number, Boolean, Object, Array, TextOrArray, TextsOrText };

[[nodiscard]] inline bool isOf(Kind kind, const boost::json::value& value) {
    switch (kind) {
    case Kind::Text: return value.is_string();
    case Kind::Whole: return value.is_int64() || value.is_uint64();
    case Kind::Number: return value.is_number();
    case Kind::Boolean: return value.is_bool();
    case Kind::Object: return value.is_object();
    case Kind::Array: return value.is_array();
    case Kind::TextOrArray:
    case Kind::TextsOrText: return value.is_string() || value.is_array();
    }
    return false;
}

[[nodiscard]] inline std::string textAt(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// A name that both APIs take for a tool: letters, digits, '_' and '-'.
[[nodiscard]] inline bool isToolName(std::string_view name, std::size_t most) {
    return !name.empty() && name.size() <= most &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string_view::npos;
}

[[nodiscard]] inline bool isJsonType(const std::string& contentType) {
    const auto type = contentType.substr(0, contentType.find(';'));
    return type == "application/json";
}

// One after the other, with ", " between.
[[nodiscard]] inline std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

} // namespace carrel::test::model

// SPDX-License-Identifier: Apache-2.0
#include "app/api/answers.h"

#include "guest/protocol/share_path.h"

namespace carrel::api {

namespace json = boost::json;

namespace {
const json::value* find(const json::object& object, std::string_view key) {
    return object.if_contains({key.data(), key.size()});
}
} // namespace

std::string textAt(const json::object& object, std::string_view key) {
    const auto* value = find(object, key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t numberAt(const json::object& object, std::string_view key) {
    const auto* value = find(object, key);
    if (value == nullptr) {
        return 0;
    }
    if (value->is_uint64()) {
        return value->get_uint64();
    }
    return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

bool flagAt(const json::object& object, std::string_view key) {
    const auto* value = find(object, key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

const json::array& listAt(const json::object& object, std::string_view key) {
    static const json::array empty;
    const auto* value = find(object, key);
    return value != nullptr && value->is_array() ? value->get_array() : empty;
}

const json::object& objectAt(const json::object& object, std::string_view key) {
    static const json::object empty;
    const auto* value = find(object, key);
    return value != nullptr && value->is_object() ? value->get_object() : empty;
}

std::string pathAt(const json::object& object, std::string_view key) {
    if (const auto encoded = textAt(object, std::string(key) + "_b64"); !encoded.empty()) {
        return fromBase64(encoded).value_or(encoded);
    }
    return textAt(object, key);
}

} // namespace carrel::api

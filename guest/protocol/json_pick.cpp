// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/json_pick.h"

namespace carrel {

namespace json = boost::json;

const json::value* JsonPick::any(std::string_view key, Wanted wanted) {
    if (m_problem) {
        return nullptr;
    }
    const auto* value = m_object.if_contains({key.data(), key.size()});
    if (value != nullptr && value->is_null()) {
        value = nullptr;
    }
    if (value == nullptr && wanted == Wanted::Always) {
        problem(key, "is missing");
    }
    return value;
}

std::optional<std::string_view> JsonPick::text(std::string_view key, Wanted wanted) {
    const auto* value = any(key, wanted);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (const auto* string = value->if_string()) {
        return std::string_view(string->data(), string->size());
    }
    problem(key, "is not a string");
    return std::nullopt;
}

std::optional<std::uint64_t> JsonPick::number(std::string_view key, Wanted wanted) {
    const auto* value = any(key, wanted);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->is_uint64()) {
        return value->get_uint64();
    }
    if (value->is_int64() && value->get_int64() >= 0) {
        return static_cast<std::uint64_t>(value->get_int64());
    }
    problem(key, "is not a whole number of zero or more");
    return std::nullopt;
}

const json::object* JsonPick::object(std::string_view key, Wanted wanted) {
    const auto* value = any(key, wanted);
    if (value != nullptr && !value->is_object()) {
        problem(key, "is not an object");
        return nullptr;
    }
    return value == nullptr ? nullptr : &value->get_object();
}

const json::array* JsonPick::array(std::string_view key, Wanted wanted) {
    const auto* value = any(key, wanted);
    if (value != nullptr && !value->is_array()) {
        problem(key, "is not a list");
        return nullptr;
    }
    return value == nullptr ? nullptr : &value->get_array();
}

void JsonPick::problem(std::string_view key, std::string_view why) {
    if (!m_problem) {
        m_problem = m_what + ": \"" + std::string(key) + "\" " + std::string(why);
    }
}

Status JsonPick::finish() const {
    if (m_problem) {
        return fail(ErrorCode::Malformed, *m_problem);
    }
    return {};
}

} // namespace carrel

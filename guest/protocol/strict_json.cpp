// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <cmath>

namespace carrel {

namespace json = boost::json;

namespace {

// Boost.JSON keeps the last of several equal keys without a word; two parsers that disagree about which one
// counts are an old attack, so equal keys are refused. A SAX pass over the same text is the cheap way to see
// them: object sizes are compared with the number of keys that the text held.
std::size_t countMembers(const json::value& value) {
    std::size_t count = 0;
    if (const auto* object = value.if_object()) {
        count += object->size();
        for (const auto& member : *object) {
            count += countMembers(member.value());
        }
    } else if (const auto* array = value.if_array()) {
        for (const auto& item : *array) {
            count += countMembers(item);
        }
    }
    return count;
}

// 1e999 is grammatical, is read as infinity, and could not be written again.
bool isFinite(const json::value& value) {
    if (const auto* object = value.if_object()) {
        return std::all_of(object->begin(), object->end(),
                           [](const auto& item) { return isFinite(item.value()); });
    }
    if (const auto* array = value.if_array()) {
        return std::all_of(array->begin(), array->end(), isFinite);
    }
    return !value.is_double() || std::isfinite(value.get_double());
}

// Colons outside strings: exactly one per member in valid JSON.
std::size_t countColons(std::string_view text) {
    std::size_t colons = 0;
    bool inString = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inString) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                inString = false;
            }
        } else if (c == '"') {
            inString = true;
        } else if (c == ':') {
            ++colons;
        }
    }
    return colons;
}

const json::array& emptyArray() {
    static const json::array empty;
    return empty;
}
const json::object& emptyObject() {
    static const json::object empty;
    return empty;
}

} // namespace

Result<json::value> parseJson(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes) {
        return fail(ErrorCode::LimitExceeded, "the message is " + std::to_string(text.size()) +
                                                  " bytes long, more than the limit of " +
                                                  std::to_string(limits.bytes));
    }
    json::parse_options options;
    options.max_depth = limits.depth;
    json::error_code ec;
    json::value value = json::parse({text.data(), text.size()}, ec, {}, options);
    if (ec) {
        return fail(ErrorCode::Malformed, "not valid JSON: " + ec.message());
    }
    if (countMembers(value) != countColons(text)) {
        return fail(ErrorCode::Malformed, "not valid JSON: an object has the same key twice");
    }
    if (!isFinite(value)) {
        return fail(ErrorCode::Malformed, "not valid JSON: a number is too large");
    }
    return value;
}

Result<json::object> parseJsonObject(std::string_view text, JsonLimits limits) {
    auto value = parseJson(text, limits);
    if (!value) {
        return fail(std::move(value).error());
    }
    if (!value->is_object()) {
        return fail(ErrorCode::Malformed, "not a JSON object");
    }
    return std::move(value->as_object());
}

JsonFields::JsonFields(const json::object& object, std::string_view what)
    : m_object(object)
    , m_what(what) {}

const json::value* JsonFields::find(std::string_view key, bool required) {
    m_known.emplace(key);
    const auto* value = m_object.if_contains({key.data(), key.size()});
    if (value != nullptr && value->is_null() && !required) {
        return nullptr;
    }
    if (value == nullptr && required) {
        problem(key, "is missing");
    }
    return value;
}

void JsonFields::allow(std::string_view key) {
    m_known.emplace(key);
}

void JsonFields::problem(std::string_view key, std::string_view why) {
    if (!m_problem) {
        m_problem = m_what + ": \"" + std::string(key) + "\" " + std::string(why);
    }
}

std::string JsonFields::string(std::string_view key, std::size_t maxBytes) {
    if (const auto* value = find(key, true)) {
        if (const auto* text = value->if_string()) {
            if (text->size() <= maxBytes) {
                return {text->data(), text->size()};
            }
            problem(key, "is too long");
        } else {
            problem(key, "is not a string");
        }
    }
    return {};
}

std::optional<std::string> JsonFields::optionalString(std::string_view key, std::size_t maxBytes) {
    if (find(key, false) == nullptr) {
        return std::nullopt;
    }
    return string(key, maxBytes);
}

std::uint64_t JsonFields::number(std::string_view key, std::uint64_t max) {
    if (const auto* value = find(key, true)) {
        std::uint64_t result = 0;
        if (value->is_uint64()) {
            result = value->get_uint64();
        } else if (value->is_int64() && value->get_int64() >= 0) {
            result = static_cast<std::uint64_t>(value->get_int64());
        } else {
            problem(key, "is not a whole number of zero or more");
            return 0;
        }
        if (result <= max) {
            return result;
        }
        problem(key, "is too large");
    }
    return 0;
}

std::optional<std::uint64_t> JsonFields::optionalNumber(std::string_view key, std::uint64_t max) {
    if (find(key, false) == nullptr) {
        return std::nullopt;
    }
    return number(key, max);
}

std::int64_t JsonFields::signedNumber(std::string_view key) {
    if (const auto* value = find(key, true)) {
        if (value->is_int64()) {
            return value->get_int64();
        }
        problem(key, "is not a whole number");
    }
    return 0;
}

bool JsonFields::boolean(std::string_view key) {
    if (const auto* value = find(key, true)) {
        if (value->is_bool()) {
            return value->get_bool();
        }
        problem(key, "is not true or false");
    }
    return false;
}

bool JsonFields::optionalBoolean(std::string_view key, bool fallback) {
    return find(key, false) == nullptr ? fallback : boolean(key);
}

const json::array& JsonFields::array(std::string_view key, std::size_t maxItems) {
    if (const auto* value = find(key, true)) {
        if (const auto* items = value->if_array()) {
            if (items->size() <= maxItems) {
                return *items;
            }
            problem(key, "has too many items");
        } else {
            problem(key, "is not a list");
        }
    }
    return emptyArray();
}

const json::array& JsonFields::optionalArray(std::string_view key, std::size_t maxItems) {
    return find(key, false) == nullptr ? emptyArray() : array(key, maxItems);
}

const json::object& JsonFields::object(std::string_view key) {
    if (const auto* value = find(key, true)) {
        if (const auto* inner = value->if_object()) {
            return *inner;
        }
        problem(key, "is not an object");
    }
    return emptyObject();
}

const json::object* JsonFields::optionalObject(std::string_view key) {
    return find(key, false) == nullptr ? nullptr : &object(key);
}

std::vector<std::string> JsonFields::strings(std::string_view key, std::size_t maxItems,
                                             std::size_t maxBytes) {
    std::vector<std::string> out;
    for (const auto& item : array(key, maxItems)) {
        const auto* text = item.if_string();
        if (text == nullptr || text->size() > maxBytes) {
            problem(key, "holds something that is not a short string");
            return {};
        }
        out.emplace_back(text->data(), text->size());
    }
    return out;
}

Status JsonFields::finish() const {
    if (m_problem) {
        return fail(ErrorCode::Malformed, *m_problem);
    }
    for (const auto& member : m_object) {
        const std::string_view key{member.key().data(), member.key().size()};
        if (m_known.find(key) == m_known.end()) {
            return fail(ErrorCode::Malformed, m_what + ": it holds a field that is not known here");
        }
    }
    return {};
}

} // namespace carrel

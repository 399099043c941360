// SPDX-License-Identifier: Apache-2.0
// Reading JSON from a peer that may be hostile: bounded in size and depth before it is parsed, every field
// typed and bounded, unknown fields and duplicate keys refused. Built on Boost.JSON, which does the grammar
// (RFC 8259). Thread: pure functions; a JsonFields borrows the object it reads and must not outlive it.
#pragma once

#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace carrel {

struct JsonLimits {
    std::size_t bytes = 256 * 1024; // longest text accepted
    std::size_t depth = 12;         // deepest nesting accepted
};

[[nodiscard]] Result<boost::json::value> parseJson(std::string_view text, JsonLimits limits = {});
[[nodiscard]] Result<boost::json::object> parseJsonObject(std::string_view text, JsonLimits limits = {});

// Typed access to one object's fields. The first problem is kept and everything after it answers with a
// default, so a reader takes all its fields and then asks finish() once.
class JsonFields {
public:
    // `what` names the message in errors, e.g. "exec.start".
    JsonFields(const boost::json::object& object, std::string_view what);

    [[nodiscard]] std::string string(std::string_view key, std::size_t maxBytes);
    [[nodiscard]] std::optional<std::string> optionalString(std::string_view key, std::size_t maxBytes);
    [[nodiscard]] std::uint64_t number(std::string_view key, std::uint64_t max = UINT64_MAX);
    [[nodiscard]] std::optional<std::uint64_t> optionalNumber(std::string_view key, std::uint64_t max = UINT64_MAX);
    [[nodiscard]] std::int64_t signedNumber(std::string_view key);
    [[nodiscard]] bool boolean(std::string_view key);
    [[nodiscard]] bool optionalBoolean(std::string_view key, bool fallback = false);
    // Empty array / object when absent or wrong; a wrong or absent required one is an error.
    [[nodiscard]] const boost::json::array& array(std::string_view key, std::size_t maxItems);
    [[nodiscard]] const boost::json::array& optionalArray(std::string_view key, std::size_t maxItems);
    [[nodiscard]] const boost::json::object& object(std::string_view key);
    [[nodiscard]] const boost::json::object* optionalObject(std::string_view key);
    [[nodiscard]] std::vector<std::string> strings(std::string_view key, std::size_t maxItems, std::size_t maxBytes);

    // Marks a field as known without reading it.
    void allow(std::string_view key);
    // Records a problem found by the caller, e.g. a name that is no enumerator.
    void problem(std::string_view key, std::string_view why);
    // Error Malformed for the first problem, or for any field nobody asked for.
    [[nodiscard]] Status finish() const;

private:
    const boost::json::value* find(std::string_view key, bool required);

    const boost::json::object& m_object;
    std::string m_what;
    std::set<std::string, std::less<>> m_known;
    std::optional<std::string> m_problem;
};

} // namespace carrel

// SPDX-License-Identifier: Apache-2.0
// Taking what is needed from an object of a peer that may add fields at any time (interfaces of models promise to, and so does the Agent
// Client Protocol): unlike JsonFields, what is not asked for is passed over. null is the same as absent. A field of the wrong type, or a
// wanted one that is absent, is a problem; the first is kept, and everything after it answers as absent.
// Thread: borrows the object, which must outlive it.
#pragma once

#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace carrel {

enum class Wanted { Maybe, Always };

class JsonPick {
public:
    // `what` names the object in errors.
    JsonPick(const boost::json::object& object, std::string_view what)
        : m_object(object)
        , m_what(what) {}

    [[nodiscard]] std::optional<std::string_view> text(std::string_view key, Wanted wanted = Wanted::Maybe);
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key, Wanted wanted = Wanted::Maybe);
    [[nodiscard]] const boost::json::object* object(std::string_view key, Wanted wanted = Wanted::Maybe);
    [[nodiscard]] const boost::json::array* array(std::string_view key, Wanted wanted = Wanted::Maybe);
    [[nodiscard]] const boost::json::value* any(std::string_view key, Wanted wanted = Wanted::Maybe);
    void problem(std::string_view key, std::string_view why);
    // Malformed: the first problem, named.
    [[nodiscard]] Status finish() const;

private:
    const boost::json::object& m_object;
    std::string m_what;
    std::optional<std::string> m_problem;
};

} // namespace carrel

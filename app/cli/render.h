// SPDX-License-Identifier: Apache-2.0
// Answers of the engine as text for a person: plain, aligned, every foreign text through DisplayText. The
// answers are trusted to be of the schema's form only as far as reading them goes: what is missing shows as
// empty. Thread: pure functions.
#pragma once

#include "app/api/answers.h"
#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::cli {

enum class Colour { No, Yes };

using api::flagAt;
using api::listAt;
using api::numberAt;
using api::objectAt;
using api::pathAt;
using api::textAt;

[[nodiscard]] std::string shown(std::string_view foreign, std::size_t columns = 200);
// What is decided on is shown whole: names of 4,095 bytes, each of at most four columns when escaped, and words around them.
inline constexpr std::size_t kWholeColumns = 64 * 1024;
[[nodiscard]] std::string bytesText(std::uint64_t bytes); // "1.2 KB": decimal units
[[nodiscard]] std::string countText(std::uint64_t count, std::string_view one, std::string_view many);
[[nodiscard]] std::optional<std::int64_t> momentOf(std::string_view rfc3339); // seconds since 1970
[[nodiscard]] std::string timeText(std::string_view rfc3339); // local time, to the second
// "carrel: what happened: why. What to do." on one line, with its end.
[[nodiscard]] std::string errorLine(const Error& error);

// Columns as wide as their widest cell, two spaces apart, the last one free. Cells are fit for display
// already.
class Table {
public:
    explicit Table(std::vector<std::string> headings)
        : m_rows{std::move(headings)} {}
    void add(std::vector<std::string> row) { m_rows.push_back(std::move(row)); }
    [[nodiscard]] std::string text() const;

private:
    std::vector<std::vector<std::string>> m_rows;
};

[[nodiscard]] std::string doctorText(const boost::json::object& result);
[[nodiscard]] std::string agentsText(const boost::json::array& agents);
[[nodiscard]] std::string startText(const boost::json::object& result); // of agent.start
// What there is to tell of a folder that was just chosen; a line each, or nothing.
[[nodiscard]] std::string chosenText(const boost::json::object& share);
[[nodiscard]] std::string sharesText(const boost::json::array& shares);
[[nodiscard]] std::string imagesText(const boost::json::array& images);
[[nodiscard]] std::string changesText(const boost::json::object& result); // of changes
[[nodiscard]] std::string diffText(const boost::json::object& file, Colour colour);
[[nodiscard]] std::string threeWayText(const boost::json::object& file, Colour colour); // or diffText, where there is none
[[nodiscard]] std::string outcomesText(const boost::json::object& result, std::string_view doneWord);
[[nodiscard]] std::string historyText(const boost::json::object& result);
[[nodiscard]] std::string eventText(const boost::json::object& event);

} // namespace carrel::cli

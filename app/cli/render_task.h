// SPDX-License-Identifier: Apache-2.0
// Tasks as text for a person. What an agent says is its claim, and is made fit for display; what Carrel says stands behind a mark of its
// own, which no line of an agent's begins with. Thread: pure functions; a teller has one.
#pragma once

#include "app/cli/render.h"

#include <map>

namespace carrel::cli {

[[nodiscard]] std::string taskListText(const boost::json::object& result); // of task.list
[[nodiscard]] std::string givenText(const boost::json::object& task);      // one line: how it stands
[[nodiscard]] std::string optionsText(const boost::json::object& waitsFor); // how a permission is answered
// "18:30" (the next one), "2026-12-01T09:00" of this computer's time zone, or RFC 3339: as RFC 3339. None: it is no such.
[[nodiscard]] std::optional<std::string> timeArgument(const std::string& text);

// Tells a story piece by piece, as it comes: a text that grew by what it grew.
class TaskTeller {
public:
    explicit TaskTeller(Colour colour)
        : m_colour(colour) {}
    [[nodiscard]] std::string tell(const boost::json::object& news); // of task.watch
    // How it stands at the end: what it waits for, or why it failed, what it cost, and what to do next.
    [[nodiscard]] std::string end(const boost::json::object& task);

private:
    [[nodiscard]] std::string itemText(const boost::json::object& item);
    [[nodiscard]] std::string own(const std::string& line); // in a line of its own
    [[nodiscard]] std::string line(const std::string& text); // likewise, of the agent's; made fit already
    [[nodiscard]] std::string agents(std::string_view text);

    Colour m_colour;
    struct Told {
        std::size_t bytes = 0; // of its text
        std::string status;
    };
    std::map<std::uint64_t, Told> m_told;
    bool m_lineOpen = false;
    std::string m_plan;
};

} // namespace carrel::cli

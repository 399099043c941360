// SPDX-License-Identifier: Apache-2.0
// Where a scenario stands: whose turn it is, and what did not go as it says. Owner: the server, which guards it.
// Thread: one at a time.
#pragma once

#include "tests/support/model_server/exchange.h"

namespace carrel::test::model {

// Why the request does not fit, in words: "the last user message should contain …". Empty: it fits.
[[nodiscard]] std::string whyNot(const Expectation& expect, const Conversation& seen);

class Script {
public:
    explicit Script(Scenario scenario)
        : m_scenario(std::move(scenario)) {}

    [[nodiscard]] const Scenario& scenario() const { return m_scenario; }
    // The turn that a good request plays; `request` names it in a complaint. Null: it plays none, complained about; `why` says it.
    [[nodiscard]] const Turn* play(const Conversation& seen, const std::string& request, std::string& why);
    // A request that was not good: the turn that expects this (true), or a complaint.
    bool playRefusal(const ApiError& error, const std::string& request);
    void complain(std::string what) { m_complaints.push_back(std::move(what)); }
    // Of the turn played last: "turn 2" or "aside 1". Empty: none was.
    [[nodiscard]] const std::string& played() const { return m_played; }

    [[nodiscard]] const std::vector<std::string>& complaints() const { return m_complaints; }
    // "turn 3 of 3 was never asked for" for each turn that is left.
    [[nodiscard]] std::vector<std::string> unplayed() const;

private:
    [[nodiscard]] std::string nameOf(std::size_t turn) const;
    void advance();

    Scenario m_scenario;
    std::size_t m_next = 0;
    std::uint64_t m_times = 0; // that it was played
    std::string m_played;
    std::vector<std::string> m_complaints;
};

} // namespace carrel::test::model

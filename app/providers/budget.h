// SPDX-License-Identifier: Apache-2.0
// What was used of models and machines, and how much of it may be: of an agent since its budget was set, or of a task. Thread: values,
// pure functions.
#pragma once

#include "app/relay/model_use.h"
#include "guest/protocol/amount_words.h"
#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <chrono>

namespace carrel::providers {

using Seconds = std::chrono::seconds;
inline constexpr std::uint64_t kMostBudgetTokens = 1'000'000'000'000;
inline constexpr Seconds kMostBudgetTime = std::chrono::hours(24 * 366 * 10);

// Each only grows.
struct Used {
    std::uint64_t requests = 0; // also those that came to nothing
    std::uint64_t input = 0, output = 0, cacheRead = 0, cacheWrite = 0; // tokens, as in relay::ModelUse
    std::uint64_t estimated = 0; // of the tokens: those that nobody told, and were guessed at
    MicroDollars cost = 0;       // of what has a price
    std::uint64_t unpriced = 0;  // of the tokens: those whose price nobody knows
    std::string unpricedModel;   // the last one of those
    Seconds time{0};             // in which a task was under way
    Seconds cpu{0};              // of the machine's processors in that time
    [[nodiscard]] std::uint64_t tokens() const { return input + output + cacheRead + cacheWrite; } // what a budget of tokens is of
    friend bool operator==(const Used&, const Used&) = default;
};
// `cost`: none: nobody knows it.
void add(Used& to, const relay::ModelUse& use, std::optional<MicroDollars> cost);

// Each of them may be missing: there is no bound then.
struct Budget {
    std::optional<std::uint64_t> tokens;
    std::optional<MicroDollars> money;
    std::optional<Seconds> time, cpu;
    [[nodiscard]] bool isNone() const { return !tokens && !money && !time && !cpu; }
    friend bool operator==(const Budget&, const Budget&) = default;
};
// InvalidArgument: one of them is nothing, or more than can be counted; what to say instead.
[[nodiscard]] Status check(const Budget& budget);

enum class Bound { Tokens, Money, Time, Cpu };
[[nodiscard]] std::string_view toString(Bound bound); // "tokens", "money", "time", "cpu"
struct Over {
    Bound bound = Bound::Tokens;
    std::string text; // a sentence without its full stop: "the budget of 2,000,000 tokens is used up: 2,000,140 were used"
};
// The first that is used up; one of money also once something was used whose price nobody knows, for then it cannot be kept.
[[nodiscard]] std::optional<Over> standing(const Budget& budget, const Used& used);

// As they are kept, and told: tokens, micro_dollars, time_s, cpu_s, each where there is one.
[[nodiscard]] boost::json::object toJson(const Budget& budget);
[[nodiscard]] Result<Budget> budgetFrom(const boost::json::object& object);
[[nodiscard]] boost::json::object toJson(const Used& used);
[[nodiscard]] Result<Used> usedFrom(const boost::json::object& object);

} // namespace carrel::providers

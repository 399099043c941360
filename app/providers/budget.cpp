// SPDX-License-Identifier: Apache-2.0
#include "app/providers/budget.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>

namespace carrel::providers {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMostCounted = 1ULL << 60U; // the sum of four still fits

void grow(std::uint64_t& of, std::uint64_t by) {
    of = std::min(kMostCounted, of + std::min(by, kMostCounted));
}

Error outOf(std::string_view what, std::string_view hint) {
    return {ErrorCode::InvalidArgument, "a budget of " + std::string(what) + " is more than nothing, and no more than can be counted", std::string(hint), 0, nullptr};
}

std::uint64_t count(Seconds time) {
    return static_cast<std::uint64_t>(std::max<Seconds::rep>(time.count(), 0));
}

} // namespace

void add(Used& to, const relay::ModelUse& use, std::optional<MicroDollars> cost) {
    const auto tokens = use.input + use.output + use.cacheRead + use.cacheWrite;
    grow(to.requests, 1);
    grow(to.input, use.input);
    grow(to.output, use.output);
    grow(to.cacheRead, use.cacheRead);
    grow(to.cacheWrite, use.cacheWrite);
    grow(to.estimated, use.counted == relay::ModelUse::Counted::Estimated ? tokens : 0);
    if (cost) {
        to.cost = std::min(kMostMoney, to.cost + *cost);
    } else {
        grow(to.unpriced, tokens);
        to.unpricedModel = use.model;
    }
}

Status check(const Budget& budget) {
    if (budget.tokens && (*budget.tokens == 0 || *budget.tokens > kMostBudgetTokens)) {
        return fail(outOf("tokens", "For example 2000000"));
    }
    if (budget.money && (*budget.money == 0 || *budget.money > kMostMoney)) {
        return fail(outOf("money", "For example 5.00, in US dollars"));
    }
    for (const auto& [time, what] : {std::pair(budget.time, "time"), std::pair(budget.cpu, "processor time")}) {
        if (time && (*time <= Seconds(0) || *time > kMostBudgetTime)) {
            return fail(outOf(what, "For example 2h"));
        }
    }
    return {};
}

std::string_view toString(Bound bound) {
    static constexpr std::array<std::string_view, 4> kNames{"tokens", "money", "time", "cpu"};
    return kNames.at(static_cast<std::size_t>(bound));
}

std::optional<Over> standing(const Budget& budget, const Used& used) {
    if (budget.tokens && used.tokens() >= *budget.tokens) {
        return Over{Bound::Tokens, "the budget of " + countWords(*budget.tokens) + " tokens is used up: " + countWords(used.tokens()) + " were used"};
    }
    if (budget.money && used.cost >= *budget.money) {
        return Over{Bound::Money, "the budget of " + moneyText(*budget.money) + " is used up: " + moneyText(used.cost) + " were spent"};
    }
    if (budget.money && used.unpriced > 0) {
        const auto model = used.unpricedModel.empty() ? std::string("a model") : "the model " + used.unpricedModel;
        return Over{Bound::Money, "the budget of " + moneyText(*budget.money) + " cannot be kept: " + countWords(used.unpriced) +
                                      " tokens were used whose price is not known, of " + model + " at the last; a budget of tokens can be"};
    }
    if (budget.time && used.time >= *budget.time) {
        return Over{Bound::Time, "the budget of " + timeWords(*budget.time) + " of work is used up"};
    }
    if (budget.cpu && used.cpu >= *budget.cpu) {
        return Over{Bound::Cpu, "the budget of " + timeWords(*budget.cpu) + " of processor time is used up"};
    }
    return std::nullopt;
}

json::object toJson(const Budget& budget) {
    json::object out;
    if (budget.tokens) {
        out["tokens"] = *budget.tokens;
    }
    if (budget.money) {
        out["micro_dollars"] = *budget.money;
    }
    if (budget.time) {
        out["time_s"] = count(*budget.time);
    }
    if (budget.cpu) {
        out["cpu_s"] = count(*budget.cpu);
    }
    return out;
}

Result<Budget> budgetFrom(const json::object& object) {
    JsonFields fields(object, "budget");
    const auto most = count(kMostBudgetTime);
    Budget out{fields.optionalNumber("tokens", kMostBudgetTokens), fields.optionalNumber("micro_dollars", kMostMoney), {}, {}};
    if (const auto time = fields.optionalNumber("time_s", most)) {
        out.time = Seconds(*time);
    }
    if (const auto cpu = fields.optionalNumber("cpu_s", most)) {
        out.cpu = Seconds(*cpu);
    }
    CARREL_TRY(fields.finish());
    return out;
}

json::object toJson(const Used& used) {
    json::object out{{"requests", used.requests},       {"input", used.input},         {"output", used.output},     {"cache_read", used.cacheRead},
                     {"cache_write", used.cacheWrite},  {"estimated", used.estimated}, {"micro_dollars", used.cost}, {"unpriced", used.unpriced},
                     {"time_s", count(used.time)},      {"cpu_s", count(used.cpu)}};
    if (!used.unpricedModel.empty()) {
        out["unpriced_model"] = used.unpricedModel;
    }
    return out;
}

Result<Used> usedFrom(const json::object& object) {
    constexpr std::uint64_t kMostSeconds = 1ULL << 40U;
    JsonFields fields(object, "used");
    Used out;
    out.requests = fields.number("requests", kMostCounted);
    out.input = fields.number("input", kMostCounted);
    out.output = fields.number("output", kMostCounted);
    out.cacheRead = fields.number("cache_read", kMostCounted);
    out.cacheWrite = fields.number("cache_write", kMostCounted);
    out.estimated = fields.number("estimated", UINT64_MAX);
    out.cost = fields.number("micro_dollars", kMostMoney);
    out.unpriced = fields.number("unpriced", UINT64_MAX);
    out.time = Seconds(fields.number("time_s", kMostSeconds));
    out.cpu = Seconds(fields.number("cpu_s", kMostSeconds));
    out.unpricedModel = fields.optionalString("unpriced_model", relay::kMaxModelName).value_or("");
    CARREL_TRY(fields.finish());
    return out;
}

} // namespace carrel::providers

// SPDX-License-Identifier: Apache-2.0
// Verbs of budgets: how much of models and machines an agent may use, and what it has used. All of them the owner's (app/api/roles.h).
#include "app/engine/engine.h"

#include "guest/protocol/strict_json.h"

namespace carrel::engine {

namespace json = boost::json;
using providers::Budget;
using providers::Seconds;

namespace {

Result<json::value> described(Engine& engine, const agents::Agent& agent) {
    auto& book = engine.usage();
    const auto budget = book.budgetOf(agent.id());
    const auto used = book.used(agent.id());
    const auto since = book.since(agent.id());
    if (!budget || !used || !since) {
        return fail(!budget ? budget.error() : !used ? used.error() : since.error());
    }
    json::object out{{"agent", agent.name()},
                     {"budget", toJson(*budget)},
                     {"used", toJson(*used)},
                     {"since", *since == 0 ? json::value(nullptr) : json::value(activity::formatTime(*since * 1'000'000))}};
    if (const auto over = book.over(agent.id())) {
        out["over"] = json::object{{"bound", toString(over->bound)}, {"text", over->text}};
    }
    return out;
}

Result<json::value> show(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "budget.show");
    const auto name = fields.string("agent", 256);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    return agent ? described(engine, **agent) : fail(agent.error());
}

// Not there: as it is. 0: none.
template <class T> void change(std::optional<T>& of, const std::optional<std::uint64_t>& wanted) {
    if (wanted) {
        of = *wanted == 0 ? std::optional<T>() : std::optional<T>(static_cast<T>(*wanted));
    }
}

std::string wordsOf(const Budget& budget) {
    std::string out;
    const auto add = [&](const std::string& words) { out += (out.empty() ? "" : ", ") + words; };
    if (budget.tokens) {
        add(countWords(*budget.tokens) + " tokens");
    }
    if (budget.money) {
        add(moneyText(*budget.money));
    }
    if (budget.time) {
        add(timeWords(*budget.time) + " of work");
    }
    if (budget.cpu) {
        add(timeWords(*budget.cpu) + " of processor time");
    }
    return out.empty() ? "none" : out;
}

Result<json::value> set(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "budget.set");
    const auto mostSeconds = static_cast<std::uint64_t>(providers::kMostBudgetTime.count());
    const auto name = fields.string("agent", 256);
    const auto tokens = fields.optionalNumber("tokens", providers::kMostBudgetTokens);
    const auto money = fields.optionalNumber("micro_dollars", kMostMoney);
    const auto time = fields.optionalNumber("time_s", mostSeconds);
    const auto cpu = fields.optionalNumber("cpu_s", mostSeconds);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    auto budget = engine.usage().budgetOf((*agent)->id()).value_or(Budget()); // one that cannot be read is replaced
    change(budget.tokens, tokens);
    change(budget.money, money);
    change(budget.time, time);
    change(budget.cpu, cpu);
    CARREL_TRY(check(budget));
    auto detail = toJson(budget);
    detail["by"] = agents::kByOwner;
    CARREL_TRY((*agent)->noteBudget(wordsOf(budget), std::move(detail))); // before it counts
    CARREL_TRY(engine.usage().setBudget((*agent)->id(), budget));
    return described(engine, **agent);
}

} // namespace

void addBudgetVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("budget.set", set);
    add("budget.show", show);
}

} // namespace carrel::engine

// SPDX-License-Identifier: Apache-2.0
// carrel budget: how much of models and machines an agent may use, and what it has used.
#include "app/cli/context.h"
#include "app/cli/duration.h"

#include "guest/protocol/amount_words.h"

#include <algorithm>
#include <charconv>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::string_view kNone = "none";

std::chrono::seconds secondsAt(const json::object& of, const char* key) {
    return std::chrono::seconds(numberAt(of, key));
}

std::string boundsText(const json::object& budget) {
    std::vector<std::string> parts;
    if (budget.contains("tokens")) {
        parts.push_back(countWords(numberAt(budget, "tokens")) + " tokens");
    }
    if (budget.contains("micro_dollars")) {
        parts.push_back(moneyText(numberAt(budget, "micro_dollars")));
    }
    if (budget.contains("time_s")) {
        parts.push_back(timeWords(secondsAt(budget, "time_s")) + " of work");
    }
    if (budget.contains("cpu_s")) {
        parts.push_back(timeWords(secondsAt(budget, "cpu_s")) + " of processor time");
    }
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
    }
    return out;
}

std::string usedText(const json::object& used) {
    const auto tokens = numberAt(used, "input") + numberAt(used, "output") + numberAt(used, "cache_read") + numberAt(used, "cache_write");
    std::string out = countWords(tokens) + " tokens in " + countText(numberAt(used, "requests"), "request", "requests") + ", " +
                      moneyText(numberAt(used, "micro_dollars")) + ", " + timeWords(secondsAt(used, "time_s")) + " of work, " +
                      timeWords(secondsAt(used, "cpu_s")) + " of processor time.\n";
    out += "  Tokens: " + countWords(numberAt(used, "input")) + " in, " + countWords(numberAt(used, "output")) + " out, " +
           countWords(numberAt(used, "cache_read")) + " read from a cache, " + countWords(numberAt(used, "cache_write")) + " written into one.\n";
    if (const auto estimated = numberAt(used, "estimated"); estimated > 0) {
        out += "  " + countWords(estimated) + " of them were not told by the model's host, and are a guess.\n";
    }
    if (const auto unpriced = numberAt(used, "unpriced"); unpriced > 0) {
        const auto model = shown(textAt(used, "unpriced_model"), 128);
        out += "  What " + countWords(unpriced) + " of them cost is not known" + (model.empty() ? "" : ": there is no price of " + model) + ".\n";
    }
    return out;
}

std::string budgetText(const json::object& result) {
    const auto bounds = boundsText(objectAt(result, "budget"));
    const auto agent = "Agent " + shown(textAt(result, "agent"), 40);
    std::string out = bounds.empty() ? agent + " has no budget: it may use as much as it likes.\n" : agent + " may use " + bounds + ".\n";
    const auto since = textAt(result, "since");
    out += (since.empty() ? "So far: " : "Since " + timeText(since) + ": ") + usedText(objectAt(result, "used"));
    if (const auto* over = result.if_contains("over"); over != nullptr && over->is_object()) {
        out += shown(textAt(over->get_object(), "text"), 400) + ".\n";
    }
    return out;
}

struct BudgetOptions {
    std::string agent, none, tokens, money, time, cpu;
};

Error noSuch(const char* option, const char* what, const char* example) {
    return {ErrorCode::InvalidArgument, std::string(option) + " takes " + what + ", or none", std::string("For example ") + option + " " + example, 0, nullptr};
}

Result<std::uint64_t> tokensFrom(const std::string& text) {
    std::string digits;
    std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != ','; });
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    const bool good = error == std::errc() && end == digits.data() + digits.size() && out > 0;
    return good ? Result<std::uint64_t>(out) : fail(noSuch("--tokens", "a whole number", "2000000"));
}

Result<std::uint64_t> moneyOf(const std::string& text) {
    const auto money = moneyFrom(text.starts_with('$') ? text.substr(1) : text);
    return money && *money > 0 ? Result<std::uint64_t>(*money) : fail(noSuch("--money", "US dollars", "5.00"));
}

Result<std::uint64_t> timeOf(const char* option, const std::string& text) {
    const auto time = durationFrom(text);
    return time && time->count() > 0 ? Result<std::uint64_t>(static_cast<std::uint64_t>(time->count()))
                                     : fail(noSuch(option, "a length of time", "2h"));
}

int budget(Context& context, const BudgetOptions& options) {
    json::object params{{"agent", options.agent}};
    if (!options.none.empty()) {
        if (options.none != kNone) {
            return context.failed({ErrorCode::InvalidArgument, "behind the agent's name may stand none, which lifts its budget",
                                   "See: carrel budget --help", 0, nullptr});
        }
        for (const char* key : {"tokens", "micro_dollars", "time_s", "cpu_s"}) {
            params[key] = 0;
        }
    }
    const auto put = [&](const char* key, const std::string& text, const std::function<Result<std::uint64_t>()>& read) -> Status {
        if (!text.empty()) {
            const auto number = text == kNone ? Result<std::uint64_t>(0) : read();
            if (!number) {
                return fail(number.error());
            }
            params[key] = *number;
        }
        return {};
    };
    for (const auto& status : {put("tokens", options.tokens, [&] { return tokensFrom(options.tokens); }),
                               put("micro_dollars", options.money, [&] { return moneyOf(options.money); }),
                               put("time_s", options.time, [&] { return timeOf("--time", options.time); }),
                               put("cpu_s", options.cpu, [&] { return timeOf("--cpu", options.cpu); })}) {
        if (!status) {
            return context.failed(status.error());
        }
    }
    const char* verb = params.size() > 1 ? "budget.set" : "budget.show";
    return context.show(verb, std::move(params), budgetText);
}

} // namespace

void addBudgetVerb(CLI::App& app, Context& context) {
    auto options = std::make_shared<BudgetOptions>();
    auto* verb = app.add_subcommand("budget", "Show what an agent has used of models and machines, or set how much it may use");
    verb->add_option("NAME", options->agent, "The agent")->required();
    verb->add_option("NONE", options->none, "The word none: lift its budget");
    verb->add_option("--tokens", options->tokens, "At most so many tokens, those of a cache too; or none");
    verb->add_option("--money", options->money, "At most so many US dollars, as 5.00, by the price list that Carrel brings; or none");
    verb->add_option("--time", options->time, "At most so much time in which a task is under way, as 2h, or none");
    verb->add_option("--cpu", options->cpu, "At most so much time of its machine's processors, as 30m, or none");
    verb->footer("What is used is counted from what the models' hosts answer, on this side, and from now on when a budget is set. When it is\n"
                 "used up no model is asked any more, and the agent is paused until you decide.\n"
                 "Example: carrel budget clerk --tokens 2000000 --money 5.00 --time 2h");
    verb->callback([&context, options] {
        context.action = [&context, options] { return carrel::cli::budget(context, *options); };
    });
}

} // namespace carrel::cli

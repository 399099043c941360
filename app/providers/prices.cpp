// SPDX-License-Identifier: Apache-2.0
#include "app/providers/prices.h"

#include "app/providers/prices_text.h"

#include <algorithm>
#include <array>
#include <set>
#include <toml++/toml.h>

namespace carrel::providers {

namespace {

constexpr std::uint64_t kTokens = 1'000'000; // that rates are for
constexpr MicroDollars kMostRate = 100'000 * kDollar;

Error wrong(std::size_t number, std::string_view what) {
    return {ErrorCode::Malformed, "the price table has no good entry " + std::to_string(number) + ": " + std::string(what), {}, 0, nullptr};
}

std::optional<MicroDollars> rateFrom(const toml::table& table, std::string_view key) {
    const auto text = table[key].value<std::string>();
    const auto money = text ? moneyFrom(*text) : std::nullopt;
    return money && *money <= kMostRate ? money : std::nullopt;
}

// Input and output are there; those of a cache may not be.
std::optional<Rates> ratesFrom(const toml::table& table) {
    const auto input = rateFrom(table, "input");
    const auto output = rateFrom(table, "output");
    const auto optional = [&](std::string_view key) { return table.contains(key) ? rateFrom(table, key) : input; };
    const auto read = optional("cache_read");
    const auto write = optional("cache_write");
    return input && output && read && write ? std::optional(Rates{*input, *output, *read, *write}) : std::nullopt;
}

bool hasOnly(const toml::table& table, std::initializer_list<std::string_view> keys) {
    return std::all_of(table.begin(), table.end(), [&](const auto& each) { return std::find(keys.begin(), keys.end(), std::string_view(each.first)) != keys.end(); });
}

Result<Price> priceFrom(const toml::table& table, std::size_t number) {
    Price out;
    if (!hasOnly(table, {"models", "input", "output", "cache_read", "cache_write", "long", "source", "read"})) {
        return fail(wrong(number, "it has a key that nobody knows"));
    }
    if (const auto* models = table["models"].as_array()) {
        for (const auto& each : *models) {
            out.models.push_back(each.value_or(std::string()));
        }
    }
    const auto rates = ratesFrom(table);
    out.source = table["source"].value_or(std::string());
    out.read = table["read"].value_or(std::string());
    const bool isNamed = !out.models.empty() && std::none_of(out.models.begin(), out.models.end(), [](const std::string& each) { return each.empty(); });
    if (!isNamed || !rates || !out.source.starts_with("https://") || out.read.size() != std::string_view("2026-01-01").size()) {
        return fail(wrong(number, "it lacks models, rates as text, a source or a day, or has one in a wrong form"));
    }
    out.rates = *rates;
    if (!table.contains("long")) {
        return out;
    }
    const auto* longer = table["long"].as_table();
    const auto over = longer != nullptr ? (*longer)["over"].value<std::int64_t>() : std::nullopt;
    const auto theirs = longer != nullptr ? ratesFrom(*longer) : std::nullopt;
    if (!over || *over <= 0 || !theirs || !hasOnly(*longer, {"over", "input", "output", "cache_read", "cache_write"})) {
        return fail(wrong(number, "what it says of long requests is in a wrong form"));
    }
    out.longer = Price::Long{static_cast<std::uint64_t>(*over), *theirs};
    return out;
}

// "-20251001", "-2026-08-12", "@20251001"
bool isDate(std::string_view tail) {
    if (tail.empty() || (tail.front() != '-' && tail.front() != '@')) {
        return false;
    }
    tail.remove_prefix(1);
    const auto digits = std::count_if(tail.begin(), tail.end(), [](char c) { return c >= '0' && c <= '9'; });
    const auto signs = std::count(tail.begin(), tail.end(), '-');
    return digits == 8 && digits + signs == static_cast<std::ptrdiff_t>(tail.size()) && (signs == 0 || (signs == 2 && tail[4] == '-' && tail[7] == '-'));
}

} // namespace

Result<Prices> Prices::parse(std::string_view text) {
    Prices out;
    std::set<std::string> names;
    try {
        const auto table = toml::parse(text);
        const auto* list = table["price"].as_array();
        if (list == nullptr || !hasOnly(table, {"price"})) {
            return fail(ErrorCode::Malformed, "the price table has no prices, or something besides");
        }
        for (const auto& each : *list) {
            const auto number = out.m_all.size() + 1;
            auto price = each.is_table() ? priceFrom(*each.as_table(), number) : fail(wrong(number, "it is no table"));
            if (!price) {
                return fail(std::move(price).error());
            }
            for (const auto& name : price->models) {
                if (!names.insert(name).second) {
                    return fail(wrong(number, name + " has a price already"));
                }
            }
            out.m_all.push_back(std::move(*price));
        }
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::Malformed, "the price table is no TOML: " + std::string(error.description()));
    }
    return out;
}

// A test holds that the table can be read; one that could not would make every cost unknown.
const Prices& Prices::builtIn() {
    static const Prices prices = parse(pricesText()).value_or(Prices());
    return prices;
}

const Price* Prices::of(std::string_view model) const {
    for (const auto& price : m_all) {
        for (const auto& name : price.models) {
            if (model.starts_with(name) && (model.size() == name.size() || isDate(model.substr(name.size())))) {
                return &price;
            }
        }
    }
    return nullptr;
}

std::optional<MicroDollars> Prices::cost(const relay::ModelUse& use, Paid paid) const {
    const auto all = use.input + use.cacheRead + use.cacheWrite;
    if (paid == Paid::Nothing || all + use.output == 0) {
        return 0;
    }
    const auto* price = of(use.model);
    if (price == nullptr) {
        return std::nullopt;
    }
    const auto& rates = price->longer && all > price->longer->over ? price->longer->rates : price->rates;
    MicroDollars whole = 0;  // of each million
    std::uint64_t rest = 0;  // in millionths of a millionth
    for (const auto& [tokens, rate] : {std::pair(use.input, rates.input), std::pair(use.output, rates.output),
                                       std::pair(use.cacheRead, rates.cacheRead), std::pair(use.cacheWrite, rates.cacheWrite)}) {
        const auto millions = tokens / kTokens;
        whole += rate != 0 && millions > kMostMoney / rate ? kMostMoney : millions * rate;
        rest += tokens % kTokens * rate;
    }
    return std::min(kMostMoney, whole + (rest + kTokens - 1) / kTokens);
}

} // namespace carrel::providers

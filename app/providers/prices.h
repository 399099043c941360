// SPDX-License-Identifier: Apache-2.0
// What models cost: the table of resources/agent/prices.toml, which is part of the program, and the cost of one request by it. Whole
// numbers of millionths of a dollar, rounded up once for a request. What a model costs that is not in it nobody knows: that is said, and
// never taken for nothing.
// Thread: values, pure functions.
#pragma once

#include "app/relay/model_use.h"
#include "guest/protocol/amount_words.h"
#include "guest/protocol/result.h"

#include <vector>

namespace carrel::providers {

struct Rates { // for a million tokens
    MicroDollars input = 0, output = 0, cacheRead = 0, cacheWrite = 0;
    friend bool operator==(const Rates&, const Rates&) = default;
};

struct Price {
    std::vector<std::string> models;
    Rates rates;
    struct Long {
        std::uint64_t over = 0; // tokens of input, cached or not
        Rates rates;
    };
    std::optional<Long> longer;
    std::string source, read; // the provider's own page, and the day
};

// What a request's tokens are paid by.
enum class Paid { ByTable, Nothing }; // Nothing: the model is on the user's own computer

class Prices {
public:
    // Malformed: it says where and why.
    [[nodiscard]] static Result<Prices> parse(std::string_view toml);
    [[nodiscard]] static const Prices& builtIn();

    [[nodiscard]] const std::vector<Price>& all() const { return m_all; }
    // By the name that a provider tells, a date behind it or not. Null: it has no price.
    [[nodiscard]] const Price* of(std::string_view model) const;
    // None: nobody knows. Nothing was used: it costs nothing, whatever the model.
    [[nodiscard]] std::optional<MicroDollars> cost(const relay::ModelUse& use, Paid paid) const;

private:
    std::vector<Price> m_all;
};

} // namespace carrel::providers

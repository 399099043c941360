// SPDX-License-Identifier: Apache-2.0
// What a request costs by the table, to the millionth of a dollar; what has no price has none. And the table itself.
#include "app/providers/prices.h"

#include <QTest>

using namespace carrel;
using namespace carrel::providers;
using relay::ModelUse;

namespace {

ModelUse use(const std::string& model, std::uint64_t input, std::uint64_t output = 0, std::uint64_t read = 0, std::uint64_t write = 0) {
    return {.model = model, .input = input, .output = output, .cacheRead = read, .cacheWrite = write, .status = 200};
}
const std::string kEntry = "[[price]]\n"
                           "models = [\"m-1\", \"m-1-mini\"]\n"
                           "input = \"2.00\"\n"
                           "output = \"10\"\n"
                           "cache_read = \"0.20\"\n"
                           "long = { over = 1000, input = \"4.00\", output = \"15.00\" }\n"
                           "source = \"https://example.org/prices\"\n"
                           "read = \"2026-10-07\"\n";

} // namespace

class TestPrices : public QObject {
    Q_OBJECT
private slots:
    void whatARequestCosts() {
        const auto prices = Prices::parse(kEntry).value();
        const auto cost = [&](const ModelUse& of) { return prices.cost(of, Paid::ByTable); };
        QCOMPARE(cost(use("m-1", 1000)), std::optional<MicroDollars>(2000));
        QCOMPARE(cost(use("m-1", 100, 10, 100, 100)), std::optional<MicroDollars>(200 + 100 + 20 + 200)); // a cache's price that is not there is the input's
        QCOMPARE(cost(use("m-1", 0, 0, 1)), std::optional<MicroDollars>(1)); // 0.2, rounded up once
        QCOMPARE(cost(use("m-1", 500, 0, 501)), std::optional<MicroDollars>(1001 * 4));
        QCOMPARE(cost(use("m-1", 500, 100, 500)), std::optional<MicroDollars>(1000 + 1000 + 100));
        QCOMPARE(cost(use("m-1", relay::kMostTokens, relay::kMostTokens, relay::kMostTokens, relay::kMostTokens)), std::optional(kMostMoney));
    }

    // Unknown is not nothing; nothing is nothing.
    void whatHasNoPrice() {
        const auto prices = Prices::parse(kEntry).value();
        for (const char* name : {"m-2", "", "m", "m-1-nano", "m-10", "m-1-2026", "m-1-123456789", "m-1-2026-1-001", "m-1x20260101", "someone/m-1"}) {
            QVERIFY2(!prices.cost(use(name, 1), Paid::ByTable), name);
        }
        for (const char* name : {"m-1", "m-1-20260812", "m-1-2026-08-12", "m-1@20260812", "m-1-mini", "m-1-mini-20260812"}) {
            QVERIFY2(prices.cost(use(name, 1), Paid::ByTable), name);
        }
        QCOMPARE(prices.cost(use("m-2", 0), Paid::ByTable), std::optional<MicroDollars>(0)); // an error's
        QCOMPARE(prices.cost(use("m-2", 1000), Paid::Nothing), std::optional<MicroDollars>(0)); // on the user's own computer
    }

    void aTableIsReadStrictly() {
        QVERIFY(Prices::parse(kEntry));
        const auto with = [](const char* from, const char* to) { return QByteArray::fromStdString(kEntry).replace(from, to).toStdString(); };
        for (const auto& bad : {std::string(), std::string("price = 1"), kEntry + kEntry, "x = 1\n" + kEntry, kEntry + "per = 1\n", with("\"2.00\"", "2.00"),
                                with("\"2.00\"", "\"-2\""), with("output = \"10\"\n", ""), with("https", "http"), with("2026-10-07", "lately"),
                                with("over = 1000", "over = 0"), with("over = 1000, ", ""), with("\"m-1\", ", "\"\", "), with("[\"m-1\", \"m-1-mini\"]", "[]"),
                                with("\"2.00\"", "\"200000.00\""), with("over = 1000", "over = 1000, more = 1")}) {
            const auto prices = Prices::parse(bad);
            QVERIFY2(!prices && prices.error().code == ErrorCode::Malformed, bad.c_str());
        }
    }

    void theBuiltInTable() {
        const auto& prices = Prices::builtIn();
        QVERIFY(prices.all().size() > 20);
        for (const auto& each : prices.all()) {
            QVERIFY2(each.rates.input > 0 && each.rates.output >= each.rates.input && each.rates.cacheRead <= each.rates.input, each.models.front().c_str());
            QVERIFY(each.rates.cacheWrite >= each.rates.input);
            QVERIFY(!each.longer || each.longer->rates.input > each.rates.input);
            const bool fromProvider = each.source.starts_with("https://platform.claude.com/") || each.source.starts_with("https://developers.openai.com/") ||
                                      each.source.starts_with("https://ai.google.dev/");
            QVERIFY2(fromProvider, each.source.c_str());
        }
        // As the pages have them.
        QCOMPARE(prices.of("claude-haiku-4-5-20251001")->rates, (Rates{1'000'000, 5'000'000, 100'000, 1'250'000}));
        QCOMPARE(prices.of("claude-opus-4-20250514")->rates.output, 75 * kDollar);
        QCOMPARE(prices.of("claude-opus-4-5-20251101")->rates.output, 25 * kDollar);
        QCOMPARE(prices.of("gpt-6-luna")->longer->over, std::uint64_t{272'000});
    }
};

QTEST_GUILESS_MAIN(TestPrices)
#include "test_prices.moc"

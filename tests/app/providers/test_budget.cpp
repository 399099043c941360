// SPDX-License-Identifier: Apache-2.0
// Which budget is used up, in words; what is kept of one is read back as it was, and nothing else is.
#include "app/providers/budget.h"

#include <QTest>
#include <boost/json/serialize.hpp>

using namespace carrel;
using namespace carrel::providers;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

Budget budget(std::optional<std::uint64_t> tokens, std::optional<MicroDollars> money = {}, std::optional<Seconds> time = {}, std::optional<Seconds> cpu = {}) {
    return {tokens, money, time, cpu};
}
std::string wordsOf(const Budget& of, const Used& used) {
    const auto over = standing(of, used);
    return over ? std::string(toString(over->bound)) + ": " + over->text : "";
}

} // namespace

class TestBudget : public QObject {
    Q_OBJECT
private slots:
    void standingInWords() {
        Used used{.requests = 3, .input = 1000, .output = 500, .cacheRead = 400, .cacheWrite = 100, .cost = 4'999'999, .time = 7199s, .cpu = 59s};
        QCOMPARE(wordsOf({}, used), std::string());
        QCOMPARE(wordsOf(budget(2001, 5 * kDollar, 2h, 1min), used), std::string());
        QCOMPARE(wordsOf(budget(2000), used), std::string("tokens: the budget of 2,000 tokens is used up: 2,000 were used"));
        QCOMPARE(wordsOf(budget({}, 4'990'000), used), std::string("money: the budget of $4.99 is used up: $4.999999 were spent"));
        QCOMPARE(wordsOf(budget({}, {}, 7199s), used), std::string("time: the budget of 1 h 59 min 59 s of work is used up"));
        QCOMPARE(wordsOf(budget({}, {}, {}, 59s), used), std::string("cpu: the budget of 59 s of processor time is used up"));
        QVERIFY(wordsOf(budget(2000, 1, 1s, 1s), used).starts_with("tokens")); // the first
        used.unpriced = 12;
        used.unpricedModel = "new-1";
        QCOMPARE(wordsOf(budget({}, 5 * kDollar), used), std::string("money: the budget of $5.00 cannot be kept: 12 tokens were used whose price is not known, of the "
                                                                     "model new-1 at the last; a budget of tokens can be"));
        QCOMPARE(wordsOf(budget(3000), used), std::string());
    }

    void isAddedUpAndStaysInBounds() {
        Used used;
        add(used, {.model = "m", .input = 1, .output = 2, .cacheRead = 3, .cacheWrite = 4, .status = 200}, 7);
        add(used, {.model = "n", .input = 10, .counted = relay::ModelUse::Counted::Estimated, .status = 200}, std::nullopt);
        QCOMPARE(used, (Used{.requests = 2, .input = 11, .output = 2, .cacheRead = 3, .cacheWrite = 4, .estimated = 10, .cost = 7, .unpriced = 10, .unpricedModel = "n"}));
        for (int i = 0; i < 5000; ++i) {
            add(used, {.input = relay::kMostTokens, .output = relay::kMostTokens, .cacheRead = relay::kMostTokens, .cacheWrite = relay::kMostTokens}, kMostMoney);
        }
        QVERIFY(used.tokens() >= relay::kMostTokens && used.cost == kMostMoney);
        QVERIFY(usedFrom(toJson(used)).value() == used);
    }

    void isReadBackStrictly() {
        for (const auto& each : {Budget(), budget(1), budget(2, 3, 4s, 5s)}) {
            QVERIFY(budgetFrom(toJson(each)).value() == each);
        }
        QVERIFY(!budgetFrom({{"tokens", -1}}) && !budgetFrom({{"more", 1}}) && !budgetFrom({{"time_s", UINT64_MAX}}) && !budgetFrom({{"tokens", "1"}}));
        auto used = toJson(Used{});
        used["more"] = 1;
        QVERIFY(!usedFrom(used));
        QVERIFY(!usedFrom({{"requests", 1}}));
    }

    void whatIsNone() {
        QVERIFY(check({}) && check(budget(1, 1, 1s, 1s)) && check(budget(kMostBudgetTokens, kMostMoney, kMostBudgetTime, kMostBudgetTime)));
        for (const auto& bad : {budget(0), budget(kMostBudgetTokens + 1), budget({}, 0), budget({}, kMostMoney + 1), budget({}, {}, 0s), budget({}, {}, -1s),
                                budget({}, {}, {}, kMostBudgetTime + 1s)}) {
            const auto no = check(bad);
            QVERIFY(!no && no.error().code == ErrorCode::InvalidArgument && !no.error().hint.empty());
        }
    }
};

QTEST_GUILESS_MAIN(TestBudget)
#include "test_budget.moc"

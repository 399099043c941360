// SPDX-License-Identifier: Apache-2.0
// Money, counts and lengths of time in words.
#include "guest/protocol/amount_words.h"

#include <QTest>

using namespace carrel;
using namespace std::chrono_literals;

class TestAmountWords : public QObject {
    Q_OBJECT
private slots:
    void money() {
        for (const auto& [text, amount] : std::vector<std::pair<const char*, MicroDollars>>{
                 {"5", 5'000'000}, {"5.00", 5'000'000}, {"0.075", 75'000}, {"0.000001", 1}, {"0", 0}, {"1000000000", kMostMoney}}) {
            QCOMPARE(moneyFrom(text), std::optional(amount));
        }
        for (const char* bad : {"", ".", "5.", ".5", "-1", "+1", "1e3", "1,000", "0.0000001", "1000000000.01", "99999999999", " 1", "1 ", "$1", "1.2.3"}) {
            QVERIFY2(!moneyFrom(bad), bad);
        }
        QCOMPARE(moneyText(5'000'000), std::string("$5.00"));
        QCOMPARE(moneyText(75'000), std::string("$0.075"));
        QCOMPARE(moneyText(3), std::string("$0.000003"));
        QCOMPARE(moneyText(1'230'000), std::string("$1.23"));
    }

    void words() {
        QCOMPARE(countWords(0), std::string("0"));
        QCOMPARE(countWords(999), std::string("999"));
        QCOMPARE(countWords(1234567), std::string("1,234,567"));
        QCOMPARE(timeWords(0s), std::string("0 s"));
        QCOMPARE(timeWords(3600s), std::string("1 h"));
        QCOMPARE(timeWords(7530s), std::string("2 h 5 min 30 s"));
    }
};

QTEST_GUILESS_MAIN(TestAmountWords)
#include "test_amount_words.moc"

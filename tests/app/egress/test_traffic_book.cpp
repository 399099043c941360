// SPDX-License-Identifier: Apache-2.0
// Sums, so that a machine that opens thousands of connections does not fill a log.
#include "app/egress/traffic_book.h"

#include <QTest>

using namespace carrel::egress;
using namespace std::chrono_literals;

class TestTrafficBook : public QObject {
    Q_OBJECT
    const TrafficBook::Time m_start{1h};
private slots:
    void theFirstAtOnceAndSumsFromThen() {
        TrafficBook book;
        QVERIFY(!book.holdsAny());
        book.began("a:1", false, m_start);
        auto rows = book.take(m_start);
        QCOMPARE(rows.size(), std::size_t{1});
        QVERIFY(rows[0].destination == "a:1" && rows[0].begun == 1 && rows[0].ended == 0);
        for (int i = 0; i < 5000; ++i) {
            book.began("a:1", false, m_start + 1s);
            book.ended("a:1", true, {2, 3}, m_start + 2s);
        }
        QVERIFY(book.holdsAny() && book.take(m_start + 59s).empty());
        rows = book.take(m_start + 60s);
        QCOMPARE(rows.size(), std::size_t{1});
        QVERIFY(rows[0].begun == 5000 && rows[0].ended == 5000 && rows[0].bytes.sent == 10'000 && rows[0].bytes.received == 15'000 && rows[0].unchecked);
        QVERIFY(!book.holdsAny() && book.take(m_start + 10min).empty());
    }
    void outcomesApart() {
        TrafficBook book;
        book.began("a:1", false, m_start);
        book.failed("a:1", Outcome::Denied, "no", m_start);
        book.failed("a:1", Outcome::Denied, "still no", m_start);
        const auto rows = book.take(m_start);
        QCOMPARE(rows.size(), std::size_t{2});
        QVERIFY(rows[1].outcome == Outcome::Denied && rows[1].begun == 2 && rows[1].why == "still no");
    }
    void manyDestinationsAreOneRow() {
        TrafficBook book;
        std::size_t written = 0;
        std::uint64_t tries = 0;
        for (int second = 0; second < 300; ++second) {
            const auto now = m_start + std::chrono::seconds(second);
            for (int i = 0; i < 100; ++i) {
                book.failed(std::to_string(second * 100 + i) + ".example:1", Outcome::Denied, "no", now);
            }
            for (const auto& row : book.take(now)) {
                ++written;
                tries += row.begun;
            }
        }
        for (const auto& row : book.take(m_start + 301s, TrafficBook::Which::All)) {
            tries += row.begun;
        }
        QCOMPARE(tries, std::uint64_t{30'000}); // none is lost
        QVERIFY2(written <= 6 * (kMaxTrafficKeys + 10), std::to_string(written).c_str());
    }
    void theRestAtTheEnd() {
        TrafficBook book;
        book.began("a:1", false, m_start);
        (void)book.take(m_start);
        book.ended("a:1", false, {1, 1}, m_start + 1s);
        QCOMPARE(book.take(m_start + 1s, TrafficBook::Which::All).size(), std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(TestTrafficBook)
#include "test_traffic_book.moc"

// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/file_time.h"

#include <QTest>

using namespace carrel;

class TestFileTime : public QObject {
    Q_OBJECT
private slots:
    void thereAndBack_data() {
        QTest::addColumn<qint64>("seconds");
        QTest::addColumn<qint64>("rest");
        QTest::newRow("1970") << qint64(0) << qint64(0);
        QTest::newRow("today") << qint64(1'795'000'000) << qint64(123'456'789);
        QTest::newRow("just before 1970") << qint64(-1) << qint64(999'999'999);
        QTest::newRow("1901") << qint64(-2'177'452'800) << qint64(1);
        QTest::newRow("2261") << qint64(9'190'000'000) << qint64(999'999'999);
    }
    void thereAndBack() {
        QFETCH(qint64, seconds);
        QFETCH(qint64, rest);
        const timespec back = toTimespec(toNs(timespec{seconds, rest}));
        QCOMPARE(qint64(back.tv_sec), seconds);
        QCOMPARE(qint64(back.tv_nsec), rest);
    }
    // ext4 holds times up to 2446, and a guest claims what it likes.
    void whatIsTooFarIsTheEnd() {
        QCOMPARE(toNs(timespec{16'725'225'600, 5}), std::numeric_limits<std::int64_t>::max());
        QCOMPARE(toNs(std::numeric_limits<std::int64_t>::max(), 999'999'999), std::numeric_limits<std::int64_t>::max());
        QCOMPARE(toNs(std::numeric_limits<std::int64_t>::min(), 0), std::numeric_limits<std::int64_t>::min());
        QVERIFY(toTimespec(std::numeric_limits<std::int64_t>::max()).tv_sec > 9'000'000'000);
        QVERIFY(toTimespec(std::numeric_limits<std::int64_t>::min()).tv_nsec >= 0);
    }
};

QTEST_GUILESS_MAIN(TestFileTime)
#include "test_file_time.moc"

// SPDX-License-Identifier: Apache-2.0
// What guestd answers to those who ask for the time, byte for byte, and what it does not answer.
#include "guest/guestd/ntp_answer.h"

#include <QTest>

using namespace carrel;
using namespace carrel::guestd;
using namespace std::chrono_literals;

namespace {

using Time = std::chrono::system_clock::time_point;

// 2026-11-27 22:40:10 UTC, and half a second.
const Time kCame = Time(1795819210s + 500ms);
const Time kNow = kCame + 250ms;

QByteArray query(const char* firstInHex = "23") {
    return QByteArray::fromHex(firstInHex) + QByteArray::fromHex("00 0a 00") + QByteArray(36, '\0') + QByteArray::fromHex("0102030405060708");
}

QByteArray answerTo(const QByteArray& asked, Time came = kCame, Time now = kNow) {
    const auto bytes = ntpAnswer(asBytes({asked.constData(), std::size_t(asked.size())}), came, now);
    return {reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())};
}

} // namespace

class TestNtpAnswer : public QObject {
    Q_OBJECT
private slots:
    void byteForByte() {
        QCOMPARE(answerTo(query()).toHex(' '), QByteArray::fromHex("24 0a 0a ec"         // no leap second, version 4, server; stratum 10
                                                                   "00000000 00004000"   // no way to the clock; a quarter of a second
                                                                   "4c4f434c"            // LOCL
                                                                   "ee b4 85 4a 80000000" // the clock was right when it was read
                                                                   "0102030405060708"    // what the program sent as its own time
                                                                   "ee b4 85 4a 80000000" // come
                                                                   "ee b4 85 4a c0000000") // sent
                                                   .toHex(' '));
    }

    void versions() {
        QCOMPARE(answerTo(query("0b")).left(1).toHex(), QByteArray("0c")); // 1 … 4, each in its own
        QCOMPARE(answerTo(query("13")).left(1).toHex(), QByteArray("14"));
        QCOMPARE(answerTo(query("1b")).left(1).toHex(), QByteArray("1c"));
        QCOMPARE(answerTo(query("e3")).left(1).toHex(), QByteArray("24")); // a client that does not know the time says so
    }

    // The last second of the first era is followed by the first one of the next (2036-02-07 06:28:16 UTC).
    void theNextEra() {
        const Time last(std::chrono::seconds(0x1'0000'0000 - 2'208'988'800LL) - 1ns);
        const auto answer = answerTo(query(), last, last + 1ns);
        QCOMPARE(answer.mid(32, 8).toHex(), QByteArray("fffffffffffffffb"));
        QCOMPARE(answer.mid(40, 8).toHex(), QByteArray("0000000000000000"));
    }

    void whatIsNotAnswered_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("short") << query().left(47);
        QTest::newRow("with a key") << query() + QByteArray(20, '\0');
        QTest::newRow("with an extension") << query() + QByteArray::fromHex("01040010") + QByteArray(12, '\0');
        QTest::newRow("long") << query() + "x";
        QTest::newRow("version 0") << query("03");
        QTest::newRow("version 5") << query("2b");
        QTest::newRow("version 7") << query("3b");
        QTest::newRow("mode 0") << query("20");
        QTest::newRow("symmetric, active") << query("21");
        QTest::newRow("symmetric, passive") << query("22");
        QTest::newRow("an answer") << query("24");
        QTest::newRow("broadcast") << query("25");
        QTest::newRow("control") << query("26");
        QTest::newRow("private") << query("17");
        QTest::newRow("its own answer") << answerTo(query());
    }
    void whatIsNotAnswered() {
        QFETCH(QByteArray, bytes);
        QCOMPARE(answerTo(bytes), QByteArray());
    }
};

QTEST_GUILESS_MAIN(TestNtpAnswer)
#include "test_ntp_answer.moc"

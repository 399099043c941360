// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/byte_amount.h"

#include <QTest>

using namespace carrel;

class TestByteAmount : public QObject {
    Q_OBJECT
private slots:
    void isReadAndWrittenBack_data() {
        QTest::addColumn<QString>("said");
        QTest::addColumn<quint64>("bytes");
        QTest::addColumn<QString>("shown");
        QTest::newRow("mebibytes") << "5MiB" << quint64(5 << 20) << "5 MiB";
        QTest::newRow("with spaces, in small letters") << "2  gib" << (quint64(2) << 30) << "2 GiB";
        QTest::newRow("decimal") << "500kB" << quint64(500'000) << "500 kB";
        QTest::newRow("none") << "1234567" << quint64(1234567) << "1234567 bytes";
        QTest::newRow("one") << "1 b" << quint64(1) << "1 byte";
        QTest::newRow("a larger unit says the same") << "2048KiB" << quint64(2 << 20) << "2 MiB";
        QTest::newRow("the most") << "1PiB" << (quint64(1) << 50) << "1 PiB";
        QTest::newRow("nothing") << "0" << quint64(0) << "0 bytes";
    }
    void isReadAndWrittenBack() {
        QFETCH(QString, said);
        QFETCH(quint64, bytes);
        QFETCH(QString, shown);
        const auto got = amountFrom(said.toStdString());
        QVERIFY(got);
        QCOMPARE(quint64(*got), bytes);
        QCOMPARE(QString::fromStdString(amountText(*got)), shown);
        QCOMPARE(amountFrom(amountText(*got)), got); // what is shown can be said
    }
    void whatIsNoAmount() {
        for (const char* each : {"", " ", "MiB", "-1", "+1", "1.5GiB", "5 MiBs", "5Mi", "12345678", "2PiB", "9999999TB", "5 5", "0x10", "5\xc2\xa0MiB"}) {
            QVERIFY2(!amountFrom(each), each);
        }
    }
};

QTEST_GUILESS_MAIN(TestByteAmount)
#include "test_byte_amount.moc"

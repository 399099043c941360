// SPDX-License-Identifier: Apache-2.0
// One spelling for each host: what two readers would take for two things, or for an address, is no destination.
#include "app/egress/destination.h"

#include <QTest>

using namespace carrel;
using namespace carrel::egress;

class TestDestination : public QObject {
    Q_OBJECT
private slots:
    void names() {
        for (const char* good : {"example.org", "a", "localhost", "a.b.c.d.e", "xn--bcher-kva.example", "my_bucket.s3.example.org",
                                 "1.example.org", "127.0.0.1.example.org", "0x7f.org", "a--b.org", "3com.com", "x.0xg"}) {
            QVERIFY2(HostName::parse(good), good);
            QCOMPARE(HostName::parse(good)->text(), std::string(good));
        }
        QVERIFY(HostName::parse(std::string(63, 'a') + ".org"));
        std::string longest;
        for (int i = 0; i < 126; ++i) {
            longest += "a.";
        }
        longest += "b";
        QCOMPARE(longest.size(), kMaxHostName);
        QVERIFY(HostName::parse(longest));
    }
    void whatIsNone_data() {
        QTest::addColumn<QByteArray>("text");
        for (const char* bad :
             {"", ".", "example.org.", ".example.org", "a..b", "Example.org", "EXAMPLE.ORG", "-a.org", "a-.org", "a.-b", "*.example.org",
              "bücher.example", "exa mple.org", "example.org:80", "[::1]", "a/b", "user@example.org", "a%2eorg", "xn--.org", "ab--c.org",
              "127.1", "127.0.0.1", "0177.0.0.1", "0x7f000001", "2130706433", "1.2.3.4.5", "example.1", "example.0x1f", "a.0x", "::1",
              "example.org\n", "example\t.org", "a\\b.org", "example。org", "１２７.0.0.1"}) {
            QTest::newRow(bad) << QByteArray(bad);
        }
        QTest::newRow("zero") << QByteArray("example.org\0.evil.org", 21);
        QTest::newRow("long label") << QByteArray(64, 'a') + ".org";
        QTest::newRow("long") << QByteArray("a.").repeated(126) + "bc";
    }
    void whatIsNone() {
        QFETCH(QByteArray, text);
        QVERIFY(!HostName::parse(text.toStdString()));
    }
    void addresses() {
        for (const char* good : {"127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1"}) {
            const auto one = Address::parse(good);
            QVERIFY2(one, good);
            QCOMPARE(one->text(), std::string(good));
        }
        for (const char* bad : {"", "127.1", "127.0.0.01", "0127.0.0.1", "127.0.0.1 ", "256.0.0.1", "1.2.3", "2001:DB8::1", "2001:0db8::1",
                                "2001:db8:0:0:0:0:0:1", "::ffff:0102:0304", "fe80::1%eth0", "[::1]", "::1::", "0:0:0:0:0:0:0:1"}) {
            QVERIFY2(!Address::parse(bad), bad);
        }
    }
    void both() {
        QCOMPARE(Destination::parse("example.org", 443)->text(), std::string("example.org:443"));
        QCOMPARE(Destination::parse("2001:db8::1", 22)->text(), std::string("[2001:db8::1]:22"));
        QVERIFY(Destination::parse("10.0.0.1", 1)->address() != nullptr);
        QVERIFY(!Destination::parse("example.org", 0) && !Destination::parse("example.org", 65536) && !Destination::parse("127.1", 80));
    }
    void throughTheKernelsForm() {
        for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
            sockaddr_storage raw{};
            const auto address = Address::parse(text).value();
            (void)address.put(raw, 80);
            QVERIFY(Address::of(raw).value() == address);
        }
        sockaddr_storage other{};
        other.ss_family = AF_UNIX;
        QVERIFY(!Address::of(other));
    }
};

QTEST_GUILESS_MAIN(TestDestination)
#include "test_destination.moc"

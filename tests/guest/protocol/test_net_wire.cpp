// SPDX-License-Identifier: Apache-2.0
// The heads of a network stream: what is written comes back, and nothing else is taken for one.
#include "guest/protocol/net_wire.h"

#include <QTest>

using namespace carrel;
using namespace carrel::net;

namespace {

Bytes raw(std::initializer_list<int> bytes, std::string_view text = {}) {
    Bytes out;
    for (const int each : bytes) {
        out.push_back(static_cast<std::byte>(each));
    }
    const auto rest = asBytes(text);
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

} // namespace

class TestNetWire : public QObject {
    Q_OBJECT
private slots:
    void openingsComeBackAsTheyWere() {
        const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
        QCOMPARE(longest.size(), kMaxHostName);
        for (const auto& host : {Host("example.org"), Host(longest), Host(Ipv4{203, 0, 113, 9}), Host(Ipv6{0x20, 1, 0xd, 0xb8})}) {
            for (const int port : {1, 443, 65535}) {
                const Opening opening{host, static_cast<std::uint16_t>(port)};
                auto bytes = toWire(opening);
                const auto size = bytes.size();
                for (std::size_t part = 0; part < size; ++part) { // whatever has come, it waits for the rest
                    const auto early = openingFrom(ByteSpan(bytes).first(part));
                    QVERIFY(early.has_value() && !early->has_value());
                }
                bytes.push_back(std::byte{'x'}); // the connection's first byte
                const auto taken = openingFrom(bytes);
                QVERIFY(taken.has_value() && taken->has_value());
                QCOMPARE((*taken)->bytes, size);
                QVERIFY((*taken)->head == opening);
            }
        }
    }

    void whatIsNoOpeningIsRefused_data() {
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, const Bytes& bytes) {
            QTest::newRow(name) << QByteArray(reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size()));
        };
        row("version", raw({2, 1, 80, 0, 1}, "a"));
        row("version, at its first byte", raw({0}));
        row("kind 0", raw({1, 0, 80, 0, 1}, "a"));
        row("kind 4", raw({1, 4, 80, 0, 1}, "a"));
        row("no port", raw({1, 1, 0, 0, 1}, "a"));
        row("no name", raw({1, 1, 80, 0, 0}));
        row("name too long", raw({1, 1, 80, 0, 254}));
        row("IPv4 of five", raw({1, 2, 80, 0, 5}, "12345"));
        row("IPv6 of four", raw({1, 3, 80, 0, 4}, "1234"));
        row("capitals", raw({1, 1, 80, 0, 1}, "A"));
        row("a name with a line", raw({1, 1, 80, 0, 3}, "a\nb"));
        row("an address as a name", raw({1, 1, 80, 0, 9}, "127.0.0.1"));
    }
    void whatIsNoOpeningIsRefused() {
        QFETCH(QByteArray, bytes);
        const auto taken = openingFrom(asBytes({bytes.constData(), std::size_t(bytes.size())}));
        QVERIFY(!taken.has_value());
        QVERIFY(taken.error().code == ErrorCode::Malformed);
    }

    void answersComeBackAsTheyWere() {
        for (int each = 0; each <= static_cast<int>(Outcome::Closed); ++each) {
            const Answer answer{static_cast<Outcome>(each), each % 2 == 0 ? "" : "a rule says no: \xc3\xa4"};
            const auto taken = answerFrom(toWire(answer));
            QVERIFY(taken.has_value() && taken->has_value());
            QVERIFY((*taken)->head == answer);
            QVERIFY(outcomeFrom(toString(answer.outcome)) == answer.outcome);
        }
        QVERIFY(!outcomeFrom("perhaps"));
    }

    void anAnswersTextIsMadeToFit() {
        const auto taken = answerFrom(toWire(Answer{Outcome::Denied, std::string(1000, 'x') + "\n"}));
        QVERIFY(taken.has_value() && taken->has_value());
        QCOMPARE((*taken)->head.text, std::string(kMaxAnswerText, 'x'));
        QCOMPARE((*answerFrom(toWire(Answer{Outcome::Denied, "a\nb\x1b[2J\xff"})))->head.text, std::string("a b [2J?"));
    }

    void inwardComesBackAsItWas() {
        for (const int port : {1, 8000, 65535}) {
            const Inward inward{static_cast<std::uint16_t>(port)};
            auto bytes = toWire(inward);
            for (std::size_t part = 0; part < bytes.size(); ++part) {
                const auto early = inwardFrom(ByteSpan(bytes).first(part));
                QVERIFY(early.has_value() && !early->has_value());
            }
            bytes.push_back(std::byte{'x'});
            QVERIFY(!openingFrom(bytes)); // neither is taken for the other
            const auto taken = inwardFrom(bytes);
            QVERIFY(taken.has_value() && taken->has_value());
            QCOMPARE((*taken)->bytes, bytes.size() - 1);
            QVERIFY((*taken)->head == inward);
        }
    }

    void whatIsNotInwardIsRefused() {
        QVERIFY(!inwardFrom(raw({2})));
        QVERIFY(!inwardFrom(raw({1, 4, 0, 0})));
        QVERIFY(!inwardFrom(raw({1, 1, 80, 0, 1}, "a")));
        QVERIFY(inwardFrom(raw({1, 4, 80})).has_value());
    }

    void whatIsNoAnswerIsRefused() {
        QVERIFY(!answerFrom(raw({9})));
        QVERIFY(!answerFrom(raw({1, 11, 0})));
        QVERIFY(!answerFrom(raw({1, 2, 241})));
        QVERIFY(!answerFrom(raw({1, 2, 1}, "\n")));
        QVERIFY(!answerFrom(raw({1, 2, 1}, "\xff")));
        QVERIFY(answerFrom(raw({1, 2})).has_value());
    }

    void hostNames_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("good");
        const auto row = [](const QString& name, bool good) { QTest::newRow(qPrintable(name.left(60))) << name << good; };
        for (const char* good : {"a", "example.org", "xn--bcher-kva.example", "my_bucket.s3.example", "1.example", "a-b.c", "3com"}) {
            row(good, true);
        }
        for (const char* bad : {"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "A", "a b", "a/b", "1", "1.2.3.4", "a.1", "a.0x1f", "0x", "b\xc3\xbc", "a:80",
                                "[::1]", "a\r\nb"}) {
            row(bad, false);
        }
        row(QString(63, 'a'), true);
        row(QString(64, 'a'), false);
    }
    void hostNames() {
        QFETCH(QString, name);
        QTEST(isHostName(name.toStdString()), "good");
    }

    void hostsAsText() {
        QCOMPARE(textOf(Host("example.org")), std::string("example.org"));
        QCOMPARE(textOf(Host(Ipv4{203, 0, 113, 9})), std::string("203.0.113.9"));
        Ipv6 address{0x20, 0x01, 0x0d, 0xb8};
        address.back() = 9;
        QCOMPARE(textOf(Host(address)), std::string("2001:db8::9"));
    }
};

QTEST_GUILESS_MAIN(TestNetWire)
#include "test_net_wire.moc"

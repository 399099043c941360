// SPDX-License-Identifier: Apache-2.0
// What guestd tells of refused connections, as both ends read it.
#include "guest/protocol/net_refusals.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::net;
namespace json = boost::json;

namespace {

const char* const kOne = R"({"at":1795819210,"host":"example.org","port":443,"outcome":"denied","words":"a rule","times":2})";

} // namespace

class TestNetRefusals : public QObject {
    Q_OBJECT
private slots:
    void comeBackAsTheyWere() {
        Ipv6 v6{};
        v6[15] = 9;
        const Refusals all{{1795819210, {"example.org", 443}, Outcome::Denied, "a rule", 2},
                           {1, {Ipv4{203, 0, 113, 9}, 1}, Outcome::TimedOut, "", 1},
                           {1, {v6, 65535}, Outcome::Offline, "\xc3\xa4", 1}};
        const auto back = refusalsFrom(toJson(all));
        QVERIFY2(back, back ? "" : back.error().text().c_str());
        QVERIFY(*back == all);
        QVERIFY(refusalsFrom(toJson(Refusals())).value().empty());
        for (const auto& wanted : {RefusalsWanted{}, RefusalsWanted{"example.org"}, RefusalsWanted{v6}}) {
            QVERIFY(refusalsWantedFrom(toJson(wanted)).value() == wanted);
        }
    }

    // As long as they can get, they fit one line to a program.
    void theLongestFit() {
        const Refusal one{1, {std::string(61, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(63, 'd'), 65535},
                          Outcome::Unreachable, std::string(kMaxAnswerText, '"'), 1ULL << 53U};
        const auto text = json::serialize(toJson(Refusals(kMaxRefusals, one)));
        QVERIFY(text.size() < 64 * 1024);
        QCOMPARE(refusalsFrom(json::parse(text).as_object()).value().size(), kMaxRefusals);
    }

    void hosts_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("host");
        QTest::newRow("a name") << "example.org" << "example.org";
        QTest::newRow("in capitals") << "WWW.Example.ORG" << "www.example.org";
        QTest::newRow("of one label") << "build" << "build";
        QTest::newRow("IPv4") << "203.0.113.9" << "203.0.113.9";
        QTest::newRow("IPv6") << "2001:DB8:0:0::1" << "2001:db8::1";
        QTest::newRow("nothing") << "" << "";
        QTest::newRow("a number") << "12" << "";
        QTest::newRow("a port behind it") << "example.org:443" << "";
        QTest::newRow("a URL") << "https://example.org/" << "";
        QTest::newRow("brackets") << "[2001:db8::1]" << "";
        QTest::newRow("no address") << "203.0.113" << "";
        QTest::newRow("a byte that ends an address") << QString(QByteArray("203.0.113.9\0x", 13)) << "";
        QTest::newRow("too long") << QString("a.").repeated(127) + "a" << "";
    }
    void hosts() {
        QFETCH(QString, text);
        QFETCH(QString, host);
        const auto got = hostFrom(text.toStdString());
        QCOMPARE(got ? QString::fromStdString(textOf(*got)) : QString(), host);
    }

    void whatIsRefused_data() {
        QTest::addColumn<QByteArray>("one");
        const auto row = [](const char* name, const char* from, const char* to) {
            QTest::newRow(name) << QByteArray(kOne).replace(from, to);
        };
        row("a port that is none", "443", "0");
        row("a port beyond them", "443", "65536");
        row("no host", "example.org", "a b");
        row("open", "denied", "open");
        row("a note", "denied", "waiting");
        row("an unknown outcome", "denied", "maybe");
        row("words without end", "a rule", QByteArray(kMaxAnswerText + 1, 'x').constData());
        row("words that are no text", "a rule", "\xff");
        row("something more", "\"times\"", "\"more\":1,\"times\"");
        row("something less", ",\"times\":2", "");
        QTest::newRow("no object") << QByteArray("7");
        QVERIFY(refusalsFrom(json::parse("{\"refusals\":[" + std::string(kOne) + "]}").as_object()));
    }
    void whatIsRefused() {
        QFETCH(QByteArray, one);
        boost::system::error_code bad;
        const auto parsed = json::parse("{\"refusals\":[" + one.toStdString() + "]}", bad);
        QVERIFY(bad || !refusalsFrom(parsed.as_object()));
    }

    void tooMany() {
        json::array list;
        for (std::size_t i = 0; i <= kMaxRefusals; ++i) {
            list.push_back(json::parse(kOne));
        }
        QVERIFY(!refusalsFrom({{"refusals", list}}));
        QVERIFY(!refusalsFrom({}));
        QVERIFY(!refusalsWantedFrom({{"host", "a b"}}));
        QVERIFY(!refusalsWantedFrom({{"host", 7}}));
        QVERIFY(!refusalsWantedFrom({{"port", 7}}));
    }
};

QTEST_GUILESS_MAIN(TestNetRefusals)
#include "test_net_refusals.moc"

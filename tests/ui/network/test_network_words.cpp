// SPDX-License-Identifier: Apache-2.0
// The network in words: a destination is shown to the last letter, and no letter passes for another.
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/text/languages.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QTest>

using namespace carrel::ui;
using namespace std::chrono_literals;

class TestNetworkWords : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void modes() {
        for (const auto mode : {NetMode::Offline, NetMode::Ask, NetMode::Allowlist}) {
            QVERIFY(netModeFrom(netModeKey(mode)) == mode);
            QVERIFY(!netModeText(mode).isEmpty() && !netModeExplained(mode).isEmpty());
        }
        QVERIFY(netModeFrom("of a later engine") == NetMode::Unknown);
    }
    void places() {
        QCOMPARE(placeText("example.org", "443"), QString("example.org:443"));
        QCOMPARE(placeText("2001:db8::1", "22"), QString("[2001:db8::1]:22"));
    }
    // A Cyrillic a, an Arabic letter, an override: none is shown as it looks.
    void lookAlikes() {
        QCOMPARE(hostText("p\xd0\xb0ypal.com"), QString("p\\u{430}ypal.com"));
        QCOMPARE(hostText("\xd8\xa7.org"), QString("\\u{627}.org"));
        QCOMPARE(hostText("a\xe2\x80\xae" "gro.elpmaxe"), QString("a\\u{202e}gro.elpmaxe"));
        QCOMPARE(hostText("a b"), QString("a\\u{20}b"));
        QCOMPARE(hostText("\xf0\x9d\x92\xb3.org"), QString("\\u{1d4b3}.org")); // beyond the first plane
    }
    void notes() {
        QVERIFY(hostNote("example.org").isEmpty());
        QVERIFY(hostNote("axn--b.example.org").isEmpty());
        QVERIFY(hostNote("xn--pypal-4ve.com").contains("xn--"));
        QVERIFY(hostNote("www.xn--pypal-4ve.com").contains("xn--"));
        QVERIFY(hostNote("192.0.2.7").contains("address"));
        QVERIFY(hostNote("2001:db8::7").contains("address"));
        QVERIFY(hostNote("1.example").isEmpty());
    }
    void everyOutcomeHasWords() {
        for (const char* outcome : {"denied", "expired", "unresolved", "unreachable", "refused", "timed-out", "limit", "offline", "closed"}) {
            QVERIFY2(outcomeText(outcome) != outcome, outcome);
        }
        QCOMPARE(outcomeText("of a later engine"), QString("of a later engine"));
    }
    void traffic() {
        QCOMPARE(trafficText({{"outcome", "open"}, {"begun", 2}, {"ended", 0}, {"sent", 0}, {"received", 0}}), QString("2 connections begun"));
        QCOMPARE(trafficText({{"outcome", "open"}, {"begun", 1}, {"ended", 1}, {"sent", 812}, {"received", 40000}, {"address", "unchecked"}}),
                 QString("1 connection begun, 1 ended: %1 sent, %2 received; address unchecked, through a proxy").arg(sizeText(812), sizeText(40000)));
        QCOMPARE(trafficText({{"outcome", "denied"}, {"begun", 3}, {"why", "no rule of the owner's allows it"}}),
                 QString("Denied, 3 times: no rule of the owner's allows it"));
    }
    void spans() {
        QCOMPARE(spanText(59'999ms), QString("59 s"));
        QCOMPARE(spanText(60s), QString("1 min"));
        QCOMPARE(spanText(2h + 5min), QString("2 h 5 min"));
        QCOMPARE(spanText(49h), QString("2 d 1 h"));
    }
    // Every letter of it, and lines that a narrow window has room for.
    void longNames() {
        const QString name = QString("a").repeated(60) + "." + QString("b").repeated(60) + ".evil.example port 443";
        const auto broken = brokenText(name, 36);
        QCOMPARE(QString(broken).remove('\n'), name);
        for (const auto& line : broken.split('\n')) {
            QVERIFY(line.section(' ', 0, 0).size() <= 36);
        }
        QCOMPARE(brokenText("short words stay"), QString("short words stay"));
    }
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void nastyTexts() {
        QFETCH(QByteArray, text);
        const auto raw = text.toStdString();
        const auto host = hostText(raw);
        for (const auto letter : host) {
            QVERIFY2(letter.unicode() > 0x20 && letter.unicode() < 0x7f, qPrintable(host));
        }
        for (const auto& shown : {outcomeText(raw), trafficText({{"outcome", raw}, {"begun", 1}, {"why", raw}}),
                                  networkEventText("credential.used", {{"host", raw}, {"method", raw}, {"path", raw}}),
                                  networkEventText("credential.refused", {{"host", raw}, {"why", raw}}),
                                  networkEventText("canary.left", {{"host", raw}, {"where", raw}, {"form", raw}}),
                                  networkEventText("canary.planted", {{"planted", raw}, {"env", raw}}),
                                  networkEventText("forward.opened", {{"host", raw}, {"until", raw}}),
                                  networkEventText("forward.closed", {{"host", raw}, {"why", raw}})}) {
            QVERIFY2(carrel::test::unfit(shown.toUtf8()).isEmpty(), qPrintable(shown));
        }
    }
};

QTEST_MAIN(TestNetworkWords)
#include "test_network_words.moc"

// SPDX-License-Identifier: Apache-2.0
// The key that vouches for logs, and what it vouches for.
#include "app/activity/signature.h"

#include <QTest>

#include <algorithm>

using namespace carrel;
using namespace carrel::activity;

namespace {

SigningKey keyOf(unsigned char first) {
    std::array<unsigned char, 32> seed{};
    seed[0] = first;
    return SigningKey::fromSeed(seed).value();
}

SignedHead headBy(const SigningKey& key) {
    SignedHead head;
    head.log.fill(7);
    head.seq = 12;
    head.timeNs = -3;
    head.hash.fill(9);
    head.reason = "session";
    Q_ASSERT(key.sign(head));
    return head;
}

} // namespace

class TestLogSignature : public QObject {
    Q_OBJECT
private slots:
    // RFC 8032, section 7.1, test 1.
    void theKeyIsThatOfTheStandard() {
        const auto seed = QByteArray::fromHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        std::array<unsigned char, 32> bytes{};
        std::copy(seed.begin(), seed.end(), bytes.begin());
        const auto key = SigningKey::fromSeed(bytes).value();
        QCOMPARE(QByteArray::fromStdString(textOf(key.publicKey())),
                 QByteArray("carrel-key-1 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    }

    void everyFieldIsSigned() {
        const auto key = keyOf(1);
        const auto good = headBy(key);
        QVERIFY(isGenuine(good));
        const auto changed = [&](auto change) {
            auto head = good;
            change(head);
            return !isGenuine(head);
        };
        QVERIFY(changed([](SignedHead& head) { head.log[15] ^= 1U; }));
        QVERIFY(changed([](SignedHead& head) { ++head.seq; }));
        QVERIFY(changed([](SignedHead& head) { ++head.timeNs; }));
        QVERIFY(changed([](SignedHead& head) { head.hash[0] ^= 1U; }));
        QVERIFY(changed([](SignedHead& head) { head.reason = "asked"; }));
        QVERIFY(changed([](SignedHead& head) { head.reason = "session "; }));
        QVERIFY(changed([](SignedHead& head) { head.signature[63] ^= 1U; }));
        QVERIFY(changed([](SignedHead& head) { head.key = keyOf(2).publicKey(); }));
    }

    // A statement of one kind is none of the other, whatever its bytes.
    void aCutIsNoHead() {
        const auto key = keyOf(1);
        SignedCut cut;
        cut.seq = 12;
        QVERIFY(key.sign(cut) && isGenuine(cut));
        SignedHead head;
        head.seq = 12;
        head.reason = "a";
        head.key = cut.key;
        head.signature = cut.signature;
        QVERIFY(!isGenuine(head));
        cut.seq = 13;
        QVERIFY(!isGenuine(cut));
    }

    void aHeadIsALineOfText() {
        const auto head = headBy(keyOf(1));
        const auto text = textOf(head);
        QCOMPARE(signedHeadFrom(text).value(), head);
        QCOMPARE(signedHeadFrom(text + "\n").value(), head);
        QCOMPARE(publicKeyFrom(textOf(head.key)).value(), head.key);
    }

    void otherTextIsNoHead_data() {
        QTest::addColumn<QString>("from");
        QTest::addColumn<QString>("to");
        QTest::newRow("another version") << "carrel-head-1" << "carrel-head-2";
        QTest::newRow("two spaces") << " 12 " << "  12 ";
        QTest::newRow("a leading zero") << " 12 " << " 012 ";
        QTest::newRow("event 0") << " 12 " << " 0 ";
        QTest::newRow("too great") << " 12 " << " 18446744073709551616 ";
        QTest::newRow("a sign") << " 12 " << " +12 ";
        QTest::newRow("upper case") << "0909" << "0A09";
        QTest::newRow("short hash") << "0909" << "09";
        QTest::newRow("no reason") << " session " << "  ";
        QTest::newRow("a reason of two words") << " session " << " the session ";
        QTest::newRow("a word more") << "carrel-head-1" << "carrel-head-1 x";
    }
    void otherTextIsNoHead() {
        QFETCH(QString, from);
        QFETCH(QString, to);
        auto text = QString::fromStdString(textOf(headBy(keyOf(1))));
        const auto at = text.indexOf(from);
        QVERIFY(at >= 0);
        text.replace(at, from.size(), to);
        const auto head = signedHeadFrom(text.toStdString());
        QVERIFY(!head && head.error().code == ErrorCode::Malformed && !head.error().hint.empty());
    }

    void reasonsAreBounded() {
        const auto key = keyOf(1);
        for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\n"), std::string(kMaxReasonBytes + 1, 'a')}) {
            SignedHead head;
            head.reason = bad;
            QVERIFY(!key.sign(head));
        }
        QVERIFY(!publicKeyFrom("") && !publicKeyFrom("carrel-key-1 00") && !signedHeadFrom(std::string(1 << 20, ' ')));
    }
};

QTEST_APPLESS_MAIN(TestLogSignature)
#include "test_log_signature.moc"

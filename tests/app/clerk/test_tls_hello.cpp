// SPDX-License-Identifier: Apache-2.0
// Which ClientHello may pass to a host, and which may not. Promised: one without a name, with another's, or with one that
// is hidden goes nowhere.
#include "app/clerk/net_gate.h"
#include "app/clerk/tls_hello.h"
#include "tests/app/clerk/client_hello.h"

#include <QFile>
#include <QIODevice>
#include <QStringLiteral>
#include <QTest>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;

namespace {

const std::string kHost = "www.example.org";

Bytes with(std::vector<Extension> extensions) {
    return recordsOf(messageOf({.extensions = std::move(extensions), .after = {}}));
}

QByteArray text(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size())};
}
ByteSpan span(const QByteArray& bytes) {
    return asBytes({bytes.constData(), std::size_t(bytes.size())});
}

Bytes joined(std::initializer_list<Bytes> all) {
    Bytes out;
    for (const auto& each : all) {
        put(out, each);
    }
    return out;
}

} // namespace

class TestTlsHello : public QObject {
    Q_OBJECT
private slots:
    void goodOnesPass_data() {
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, const Bytes& bytes) { QTest::newRow(name) << text(bytes); };
        row("plain", helloFor(kHost));
        row("capitals", helloFor("WWW.Example.ORG"));
        row("in small records", recordsOf(messageOf({.extensions = {serverName(kHost)}, .after = {}}), 7));
        row("no session", recordsOf(messageOf({.session = 0, .extensions = {serverName(kHost)}, .after = {}})));
        row("TLS 1.0", recordsOf(messageOf({.version = 0x0301, .extensions = {serverName(kHost)}, .after = {}})));
        row("large", with({serverName(kHost), {21, Bytes(9000)}}));
        for (const char* made : {"openssl13", "openssl12"}) { // by a real library
            QFile file(QStringLiteral(CARREL_SOURCE_DIR "/tests/fuzz/corpus/clerk_tls_hello/") + made);
            QVERIFY(file.open(QIODevice::ReadOnly));
            QTest::newRow(made) << file.readAll();
        }
    }
    void goodOnesPass() {
        QFETCH(QByteArray, bytes);
        for (qsizetype part = 0; part < bytes.size(); ++part) {
            QVERIFY2(lookAtHello(span(bytes.left(part)), kHost).look == Look::More, QByteArray::number(part).constData());
        }
        const auto whole = lookAtHello(span(bytes), kHost);
        QVERIFY2(whole.look == Look::Good, whole.why.c_str());
        QCOMPARE(whole.bytes, std::size_t(bytes.size()));
        // What comes behind it is no part of it.
        QCOMPARE(lookAtHello(span(bytes + "more"), kHost).bytes, std::size_t(bytes.size()));
        QVERIFY(lookAtHello(span(bytes), "other.example.org").look == Look::Bad);
    }

    void badOnesDoNot_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("why");
        const auto row = [](const char* name, const Bytes& bytes, const char* why) { QTest::newRow(name) << text(bytes) << QString(why); };
        const auto name = serverName(kHost);
        row("no name", with({{16, Bytes(4)}}), "does not say which host");
        row("no extensions", with({}), "does not say which host");
        row("another name", with({serverName("evil.example.org")}), "another host");
        row("a longer name", with({serverName(kHost + "x")}), "another host");
        row("a shorter name", with({serverName("ww.example.org")}), "another host");
        row("a name with NUL", with({serverName(std::string_view("www.example.org\0", 16))}), "another host");
        row("a final dot", with({serverName(kHost + ".")}), "another host");
        row("ECH", with({name, {0xfe0d, Bytes(5)}}), "hides");
        row("ECH, before the name", with({{0xfe0d, Bytes(5)}, name}), "hides");
        row("ESNI", with({name, {0xffce, Bytes(5)}}), "hides");
        row("two names", with({name, name}), "good order");
        Extension two = name;
        {
            Bytes list;
            for (const char* each : {"www.example.org", "evil.example.org"}) {
                put(list, 0, 1);
                putVector(list, asBytes(each), 2);
            }
            two.body.clear();
            putVector(two.body, list, 2);
        }
        row("two names in one list", with({two}), "good order");
        row("a name of another kind", with({serverName(kHost, 1)}), "good order");
        row("an empty list", with({{0, Bytes(2)}}), "good order");
        row("an empty name", with({serverName("")}), "good order");
        row("an extension twice", with({name, {16, {}}, {16, {}}}), "good order");
        row("no compression", recordsOf(messageOf({.compressions = 0, .extensions = {name}, .after = {}})), "good order");
        row("half a cipher", recordsOf(messageOf({.ciphers = 3, .extensions = {name}, .after = {}})), "good order");
        row("a long session", recordsOf(messageOf({.session = 33, .extensions = {name}, .after = {}})), "good order");
        row("SSL 3", recordsOf(messageOf({.version = 0x0300, .extensions = {name}, .after = {}})), "good order");
        row("more at its end", recordsOf(messageOf({.extensions = {name}, .after = Bytes(1)})), "good order");
        row("another message", recordsOf(messageOf({.extensions = {name}, .type = 2, .after = {}})), "good order");
        row("two messages in a record", recordsOf(joined({messageOf({.extensions = {name}, .after = {}}), Bytes(4)})), "good order");
        row("an alert between", joined({recordsOf(Bytes(1, std::byte{1})), recordsOf(Bytes(2), 9, 21)}), "good order");
        row("an empty record", joined({recordsOf(Bytes(1, std::byte{1})), Bytes{std::byte{22}, std::byte{3}, std::byte{1}, std::byte{0}, std::byte{0}}}),
            "good order");
        row("too long", with({name, {21, Bytes(17000)}}), "too long");
        row("a length that is too long", Bytes{std::byte{22}, std::byte{3}, std::byte{1}, std::byte{0}, std::byte{4}, std::byte{1}, std::byte{1}, std::byte{0}, std::byte{0}},
            "too long");
        row("no TLS", toBytes("GET / HTTP/1.1\r\n"), "good order");
        row("no TLS, at its first byte", toBytes("G"), "good order");
        row("SSL 2", Bytes{std::byte{0x80}, std::byte{0x2e}, std::byte{1}, std::byte{3}, std::byte{1}}, "good order");
    }
    void badOnesDoNot() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, why);
        const auto look = lookAtHello(span(bytes), kHost);
        QVERIFY(look.look == Look::Bad);
        QVERIFY2(QString::fromStdString(look.why).contains(why), look.why.c_str());
        QCOMPARE(look.bytes, std::size_t{0});
    }

    void theGateHoldsUntilTheServerHasAnswered() {
        const auto gate = makeTlsGate(kHost);
        const auto hello = helloFor(kHost);
        const auto both = joined({hello, toBytes("early")});
        QCOMPARE(gate->look(ByteSpan(hello).first(20)).pass, std::size_t{0});
        QCOMPARE(gate->look(both).pass, hello.size());
        QVERIFY(gate->waitsForServer());
        QCOMPARE(gate->look(toBytes("early")).pass, std::size_t{0});
        const auto answer = serverHello(Answer::Hello);
        for (const auto byte : answer) { // as badly cut as can be
            gate->serverSaid({&byte, 1});
        }
        QVERIFY(!gate->waitsForServer());
        QCOMPARE(gate->look(toBytes("early")).pass, std::size_t{5});
    }

    // A server may ask for another hello, and that one must be for the same host.
    void theSecondHelloIsLookedAtToo() {
        for (const bool isSame : {true, false}) {
            for (const bool withSpec : {true, false}) {
                const auto gate = makeTlsGate(kHost);
                QVERIFY(gate->look(helloFor(kHost)).pass > 0);
                gate->serverSaid(serverHello(Answer::Retry));
                QVERIFY(!gate->waitsForServer());
                const Bytes spec{std::byte{20}, std::byte{3}, std::byte{3}, std::byte{0}, std::byte{1}, std::byte{1}};
                const auto second = joined({withSpec ? spec : Bytes(), helloFor(isSame ? kHost : "evil.example.org")});
                const auto verdict = gate->look(second);
                QCOMPARE(verdict.good, isSame);
                QCOMPARE(verdict.pass, isSame ? second.size() : 0);
                if (isSame) {
                    QCOMPARE(gate->look(toBytes("rest")).pass, std::size_t{4});
                }
            }
        }
    }

    void aServerThatSpeaksNoTlsOpensTheGate() {
        const auto gate = makeTlsGate(kHost);
        QVERIFY(gate->look(helloFor(kHost)).pass > 0);
        gate->serverSaid(toBytes("HTTP/1.1 400 Bad Request\r\n"));
        QCOMPARE(gate->look(toBytes("rest")).pass, std::size_t{4});
    }
};

QTEST_GUILESS_MAIN(TestTlsHello)
#include "test_tls_hello.moc"

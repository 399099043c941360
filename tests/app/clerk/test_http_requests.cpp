// SPDX-License-Identifier: Apache-2.0
// Which plain HTTP requests may pass to a host. Promised: none for another host, and none that could be read as two.
#include "app/clerk/http_requests.h"

#include <QtTest>

using namespace carrel;
using namespace carrel::clerk;

namespace {

const std::string kHost = "www.example.org";
const QByteArray kGet = "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";

struct Passed {
    QByteArray bytes;
    bool good = true;
    std::string why;
};

// As a relay asks: in pieces, what is left over again and again.
Passed through(NetGate& gate, const QByteArray& bytes, qsizetype piece) {
    Passed out;
    QByteArray waiting;
    for (qsizetype at = 0; at < bytes.size() && out.good; at += piece) {
        waiting += bytes.mid(at, piece);
        for (;;) {
            const auto verdict = gate.look(asBytes({waiting.constData(), std::size_t(waiting.size())}));
            out.good = verdict.good;
            out.why = verdict.why;
            out.bytes += waiting.left(qsizetype(verdict.pass));
            waiting.remove(0, qsizetype(verdict.pass));
            if (verdict.pass == 0) {
                break;
            }
        }
    }
    return out;
}

QByteArray request(const char* head, const char* body = "") {
    return QByteArray(head).replace("\n", "\r\n") + body;
}

} // namespace

class TestHttpRequests : public QObject {
    Q_OBJECT
private slots:
    void goodOnesPass_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("get") << kGet;
        QTest::newRow("several") << kGet + kGet + kGet;
        QTest::newRow("capitals") << request("GET / HTTP/1.1\nhOST:WWW.Example.org  \n\n");
        QTest::newRow("port") << request("GET / HTTP/1.1\nHost: www.example.org:80\n\n");
        QTest::newRow("absolute") << request("GET http://www.example.org/a?b HTTP/1.1\nHost: www.example.org\n\n");
        QTest::newRow("options") << request("OPTIONS * HTTP/1.1\nHost: www.example.org\n\n");
        QTest::newRow("1.0") << request("GET / HTTP/1.0\nHost: www.example.org\n\n");
        QTest::newRow("length") << request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 5\n\n", "a\r\nb\n") + kGet;
        QTest::newRow("length 0") << request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 0\n\n") + kGet;
        QTest::newRow("chunked") << request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: Chunked\n\n",
                                            "5;a=\"b\"\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n") + kGet;
        QTest::newRow("trailers") << request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\n\n", "0\r\nX: y\r\nZ: a\r\n\r\n") + kGet;
    }
    void goodOnesPass() {
        QFETCH(QByteArray, bytes);
        for (const qsizetype piece : {qsizetype(1), qsizetype(7), bytes.size()}) {
            HttpRequests gate(kHost, 80);
            const auto passed = through(gate, bytes, piece);
            QVERIFY2(passed.good, passed.why.c_str());
            QCOMPARE(passed.bytes, bytes);
        }
    }

    void badOnesDoNot_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("why");
        const auto row = [](const char* name, const QByteArray& bytes, const char* why) { QTest::newRow(name) << bytes << QString(why); };
        const char* order = "good order";
        const char* other = "another host";
        const char* twice = "one meaning";
        row("another host", request("GET / HTTP/1.1\nHost: evil.example.org\n\n"), other);
        row("another port", request("GET / HTTP/1.1\nHost: www.example.org:8080\n\n"), other);
        row("a longer host", request("GET / HTTP/1.1\nHost: www.example.org.evil.example\n\n"), other);
        row("a host with a user", request("GET / HTTP/1.1\nHost: www.example.org@evil.example\n\n"), other);
        row("two hosts", request("GET / HTTP/1.1\nHost: www.example.org\nHost: evil.example.org\n\n"), other);
        row("the same host twice", request("GET / HTTP/1.1\nHost: www.example.org\nHost: www.example.org\n\n"), other);
        row("no host", request("GET / HTTP/1.1\nAccept: x\n\n"), "does not say which host");
        row("absolute, another", request("GET http://evil.example.org/ HTTP/1.1\nHost: www.example.org\n\n"), other);
        row("absolute, with a user", request("GET http://www.example.org@evil.example/ HTTP/1.1\nHost: www.example.org\n\n"), other);
        row("absolute, with a fragment", request("GET http://www.example.org#@evil.example/ HTTP/1.1\nHost: www.example.org\n\n"), order);
        row("absolute, with a query at once", request("GET http://www.example.org?@evil.example/ HTTP/1.1\nHost: www.example.org\n\n"), other);
        row("absolute, https", request("GET https://www.example.org/ HTTP/1.1\nHost: www.example.org\n\n"), order);
        row("connect", request("CONNECT www.example.org:80 HTTP/1.1\nHost: www.example.org\n\n"), order);
        row("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", order);
        row("HTTP/0.9", "GET /\r\n\r\n", order);
        row("HTTP/1.2", request("GET / HTTP/1.2\nHost: www.example.org\n\n"), order);
        row("two blanks", request("GET  / HTTP/1.1\nHost: www.example.org\n\n"), order);
        row("a blank in the target", request("GET /a b HTTP/1.1\nHost: www.example.org\n\n"), order);
        row("an empty line before", "\r\n" + kGet, order);
        row("bare LF", "GET / HTTP/1.1\nHost: www.example.org\n\n", order);
        row("bare LF within", "GET / HTTP/1.1\r\nHost: www.example.org\nX: y\r\n\r\n", order);
        row("bare CR within", "GET / HTTP/1.1\r\nHost: www.example.org\rX: y\r\n\r\n", order);
        row("obs-fold", request("GET / HTTP/1.1\nHost: www.example.org\nX: a\n b\n\n"), order);
        row("obs-fold at once", request("GET / HTTP/1.1\n Host: evil.example.org\nHost: www.example.org\n\n"), order);
        row("a blank before the colon", request("GET / HTTP/1.1\nHost : evil.example.org\nHost: www.example.org\n\n"), order);
        row("no colon", request("GET / HTTP/1.1\nHost: www.example.org\nnonsense\n\n"), order);
        row("an empty name", request("GET / HTTP/1.1\nHost: www.example.org\n: x\n\n"), order);
        row("a NUL", QByteArray("GET / HTTP/1.1\r\nHost: www.example.org\r\nX: a\0b\r\n\r\n", 49), order);
        row("both lengths", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3\nTransfer-Encoding: chunked\n\n"), twice);
        row("two lengths", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3\nContent-Length: 4\n\n"), twice);
        row("the same length twice", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3\nContent-Length: 3\n\n"), twice);
        row("a list of lengths", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3, 3\n\n"), twice);
        row("a signed length", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: +3\n\n"), twice);
        row("a huge length", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 18446744073709551617\n\n"), twice);
        row("another coding", request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: gzip, chunked\n\n"), twice);
        row("xchunked", request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: xchunked\n\n"), twice);
        row("two codings", request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n"), twice);
        row("chunked in 1.0", request("POST / HTTP/1.0\nHost: www.example.org\nTransfer-Encoding: chunked\n\n"), twice);
        row("upgrade with a body", request("GET / HTTP/1.1\nHost: www.example.org\nUpgrade: h2c\nContent-Length: 3\n\n"), "upgraded");
        row("a long head", "GET / HTTP/1.1\r\nHost: www.example.org\r\nX: " + QByteArray(kMaxRequestHead, 'x'), "too long");
        row("many fields", request("GET / HTTP/1.1\nHost: www.example.org\n") + QByteArray("X: y\r\n").repeated(300) + "\r\n", order);
        row("TLS", QByteArray("\x16\x03\x01\x02\x00\x01", 6), order);
    }
    void badOnesDoNot() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, why);
        for (const qsizetype piece : {qsizetype(1), bytes.size()}) {
            HttpRequests gate(kHost, 80);
            const auto passed = through(gate, bytes, piece);
            QVERIFY(!passed.good);
            QVERIFY2(QString::fromStdString(passed.why).contains(why), passed.why.c_str());
            QCOMPARE(passed.bytes, QByteArray());
            QVERIFY(gate.speaksHttp());
            // And so are they behind a good one, which passes.
            HttpRequests later(kHost, 80);
            const auto behind = through(later, kGet + bytes, piece);
            QVERIFY(!behind.good);
            QCOMPARE(behind.bytes, kGet);
            QVERIFY(!later.speaksHttp());
            QVERIFY(!later.look(asBytes("GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n")).good); // for good
        }
    }

    void badBodiesDoNot_data() {
        QTest::addColumn<QByteArray>("body");
        for (const char* body : {"x\r\n", "\r\n", "-1\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n", "5\nhello\r\n", "5\rhello\r\n", "5\r\nhelloX\r\n",
                                 "5\r\nhello\n", "10000000000000000\r\n", "0\r\nHost: evil\r\n\r\n", "0\r\nContent-Length: 3\r\n\r\n", "0\r\n X: y\r\n\r\n",
                                 "5;a=\x01\r\nhello\r\n"}) {
            QTest::newRow(QByteArray(body).toPercentEncoding().constData()) << QByteArray(body);
        }
        QTest::newRow("a long line") << "5;" + QByteArray(kMaxChunkLine, 'x');
        QTest::newRow("long trailers") << "0\r\nX: " + QByteArray(kMaxTrailers, 'x');
    }
    void badBodiesDoNot() {
        QFETCH(QByteArray, body);
        const auto head = request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\n\n");
        for (const qsizetype piece : {qsizetype(1), body.size()}) {
            HttpRequests gate(kHost, 80);
            QVERIFY(through(gate, head, head.size()).good);
            QVERIFY(!through(gate, body, piece).good);
        }
    }

    void aBodyIsNotReadAsARequest() {
        const QByteArray inner = "GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n";
        const auto bytes = "POST / HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: " + QByteArray::number(inner.size()) + "\r\n\r\n" + inner;
        HttpRequests gate(kHost, 80);
        QVERIFY(through(gate, bytes + kGet, 3).good);
        QVERIFY(!through(gate, inner, 3).good);
    }

    void anUpgradeWaitsForTheServer() {
        const auto upgrade = request("GET / HTTP/1.1\nHost: www.example.org\nConnection: Upgrade\nUpgrade: websocket\n\n");
        const QByteArray evil = "GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n";
        HttpRequests yes(kHost, 80);
        QCOMPARE(through(yes, upgrade + evil, upgrade.size() + evil.size()).bytes, upgrade);
        QVERIFY(yes.waitsForServer());
        for (const char each : QByteArray("HTTP/1.1 101 Switching")) {
            yes.serverSaid(asBytes({&each, 1}));
        }
        QCOMPARE(through(yes, evil, 4).bytes, evil); // no HTTP any more, and with this host alone
        HttpRequests no(kHost, 80);
        QVERIFY(through(no, upgrade, 9).good);
        no.serverSaid(asBytes("HTTP/1.1 200 OK\r\n"));
        QVERIFY(!through(no, evil, 4).good);
        HttpRequests later(kHost, 80);
        QVERIFY(!through(later, kGet + upgrade, 9).good);
    }

    void anUpgradeToAnythingElseLeadsNowhere_data() {
        QTest::addColumn<QByteArray>("fields");
        QTest::newRow("HTTP/2") << QByteArray("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n");
        QTest::newRow("TLS") << QByteArray("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n");
        QTest::newRow("a choice") << QByteArray("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n");
        QTest::newRow("two") << QByteArray("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n");
    }
    void anUpgradeToAnythingElseLeadsNowhere() {
        QFETCH(QByteArray, fields);
        const QByteArray upgrade = "GET / HTTP/1.1\r\nHost: www.example.org\r\n" + fields + "\r\n";
        for (const QByteArray& evil : {QByteArray("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), QByteArray("\x16\x03\x01\x02\x00\x01", 6),
                                       QByteArray("GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n")}) {
            HttpRequests gate(kHost, 80);
            QCOMPARE(through(gate, upgrade, 9).bytes, upgrade); // a server that does not know it answers as ever
            gate.serverSaid(asBytes("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
            const auto passed = through(gate, evil, evil.size());
            QVERIFY(!passed.good && passed.bytes.isEmpty());
            HttpRequests next(kHost, 80);
            QVERIFY(through(next, upgrade + kGet, 9).good);
        }
    }

    void otherPortsAndAddresses() {
        QVERIFY(lookAtRequest("GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", "a.example", 8080).good);
        QVERIFY(!lookAtRequest("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example", 8080).good);
        QVERIFY(lookAtRequest("GET / HTTP/1.1\r\nHost: [2001:db8::9]\r\n\r\n", "2001:db8::9", 80).good);
        QVERIFY(lookAtRequest("GET / HTTP/1.1\r\nHost: 203.0.113.9\r\n\r\n", "203.0.113.9", 80).good);
        QVERIFY(!lookAtRequest("GET / HTTP/1.1\r\nHost: 2001:db8::9\r\n\r\n", "2001:db8::9", 80).good);
    }
};

QTEST_GUILESS_MAIN(TestHttpRequests)
#include "test_http_requests.moc"

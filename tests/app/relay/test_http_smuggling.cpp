// SPDX-License-Identifier: Apache-2.0
// Requests that two readers may read differently (request smuggling), or that are for another host than the one that was allowed:
// nobody is asked about them, and nothing of them goes on, however they are cut and whatever came before.
#include "tests/app/relay/road_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

const QByteArray kGet = "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";

QByteArray request(const char* head, const char* body = "") {
    return QByteArray(head).replace("\n", "\r\n") + body;
}

std::unique_ptr<RoadRig> rig(std::size_t piece) {
    auto out = std::make_unique<RoadRig>(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                                         std::make_unique<PlainEnd>(),
                                         HttpRoad::Settings{{Scheme::Http, "www.example.org", 80}, nullptr, {}});
    out->program.piece = piece;
    return out;
}

} // namespace

class TestHttpSmuggling : public QObject {
    Q_OBJECT
private slots:
    void goodOnesPass_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("get") << kGet;
        QTest::newRow("capitals") << request("GET / HTTP/1.1\nhOST:WWW.Example.org  \n\n");
        QTest::newRow("port") << request("GET / HTTP/1.1\nHost: www.example.org:80\n\n");
        QTest::newRow("absolute") << request("GET http://www.example.org/a?b HTTP/1.1\nHost: www.example.org\n\n");
        QTest::newRow("absolute, with a query at once") << request("GET http://www.example.org?@evil.example/ HTTP/1.1\nHost: www.example.org\n\n");
        QTest::newRow("1.0") << request("GET / HTTP/1.0\nHost: www.example.org\n\n");
        QTest::newRow("length") << request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 5\n\n", "a\r\nb\n");
        QTest::newRow("chunked") << request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: Chunked\n\n",
                                            "5;a=\"b\"\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n");
        QTest::newRow("trailers") << request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\n\n", "0\r\nX: y\r\nZ: a\r\n\r\n");
    }
    void goodOnesPass() {
        QFETCH(QByteArray, bytes);
        for (const std::size_t piece : {std::size_t(1), std::size_t(7), std::size_t(100'000)}) {
            const auto one = rig(piece);
            const auto heard = one->ask(bytes.toStdString());
            QVERIFY2(heard.find("\r\nHost: www.example.org\r\n") != std::string::npos, heard.c_str());
            QVERIFY(one->asked.size() == 1 && one->refused.empty());
        }
    }

    void badOnesDoNot_data() {
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, const QByteArray& bytes) { QTest::newRow(name) << bytes; };
        row("another host", request("GET / HTTP/1.1\nHost: evil.example.org\n\n"));
        row("another port", request("GET / HTTP/1.1\nHost: www.example.org:8080\n\n"));
        row("a longer host", request("GET / HTTP/1.1\nHost: www.example.org.evil.example\n\n"));
        row("a host with a user", request("GET / HTTP/1.1\nHost: www.example.org@evil.example\n\n"));
        row("two hosts", request("GET / HTTP/1.1\nHost: www.example.org\nHost: evil.example.org\n\n"));
        row("the same host twice", request("GET / HTTP/1.1\nHost: www.example.org\nHost: www.example.org\n\n"));
        row("no host", request("GET / HTTP/1.1\nAccept: x\n\n"));
        row("absolute, another", request("GET http://evil.example.org/ HTTP/1.1\nHost: www.example.org\n\n"));
        row("absolute, with a user", request("GET http://www.example.org@evil.example/ HTTP/1.1\nHost: www.example.org\n\n"));
        row("absolute, with a fragment", request("GET http://www.example.org#@evil.example/ HTTP/1.1\nHost: www.example.org\n\n"));
        row("absolute, https", request("GET https://www.example.org/ HTTP/1.1\nHost: www.example.org\n\n"));
        row("connect", request("CONNECT www.example.org:80 HTTP/1.1\nHost: www.example.org\n\n"));
        row("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        row("HTTP/0.9", "GET /\r\n\r\n");
        row("HTTP/1.2", request("GET / HTTP/1.2\nHost: www.example.org\n\n"));
        row("two blanks", request("GET  / HTTP/1.1\nHost: www.example.org\n\n"));
        row("a blank in the target", request("GET /a b HTTP/1.1\nHost: www.example.org\n\n"));
        row("an empty line before", "\r\n" + kGet);
        row("bare LF", "GET / HTTP/1.1\nHost: www.example.org\n\n");
        row("bare LF within", "GET / HTTP/1.1\r\nHost: www.example.org\nX: y\r\n\r\n");
        row("bare CR within", "GET / HTTP/1.1\r\nHost: www.example.org\rX: y\r\n\r\n");
        row("obs-fold", request("GET / HTTP/1.1\nHost: www.example.org\nX: a\n b\n\n"));
        row("obs-fold at once", request("GET / HTTP/1.1\n Host: evil.example.org\nHost: www.example.org\n\n"));
        row("a blank before the colon", request("GET / HTTP/1.1\nHost : evil.example.org\nHost: www.example.org\n\n"));
        row("no colon", request("GET / HTTP/1.1\nHost: www.example.org\nnonsense\n\n"));
        row("an empty name", request("GET / HTTP/1.1\nHost: www.example.org\n: x\n\n"));
        row("a NUL", QByteArray("GET / HTTP/1.1\r\nHost: www.example.org\r\nX: a\0b\r\n\r\n", 49));
        row("both lengths", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3\nTransfer-Encoding: chunked\n\n"));
        row("two lengths", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3\nContent-Length: 4\n\n"));
        row("the same length twice", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3\nContent-Length: 3\n\n"));
        row("a list of lengths", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 3, 3\n\n"));
        row("a signed length", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: +3\n\n"));
        row("a huge length", request("POST / HTTP/1.1\nHost: www.example.org\nContent-Length: 18446744073709551617\n\n"));
        row("another coding", request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: gzip, chunked\n\n"));
        row("xchunked", request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: xchunked\n\n"));
        row("two codings", request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n"));
        row("chunked in 1.0", request("POST / HTTP/1.0\nHost: www.example.org\nTransfer-Encoding: chunked\n\n"));
        row("a long head", "GET / HTTP/1.1\r\nHost: www.example.org\r\nX: " + QByteArray(qsizetype(kMaxHead), 'x'));
        row("many fields", request("GET / HTTP/1.1\nHost: www.example.org\n") + QByteArray("X: y\r\n").repeated(3000) + "\r\n");
        row("TLS", QByteArray("\x16\x03\x01\x02\x00\x01", 6));
    }
    void badOnesDoNot() {
        QFETCH(QByteArray, bytes);
        for (const std::size_t piece : {std::size_t(1), std::size_t(100'000)}) {
            const auto one = rig(piece);
            QCOMPARE(one->ask(bytes.toStdString()), std::string());
            QVERIFY2(one->program.heard.starts_with("HTTP/1.1 "), one->program.heard.c_str());
            QVERIFY(one->asked.empty() && one->refused.size() == 1 && one->program.sawEnd);
            // And so are they behind a good one, which passes and is answered.
            const auto behind = rig(piece);
            const auto first = behind->ask(kGet.toStdString() + bytes.toStdString());
            (void)behind->reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            QCOMPARE(behind->host.heard, first);
            QVERIFY(behind->asked.size() == 1 && behind->refused.size() == 1);
            QVERIFY(behind->ask(kGet.toStdString()).empty()); // for good
        }
    }

    // A server on this computer, at the one port that a rule names: what it is asked for is asked for by that name and port alone.
    void thisComputersServerByItsNameAlone() {
        const auto road = [] {
            auto settings = plainSettings();
            settings.origin = {Scheme::Http, "host.carrel.internal", 11434};
            return std::make_unique<RoadRig>(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                                             std::make_unique<PlainEnd>(), settings);
        };
        const auto right = road();
        QVERIFY(right->ask("GET /v1/models HTTP/1.1\r\nHost: host.carrel.internal:11434\r\n\r\n").find("\r\nHost: host.carrel.internal:11434\r\n") !=
                std::string::npos);
        for (const char* host : {"localhost:11434", "127.0.0.1:11434", "[::1]:11434", "host.carrel.internal", "host.carrel.internal:8080", "gateway.example.org"}) {
            const auto wrong = road();
            QCOMPARE(wrong->ask("GET /v1/models HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), std::string());
            QVERIFY2(wrong->program.heard.starts_with("HTTP/1.1 421 ") && wrong->asked.empty(), (host + (": " + wrong->program.heard)).c_str());
        }
    }

    // Where requests are read, that is: a proxy that is allowed at any other port is spoken with as it is.
    void whatIsForAProxyIsToldSo_data() {
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<QByteArray>("status");
        QTest::newRow("a tunnel") << QByteArray("CONNECT secure.example.org:443 HTTP/1.1") << QByteArray("405 ");
        QTest::newRow("a tunnel to itself") << QByteArray("CONNECT www.example.org:80 HTTP/1.1") << QByteArray("405 ");
        QTest::newRow("another host") << QByteArray("GET http://other.example.org/ HTTP/1.1") << QByteArray("421 ");
        QTest::newRow("another port") << QByteArray("GET http://www.example.org:8080/ HTTP/1.1") << QByteArray("421 ");
        QTest::newRow("another scheme") << QByteArray("GET https://www.example.org/ HTTP/1.1") << QByteArray("421 ");
    }
    void whatIsForAProxyIsToldSo() {
        QFETCH(QByteArray, line);
        QFETCH(QByteArray, status);
        const auto one = rig(100'000);
        QCOMPARE(one->ask((line + "\r\nHost: www.example.org\r\n\r\n").toStdString()), std::string());
        const auto page = QByteArray::fromStdString(one->program.heard);
        QVERIFY2(page.startsWith("HTTP/1.1 " + status) && page.contains("a proxy") && page.contains("where requests are read, no host is one."),
                 page.constData());
        QVERIFY(one->asked.empty());
    }

    void badBodiesDoNot_data() {
        QTest::addColumn<QByteArray>("body");
        for (const char* body : {"x\r\n", "\r\n", "-1\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n", "5\nhello\r\n", "5\rhello\r\n", "5\r\nhelloX\r\n",
                                 "5\r\nhello\n", "10000000000000000\r\n", "0\r\n X: y\r\n\r\n", "5;a=\x01\r\nhello\r\n"}) {
            QTest::newRow(QByteArray(body).toPercentEncoding().constData()) << QByteArray(body);
        }
        QTest::newRow("a long line") << "5;" + QByteArray(100'000, 'x');
        QTest::newRow("long trailers") << "0\r\nX: " + QByteArray(100'000, 'x');
    }
    void badBodiesDoNot() {
        QFETCH(QByteArray, body);
        const auto head = request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\n\n");
        for (const std::size_t piece : {std::size_t(1), std::size_t(100'000)}) {
            const auto one = rig(piece);
            const auto heard = one->ask((head + body + kGet).toStdString());
            QVERIFY2(heard.find("GET /") == std::string::npos && !heard.ends_with("0\r\n\r\n"), heard.c_str());
            QVERIFY(one->asked.size() == 1 && one->refused.size() == 1);
        }
    }

    void trailersStayBehind() {
        const auto one = rig(3);
        const auto heard = one->ask(request("POST / HTTP/1.1\nHost: www.example.org\nTransfer-Encoding: chunked\n\n",
                                            "0\r\nHost: evil.example\r\nContent-Length: 3\r\n\r\n").toStdString());
        QVERIFY2(heard.find("evil") == std::string::npos && heard.ends_with("\r\n\r\n0\r\n\r\n"), heard.c_str());
    }

    void aBodyIsNotReadAsARequest() {
        const QByteArray inner = "GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n";
        const auto bytes = "POST / HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: " + QByteArray::number(inner.size()) + "\r\n\r\n" + inner;
        const auto one = rig(3);
        QVERIFY(one->ask(bytes.toStdString()).ends_with(inner.toStdString()));
        QCOMPARE(one->asked.size(), std::size_t{1});
        const auto other = rig(3);
        (void)other->ask((bytes + inner).toStdString());
        (void)other->reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        QVERIFY(other->asked.size() == 1 && other->refused.size() == 1);
    }

    // A server that does not know it answers as ever; one that says it does is not believed.
    void anUpgradeToAnythingButAWebSocketLeadsNowhere_data() {
        QTest::addColumn<QByteArray>("fields");
        QTest::newRow("HTTP/2") << QByteArray("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n");
        QTest::newRow("TLS") << QByteArray("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n");
        QTest::newRow("a choice") << QByteArray("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n");
        QTest::newRow("two") << QByteArray("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n");
    }
    void anUpgradeToAnythingButAWebSocketLeadsNowhere() {
        QFETCH(QByteArray, fields);
        const QByteArray upgrade = "GET / HTTP/1.1\r\nHost: www.example.org\r\n" + fields + "\r\n";
        for (const QByteArray& evil : {QByteArray("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), QByteArray("\x16\x03\x01\x02\x00\x01", 6),
                                       QByteArray("GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n")}) {
            const auto one = rig(9);
            const auto first = one->ask((upgrade + evil).toStdString());
            (void)one->reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
            QVERIFY2(first.find("pgrade") == std::string::npos || first.find("websocket") != std::string::npos, first.c_str());
            QCOMPARE(one->host.heard, first);
            QVERIFY(one->program.heard.find(" 101 ") == std::string::npos);
        }
    }

    void otherPortsAndAddresses() {
        const auto passes = [](const char* host, std::uint16_t port, const char* field) {
            RoadRig one(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                        HttpRoad::Settings{{Scheme::Http, host, port}, nullptr, {}});
            return !one.ask(std::string("GET / HTTP/1.1\r\nHost: ") + field + "\r\n\r\n").empty();
        };
        QVERIFY(passes("a.example", 8080, "a.example:8080"));
        QVERIFY(!passes("a.example", 8080, "a.example"));
        QVERIFY(passes("2001:db8::9", 80, "[2001:db8::9]"));
        QVERIFY(passes("203.0.113.9", 80, "203.0.113.9"));
        QVERIFY(!passes("2001:db8::9", 80, "2001:db8::9"));
    }
};

QTEST_GUILESS_MAIN(TestHttpSmuggling)
#include "test_http_smuggling.moc"

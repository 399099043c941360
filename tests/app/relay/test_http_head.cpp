// SPDX-License-Identifier: Apache-2.0
// Heads of messages have one meaning or are refused (RFC 9112; request smuggling, response splitting).
#include "app/relay/http_head.h"

#include <QTest>

using namespace carrel::relay;

namespace {

const Origin kOrigin{Scheme::Http, "example.org", 80};

// With a Host unless it has one; "\n" in a test's text stands for the line break of HTTP.
std::string wire(QString text) {
    return text.replace('\n', "\r\n").toStdString();
}
HttpResult<RequestHead> request(const QString& line, const QString& fields = {}) {
    return readRequest(wire(line + "\nHost: example.org\n" + fields + "\n"), kOrigin);
}
HttpResult<ResponseHead> response(const QString& text, std::string_view method = "GET") {
    return readResponse(wire(text + "\n"), method);
}
std::string valueOf(const Fields& fields, std::string_view name) {
    std::string out;
    for (const auto& field : fields) {
        out += isField(field, name) ? "[" + field.value + "]" : "";
    }
    return out;
}

} // namespace

class TestHttpHead : public QObject {
    Q_OBJECT
private slots:
    void aRequestIsRead() {
        const auto head = request("PATCH /a%62?q HTTP/1.1", "Accept:  text/html \nX-A: 1\nx-a:\t2\nContent-Length: 12\n");
        QVERIFY(head.has_value());
        QCOMPARE(head->method, std::string("PATCH"));
        QCOMPARE(head->target.path, std::string("/ab"));
        QCOMPARE(head->target.query, std::string("?q"));
        QCOMPARE(valueOf(head->fields, "accept"), std::string("[text/html]"));
        QCOMPARE(valueOf(head->fields, "X-A"), std::string("[1][2]"));
        QCOMPARE(valueOf(head->fields, "host"), std::string());
        QVERIFY(head->body.kind == BodyEnd::Kind::Length && head->body.length == 12 && head->keepsAlive);
        QVERIFY(request("GET / HTTP/1.0")->keepsAlive == false);
        QVERIFY(request("GET / HTTP/1.0", "Connection: keep-alive\n")->keepsAlive);
        QVERIFY(request("POST / HTTP/1.1", "Transfer-Encoding: Chunked\n")->body.kind == BodyEnd::Kind::Chunked);
    }

    void aRequestWithTwoMeaningsIsRefused_data() {
        QTest::addColumn<QString>("line");
        QTest::addColumn<QString>("fields");
        QTest::addColumn<int>("status");
        const struct {
            const char* name;
            const char* line;
            const char* fields;
            int status;
        } rows[] = {
            {"both lengths", "POST / HTTP/1.1", "Content-Length: 4\nTransfer-Encoding: chunked\n", 400},
            {"both, the other way", "POST / HTTP/1.1", "Transfer-Encoding: chunked\nContent-Length: 4\n", 400},
            {"two lengths", "POST / HTTP/1.1", "Content-Length: 4\nContent-Length: 5\n", 400},
            {"the same length twice", "POST / HTTP/1.1", "Content-Length: 4\nContent-Length: 4\n", 400},
            {"a list of lengths", "POST / HTTP/1.1", "Content-Length: 4, 4\n", 400},
            {"a signed length", "POST / HTTP/1.1", "Content-Length: +4\n", 400},
            {"a negative length", "POST / HTTP/1.1", "Content-Length: -4\n", 400},
            {"a hexadecimal length", "POST / HTTP/1.1", "Content-Length: 0x4\n", 400},
            {"an empty length", "POST / HTTP/1.1", "Content-Length:\n", 400},
            {"an overflowing length", "POST / HTTP/1.1", "Content-Length: 18446744073709551617\n", 400},
            {"two codings", "POST / HTTP/1.1", "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", 400},
            {"another coding", "POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked\n", 501},
            {"identity", "POST / HTTP/1.1", "Transfer-Encoding: identity\n", 501},
            {"a coding with a mark", "POST / HTTP/1.1", "Transfer-Encoding: \x0b" "chunked\n", 400},
            {"a coding in 1.0", "POST / HTTP/1.0", "Transfer-Encoding: chunked\n", 400},
            {"obs-fold", "GET / HTTP/1.1", "X-A: 1\n 2\n", 400},
            {"obs-fold, tab", "GET / HTTP/1.1", "X-A: 1\n\t2\n", 400},
            {"blank before the colon", "GET / HTTP/1.1", "Transfer-Encoding : chunked\n", 400},
            {"no colon", "GET / HTTP/1.1", "Nonsense\n", 400},
            {"no name", "GET / HTTP/1.1", ": x\n", 400},
            {"a second host", "GET / HTTP/1.1", "Host: example.org\n", 400},
            {"connect", "CONNECT example.org:80 HTTP/1.1", "", 405},
            {"h2", "PRI * HTTP/2.0", "", 505},
            {"http/0.9", "GET /", "", 400},
            {"http/2", "GET / HTTP/2", "", 505},
            {"http/1.2", "GET / HTTP/1.2", "", 505},
            {"lower-case http", "GET / http/1.1", "", 505},
            {"two blanks", "GET  / HTTP/1.1", "", 400},
            {"a tab", "GET\t/ HTTP/1.1", "", 400},
            {"a method that is none", "G(T / HTTP/1.1", "", 400},
            {"a long method", "GETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1", "", 400},
            {"absolute, of another", "GET http://evil.example/ HTTP/1.1", "", 421},
            {"expects more", "POST / HTTP/1.1", "Expect: 200-ok\nContent-Length: 1\n", 417},
            {"takes its length away", "POST / HTTP/1.1", "Connection: content-length\nContent-Length: 5\n", 400},
            {"takes its host away", "GET / HTTP/1.1", "Connection: close, Host\n", 400},
        };
        for (const auto& row : rows) {
            QTest::newRow(row.name) << row.line << row.fields << row.status;
        }
    }
    void aRequestWithTwoMeaningsIsRefused() {
        QFETCH(QString, line);
        QFETCH(QString, fields);
        QFETCH(int, status);
        const auto head = request(line, fields);
        QVERIFY(!head.has_value());
        QCOMPARE(head.error().status, status);
        QVERIFY(!head.error().why.empty() && !QString::fromStdString(head.error().why).endsWith('.'));
    }

    void theHostIsTheConnections() {
        const auto with = [](const QString& host) { return readRequest(wire("GET / HTTP/1.1\n" + host + "\n"), kOrigin); };
        QVERIFY(with("Host: Example.org:80\n").has_value());
        QCOMPARE(with("Host: evil.example\n").error().status, 421);
        QCOMPARE(with("Host: example.org:8080\n").error().status, 421);
        QCOMPARE(with("Host: example.org, evil.example\n").error().status, 421);
        QCOMPARE(with("Host:\n").error().status, 421);
        QCOMPARE(with("").error().status, 400);
        QCOMPARE(readRequest(wire("GET / HTTP/1.0\n\n"), kOrigin).error().status, 400);
    }

    void lineBreaksAreWhole() {
        for (const char* text : {"GET / HTTP/1.1\nHost: example.org\r\n\r\n", "GET / HTTP/1.1\r\nHost: example.org\n\r\n",
                                 "GET / HTTP/1.1\r\nHost: example.org\r\n\n", "GET / HTTP/1.1\r\nHost: example.org\rX: y\r\n\r\n",
                                 "GET / HTTP/1.1\r\nHost: example.org\r\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: example.org\r\n\r\n"}) {
            QVERIFY2(!readRequest(text, kOrigin), text);
            HeadSeeker seeker(HeadSeeker::Kind::Request);
            QVERIFY2(!seeker.look(text), text);
        }
        std::string withNul = "GET / HTTP/1.1\r\nHost: example.org\r\nX: a?b\r\n\r\n";
        for (const char bad : {'\0', '\x01', '\x1b', '\x7f'}) {
            withNul[withNul.find("a?b") + 1] = '?';
            QVERIFY(readRequest(withNul, kOrigin));
            withNul[withNul.find("a?b") + 1] = bad;
            HeadSeeker seeker(HeadSeeker::Kind::Request);
            QVERIFY(!readRequest(withNul, kOrigin) && !seeker.look(withNul));
            withNul = "GET / HTTP/1.1\r\nHost: example.org\r\nX: a?b\r\n\r\n";
        }
    }

    void fieldsOfTheConnectionGoNoFurther() {
        const auto head = request("GET / HTTP/1.1", "Connection: X-Hop, close\nX-Hop: 1\nKeep-Alive: 5\nTE: trailers\nProxy-Authorization: x\n"
                                                     "Proxy-Connection: y\nTrailer: z\nHTTP2-Settings: s\nUpgrade: h2c\nX-Stays: 1\n");
        QVERIFY(head.has_value());
        QCOMPARE(head->fields.size(), std::size_t(1));
        QVERIFY(!head->keepsAlive && !head->wantsWebSocket);
    }

    void onlyAWebSocketIsAnUpgrade() {
        QVERIFY(request("GET / HTTP/1.1", "Connection: keep-alive, Upgrade\nUpgrade: WebSocket\n")->wantsWebSocket);
        QVERIFY(!request("GET / HTTP/1.1", "Upgrade: websocket\n")->wantsWebSocket);
        QVERIFY(!request("GET / HTTP/1.1", "Connection: Upgrade\nUpgrade: h2c, websocket\n")->wantsWebSocket);
        QVERIFY(!request("GET / HTTP/1.1", "Connection: Upgrade\nUpgrade: websocket\nUpgrade: h2c\n")->wantsWebSocket);
        QVERIFY(!request("GET / HTTP/1.0", "Connection: Upgrade\nUpgrade: websocket\n")->wantsWebSocket);
        QVERIFY(!request("POST / HTTP/1.1", "Connection: Upgrade\nUpgrade: websocket\nContent-Length: 3\n")->wantsWebSocket);
        QVERIFY(!request("GET / HTTP/1.1", "Connection: Upgrade\nUpgrade: websocket\nTransfer-Encoding: chunked\n")->wantsWebSocket);
        QVERIFY(response("HTTP/1.1 101 X\nConnection: upgrade\nUpgrade: websocket\n")->isWebSocket);
        QVERIFY(!response("HTTP/1.1 101 X\nConnection: upgrade\nUpgrade: h2c\n")->isWebSocket);
    }

    void headsAreBounded() {
        QCOMPARE(request("GET / HTTP/1.1", QString("A: b\n").repeated(int(kMaxFields))).error().status, 431);
        HeadSeeker seeker(HeadSeeker::Kind::Request);
        const std::string begin = "GET / HTTP/1.1\r\nX: ";
        QCOMPARE(*seeker.look(begin + std::string(kMaxHead - begin.size() - 1, 'x')), std::size_t(0));
        const auto over = seeker.look(begin + std::string(kMaxHead - begin.size(), 'x'));
        QVERIFY(!over.has_value());
        QCOMPARE(over.error().status, 431);
    }

    void theEndIsFoundInPieces() {
        const std::string head = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
        const std::string all = head + "body\n\n";
        HeadSeeker seeker(HeadSeeker::Kind::Request);
        for (std::size_t size = 1; size < head.size(); ++size) {
            QCOMPARE(*seeker.look(std::string_view(all).substr(0, size)), std::size_t(0));
        }
        QCOMPARE(*seeker.look(all), head.size());
        seeker.restart();
        QCOMPARE(*seeker.look(all), head.size());
        // What can be no request any more waits for nothing.
        for (const char* text : {"GET /\r\n", "PRI * HTTP/2.0\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01"}) {
            HeadSeeker fresh(HeadSeeker::Kind::Request);
            QVERIFY2(!fresh.look(text), text);
        }
        HeadSeeker answer(HeadSeeker::Kind::Response);
        QVERIFY(!answer.look("ICY 200 OK\r\n"));
    }

    void aResponseIsRead() {
        const auto head = response("HTTP/1.1 200 All right\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Length: 3\nConnection: close\n");
        QVERIFY(head.has_value());
        QCOMPARE(head->status, 200);
        QCOMPARE(head->reason, std::string("All right"));
        QCOMPARE(valueOf(head->fields, "set-cookie"), std::string("[a=1][b=2]")); // never joined
        QVERIFY(head->body.kind == BodyEnd::Kind::Length && head->body.length == 3 && !head->keepsAlive);
        QVERIFY(response("HTTP/1.1 200\nTransfer-Encoding: chunked\n")->body.kind == BodyEnd::Kind::Chunked);
        QVERIFY(response("HTTP/1.1 200 OK\n")->body.kind == BodyEnd::Kind::Connection);
        QVERIFY(!response("HTTP/1.0 200 OK\nContent-Length: 1\n")->keepsAlive);
    }

    void someResponsesHaveNoBody() {
        QVERIFY(response("HTTP/1.1 200 OK\nContent-Length: 9\n", "HEAD")->body.kind == BodyEnd::Kind::None);
        QCOMPARE(valueOf(response("HTTP/1.1 200 OK\nContent-Length: 9\n", "HEAD")->fields, "content-length"), std::string("[9]"));
        QVERIFY(response("HTTP/1.1 304 X\nContent-Length: 9\n")->body.kind == BodyEnd::Kind::None);
        QVERIFY(response("HTTP/1.1 204 X\n")->keepsAlive);
        const auto odd = response("HTTP/1.1 204 X\nContent-Length: 9\n");
        QVERIFY(odd->body.kind == BodyEnd::Kind::None && !odd->keepsAlive && valueOf(odd->fields, "content-length").empty());
    }

    void aResponseWithTwoMeaningsIsRefused() {
        for (const char* text : {"HTTP/1.1 200 OK\nContent-Length: 3\nTransfer-Encoding: chunked\n", "HTTP/1.1 200 OK\nContent-Length: 3\nContent-Length: 3\n",
                                 "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n", "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n", "HTTP/1.1 20 OK\n",
                                 "HTTP/1.1 2000 OK\n", "HTTP/1.1 099 OK\n", "HTTP/1.1 600 OK\n", "HTTP/2 200 OK\n", "HTTP/1.1 200 OK\nX: 1\n 2\n",
                                 "HTTP/1.1  200 OK\n", "HTTP/1.1 200 OK\nContent-Length: 3;4\n"}) {
            QVERIFY2(!response(text), text);
        }
    }
};

QTEST_GUILESS_MAIN(TestHttpHead)
#include "test_http_head.moc"

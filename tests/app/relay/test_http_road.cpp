// SPDX-License-Identifier: Apache-2.0
// Requests and responses on one connection, between a played program and a played host (RFC 9110, RFC 9112).
#include "tests/app/relay/road_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

const std::string kGet = "GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n";
const std::string kPost = "POST /p HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

} // namespace

class TestHttpRoad : public QObject {
    Q_OBJECT
private slots:
    void aRequestIsToldAndGoesOnWhenItIsAllowed() {
        auto rig = plainRig();
        rig->decide = [](const AskedRequest&) { return std::nullopt; };
        QCOMPARE(rig->ask("GET /%61?q=1 HTTP/1.1\r\nHost: example.org:80\r\nX-A: b\r\nConnection: keep-alive\r\n\r\n"), std::string());
        QCOMPARE(rig->asked.size(), std::size_t(1));
        QCOMPARE(rig->asked[0].method, std::string("GET"));
        QCOMPARE(rig->asked[0].path, std::string("/a"));
        rig->road.answer(7, {.verdict = Verdict::Allow}); // another one's
        rig->run();
        QCOMPARE(rig->host.heard, std::string());
        rig->road.answer(1, {.verdict = Verdict::Allow});
        rig->run();
        QCOMPARE(rig->host.heard, std::string("GET /a?q=1 HTTP/1.1\r\nHost: example.org\r\nX-A: b\r\n\r\n"));
        QCOMPARE(rig->reply(kOk), kOk);
    }

    void manyRequestsAfterEachOther() {
        auto rig = plainRig();
        for (int i = 1; i <= 50; ++i) {
            QVERIFY(rig->ask(kGet).starts_with("GET /a HTTP/1.1\r\n"));
            QCOMPARE(rig->reply(kOk), kOk);
        }
        QCOMPARE(rig->asked.size(), std::size_t(50));
        QCOMPARE(rig->asked.back().request, std::uint64_t(50));
        rig->program.leave();
        rig->run();
        QVERIFY(rig->road.isOver() && !rig->road.isBroken() && rig->host.sawEnd);
    }

    // Those behind wait: each is decided about when its turn has come.
    void pipelinedRequestsAreTakenOneAtATime() {
        auto rig = plainRig();
        QCOMPARE(rig->ask(kGet + "GET /b HTTP/1.1\r\nHost: example.org\r\n\r\n" + "GET /c HTTP/1.1\r\nHost: evil.example\r\n\r\n").find("/b"),
                 std::string::npos);
        QCOMPARE(rig->asked.size(), std::size_t(1));
        QCOMPARE(rig->reply(kOk), kOk);
        QCOMPARE(rig->asked.size(), std::size_t(2));
        QVERIFY(rig->reply(kOk).find("HTTP/1.1 421 ") != std::string::npos);
        QCOMPARE(rig->asked.size(), std::size_t(2));
        QCOMPARE(rig->host.heard.find("/c"), std::string::npos);
    }

    void aDenialIsReadableAndTheConnectionStays() {
        auto rig = plainRig();
        rig->decide = [](const AskedRequest& request) {
            return request.path == "/a" ? RequestAnswer{.outcome = "expired", .text = "Nobody answered\r\nSet-Cookie: x"}
                                        : RequestAnswer{.verdict = Verdict::Allow};
        };
        QCOMPARE(rig->ask(kGet), std::string());
        const auto& page = rig->program.heard;
        QVERIFY2(page.starts_with("HTTP/1.1 403 Forbidden\r\n"), page.c_str());
        for (const char* part : {"X-Carrel-Outcome: expired\r\n", "outcome: expired\n", "Nobody answered  Set-Cookie: x.", "example.org"}) {
            QVERIFY2(page.find(part) != std::string::npos, part);
        }
        QVERIFY(page.find("Connection: close") == std::string::npos);
        QVERIFY(rig->ask("GET /b HTTP/1.1\r\nHost: example.org\r\n\r\n").starts_with("GET /b"));
        QVERIFY(rig->reply(kOk) == kOk);
    }

    void aDeniedBodyGoesNowhereAndTheConnectionEnds() {
        auto rig = plainRig();
        rig->decide = [](const AskedRequest&) { return RequestAnswer{}; };
        QCOMPARE(rig->ask(kPost + "helloGET /smuggled HTTP/1.1\r\nHost: example.org\r\n\r\n"), std::string());
        QVERIFY(rig->program.heard.find("Connection: close\r\n") != std::string::npos);
        QVERIFY(rig->program.sawEnd && !rig->road.isOver()); // what is still sent is taken, and forgotten
        rig->program.say("more");
        rig->program.leave();
        rig->run();
        QVERIFY(rig->road.isOver() && !rig->road.isBroken());
        QCOMPARE(rig->asked.size(), std::size_t(1));
        QCOMPARE(rig->host.heard, std::string());
    }

    void bodiesAreWrittenAnew() {
        auto rig = plainRig();
        const auto sent = rig->ask("POST / HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
                                   "5;ext=1\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n");
        QVERIFY2(sent.ends_with("\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), sent.c_str());
        const auto got = rig->reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n");
        QCOMPARE(got, std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
        QVERIFY(rig->ask(kPost + "hello").ends_with("\r\nContent-Length: 5\r\n\r\nhello"));
    }

    void eachByteByItself() {
        auto rig = plainRig();
        rig->program.piece = rig->host.piece = 1;
        QVERIFY(rig->ask(kPost + "hello").ends_with("\r\n\r\nhello"));
        QCOMPARE(rig->reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").size(), std::size_t(47 + 5 * 6 + 5));
        QVERIFY(rig->ask(kGet).starts_with("GET /a"));
    }

    void anOldProgramGetsWhatItUnderstands() {
        auto rig = plainRig();
        QVERIFY(rig->ask("GET / HTTP/1.0\r\nHost: example.org\r\n\r\n").find("HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n") != std::string::npos);
        QCOMPARE(rig->reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                 std::string("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"));
        QVERIFY(rig->road.isOver() && !rig->road.isBroken() && rig->program.sawEnd);
    }

    void continueIsPassedOn() {
        auto rig = plainRig();
        const std::string head = "POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n";
        QVERIFY(rig->ask(head).ends_with("\r\nExpect: 100-continue\r\n\r\n"));
        QCOMPARE(rig->reply("HTTP/1.1 100 Continue\r\n\r\n"), std::string("HTTP/1.1 100 Continue\r\n\r\n"));
        QCOMPARE(rig->ask("hello"), std::string("hello"));
        QCOMPARE(rig->reply("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + kOk), kOk); // unasked
        QVERIFY(rig->ask(kGet).starts_with("GET"));
        const std::string interim = "HTTP/1.1 102 X\r\n\r\n";
        std::string many;
        for (int i = 0; i < 20; ++i) {
            many += interim;
        }
        QVERIFY(rig->reply(many).starts_with("HTTP/1.1 502 "));
    }

    void theFinalAnswerInsteadOfContinue() {
        auto rig = plainRig();
        (void)rig->ask("POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        const auto got = rig->reply("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
        QVERIFY(got.starts_with("HTTP/1.1 401 No\r\n") && got.find("Connection: close") != std::string::npos);
        // What then comes may be the body or the next request: nobody can know.
        QCOMPARE(rig->ask(kGet), std::string());
        QCOMPARE(rig->asked.size(), std::size_t(1));
    }

    void answersWithoutBodies() {
        auto rig = plainRig();
        (void)rig->ask("HEAD / HTTP/1.1\r\nHost: example.org\r\n\r\n");
        QCOMPARE(rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), std::string("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"));
        for (const char* status : {"204 None", "304 Same"}) {
            QVERIFY(rig->ask(kGet).starts_with("GET"));
            QCOMPARE(rig->reply("HTTP/1.1 " + std::string(status) + "\r\n\r\n"), "HTTP/1.1 " + std::string(status) + "\r\n\r\n");
        }
        QVERIFY(rig->ask(kGet).starts_with("GET"));
        QCOMPARE(rig->reply(kOk), kOk);
    }

    void anAnswerToTheEndOfTheConnection() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        QVERIFY(rig->reply("HTTP/1.1 200 OK\r\n\r\nsome").ends_with("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nsome\r\n"));
        rig->host.leave();
        rig->run();
        QVERIFY(rig->program.heard.ends_with("some\r\n0\r\n\r\n") && rig->road.isOver() && !rig->road.isBroken());
    }

    void eventsPassAtOnce() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        (void)rig->reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 5; ++i) {
            QCOMPARE(rig->reply("9\r\ndata: x\n\n\r\n"), std::string("9\r\ndata: x\n\n\r\n"));
        }
    }

    void aWebSocketBecomesBytesBothWays() {
        auto rig = plainRig();
        const auto sent = rig->ask("GET /ws HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                                   "Sec-WebSocket-Key: abc\r\n\r\nearly");
        QVERIFY2(sent.ends_with("Sec-WebSocket-Key: abc\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), sent.c_str());
        rig->host.heard.clear();
        const auto got = rig->reply("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nframe");
        QVERIFY(got.starts_with("HTTP/1.1 101 ") && got.ends_with("Sec-WebSocket-Accept: x\r\n\r\nframe"));
        QCOMPARE(rig->host.heard, std::string("early"));
        QCOMPARE(rig->ask(std::string("\0\xff\r\n", 4)), std::string("\0\xff\r\n", 4));
        rig->program.leave(); // one half
        rig->run();
        QVERIFY(rig->host.sawEnd && !rig->road.isOver());
        QCOMPARE(rig->reply("last"), std::string("last"));
        rig->host.leave();
        rig->run();
        QVERIFY(rig->road.isOver() && !rig->road.isBroken() && rig->program.sawEnd);
    }

    void aSwitchThatNobodyAskedForIsRefused() {
        auto rig = plainRig();
        QVERIFY(rig->ask("GET / HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n")
                    .find("pgrade") == std::string::npos);
        QVERIFY(rig->reply("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").starts_with("HTTP/1.1 502 "));
        QVERIFY(rig->refused.size() == 1 && rig->refused[0].outcome == "bad-answer");
    }

    void badRequestsGoNowhere_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<int>("status");
        const std::string host = "Host: example.org\r\n";
        const std::tuple<const char*, std::string, int> rows[] = {
            {"both lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
            {"obs-fold", "GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", 400},
            {"bare LF", "GET / HTTP/1.1\nHost: example.org\n\n", 400},
            {"connect", "CONNECT example.org:80 HTTP/1.1\r\n" + host + "\r\n", 405},
            {"http/0.9", "GET /\r\n", 505},
            {"h2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
            {"another host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
            {"huge", "GET / HTTP/1.1\r\nA: " + std::string(70'000, 'x'), 431},
            {"TLS", "\x16\x03\x01\x02", 400},
        };
        for (const auto& [name, text, status] : rows) {
            QTest::newRow(name) << QByteArray::fromStdString(text) << status;
        }
    }
    void badRequestsGoNowhere() {
        QFETCH(QByteArray, text);
        QFETCH(int, status);
        for (const std::size_t piece : {std::size_t(3), std::size_t(100'000)}) {
            auto rig = plainRig();
            rig->program.piece = piece;
            QCOMPARE(rig->ask(text.toStdString()), std::string());
            QVERIFY2(rig->program.heard.starts_with("HTTP/1.1 " + std::to_string(status) + " "), rig->program.heard.c_str());
            QVERIFY(rig->program.heard.find("Connection: close\r\n") != std::string::npos && rig->program.sawEnd);
            QVERIFY(rig->asked.empty() && rig->refused.size() == 1);
        }
    }

    void aBodyThatTurnsBadIsCutOff() {
        auto rig = plainRig();
        const auto sent = rig->ask("POST / HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nGET /x");
        QVERIFY(sent.find("abc") != std::string::npos && !sent.ends_with("0\r\n\r\n") && sent.find("GET /x") == std::string::npos);
        QVERIFY(rig->program.heard.starts_with("HTTP/1.1 400 "));
    }

    void badAnswersAreSaidToBe_data() {
        QTest::addColumn<QByteArray>("text");
        const std::pair<const char*, std::string> rows[] = {
            {"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
            {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"},
            {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"},
            {"no HTTP", "SSH-2.0-x\r\n"},
            {"huge", "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'x')},
            {"NUL", std::string("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 25)},
        };
        for (const auto& [name, text] : rows) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void badAnswersAreSaidToBe() {
        QFETCH(QByteArray, text);
        auto rig = plainRig();
        (void)rig->ask(kGet);
        const auto got = rig->reply(text.toStdString());
        QVERIFY2(got.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), got.c_str());
        QVERIFY(got.find("outcome: bad-answer\n") != std::string::npos && rig->program.sawEnd);
    }

    // The rest would be taken for the answer to the next request.
    void aHostThatSaysTooMuchIsCutOff() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        QVERIFY(rig->reply(kOk + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil").find("evil") == std::string::npos);
        QVERIFY(rig->road.isOver() && rig->road.isBroken());
        auto early = plainRig();
        (void)early->reply(kOk);
        QVERIFY(early->road.isBroken() && early->program.heard.empty());
    }

    void aHalfAnswerIsNoWholeOne() {
        for (const char* half : {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
            auto rig = plainRig();
            (void)rig->ask(kGet);
            (void)rig->reply(half);
            rig->host.leave();
            rig->run();
            QVERIFY(rig->road.isOver() && rig->road.isBroken());
        }
        auto rig = plainRig();
        (void)rig->ask(kPost + "he");
        rig->program.leave();
        rig->run();
        QVERIFY(rig->road.isOver() && rig->road.isBroken());
    }

    void aHostThatIsGone() {
        auto first = plainRig();
        (void)first->ask(kGet);
        first->host.leave();
        first->run();
        QVERIFY(first->program.heard.starts_with("HTTP/1.1 502 "));
        // One that has closed what it kept open: a program makes a new connection by itself, if nothing is said.
        auto later = plainRig();
        (void)later->ask(kGet);
        (void)later->reply(kOk);
        later->program.heard.clear();
        (void)later->ask(kGet);
        later->host.leave();
        later->run();
        QVERIFY(later->program.heard.empty() && later->program.sawEnd && !later->road.isBroken());
        // While somebody thought about the request.
        auto waiting = plainRig();
        waiting->decide = [](const AskedRequest&) { return std::nullopt; };
        (void)waiting->ask(kGet);
        waiting->host.leave();
        waiting->run();
        QVERIFY(waiting->program.heard.empty());
        waiting->road.answer(1, {.verdict = Verdict::Allow});
        waiting->run();
        QVERIFY(waiting->program.heard.starts_with("HTTP/1.1 503 "));
    }
};

QTEST_GUILESS_MAIN(TestHttpRoad)
#include "test_http_road.moc"

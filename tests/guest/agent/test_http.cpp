// SPDX-License-Identifier: Apache-2.0
// Posting to a server on this computer: what goes out, what is made of the answer, and each way in which it can fail.
#include "guest/agent/anthropic_codec.h"
#include "guest/agent/chat_codec.h"
#include "guest/agent/http_model.h"
#include "guest/agent/http_web.h"
#include "guest/agent/retry_policy.h"
#include "tests/guest/agent/played_server.h"
#include "tests/guest/agent/turn_words.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <filesystem>
#include <fstream>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;
using namespace std::chrono_literals;

namespace {

const std::string kEvents = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n";

struct Posted {
    TurnStatus status;
    std::string text;
};

Posted post(const std::string& address, HttpSettings settings = {}, const std::stop_token& stop = {}) {
    std::string text;
    const auto parsed = HttpAddress::parse(address);
    const HttpRequest request{parsed.value(), "/v1/messages", {{"x-api-key", "k"}}, "{\"a\":1}"};
    auto status = HttpClient(std::move(settings))
                      .post(
                          request,
                          [&](std::string_view piece) -> TurnResult<More> {
                              text += piece;
                              return text.find("STOP") == std::string::npos ? More::Wanted : More::Enough;
                          },
                          stop);
    return {std::move(status), text};
}

// Of a server that answers with this and goes.
Posted answered(const std::string& answer, HttpSettings settings = {}) {
    PlayedServer server([&](Line& line) {
        (void)line.request();
        (void)line.send(answer);
    });
    return post(server.address(), std::move(settings));
}

} // namespace

class TestHttp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); } // of the server's TLS

    void addresses_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("meaning"); // empty: none
        const auto row = [](const char* text, const char* meaning) {
            QTest::newRow(QByteArray(text).simplified().constData()) << QByteArray(text) << QByteArray(meaning);
        };
        row("https://api.example.org", "s api.example.org 443 /v1/messages");
        row("https://api.example.org/", "s api.example.org 443 /v1/messages");
        row("https://api.example.org/v1", "s api.example.org 443 /v1/messages");
        row("https://api.example.org/proxy/v1/", "s api.example.org 443 /proxy/v1/messages");
        row("https://api.example.org/proxy", "s api.example.org 443 /proxy/v1/messages");
        row("https://api.example.org:8443", "s api.example.org:8443 8443 /v1/messages");
        row("http://localhost:11434/v1", "p localhost:11434 11434 /v1/messages");
        row("http://127.0.0.1", "p 127.0.0.1 80 /v1/messages");
        row("http://[::1]:80", "p [::1] 80 /v1/messages");
        row("http://[::1]:81/x", "p [::1]:81 81 /x/v1/messages");
        for (const char* text : {"",
                                 "api.example.org",
                                 "ftp://x",
                                 "https://",
                                 "https:///x",
                                 "https://:1",
                                 "https://a:0",
                                 "https://a:65536",
                                 "https://a:1x",
                                 "https://a:",
                                 "https://a b",
                                 "https://u:p@a",
                                 "https://a/?q",
                                 "https://a#f",
                                 "http://[::1",
                                 "http://[x]",
                                 "http://[]",
                                 "http://[::1]x",
                                 "https://a/\r\nx: y",
                                 "https://b\xc3\xbc.example.org",
                                 "https://a\\b"}) {
            row(text, "");
        }
    }
    void addresses() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, meaning);
        const auto of = HttpAddress::parse(text.toStdString());
        QCOMPARE(of.has_value(), !meaning.isEmpty());
        if (of) {
            const std::string words = std::string(of->scheme == HttpAddress::Scheme::Https ? "s " : "p ") + of->authority() + " " +
                                      std::to_string(of->port) + " " + of->target("/v1/messages");
            QCOMPARE(QByteArray::fromStdString(words), meaning);
        } else {
            QVERIFY(of.error().code == ErrorCode::InvalidArgument && !of.error().hint.empty());
        }
    }

    void whatGoesOut() {
        std::string request;
        {
            PlayedServer server([&](Line& line) {
                request = line.request();
                (void)line.send(kEvents + "Content-Length: 4\r\n\r\ndone");
            });
            const auto [status, text] = post(server.address() + "/base");
            QVERIFY2(status.has_value(), status ? "" : status.error().error.text().c_str());
            QCOMPARE(text, std::string("done"));
            QVERIFY(request.find("Host: 127.0.0.1:" + server.port() + "\r\n") != std::string::npos);
        }
        QVERIFY(request.starts_with("POST /base/v1/messages HTTP/1.1\r\n"));
        QVERIFY(request.find("\r\nx-api-key: k\r\n") != std::string::npos &&
                request.find("\r\nContent-Type: application/json\r\n") != std::string::npos);
        QVERIFY(request.ends_with("\r\n\r\n{\"a\":1}"));
    }

    void aKeyWithALineEndIsNotSent() {
        PlayedServer server([](Line& line) { (void)line.request(); });
        for (const std::string& key : {std::string("k\n"), std::string("k\r\nX: y"), std::string("k\0", 2)}) {
            const auto status = HttpClient().post({HttpAddress::parse(server.address()).value(), "/", {{"x-api-key", key}}, ""},
                                                  [](std::string_view) -> TurnResult<More> { return More::Wanted; }, {});
            QVERIFY(status.error().kind == FailureKind::Rejected && status.error().error.message.find("k\n") == std::string::npos);
        }
        QCOMPARE(server.connections(), 0);
    }

    void bodiesOfEachKind() {
        QCOMPARE(answered(kEvents + "Content-Length: 5\r\n\r\n12345").text, std::string("12345"));
        QCOMPARE(answered(kEvents + "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2;x=y\r\n45\r\n0\r\n\r\n").text, std::string("12345"));
        const auto untilItGoes = answered(kEvents + "\r\n12345");
        QVERIFY(untilItGoes.status.has_value());
        QCOMPARE(untilItGoes.text, std::string("12345"));
        QCOMPARE(
            answered("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + kEvents + "Content-Length: 1\r\n\r\n1")
                .text,
            std::string("1"));
        QCOMPARE(answered("HTTP/1.1 200 OK\r\ncontent-type: TEXT/Event-Stream\r\nContent-Length: 1\r\n\r\n1").text, std::string("1"));
    }

    void piecesComeWhenTheyAreSent() {
        std::stop_source first; // the second piece is sent when the first was seen
        PlayedServer server([&](Line& line) {
            (void)line.request();
            (void)line.send(kEvents + "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
            (void)ClockWaiter().wait(24h, first.get_token());
            (void)line.send("3\r\ntwo\r\n0\r\n\r\n");
        });
        std::string text;
        const auto status = HttpClient().post({HttpAddress::parse(server.address()).value(), "/", {}, ""},
                                              [&](std::string_view piece) -> TurnResult<More> {
                                                  text += piece;
                                                  first.request_stop();
                                                  return More::Wanted;
                                              },
                                              {});
        QVERIFY(status.has_value());
        QCOMPARE(text, std::string("onetwo"));
    }

    void enoughIsEnough() {
        PlayedServer server([&](Line& line) {
            (void)line.request();
            (void)line.send(kEvents + "\r\nSTOP");
            line.waitUntilPeerGoes(); // it goes although the answer has no end
        });
        QVERIFY(post(server.address()).status.has_value());
    }

    void aFailureOfTheReaderEndsIt() {
        PlayedServer server([&](Line& line) {
            (void)line.request();
            (void)line.send(kEvents + "\r\nx");
            line.waitUntilPeerGoes();
        });
        const auto status = HttpClient().post({HttpAddress::parse(server.address()).value(), "/", {}, ""},
                                              [](std::string_view) -> TurnResult<More> { return failTurn(FailureKind::TooMuch, "x"); }, {});
        QVERIFY(status.error().kind == FailureKind::TooMuch);
    }

    void errorsWithTheirWords() {
        const std::string body = j("{'type':'error','error':{'type':'overloaded_error','message':'Overloaded'}}");
        const auto busy = answered("HTTP/1.1 529 Overloaded\r\nContent-Type: application/json\r\nRetry-After: 7\r\nContent-Length: " +
                                   std::to_string(body.size()) + "\r\n\r\n" + body)
                              .status;
        QVERIFY(busy.error().kind == FailureKind::Busy && busy.error().status == 529 && busy.error().retryAfter == 7s);
        QCOMPARE(busy.error().error.message,
                 std::string(
                     "the model's provider has too much to do (HTTP 529, overloaded_error); it says: Overloaded; it asks to wait for 7 s"));
        const auto key = answered("HTTP/1.1 401 Unauthorized\r\n\r\n" + j("{'error':{'message':'no','code':'invalid_api_key'}}")).status;
        QVERIFY(key.error().kind == FailureKind::Rejected && key.error().error.hint.find("carrel credential") != std::string::npos);
        const auto bare = answered("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n").status;
        QVERIFY(bare.error().kind == FailureKind::Busy);
        const auto cut = answered("HTTP/1.1 404 No\r\nContent-Length: 1000\r\n\r\n" + j("{'error'")).status; // the status says enough
        QVERIFY(cut.error().kind == FailureKind::Rejected && cut.error().status == 404);
        const auto endless = answered("HTTP/1.1 400 No\r\n\r\n" + std::string(1'000'000, 'x')).status;
        QVERIFY(endless.error().kind == FailureKind::Rejected && endless.error().error.message.size() < 1000);
        const auto carrel =
            answered("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nX-Carrel-Outcome: denied\r\nContent-Length: 4\r\n\r\nwhy\n")
                .status;
        QVERIFY(carrel.error().kind == FailureKind::Rejected && carrel.error().error.message.starts_with("Carrel did not let"));
    }

    void noRedirectIsFollowed() {
        PlayedServer other([](Line& line) { (void)line.request(); });
        const auto moved =
            answered("HTTP/1.1 307 Temporary Redirect\r\nLocation: " + other.address() + "/\r\nContent-Length: 0\r\n\r\n").status;
        QVERIFY(moved.error().kind == FailureKind::Rejected && moved.error().status == 307);
        QCOMPARE(other.connections(), 0);
    }

    void whatIsNoStream_data() {
        QTest::addColumn<QByteArray>("answer");
        const auto row = [](const char* name, const char* answer) { QTest::newRow(name) << QByteArray(answer); };
        row("a page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi");
        row("JSON at once", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
        row("no type", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        row("nearly", "HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\nContent-Length: 2\r\n\r\nhi");
        row("no content", "HTTP/1.1 204 No Content\r\n\r\n");
        row("packed", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi");
        row("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n");
        row("two lengths", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi");
        row("never comes to it",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "
            "100 Continue\r\n\r\n"
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    }
    void whatIsNoStream() {
        QFETCH(QByteArray, answer);
        const auto [status, text] = answered(answer.toStdString());
        QVERIFY(!status && text.empty());
        QVERIFY2(status.error().kind == FailureKind::Malformed, status.error().error.message.c_str());
        QVERIFY(!status.error().error.hint.empty());
    }

    void answersAreBounded() {
        HttpSettings small;
        small.headerBytes = 200;
        small.answerBytes = 10;
        QVERIFY(answered(kEvents + "X: " + std::string(300, 'x') + "\r\n\r\n", small).status.error().kind == FailureKind::Malformed);
        QVERIFY(answered(kEvents + "Content-Length: 10\r\n\r\n1234567890", small).status.has_value());
        QVERIFY(
            answered(kEvents + "Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n", small).status.error().kind ==
            FailureKind::TooMuch);
        QVERIFY(answered(kEvents + "\r\n" + std::string(1000, 'x'), small).status.error().kind == FailureKind::TooMuch);
    }

    void whatBreaksOff() {
        const auto within = answered(kEvents + "Content-Length: 10\r\n\r\n12345");
        QVERIFY(within.status.error().kind == FailureKind::Dropped);
        QCOMPARE(within.text, std::string("12345"));
        QVERIFY(answered(kEvents + "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n").status.error().kind == FailureKind::Dropped);
        for (const char* none : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"}) {
            const auto status = answered(none).status;
            QVERIFY2(status.error().kind == FailureKind::NoConnection, status.error().error.message.c_str());
            QVERIFY(status.error().error.hint.find("carrel-ask why") != std::string::npos);
        }
    }

    void nobodyIsThere() {
        std::string address;
        {
            PlayedServer server([](Line&) {});
            address = server.address();
        }
        const auto status = post(address).status;
        QVERIFY(status.error().kind == FailureKind::NoConnection && !status.error().error.hint.empty());
    }

    void nothingComesForTooLong() {
        HttpSettings quick;
        quick.firstByte = 20ms;
        PlayedServer silent([](Line& line) { line.waitUntilPeerGoes(); });
        const auto none = post(silent.address(), quick).status;
        QVERIFY(none.error().kind == FailureKind::NoConnection && none.error().error.message.find("too long") != std::string::npos);
        quick = {};
        quick.idle = 20ms;
        PlayedServer stuck([](Line& line) {
            (void)line.request();
            (void)line.send(kEvents + "\r\nx");
            line.waitUntilPeerGoes();
        });
        const auto idle = post(stuck.address(), quick).status;
        QVERIFY(idle.error().kind == FailureKind::Dropped && idle.error().error.message.find("too long") != std::string::npos);
    }

    void stoppedFromAnotherThread() {
        std::stop_source before;
        PlayedServer silent([&](Line& line) {
            (void)line.request();
            before.request_stop(); // on the server's thread, while the client waits for an answer
            line.waitUntilPeerGoes();
        });
        QVERIFY(post(silent.address(), {}, before.get_token()).status.error().kind == FailureKind::Cancelled);
        std::stop_source within;
        PlayedServer speaking([&](Line& line) {
            (void)line.request();
            (void)line.send(kEvents + "\r\nx");
            within.request_stop();
            line.waitUntilPeerGoes();
        });
        QVERIFY(post(speaking.address(), {}, within.get_token()).status.error().kind == FailureKind::Cancelled);
        QVERIFY(post(speaking.address(), {}, within.get_token()).status.error().kind == FailureKind::Cancelled); // long before
        QCOMPARE(speaking.connections(), 1);
    }

    void tls() {
        const Certificate certificate("IP:127.0.0.1,DNS:localhost");
        const QTemporaryDir trusted;
        const QTemporaryDir nobody;
        certificate.putInto(trusted.path().toStdString());
        PlayedServer server(
            [&](Line& line) {
                (void)line.request();
                (void)line.send(kEvents + "Content-Length: 4\r\n\r\ndone");
            },
            &certificate);
        HttpSettings trusting;
        trusting.trustFolder = trusted.path().toStdString();
        for (const char* host : {"127.0.0.1", "localhost"}) {
            const auto good = post(std::string("https://") + host + ":" + server.port(), trusting);
            QVERIFY2(good.status.has_value(), good.status ? "" : good.status.error().error.message.c_str());
            QCOMPARE(good.text, std::string("done"));
        }
        HttpSettings wary;
        wary.trustFolder = nobody.path().toStdString();
        const auto untrusted = post(server.address(), wary).status;
        QVERIFY(untrusted.error().kind == FailureKind::NoSuchHost &&
                untrusted.error().error.message.find("not trusted") != std::string::npos);
        const Certificate another("DNS:other.example.org");
        another.putInto(trusted.path().toStdString());
        PlayedServer impostor([](Line& line) { (void)line.request(); }, &another);
        const QTemporaryDir anothers;
        another.putInto(anothers.path().toStdString());
        HttpSettings trustingAnother;
        trustingAnother.trustFolder = anothers.path().toStdString();
        for (const char* host : {"127.0.0.1", "localhost"}) {
            const auto wrong = post(std::string("https://") + host + ":" + impostor.port(), trustingAnother).status;
            QVERIFY2(wrong.error().kind == FailureKind::NoSuchHost, wrong.error().error.message.c_str());
        }
        PlayedServer plain([](Line& line) { (void)line.send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
        QVERIFY(post("https://127.0.0.1:" + plain.port(), trusting).status.error().kind == FailureKind::NoConnection);
    }

    void aWholeTurn() {
        std::string request;
        PlayedServer server([&](Line& line) {
            request = line.request();
            (void)line.send(kEvents + "\r\n" +
                            events({j("{'choices':[{'delta':{'content':'Hello'}}]}"),
                                    j("{'choices':[{'delta':{},'finish_reason':'stop'}]}"), "[DONE]"}));
            line.waitUntilPeerGoes();
        });
        const ChatCodec codec;
        HttpModel model(codec, HttpAddress::parse(server.address() + "/v1").value(), "secret");
        const std::vector<Message> messages{{Role::User, {Text{"hi"}}}};
        TurnBuilder builder;
        std::string shown;
        const auto status = model.turn(
            {"m", "", messages, {}, 10}, builder,
            [&](const Delta& delta) { shown += std::holds_alternative<TextDelta>(delta) ? std::get<TextDelta>(delta).text : ""; }, {});
        QVERIFY2(status.has_value(), status ? "" : status.error().error.message.c_str());
        QCOMPARE(shown, std::string("Hello"));
        QCOMPARE(words(builder.finish()->message), std::string("Hello"));
        QVERIFY(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n") &&
                request.find("authorization: Bearer secret\r\n") != std::string::npos);
    }

    void aTurnThatIsCutWhereTheConnectionIsNot() {
        PlayedServer server([&](Line& line) {
            (void)line.request();
            const auto body = events({j("{'type':'message_start','message':{}}"),
                                      j("{'type':'content_block_start','index':0,'content_block':{'type':'text','text':'Hel'}}")});
            (void)line.send(kEvents + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        });
        const AnthropicCodec codec;
        HttpModel model(codec, HttpAddress::parse(server.address()).value(), "");
        const std::vector<Message> messages{{Role::User, {Text{"hi"}}}};
        TurnBuilder builder;
        const auto status = model.turn({"m", "", messages, {}, 10}, builder, [](const Delta&) {}, {});
        QVERIFY(!status && status.error().kind == FailureKind::Dropped);
        QCOMPARE(words(builder.spokenSoFar()), std::string("Hel"));
    }

    void withoutSharedLibraries() {
        const Certificate certificate("DNS:localhost");
        const QTemporaryDir trusted;
        certificate.putInto(trusted.path().toStdString());
        PlayedServer server(
            [&](Line& line) {
                (void)line.request();
                (void)line.send(kEvents + "\r\n" + events({j("{'choices':[{'delta':{'content':'Hello'}}]}"), "[DONE]"}));
                line.waitUntilPeerGoes();
            },
            &certificate);
        QProcess program;
        program.start(CARREL_BIN_DIR "/../tests/guest_agent_static_post",
                      {QString::fromStdString("https://localhost:" + server.port()), trusted.path()});
        QVERIFY(program.waitForFinished(-1));
        QCOMPARE(program.readAllStandardOutput(), QByteArray("Hello"));
        QCOMPARE(program.exitCode(), 0);
    }

    // A page is got without a key and without a body, and whatever its status is, it is the answer.
    void getsAPage() {
        std::string asked;
        PlayedServer server([&](Line& line) {
            asked = line.request();
            (void)line.send("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nLocation: /b\r\nContent-Length: 6\r\n\r\nnobody");
        });
        HttpWeb web;
        const auto page = web.get(*WebAddress::parse(server.address() + "/a%20b?c=d"), 100, {});
        QVERIFY2(page, page ? "" : page.error().text().c_str());
        QVERIFY2(asked.starts_with("GET /a%20b?c=d HTTP/1.1\r\n") && asked.find("Content-Type") == std::string::npos && asked.ends_with("\r\n\r\n"), asked.c_str());
        QCOMPARE(page->status, 404);
        QCOMPARE(page->type, std::string("text/plain"));
        QCOMPARE(page->location, std::string("/b"));
        QCOMPARE(page->body, std::string("nobody"));
        QVERIFY(page->isWhole);
        const auto beginning = web.get(*WebAddress::parse(server.address() + "/"), 3, {});
        QVERIFY(beginning->body == "nob" && !beginning->isWhole);
    }

    void saysWhyAPageIsNotReached() {
        QTemporaryDir folder;
        const auto asker = folder.path().toStdString() + "/asker";
        std::ofstream(asker) << "#!/bin/sh\necho \"$1 $2: no rule allows it\"\n";
        std::filesystem::permissions(asker, std::filesystem::perms::owner_all);
        QCOMPARE(HttpWeb(asker).whyNot("example.org", {}), std::string("why example.org: no rule allows it"));
        QVERIFY(HttpWeb(folder.path().toStdString() + "/none").whyNot("example.org", {}).empty());
    }
};

QTEST_GUILESS_MAIN(TestHttp)
#include "test_http.moc"

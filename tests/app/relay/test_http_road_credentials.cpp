// SPDX-License-Identifier: Apache-2.0
// A credential on its way (design, section 9; invariant I6): into one header of one request to one verified host, and never back.
#include "app/relay/base64.h"
#include "tests/app/relay/own_memory.h"
#include "tests/app/relay/road_rig.h"

#include <QTest>
#include <openssl/rand.h>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

const std::string kSecret = "sk-live-9f8A7b+6C5d4/e3F2g1H0";
const std::string kModel = "sk-none-0000000000000000";
const std::string kGit = "ghp-none-1111111111111111";

std::string get(const std::string& fields, const std::string& line = "GET /v1/models") {
    return line + " HTTP/1.1\r\nHost: api.example.org\r\n" + fields + "\r\n";
}
RequestAnswer inject(const std::string& header = "Authorization", const std::string& value = "Bearer " + kSecret, const std::string& name = "model") {
    RequestAnswer answer{.verdict = Verdict::Allow, .binding = Binding::Bound};
    answer.inject = Injection{header, secretText(value), {}, name};
    return answer;
}
std::string base64(std::string_view text) {
    return std::string(view(toBase64(text)));
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
std::string ok(const std::string& body, const std::string& fields = {}) {
    return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

} // namespace

class TestHttpRoadCredentials : public QObject {
    Q_OBJECT

    TlsWorld m_world;

    std::unique_ptr<RoadRig> rig(std::function<std::optional<RequestAnswer>(const AskedRequest&)> decide) {
        auto out = m_world.rig();
        out->decide = std::move(decide);
        return out;
    }

private slots:
    void thePlaceholderBecomesTheSecret() {
        auto road = rig([](const AskedRequest&) { return inject(); });
        const auto sent = road->ask(get("Authorization: Bearer " + kModel + "\r\nAccept: x\r\n"));
        QCOMPARE(road->asked.at(0).placeholders, (std::vector<std::string>{"model"}));
        QVERIFY(road->asked.at(0).ownKeys.empty());
        QCOMPARE(sent, "GET /v1/models HTTP/1.1\r\nHost: api.example.org\r\nAccept: x\r\nAccept-Encoding: identity\r\nAuthorization: Bearer " + kSecret +
                           "\r\n\r\n");
        QCOMPARE(road->reply(ok("{}")), ok("{}"));
    }

    void basicForGit() {
        auto road = rig([](const AskedRequest&) { return inject("Authorization", "Basic " + base64("x:" + kSecret), "git"); });
        const auto sent = road->ask(get("Authorization: Basic " + base64("x:" + kGit) + "\r\n", "GET /r.git/info/refs?service=git-upload-pack"));
        QCOMPARE(road->asked.at(0).placeholders, (std::vector<std::string>{"git"}));
        QCOMPARE(road->asked.at(0).path, std::string("/r.git/info/refs"));
        QVERIFY(has(sent, "Authorization: Basic " + base64("x:" + kSecret) + "\r\n") && !has(sent, base64("x:" + kGit)));
        const auto got = road->reply(ok("you are " + kSecret + ", " + base64("x:" + kSecret)));
        QVERIFY(!has(got, kSecret) && !has(got, base64("x:" + kSecret).substr(4, 20)));
    }

    // Each request is decided about by itself, and the secret is there for the one only.
    void theNextRequestHasNone() {
        int count = 0;
        auto road = rig([&](const AskedRequest&) { return ++count == 1 ? inject() : RequestAnswer{.verdict = Verdict::Allow}; });
        QVERIFY(has(road->ask(get("Authorization: Bearer " + kModel + "\r\n")), kSecret));
        (void)road->reply(ok("{}"));
        const auto second = road->ask(get("Authorization: Bearer " + kModel + "\r\n"));
        QVERIFY(!has(second, kSecret) && has(second, kModel));
    }

    // An attacker's key at an allowed host.
    void anotherKeyIsRefused_data() {
        QTest::addColumn<QString>("fields");
        QTest::addColumn<QString>("own");
        QTest::newRow("authorization") << "Authorization: Bearer attackers\r\n" << "authorization";
        QTest::newRow("x-api-key beside the placeholder") << "x-API-key: attackers\r\nAuthorization: Bearer " + QString::fromStdString(kModel) + "\r\n"
                                                          << "x-api-key";
        QTest::newRow("basic") << "Authorization: Basic " + QString::fromStdString(base64("x:attackers")) + "\r\n" << "authorization";
        QTest::newRow("twice") << "Authorization: Bearer " + QString::fromStdString(kModel) + "\r\nAuthorization: Bearer attackers\r\n" << "authorization";
    }
    void anotherKeyIsRefused() {
        QFETCH(QString, fields);
        QFETCH(QString, own);
        for (const bool withSecret : {true, false}) {
            auto road = rig([&](const AskedRequest&) {
                return withSecret ? inject() : RequestAnswer{.verdict = Verdict::Allow, .binding = Binding::Bound};
            });
            QCOMPARE(road->ask(get(fields.toStdString())), std::string());
            QCOMPARE(road->asked.at(0).ownKeys, (std::vector<std::string>{own.toStdString()}));
            QVERIFY2(road->program.heard.starts_with("HTTP/1.1 403 ") && has(road->program.heard, "outcome: another-key"), road->program.heard.c_str());
            QVERIFY(!has(road->program.heard, kSecret));
        }
        auto free = rig([](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Allow}; });
        const auto sent = free->ask(get(fields.toStdString())); // a host that nothing is bound to
        QVERIFY(has(sent, "attackers") || has(sent, base64("x:attackers")));
    }

    void cookiesAndPlaceholdersElsewhereStayBehind() {
        auto road = rig([](const AskedRequest&) { return inject("x-api-key", kSecret); });
        const auto sent = road->ask(get("Cookie: session=attackers\r\nX-Api-Key: " + kModel + "\r\nAuthorization: Bearer " + kModel + "\r\nX-Other: " + kGit +
                                        "\r\nX-Kept: 1\r\nRange: bytes=0-3\r\nIf-Range: x\r\nAccept-Encoding: gzip, br\r\n"));
        QVERIFY(has(sent, "\r\nx-api-key: " + kSecret + "\r\n") && has(sent, "X-Kept: 1\r\n") && has(sent, "Accept-Encoding: identity\r\n"));
        for (const char* gone : {"attackers", "Authorization", "X-Other", "Range", "gzip"}) {
            QVERIFY2(!has(sent, gone), gone);
        }
        QVERIFY(!has(sent, kModel) && !has(sent, kGit));
    }

    // Programs write a key into the field that their version knows; the host gets exactly one field, which is the credential's.
    void inWhicheverFieldOfAKeyItStands_data() {
        QTest::addColumn<QString>("fields");
        QTest::addColumn<QString>("header");
        QTest::addColumn<QString>("value");
        const auto model = QString::fromStdString(kModel), secret = QString::fromStdString(kSecret);
        QTest::newRow("the newer field, where the host wants the older one") << "Authorization: Bearer " + model + "\r\n" << "x-api-key" << secret;
        QTest::newRow("the older field, where the host wants the newer one") << "X-Api-Key: " + model + "\r\n" << "Authorization" << "Bearer " + secret;
        QTest::newRow("both") << "Authorization: Bearer " + model + "\r\nx-api-key: " + model + "\r\n" << "x-api-key" << secret;
        QTest::newRow("a provider's own") << "authorization: Bearer " + model + "\r\n" << "x-goog-api-key" << secret;
        QTest::newRow("the right one, twice") << "x-api-key: " + model + "\r\nX-API-Key: " + model + "\r\n" << "x-api-key" << secret;
    }
    void inWhicheverFieldOfAKeyItStands() {
        QFETCH(QString, fields);
        QFETCH(QString, header);
        QFETCH(QString, value);
        auto road = rig([&](const AskedRequest&) { return inject(header.toStdString(), value.toStdString()); });
        const auto sent = QString::fromStdString(road->ask(get(fields.toStdString())));
        QCOMPARE(sent.count(QString::fromStdString(kSecret)), 1);
        QVERIFY2(sent.contains("\r\n" + header + ": " + value + "\r\n"), qPrintable(sent));
        int keys = 0;
        for (const char* each : {"\r\nauthorization:", "\r\nx-api-key:", "\r\nx-goog-api-key:"}) {
            keys += static_cast<int>(sent.toLower().count(each));
        }
        QCOMPARE(keys, 1);
        QVERIFY(!sent.contains(QString::fromStdString(kModel)));
    }

    void onlyWhereKeysStand() {
        for (const char* field : {"X-Other: ", "Cookie: session=", "Proxy-Authorization: Bearer "}) {
            auto road = rig([](const AskedRequest&) { return inject("x-api-key", kSecret); });
            QCOMPARE(road->ask(get(field + kModel + "\r\n")), std::string());
            QVERIFY2(has(road->program.heard, "outcome: misplaced"), field);
        }
        auto none = rig([](const AskedRequest&) { return inject(); });
        QCOMPARE(none->ask(get("", "GET /?key=" + kModel)), std::string());
        auto wrong = rig([](const AskedRequest&) { return inject("Authorization", "Bearer " + kSecret, "git"); });
        QCOMPARE(wrong->ask(get("Authorization: Bearer " + kModel + "\r\n")), std::string());
    }

    void aValueThatWouldBreakTheRequestIsNotSent() {
        for (const auto& [header, value] : std::vector<std::pair<std::string, std::string>>{
                 {"Authorization", "x\r\nHost: evil.example"}, {"Authorization", ""}, {"Host", kSecret}, {"Content-Length", kSecret}, {"A B", kSecret}}) {
            auto road = rig([&, name = header, text = value](const AskedRequest&) { return inject(name, text); }); // clang 14 captures no binding
            QCOMPARE(road->ask(get("Authorization: Bearer " + kModel + "\r\n")), std::string());
            QVERIFY(road->program.heard.starts_with("HTTP/1.1 403 ") && !has(road->program.heard, kSecret));
        }
    }

    // Echo endpoints.
    void anEchoIsScrubbed() {
        for (const std::size_t piece : {std::size_t(1), std::size_t(5), std::size_t(1'000'000)}) {
            auto road = rig([](const AskedRequest&) { return inject(); });
            (void)road->ask(get("Authorization: Bearer " + kModel + "\r\n"));
            road->host.piece = piece;
            const std::string body = "{\"headers\": \"Bearer " + kSecret + "\", \"coded\": \"" + base64("Bearer " + kSecret) +
                                     "\", \"url\": \"sk-live-9f8A7b%2B6C5d4%2Fe3F2g1H0\"}";
            const auto got = road->reply(ok(body, "X-Echo: <" + kSecret + ">\r\n"));
            QVERIFY(!has(got, "9f8A7b") && !has(got, base64("Bearer " + kSecret).substr(10, 12)));
            QVERIFY(has(got, "X-Echo: <" + kModel));
            QCOMPARE(got.size(), ok(body, "X-Echo: <" + kSecret + ">\r\n").size()); // the length that was announced holds
            QVERIFY(road->road.scrubbed() >= 3);
            QVERIFY(has(road->ask(get("Authorization: Bearer " + kModel + "\r\n")), "GET")); // and the connection goes on
        }
        auto chunks = rig([](const AskedRequest&) { return inject(); });
        (void)chunks->ask(get("Authorization: Bearer " + kModel + "\r\n"));
        (void)chunks->reply("HTTP/1.1 200 " + kSecret + "\r\nTransfer-Encoding: chunked\r\n\r\na\r\n<" + kSecret.substr(0, 9) + "\r\n");
        QVERIFY(!has(chunks->program.heard, "sk-live"));
        (void)chunks->reply("15\r\n" + kSecret.substr(9) + ">\r\n0\r\n\r\n");
        QVERIFY(!has(chunks->program.heard, "9f8A7b") && has(chunks->program.heard, ">\r\n0\r\n\r\n"));
    }

    void aCodedAnswerIsRefused() {
        auto road = rig([](const AskedRequest&) { return inject(); });
        (void)road->ask(get("Authorization: Bearer " + kModel + "\r\n"));
        QVERIFY(road->reply(ok("....", "Content-Encoding: gzip\r\n")).starts_with("HTTP/1.1 502 "));
        auto free = rig([](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Allow}; });
        QVERIFY(has(free->ask(get("Accept-Encoding: gzip\r\n")), "Accept-Encoding: gzip"));
        QVERIFY(has(free->reply(ok("....", "Content-Encoding: gzip\r\n")), "...."));
    }

    void aWebSocketIsScrubbedToo() {
        auto road = rig([](const AskedRequest&) { return inject(); });
        (void)road->ask(get("Authorization: Bearer " + kModel + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"));
        QVERIFY(!has(road->host.heard, "deflate"));
        (void)road->reply("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        const auto got = road->reply("\x81\x20" + kSecret + "end");
        QVERIFY(!has(got, kSecret) && has(got, "end"));
        QCOMPARE(got.size(), 2 + kSecret.size() + 3);
    }

    void redirectsAreThePrograms() {
        auto road = rig([](const AskedRequest&) { return inject(); });
        (void)road->ask(get("Authorization: Bearer " + kModel + "\r\n"));
        const auto got = road->reply("HTTP/1.1 302 Found\r\nLocation: https://evil.example/?" + kSecret + "\r\nContent-Length: 0\r\n\r\n");
        QVERIFY(has(got, "Location: https://evil.example/?" + kModel) && road->host.heard.find("evil") == std::string::npos);
        QCOMPARE(road->asked.size(), std::size_t(1));
    }

    // The secret is asked for only once the host has shown who it is.
    void aHostThatIsNotWhoItShouldBe() {
        auto other = m_world.rig("api.example.org", "evil.example.org");
        QCOMPARE(other->ask(get("Authorization: Bearer " + kModel + "\r\n")), std::string());
        QVERIFY(other->asked.empty());
        QVERIFY2(other->program.heard.starts_with("HTTP/1.1 502 ") && has(other->program.heard, "certificate is not to be trusted"),
                 other->program.heard.c_str());
        QVERIFY(has(other->program.heard, "outcome: unreachable\n"));
    }

    // I6: kept for that request, and then nowhere. The played host does not read what came, else it would hold it.
    void theSecretIsForgotten() {
        std::string masked(40, 0);
        QVERIFY(::RAND_bytes(reinterpret_cast<unsigned char*>(masked.data()), static_cast<int>(masked.size())) == 1);
        std::transform(masked.begin(), masked.end(), masked.begin(), [](char c) { return static_cast<char>(('a' + (c & 15)) ^ kMask); });
        const auto unmasked = [&] {
            SecretText out(masked.size());
            std::transform(masked.begin(), masked.end(), out.begin(), [](char c) { return static_cast<char>(c ^ kMask); });
            return out;
        };
        auto road = rig([&](const AskedRequest&) {
            RequestAnswer answer{.verdict = Verdict::Allow};
            answer.inject = Injection{"X-Api-Key", unmasked(), {}, "model"};
            return answer;
        });
        road->run(); // the handshakes
        {
            const auto kept = unmasked();
            QVERIFY2(OwnMemory::holds(masked), "the search finds nothing");
        }
        QVERIFY(!OwnMemory::holds(masked));
        ByteQueue queue;
        queue.append(std::string(100, 'x')); // it grows, and leaves memory behind
        queue.appendSecret(view(unmasked()));
        queue.append(std::string(100'000, 'x'));
        QVERIFY(OwnMemory::holds(masked));
        queue.drop(queue.size());
        QVERIFY2(!OwnMemory::holds(masked), "it went through a queue, and stayed");
        road->host.reads = false;
        (void)road->ask(get("X-Api-Key: " + kModel + "\r\n"));
        QCOMPARE(road->asked.size(), std::size_t(1));
        QVERIFY2(OwnMemory::holds(masked), "the response is not searched for it");
        QCOMPARE(road->reply(ok("{}")), ok("{}"));
        QVERIFY2(!OwnMemory::holds(masked), "it is still somewhere");
        QVERIFY(road->road.takeForHost(100'000).size() > 100); // it was sent
    }

    void withoutTlsNever() {
        auto settings = plainSettings();
        settings.placeholders = m_world.placeholders;
        RoadRig road(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), settings);
        road.decide = [](const AskedRequest&) { return inject(); };
        QCOMPARE(road.ask("GET / HTTP/1.1\r\nHost: example.org\r\nAuthorization: Bearer " + kModel + "\r\n\r\n"), std::string());
        QVERIFY(has(road.program.heard, "outcome: unprotected") && !has(road.program.heard, kSecret));
    }

    void aCutBodyUnderTlsIsNoWholeOne() {
        auto road = rig([](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Allow}; });
        (void)road->ask(get(""));
        (void)road->reply("HTTP/1.1 200 OK\r\n\r\nhalf"); // to the end of the connection
        road->host.drop();                                  // which nobody has said
        road->run();
        QVERIFY(road->road.isOver() && road->road.isBroken());
        auto said = rig([](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Allow}; });
        (void)said->ask(get(""));
        (void)said->reply("HTTP/1.1 200 OK\r\n\r\nwhole");
        said->host.leave();
        said->run();
        QVERIFY(said->road.isOver() && !said->road.isBroken());
    }

    void anotherNameInTlsEndsTheRoad() {
        const auto leaf = m_world.agentIssuer.leafFor("api.example.org", m_world.now).value();
        RoadRig road(TlsClientEnd::create(m_world.program, "evil.example.org").value(), TlsServerEnd::create(m_world.server, *leaf, "api.example.org").value(),
                     TlsClientEnd::create(m_world.clerk, "api.example.org").value(),
                     TlsServerEnd::create(m_world.server, *m_world.worldIssuer.leafFor("api.example.org", m_world.now).value(), "api.example.org").value(),
                     HttpRoad::Settings{{Scheme::Https, "api.example.org", 443}, nullptr, {}});
        QCOMPARE(road.ask(get("")), std::string());
        QVERIFY(road.road.isOver() && road.road.isBroken() && has(road.road.how(), "SNI"));
    }
};

QTEST_GUILESS_MAIN(TestHttpRoadCredentials)
#include "test_http_road_credentials.moc"

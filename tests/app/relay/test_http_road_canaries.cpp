// SPDX-License-Identifier: Apache-2.0
// Canaries on the road: what holds one reaches no host, and ends the connection both ways.
#include "tests/app/relay/packing.h"
#include "tests/app/relay/road_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

const std::string kCanary = "ghx_9f8A7b6C5d4e3F2q0K";
const HttpRoad::Canaries kSet = std::make_shared<CanarySet>(std::vector<Canary>{{"token", kCanary}});

struct World {
    std::vector<std::string> told; // "1 token body plain"
    std::unique_ptr<RoadRig> rig;

    explicit World(HttpRoad::Canaries canaries = kSet) {
        auto settings = plainSettings();
        settings.canaries = std::move(canaries);
        rig = std::make_unique<RoadRig>(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                                        std::make_unique<PlainEnd>(), std::move(settings), [this](std::uint64_t request, const CanaryFound& found) {
                                            told.push_back(std::to_string(request) + " " + found.name + " " + std::string(toString(found.where)) + " " +
                                                           std::string(toString(found.form)));
                                        });
    }
    std::string ask(const std::string& head, const std::string& body = {}) {
        return rig->ask(head + " HTTP/1.1\r\nHost: example.org\r\n" + body);
    }
    static std::string sized(const std::string& body, const std::string& fields = {}) {
        return fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    static std::string chunked(const std::string& body, std::size_t chunk, const std::string& fields = {}) {
        std::string out = fields + "Transfer-Encoding: chunked\r\n\r\n";
        for (std::size_t at = 0; at < body.size(); at += chunk) {
            const auto piece = body.substr(at, chunk);
            char size[16];
            std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
            out += size + piece + "\r\n";
        }
        return out + "0\r\n\r\n";
    }
    bool isBrokenOff() const { return rig->road.isOver() && rig->road.isBroken() && rig->road.how() == "canary" && rig->program.sawEnd && rig->host.sawEnd; }
};

} // namespace

class TestHttpRoadCanaries : public QObject {
    Q_OBJECT
private slots:
    void inTheHeadNobodyIsAsked() {
        for (const auto& [head, fields, told] : std::vector<std::array<std::string, 3>>{
                 {"GET /a?key=" + kCanary, "\r\n", "1 token target plain"},
                 {"GET /a", "X-Note: " + kCanary + "\r\n\r\n", "1 token field plain"},
                 {"POST /" + kCanary, "Content-Length: 5\r\n\r\nhello", "1 token target plain"},
             }) {
            World world;
            QCOMPARE(world.ask(head, fields), std::string());
            QVERIFY(world.rig->asked.empty() && world.isBrokenOff());
            QCOMPARE(world.told, std::vector<std::string>{told});
            QCOMPARE(world.rig->program.heard, std::string());
        }
    }

    void inABody_data() {
        QTest::addColumn<QByteArray>("body");
        QTest::addColumn<QString>("form");
        const std::string text = std::string(30'000, 'u') + "\nkey: " + kCanary + "\n" + std::string(100, 'v');
        QTest::newRow("plain") << QByteArray::fromStdString(World::sized(text)) << "plain";
        for (const int chunk : {1, 7, 100'000}) {
            QTest::newRow(qPrintable(QString("in chunks of %1").arg(chunk))) << QByteArray::fromStdString(World::chunked(text, std::size_t(chunk))) << "plain";
        }
        QTest::newRow("at its very end") << QByteArray::fromStdString(World::sized(kCanary)) << "plain";
        QTest::newRow("gzip") << QByteArray::fromStdString(World::sized(packed(text), "Content-Encoding: gzip\r\n")) << "gzip";
        QTest::newRow("gzip in chunks") << QByteArray::fromStdString(World::chunked(packed(text), 9)) << "gzip";
    }
    void inABody() {
        QFETCH(QByteArray, body);
        QFETCH(QString, form);
        for (const std::size_t piece : {std::size_t(1), std::size_t(1000), std::size_t(1) << 20U}) {
            World world;
            world.rig->program.piece = piece;
            const auto heard = world.ask("POST /up", body.toStdString());
            QCOMPARE(world.told, std::vector<std::string>{"1 token body " + form.toStdString()});
            QVERIFY(world.isBrokenOff());
            QVERIFY(heard.find(kCanary.substr(0, 6)) == std::string::npos);
            QCOMPARE(world.rig->asked.size(), std::size_t{1});
            QVERIFY(world.rig->refused.empty());
        }
    }

    // The host answers while the body comes: the answer breaks off, too.
    void whileTheHostAnswers() {
        World world;
        (void)world.ask("POST /up", "Content-Length: 100\r\n\r\nbegin ");
        (void)world.rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello");
        world.rig->ask(kCanary);
        QVERIFY(world.isBrokenOff());
        QVERIFY(world.rig->host.heard.empty());
    }

    void whatIsHarmlessPassesAsItCame() {
        World world;
        const std::string text = std::string(200'000, 'u') + kCanary.substr(0, 20);
        const auto heard = world.ask("POST /up", World::sized(text));
        QVERIFY(heard.ends_with("\r\n\r\n" + text));
        (void)world.rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        QVERIFY(world.ask("POST /up", World::chunked(text, 5000)).ends_with(kCanary.substr(0, 20) + "\r\n0\r\n\r\n"));
        QVERIFY(world.told.empty() && !world.rig->road.isOver());
        // What comes from the host may hold one: it does not leave.
        QVERIFY(world.rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + kCanary).ends_with(kCanary));
        QVERIFY(world.told.empty());
    }

    void whatCannotBeSearchedIsRefused() {
        World world;
        const auto heard = world.ask("POST /up", World::sized(packed(std::string(8U << 20U, '\0'))));
        QVERIFY(world.rig->program.heard.starts_with("HTTP/1.1 403 "));
        QVERIFY2(world.rig->program.heard.find("unfolds to more") != std::string::npos, world.rig->program.heard.c_str());
        QVERIFY(world.told.empty() && world.rig->refused.size() == 1);
        QCOMPARE(world.rig->refused[0].outcome, std::string("packed"));
        QVERIFY(!world.rig->road.isBroken());
        World other(nullptr); // where there is none, nothing is looked for
        QVERIFY(other.ask("POST /up", World::sized(packed(std::string(8U << 20U, '\0')))).size() > 8000);
        QVERIFY(other.rig->refused.empty());
    }

    void inAWebSocket() {
        World world;
        const auto head = world.ask("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                               "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        QVERIFY(head.find("Upgrade: websocket") != std::string::npos && head.find("permessage-deflate") == std::string::npos);
        (void)world.rig->reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        const auto framed = [](const std::string& payload) {
            std::string out{'\x81', static_cast<char>(0x80U | payload.size()), 'm', 'a', 's', 'k'};
            for (std::size_t i = 0; i < payload.size(); ++i) {
                out += static_cast<char>(payload[i] ^ "mask"[i % 4]);
            }
            return out;
        };
        QCOMPARE(world.rig->ask(framed("hello")), framed("hello"));
        QCOMPARE(world.rig->ask(framed("key " + kCanary)), std::string());
        QCOMPARE(world.told, std::vector<std::string>{"1 token body plain"});
        QVERIFY(world.isBrokenOff());
    }

    void othersCountFromTheNextRequest() {
        World world(nullptr);
        QVERIFY(world.ask("POST /up", World::sized(kCanary)).ends_with(kCanary));
        world.rig->road.setCanaries(kSet);
        (void)world.rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        QCOMPARE(world.ask("POST /up", World::sized(kCanary)).find(kCanary), std::string::npos);
        QCOMPARE(world.told, std::vector<std::string>{"2 token body plain"});
        World none;
        none.rig->decide = [](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Deny}; };
        (void)none.ask("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        none.rig->decide = [](const AskedRequest&) { return RequestAnswer{.verdict = Verdict::Allow}; };
        none.rig->road.setCanaries(nullptr);
        QVERIFY(none.ask("POST /up", World::sized(kCanary)).ends_with(kCanary));
    }

    // TLS that is ended at the door is searched the same.
    void underTls() {
        TlsWorld tls;
        auto rig = tls.rig();
        rig->road.setCanaries(kSet);
        const auto heard = rig->ask("POST /up HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: 40\r\n\r\nthe key is " + kCanary + "!!!!!!!");
        QVERIFY(rig->road.isOver() && rig->road.how() == "canary");
        QVERIFY(heard.find("ghx_") == std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestHttpRoadCanaries)
#include "test_http_road_canaries.moc"

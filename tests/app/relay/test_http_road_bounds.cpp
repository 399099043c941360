// SPDX-License-Identifier: Apache-2.0
// What a road holds, and how long it waits, whoever is slow: by a clock that the test turns.
#include "tests/app/relay/road_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;
using std::chrono::seconds;

namespace {

const std::string kGet = "GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n";
const HttpRoad::Bounds kBounds;

// More than all queues of one direction hold: two ends' and the road's.
constexpr std::size_t kMostOnTheWay = 6 * kMostHeld;

} // namespace

class TestHttpRoadBounds : public QObject {
    Q_OBJECT
private slots:
    void aStalledProgramStallsTheHost() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        rig->program.reads = false;
        rig->host.most = 64 * 1024;
        const std::size_t size = 10'000'000;
        rig->host.say("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'));
        rig->run();
        QVERIFY2(rig->host.unsent() > size - kMostOnTheWay, qPrintable(QString::number(rig->host.unsent())));
        rig->program.reads = true;
        rig->run();
        QVERIFY(rig->program.heard.size() > size && rig->host.unsent() == 0);
    }

    void aStalledHostStallsTheProgram() {
        auto rig = plainRig();
        rig->host.reads = false;
        rig->program.most = 64 * 1024;
        const std::size_t size = 10'000'000;
        rig->program.say("POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'));
        rig->run();
        QVERIFY2(rig->program.unsent() > size - kMostOnTheWay, qPrintable(QString::number(rig->program.unsent())));
        rig->host.reads = true;
        rig->run();
        QVERIFY(rig->host.heard.size() > size && rig->program.unsent() == 0);
    }

    void requestsThatWaitAreNotHeldWithoutBound() {
        auto rig = plainRig();
        rig->program.most = 64 * 1024;
        std::string many;
        for (int i = 0; i < 100'000; ++i) {
            many += kGet;
        }
        (void)rig->ask(many);
        QCOMPARE(rig->asked.size(), std::size_t(1));
        QVERIFY(rig->program.unsent() > many.size() - kMostOnTheWay);
    }

    // Slow-loris: a byte now and then does not keep a head open.
    void aHeadComesInTimeOrNotAtAll() {
        auto rig = plainRig();
        (void)rig->ask("GET / HTTP/1.1\r\nA: ");
        for (int i = 0; i < 29; ++i) {
            rig->pass(seconds(1));
            (void)rig->ask("x");
            QVERIFY(rig->program.heard.empty());
        }
        rig->pass(seconds(1));
        QVERIFY(rig->program.heard.starts_with("HTTP/1.1 408 ") && rig->program.sawEnd);
        rig->pass(kBounds.linger);
        QVERIFY(rig->road.isOver());
    }

    void aResponsesHeadLikewise() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        rig->pass(kBounds.answer - seconds(1));
        (void)rig->reply("HTTP/1.1 200 OK\r\nA: ");
        for (int i = 0; i < 29; ++i) {
            rig->pass(seconds(1));
            QVERIFY(rig->reply("x").empty());
        }
        rig->pass(seconds(1));
        QVERIFY(rig->program.heard.starts_with("HTTP/1.1 504 "));
    }

    void aHostThatSaysNothing() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        rig->pass(kBounds.answer - seconds(1));
        QVERIFY(rig->program.heard.empty());
        rig->pass(seconds(1));
        QVERIFY(rig->program.heard.starts_with("HTTP/1.1 504 "));
        QCOMPARE(rig->refused.size(), std::size_t(1));
    }

    void anIdleConnectionEndsQuietly() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        (void)rig->reply("HTTP/1.1 204 X\r\n\r\n");
        rig->pass(kBounds.idle - seconds(1));
        QVERIFY(!rig->road.isOver());
        rig->pass(seconds(1));
        QVERIFY(rig->road.isOver() && !rig->road.isBroken() && rig->program.sawEnd);
    }

    void bodiesThatStandStillAreCutOff() {
        auto down = plainRig();
        (void)down->ask(kGet);
        (void)down->reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        for (int i = 0; i < 5; ++i) {
            down->pass(kBounds.still - seconds(1));
            QCOMPARE(down->reply("x"), std::string("x")); // slow is not still
        }
        down->pass(kBounds.still);
        QVERIFY(down->road.isBroken());
        auto up = plainRig();
        (void)up->ask("POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 9\r\n\r\nabc");
        up->pass(kBounds.still);
        QVERIFY(up->road.isBroken() && up->host.sawEnd);
    }

    // Whoever decides says when it is too late.
    void thinkingIsNotHurried() {
        auto rig = plainRig();
        rig->decide = [](const AskedRequest&) { return std::nullopt; };
        (void)rig->ask(kGet);
        QVERIFY(!rig->road.deadline());
        rig->pass(seconds(1'000'000));
        QVERIFY(!rig->road.isOver() && rig->program.heard.empty());
    }

    void aHandshakeThatDoesNotEnd() {
        TlsWorld world;
        auto rig = world.rig();
        rig->program.most = 0; // says nothing
        rig->run();
        QVERIFY(rig->road.deadline() == rig->now + kBounds.handshake);
        rig->pass(kBounds.handshake);
        QVERIFY(rig->road.isOver() && rig->road.isBroken());

        auto silent = world.rig();
        silent->host.most = 0;
        (void)silent->ask("GET / HTTP/1.1\r\nHost: api.example.org\r\n\r\n");
        silent->pass(kBounds.handshake);
        QVERIFY2(silent->program.heard.starts_with("HTTP/1.1 504 "), silent->program.heard.c_str());
        QVERIFY(silent->asked.empty());
    }

    void aCutEndsBothAtOnce() {
        auto rig = plainRig();
        (void)rig->ask(kGet);
        (void)rig->reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        rig->road.cut();
        QVERIFY(rig->road.isOver() && rig->road.isBroken());
        QVERIFY(rig->reply("more").empty());
        rig->road.answer(1, {.verdict = Verdict::Allow});
        QCOMPARE(rig->road.how(), std::string("cut"));
    }
};

QTEST_GUILESS_MAIN(TestHttpRoadBounds)
#include "test_http_road_bounds.moc"

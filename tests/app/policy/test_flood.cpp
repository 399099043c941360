// SPDX-License-Identifier: Apache-2.0
// How much an agent can ask, and what becomes of the rest.
#include "tests/app/policy/approval_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::TurnedClock;
using carrel::policy::test::World;
using Kind = Submitted::Kind;

class TestFlood : public QObject {
    Q_OBJECT

    static Ask nth(int i, const std::string& agent = "ann") { return World::connect("h" + std::to_string(i) + ".org", agent); }

private slots:
    void threeAreOpen() {
        World w;
        for (int i = 0; i < 3; ++i) {
            QVERIFY(w.opened(nth(i)) != 0);
        }
        const auto away = w.queue->submit(nth(3));
        QVERIFY(away && away->kind == Kind::TurnedAway && away->why.find("3 requests wait") != std::string::npos);
        QVERIFY(w.opened(nth(0)) == 1); // one more for what is open is none more
        QVERIFY(w.opened(nth(3, "bob")) != 0);
        QVERIFY(w.queue->decide(w.on(1, Effect::Allow)));
        QVERIFY(w.opened(nth(3)) != 0);
    }

    void theExcessIsOneRow() {
        World w;
        for (int i = 0; i < 1000; ++i) {
            (void)w.queue->submit(nth(i));
        }
        const auto away = w.queue->turnedAway();
        QVERIFY(away.size() == 1 && away[0].agent == "ann" && away[0].count == 997);
        QCOMPARE(w.queue->list(true).size(), std::size_t{3});
        (void)w.queue->tick();
        (void)w.queue->tick();
        QCOMPARE(w.sink.rows.size(), std::size_t{4}); // three asked, one row
        QCOMPARE(std::get<record::TurnedAway>(w.sink.rows.back().what).count, std::uint64_t{997});
        (void)w.queue->submit(nth(2000));
        w.clock.turn(59'999);
        (void)w.queue->tick();
        QCOMPARE(w.sink.rows.size(), std::size_t{4});
        w.clock.turn(1);
        (void)w.queue->tick();
        QCOMPARE(std::get<record::TurnedAway>(w.sink.rows.back().what).count, std::uint64_t{1});
        QVERIFY(w.queue->decide(w.on(1, Effect::Allow)));
        QVERIFY(w.opened(nth(3)) != 0);
        QVERIFY(w.queue->turnedAway().empty()); // it got one through
    }

    void eachDenialDoublesThePause() {
        World w;
        std::int64_t pause = 10'000;
        for (int i = 0; i < 12; ++i) {
            const auto id = w.opened(nth(i));
            QVERIFY(id != 0);
            QVERIFY(w.queue->decide(w.on(id, Effect::Deny)));
            w.clock.turn(pause - 1);
            const auto away = w.queue->submit(nth(i + 1));
            QVERIFY(away && away->kind == Kind::TurnedAway && away->why.find("seconds") != std::string::npos);
            w.clock.turn(1);
            pause = std::min<std::int64_t>(pause * 2, 3'600'000);
        }
        const auto id = w.opened(nth(50));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        QVERIFY(w.queue->decide(w.on(w.opened(nth(51)), Effect::Deny)));
        w.clock.turn(10'000);
        QVERIFY(w.opened(nth(52)) != 0); // from the beginning again
    }

    void longAgoIsForgotten() {
        FloodGuard guard;
        TurnedClock clock;
        for (int i = 0; i < 5; ++i) {
            guard.denied("ann", clock.now());
        }
        QVERIFY(guard.pauseLeft("ann", clock.now()) == std::chrono::seconds(160));
        clock.turn(8 * 3'600'000);
        guard.denied("ann", clock.now());
        QVERIFY(guard.pauseLeft("ann", clock.now()) == std::chrono::seconds(10));
    }

    // Asked and taken back, over and over: a prompt each time.
    void tenInAMinute() {
        World w;
        for (int i = 0; i < 10; ++i) {
            const auto id = w.opened(nth(i));
            QVERIFY(id != 0 && w.queue->withdraw("ann", id));
        }
        QVERIFY(w.queue->submit(nth(10))->kind == Kind::TurnedAway);
        w.clock.turn(60'000);
        QVERIFY(w.opened(nth(10)) != 0);
    }

    void deniedByARuleOverAndOver() {
        World w;
        Rule deny;
        deny.effect = Effect::Deny;
        deny.action = Action::Network;
        QVERIFY(w.rules.add(deny));
        for (int i = 0; i < 1000; ++i) {
            QVERIFY(w.queue->submit(nth(i))->kind == Kind::Denied);
        }
        QCOMPARE(w.sink.rows.size(), kMaxDeniedRows);
        w.clock.turn(60'000);
        QVERIFY(w.queue->submit(nth(1))->kind == Kind::Denied);
        QCOMPARE(std::get<record::RuleAnswered>(w.sink.rows.back().what).count, std::uint64_t{1001 - kMaxDeniedRows});
        w.rules.rules.clear();
        QVERIFY(w.opened(nth(2)) != 0); // no person said no
    }

    void changingItsMindOverAndOver() {
        World w;
        const auto id = w.opened(w.apply("0"));
        for (int i = 1; i < 1000; ++i) {
            (void)w.queue->submit(w.apply(std::to_string(i)));
            w.clock.turn(10);
        }
        QVERIFY(w.queue->find(id)->revision <= 4); // after 2, 4, 8 seconds
        QVERIFY(w.sink.rows.size() <= 4);
    }

    void asOftenAsItLikes() {
        World w;
        const auto id = w.opened(nth(0));
        for (int i = 0; i < 5000; ++i) {
            (void)w.queue->submit(nth(0));
        }
        QCOMPARE(w.queue->find(id)->asked, std::uint64_t{5001});
        QVERIFY(w.sink.rows.size() < 16);
    }
};

QTEST_GUILESS_MAIN(TestFlood)
#include "test_flood.moc"

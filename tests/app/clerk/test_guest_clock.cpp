// SPDX-License-Identifier: Apache-2.0
// When a guest is told the time without anybody asking. Setting this computer's clock is not for tests; that the timer is one that
// tells of it is looked up where the kernel says so (proc_pid_fdinfo(5)).
#include "app/clerk/guest_clock.h"

#include <QTest>

#include <fstream>
#include <sstream>
#include <vector>

using namespace carrel::clerk;
using namespace std::chrono_literals;

namespace {

struct World {
    boost::asio::io_context loop;
    std::vector<std::function<void()>> told; // each to be answered
    GuestClock clock;

    explicit World(std::chrono::nanoseconds patience)
        : clock(loop, [this](std::function<void()> answered) { told.push_back(std::move(answered)); }, patience) {}
    // The timer has come due so often.
    void due(int times) {
        for (int i = 0; i < times; ++i) {
            (void)loop.run_one();
        }
    }
};

} // namespace

class TestGuestClock : public QObject {
    Q_OBJECT
private slots:
    void onceAtATime() {
        World world(1ms);
        world.clock.greeted();
        QVERIFY(world.told.empty()); // hello has told it
        world.due(1);
        QCOMPARE(world.told.size(), 1U);
        world.due(5);
        QCOMPARE(world.told.size(), 1U); // it has not answered yet
        world.told[0]();
        QCOMPARE(world.told.size(), 2U); // and is told what came due meanwhile
        world.told[1]();
        QCOMPARE(world.told.size(), 2U);
        world.due(1);
        QCOMPARE(world.told.size(), 3U);
    }

    void notBeforeItHasGreeted() {
        World world(1ms);
        world.due(3);
        QVERIFY(world.told.empty());
        world.clock.greeted(); // with a hello that may be as old as that
        QCOMPARE(world.told.size(), 1U);
        world.clock.forgotten();
        world.told[0]();
        world.due(3);
        QCOMPARE(world.told.size(), 1U);
        world.clock.greeted();
        QCOMPARE(world.told.size(), 2U);
    }

    void oneThatFailsAtOnceIsNotTriedWithoutEnd() {
        boost::asio::io_context loop;
        int tries = 0;
        GuestClock clock(loop, [&](const std::function<void()>& answered) { ++tries, answered(); }, 1ms);
        clock.greeted();
        (void)loop.run_one();
        QCOMPARE(tries, 1);
    }

    void itsTimerTellsOfAClockThatIsSet() {
        World world(kDriftPatience);
        std::ifstream file("/proc/self/fdinfo/" + std::to_string(world.clock.timer()));
        std::ostringstream text;
        text << file.rdbuf();
        QVERIFY2(text.str().find("\nclockid: 0\n") != std::string::npos, text.str().c_str());         // CLOCK_REALTIME
        QVERIFY2(text.str().find("\nsettime flags: 03\n") != std::string::npos, text.str().c_str());  // with TFD_TIMER_CANCEL_ON_SET
        QVERIFY2(text.str().find("\nit_value: (89") != std::string::npos, text.str().c_str());        // a quarter of an hour, not quite
    }
};

QTEST_GUILESS_MAIN(TestGuestClock)
#include "test_guest_clock.moc"

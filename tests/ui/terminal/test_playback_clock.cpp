// SPDX-License-Identifier: Apache-2.0
// Time in a recording: it stands, runs, faster or slower, and leaves out long pauses.
#include "ui/terminal/playback_clock.h"

#include <QTest>

using carrel::ui::PlaybackClock;

class TestPlaybackClock : public QObject {
    Q_OBJECT
private slots:
    void standsUntilItRuns() {
        PlaybackClock clock;
        QCOMPARE(clock.at(5000), std::uint64_t{0});
        clock.run(1000);
        QCOMPARE(clock.at(1000), std::uint64_t{0});
        QCOMPARE(clock.at(3000), std::uint64_t{2'000'000});
        QCOMPARE(clock.at(500), std::uint64_t{0}); // a clock that goes back
        clock.stand(3000);
        QCOMPARE(clock.at(9000), std::uint64_t{2'000'000});
        clock.run(9000);
        QCOMPARE(clock.at(9500), std::uint64_t{2'500'000});
    }
    void speedCountsFromNowOn() {
        PlaybackClock clock;
        clock.run(0);
        clock.setSpeed(16, 1000);
        QCOMPARE(clock.at(2000), std::uint64_t{17'000'000});
        clock.setSpeed(0.5, 2000);
        QCOMPARE(clock.at(4000), std::uint64_t{18'000'000});
        QCOMPARE(clock.waitFor(19'000'000, 4000), std::int64_t{2000});
        QCOMPARE(clock.waitFor(1, 4000), std::int64_t{0});
        QCOMPARE(clock.waitFor(UINT64_MAX, 4000), std::int64_t{1'000'000'000'000});
    }
    void aMomentIsGoneTo() {
        PlaybackClock clock;
        clock.run(0);
        clock.jump(7'000'000, 100);
        QCOMPARE(clock.at(1100), std::uint64_t{8'000'000});
        QVERIFY(clock.runs());
    }
    void longPausesAreLeftOut() {
        PlaybackClock clock;
        clock.run(0);
        clock.shortenPause(1'900'000, 0); // is none
        QCOMPARE(clock.at(0), std::uint64_t{0});
        clock.shortenPause(3600'000'000, 0);
        QCOMPARE(clock.waitFor(3600'000'000, 0), std::int64_t{2000});
        clock.shortenPause(3600'000'000, 1500); // not again and again
        QCOMPARE(clock.waitFor(3600'000'000, 1500), std::int64_t{500});
    }
};

QTEST_GUILESS_MAIN(TestPlaybackClock)
#include "test_playback_clock.moc"

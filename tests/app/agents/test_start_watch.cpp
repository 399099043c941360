// SPDX-License-Identifier: Apache-2.0
#include "app/agents/start_watch.h"

#include <QTest>

using carrel::agents::describeStep;
using carrel::agents::StartWatch;
using namespace std::chrono_literals;

class TestStartWatch : public QObject {
    Q_OBJECT
private slots:
    void idleIsAStall();
    void stepsAndBytesAreSigns();
    void workingProcessorIsPatientlyWaitedFor();
    void spinningProcessorIsAStallInTheEnd();
    void tellsOfSilenceNowAndThen();
    void namesTheLastStep();
    void tellsAStepOnce();

private:
    const StartWatch::Time m_zero{};
};

void TestStartWatch::idleIsAStall() {
    StartWatch watch(m_zero);
    QVERIFY(!watch.stalled(m_zero + StartWatch::kIdlePatience - 1s));
    const auto stall = watch.stalled(m_zero + StartWatch::kIdlePatience);
    QVERIFY(stall);
    QVERIFY(!stall->busy);
    QCOMPARE(stall->silent, StartWatch::kIdlePatience);
    QCOMPARE(stall->step, "machine");
}

void TestStartWatch::stepsAndBytesAreSigns() {
    StartWatch watch(m_zero);
    watch.step("kernel", m_zero + 40s);
    QVERIFY(!watch.stalled(m_zero + 80s));
    watch.sign(m_zero + 80s);
    QVERIFY(!watch.stalled(m_zero + 120s));
    QVERIFY(watch.stalled(m_zero + 125s));
}

void TestStartWatch::workingProcessorIsPatientlyWaitedFor() {
    StartWatch watch(m_zero);
    for (auto now = 1s; now < StartWatch::kBusyPatience; now += 1s) {
        watch.processor(now / 2, m_zero + now); // half of one processor
        QVERIFY(!watch.stalled(m_zero + now));
    }
    // One that does no more than an idle guest under emulation is none.
    StartWatch idle(m_zero);
    for (auto now = 1s; now < StartWatch::kIdlePatience; now += 1s) {
        idle.processor(now / 100, m_zero + now);
    }
    QVERIFY(idle.stalled(m_zero + StartWatch::kIdlePatience));
}

void TestStartWatch::spinningProcessorIsAStallInTheEnd() {
    StartWatch watch(m_zero);
    for (auto now = 1s; now <= StartWatch::kBusyPatience; now += 1s) {
        watch.processor(now, m_zero + now);
    }
    const auto stall = watch.stalled(m_zero + StartWatch::kBusyPatience);
    QVERIFY(stall);
    QVERIFY(stall->busy);
}

void TestStartWatch::tellsOfSilenceNowAndThen() {
    StartWatch watch(m_zero);
    watch.step("root", m_zero);
    const auto news = StartWatch::kQuietNews;
    QVERIFY(!watch.quiet(m_zero + news - 1s));
    const auto first = watch.quiet(m_zero + news);
    QVERIFY(first && first->step == "root" && first->silent == news && !first->busy);
    QVERIFY(!watch.quiet(m_zero + news + 1s)); // once
    watch.processor(news, m_zero + 2 * news - 1s);
    const auto second = watch.quiet(m_zero + 2 * news);
    QVERIFY(second && second->silent == 2 * news && second->busy);
    watch.sign(m_zero + 2 * news);
    QVERIFY(!watch.quiet(m_zero + 3 * news - 1s));
    QVERIFY(watch.quiet(m_zero + 3 * news));
}

void TestStartWatch::namesTheLastStep() {
    StartWatch watch(m_zero);
    watch.step("disk", m_zero + 1s);
    QCOMPARE(watch.lastStep(), "disk");
    QCOMPARE(watch.stalled(m_zero + 60s)->step, "disk");
    QCOMPARE(describeStep("disk"), "opening the agent's disk");
    QVERIFY(describeStep("a name that the guest made up").empty());
}

void TestStartWatch::tellsAStepOnce() {
    StartWatch watch(m_zero);
    QVERIFY(watch.firstTime("guestd"));
    watch.step("guestd", m_zero);
    watch.step("agent", m_zero);
    QVERIFY(!watch.firstTime("guestd"));
    // A guest that makes up names fills nothing.
    for (int n = 0; n < 1000; ++n) {
        watch.step("step " + std::to_string(n), m_zero);
    }
    QVERIFY(!watch.firstTime("one more"));
}

QTEST_GUILESS_MAIN(TestStartWatch)
#include "test_start_watch.moc"

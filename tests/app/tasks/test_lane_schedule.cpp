// SPDX-License-Identifier: Apache-2.0
// Tasks that are begun later, and again and again, by this computer's clock.
#include "tests/app/tasks/played_hands.h"

#include <QTest>

using namespace carrel;
using namespace carrel::tasks;
using carrel::testing::LaneWorld;

class TestLaneSchedule : public QObject {
    Q_OBJECT
private slots:
    void onceAtItsTime() {
        LaneWorld w;
        const auto id = w.add("sort", [&](NewTask& task) { task.atMs = w.now + 3'600'000; }).record.id;
        QVERIFY(w.is(id, TaskState::Scheduled) && w.task(id).nextMs == w.now + 3'600'000);
        w.now += 3'599'999;
        QVERIFY(w.goesRound(3));
        QVERIFY(w.is(id, TaskState::Scheduled));
        w.now += 1;
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000); // by the next look: nobody woke it
        QCOMPARE(w.lane->list().size(), std::size_t{1});
    }

    void againAndAgainAsTasksOfTheirOwn() {
        LaneWorld w;
        const auto id = w.add("sort", [&](NewTask& task) {
                             task.everyS = 3600;
                             task.atMs = w.now + 1000;
                             task.files = {"/home/ada/a"};
                         }).record.id;
        w.now += 1000;
        QTRY_VERIFY_WITH_TIMEOUT(w.lane->list().size() == 2 && w.lane->list().at(0).record.state == TaskState::Done, 60'000);
        QVERIFY(w.is(id, TaskState::Scheduled));
        QCOMPARE(w.task(id).nextMs, w.now + 3'600'000);
        QCOMPARE(w.hands->prompts().at(0).files.size(), std::size_t{1});
        w.now += 10 * 3'600'000 + 5; // the computer slept: those that were missed are not made up for
        QTRY_VERIFY_WITH_TIMEOUT(w.lane->list().size() == 3 && w.lane->list().at(0).record.state == TaskState::Done, 60'000);
        QVERIFY(w.task(id).nextMs > w.now && w.task(id).nextMs <= w.now + 3'600'000);
        QVERIFY(w.lane->cancel(id));
        w.now += 10 * 3'600'000;
        QVERIFY(w.goesRound(3));
        QCOMPARE(w.lane->list().size(), std::size_t{3});
        QVERIFY(w.lane->say(id, "more", {})); // taken up as a task of now
    }

    void overARestartOfTheEngine() {
        LaneWorld w;
        const auto id = w.add("sort", [&](NewTask& task) { task.atMs = w.now + 60'000; }).record.id;
        w.close();
        w.now += 120'000;
        w.open();
        QTRY_VERIFY_WITH_TIMEOUT(w.is(id, TaskState::Done), 60'000);
    }

    void notTooOften() {
        LaneWorld w;
        NewTask task;
        task.text = "sort";
        task.everyS = 59;
        QVERIFY(w.lane->add(task).error().code == ErrorCode::InvalidArgument);
    }
};

QTEST_GUILESS_MAIN(TestLaneSchedule)
#include "test_lane_schedule.moc"

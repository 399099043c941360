// SPDX-License-Identifier: Apache-2.0
// The desk while an agent is being deleted, or is after all not.
#include "app/tasks/desk.h"
#include "tests/app/tasks/played_hands.h"

#include <QTest>

using namespace carrel;
using namespace carrel::tasks;
using carrel::testing::LaneWorld;
using carrel::testing::PlayedHands;

namespace {

struct Desk {
    LaneWorld w;
    std::atomic<bool> there = true; // the agent, in the list
    std::unique_ptr<TaskDesk> desk;
    const std::string id = w.hands->id();

    Desk() {
        w.close();
        auto world = w.world();
        world.agent = [this](const std::string&) -> AgentPtr { return there ? w.hands : nullptr; };
        desk = std::make_unique<TaskDesk>(std::move(world), [] {}, Lane::Pace{std::chrono::seconds(1), std::chrono::milliseconds(1)});
    }
    [[nodiscard]] ErrorCode refusal() const {
        const auto lane = desk->of(id);
        return lane ? ErrorCode::Internal : lane.error().code;
    }
};

} // namespace

class TestDesk : public QObject {
    Q_OBJECT
private slots:
    void closedWhileItIsDeleted() {
        Desk d;
        const auto lane = d.desk->of(d.id).value();
        {
            const TaskDesk::Closed closed(*d.desk, d.id);
            QVERIFY(!lane->add({"sort", {}, {}, {}, {}, 0, 0, {}})); // whoever had it before
            QVERIFY(d.refusal() == ErrorCode::Conflict);
            {
                const TaskDesk::Closed another(*d.desk, d.id);
            }
            QVERIFY(d.refusal() == ErrorCode::Conflict);
            std::filesystem::remove_all(d.w.hands->folder());
            d.there = false;
        }
        QVERIFY(d.refusal() == ErrorCode::NotFound);
        QVERIFY(!std::filesystem::exists(d.w.hands->folder()));
    }
    // What it worked on goes on by itself.
    void notDeletedAfterAll() {
        Desk d;
        d.w.hands->onPrompt = [](PlayedHands&, const talk::Prompt&) {};
        const auto lane = d.desk->of(d.id).value();
        const auto id = lane->add({"sort", {}, {}, {}, {}, 0, 0, {}}).value().record.id;
        QTRY_COMPARE_WITH_TIMEOUT(d.w.hands->turn(), std::uint64_t{1}, 60'000);
        {
            const TaskDesk::Closed closed(*d.desk, d.id);
        }
        const auto again = d.desk->of(d.id).value();
        QVERIFY(again != lane);
        d.w.hands->endTurn(1);
        QTRY_VERIFY_WITH_TIMEOUT(again->find(id).value().record.state == TaskState::Done, 60'000);
        QCOMPARE(d.w.hands->starts().size(), std::size_t{1});
    }
    // Where the agent's folder is gone, that of its tasks is not made.
    void noFolderOfADeletedAgent() {
        LaneWorld w;
        const auto gone = w.hands->folder() / "gone";
        const auto lane = Lane::open(w.world(), std::make_shared<PlayedHands>(gone / "tasks"), [] {}, {});
        QVERIFY(!lane);
        QVERIFY(!std::filesystem::exists(gone));
    }
};

QTEST_GUILESS_MAIN(TestDesk)
#include "test_desk.moc"

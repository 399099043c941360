// SPDX-License-Identifier: Apache-2.0
// Waiting for what is staged to change: told by the guest or found by asking, over stops and starts, and
// never more often than the bound.
#include "tests/app/agents/played_guest.h"

#include <QElapsedTimer>
#include <QTest>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;

namespace {

// The next state after `mark`; ends the test where none comes.
Agent::StagedState next(AgentWorld& w, const std::string& mark) {
    const auto state = within(60s, "changes.wait", [&] { return w.agent->waitStaged(mark, {}); });
    if (!state) {
        qFatal("%s", state.error().text().c_str());
    }
    return *state;
}

} // namespace

class TestStagedWatch : public QObject {
    Q_OBJECT
private slots:
    void tellsEveryChange();
    void goesOnOverAStop();
    void endsWithTheAgent();
    void endsWhenNobodyWatches();
    void floodIsBounded();
    void watchersListsMakeRoom();
};

void TestStagedWatch::tellsEveryChange() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    auto state = next(w, "");
    QVERIFY(state.running);
    guest.write("a", "one");
    auto after = next(w, state.mark);
    QVERIFY(after.mark != state.mark && after.running);
    guest.write("a", "two"); // of the same size, at the same name: a staged file that was written again
    state = next(w, after.mark);
    QVERIFY(state.mark != after.mark);
    guest.remove("a");
    QVERIFY(next(w, state.mark).mark != state.mark);
}

void TestStagedWatch::goesOnOverAStop() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one");
    const auto before = next(w, "");
    QVERIFY(w.stop());
    const auto stopped = next(w, before.mark);
    QVERIFY(!stopped.running);
    QVERIFY(w.start());
    const auto again = next(w, stopped.mark);
    QVERIFY(again.running);
    QCOMPARE(again.mark, before.mark); // the same work is staged
}

void TestStagedWatch::endsWithTheAgent() {
    AgentWorld w(true);
    const auto state = next(w, "");
    QVERIFY(!state.running);
    QVERIFY(w.agent->remove(Agent::Staged::Discard, quiet));
    const auto ended = within(60s, "changes.wait", [&] { return w.agent->waitStaged(state.mark, {}); });
    QVERIFY(!ended && ended.error().code == ErrorCode::NotFound);
}

void TestStagedWatch::endsWhenNobodyWatches() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    const auto state = next(w, "");
    std::stop_source gone;
    auto waiting =
        std::async(std::launch::async, [&] { return w.agent->waitStaged(state.mark, gone.get_token()); });
    gone.request_stop();
    QVERIFY(waiting.wait_for(60s) == std::future_status::ready);
    const auto ended = waiting.get();
    QVERIFY(!ended && ended.error().code == ErrorCode::Cancelled);
}

// A guest that changes something at every moment, and says so, is listed once a second and no more.
void TestStagedWatch::floodIsBounded() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    const std::jthread flood([&](std::stop_token stop) {
        for (int n = 0; !stop.stop_requested(); ++n) {
            guest.write("a", std::to_string(n));
            w.clerks.tell("changes.touched", {{"share", 1}});
            std::this_thread::sleep_for(1ms);
        }
    });
    auto state = next(w, "");
    const auto listed = w.clerks.count("changes.list");
    QElapsedTimer took;
    took.start();
    for (int n = 0; n < 3; ++n) {
        state = next(w, state.mark);
    }
    QVERIFY2(took.elapsed() >= 3000, "told more often than once a second");
    QVERIFY(w.clerks.count("changes.list") - listed <= 2 * static_cast<unsigned>(took.elapsed() / 1000 + 1));
}

// Somebody looks at a review while another watches: the lists of the one do not push out the other's.
void TestStagedWatch::watchersListsMakeRoom() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "decide on this");
    const auto mine = w.agent->freeze(quiet, {});
    QVERIFY2(mine && !mine->id.empty(), mine ? "" : mine.error().text().c_str());
    std::string last;
    for (std::size_t n = 0; n < kMaxReviews + 5; ++n) {
        guest.write("b", "version " + std::to_string(n));
        const auto list = w.agent->freeze(quiet, {}, Agent::Look::Watch);
        QVERIFY2(list && !list->id.empty() && list->id != last, list ? "" : list.error().text().c_str());
        last = list->id;
    }
    QVERIFY(w.agent->openReview(mine->id));
    QVERIFY(w.agent->openReview(last)); // what is shown can be decided on
    const auto applied = w.agent->apply(mine->id, {}, quiet);
    QVERIFY2(applied && applied->items.size() == 1, applied ? "" : applied.error().text().c_str());
    QCOMPARE(applied->items.at(0).outcome, std::string("done"));
}

QTEST_GUILESS_MAIN(TestStagedWatch)
#include "test_staged_watch.moc"

// SPDX-License-Identifier: Apache-2.0
// agent.pause, agent.resume, and "Pause everything", over a whole engine.
#include "tests/app/engine/running_engine.h"

#include <QTest>

#include <future>
#include <mutex>
#include <set>

using namespace carrel;
using namespace std::chrono_literals;
using carrel::engine::test::RunningEngine;
using hypervisor::FakeCall;
using hypervisor::MachineState;
namespace json = boost::json;

namespace {

// The outcomes, and the states after them, by agent.
std::map<std::string, std::string> outcomes(const json::value& answer) {
    std::map<std::string, std::string> out;
    for (const auto& each : answer.at("agents").as_array()) {
        out[std::string(each.at("name").as_string())] =
            std::string(each.at("outcome").as_string()) + ", " + std::string(each.at("state").as_string());
    }
    return out;
}

using Outcomes = std::map<std::string, std::string>;

} // namespace

class TestPauseVerbs : public QObject {
    Q_OBJECT
private slots:
    void ofOneAgent() {
        RunningEngine e;
        QCOMPARE(e.good("agent.pause", {{"agent", "ann"}}).at("outcome"), json::value("not-running"));
        QCOMPARE(e.good("agent.resume", {{"agent", "ann"}}).at("outcome"), json::value("not-paused"));
        (void)e.good("agent.start", {{"agent", "ann"}});
        const auto paused = e.good("agent.pause", {{"agent", "ann"}});
        QCOMPARE(paused.at("outcome"), json::value("paused"));
        QCOMPARE(paused.at("agent").at("state"), json::value("paused"));
        QVERIFY(e.w.world->stateOf(e.machineOf("ann")).value() == MachineState::Paused);
        QCOMPARE(e.good("agent.list").at("agents").at(0).at("state"), json::value("paused"));
        QCOMPARE(e.good("agent.pause", {{"agent", "ann"}}).at("outcome"), json::value("already-paused"));
        const auto refused = e.ask("exec.open", {{"agent", "ann"}, {"argv", {"ls"}}});
        QVERIFY(!refused && refused.error().message == "the agent ann is paused" &&
                refused.error().hint == "Resume it with: carrel resume ann");
        const auto started = e.ask("agent.start", {{"agent", "ann"}});
        QVERIFY(!started && started.error().hint == "Resume it with: carrel resume ann");
        const auto resumed = e.good("agent.resume", {{"agent", "ann"}});
        QCOMPARE(resumed.at("outcome"), json::value("resumed"));
        QCOMPARE(resumed.at("agent").at("state"), json::value("ready"));
        QVERIFY(e.ask("agent.pause", {{"agent", "nobody"}}).error().code == ErrorCode::NotFound);
    }

    // One whose machine does not stop holds up no other, nor whoever wants to know how the others are.
    void allOfThemAtTheSameTime() {
        RunningEngine e({"ann", "bob", "cat", "dan"});
        for (const char* name : {"ann", "bob", "cat"}) {
            (void)e.good("agent.start", {{"agent", name}});
        }
        std::promise<void> go;
        auto gone = go.get_future().share();
        e.w.world->before(e.machineOf("ann"), FakeCall::Pause, [&]() -> Status {
            gone.wait();
            return {};
        });
        e.w.world->before(e.machineOf("bob"), FakeCall::Pause,
                          []() -> Status { return fail(ErrorCode::Io, "the machine does not pause"); });
        std::mutex mutex;
        std::set<std::string> told;
        api::Listener listener;
        listener.progress = [&](const api::Progress& progress) {
            const std::lock_guard lock(mutex);
            told.insert(progress.text);
        };
        auto all = std::async(std::launch::async, [&] { return e.ask("agent.pause_all", {}, listener); });
        const auto wasTold = [&](const std::string& text) {
            const std::lock_guard lock(mutex);
            return told.contains(text);
        };
        QTRY_VERIFY_WITH_TIMEOUT(wasTold("cat: paused"), 60'000);
        QVERIFY(all.wait_for(0s) != std::future_status::ready);
        QVERIFY(e.w.world->stateOf(e.machineOf("cat")).value() == MachineState::Paused);
        QVERIFY(e.w.world->stateOf(e.machineOf("ann")).value() == MachineState::Running);
        QCOMPARE(e.good("agent.list").at("agents").at(2).at("state"), json::value("paused"));
        go.set_value();
        QVERIFY(all.wait_for(60s) == std::future_status::ready);
        const auto answer = all.get();
        QVERIFY2(answer, answer ? "" : answer.error().text().c_str());
        QCOMPARE(outcomes(*answer), (Outcomes{{"ann", "paused, paused"},
                                              {"bob", "failed, ready"},
                                              {"cat", "paused, paused"},
                                              {"dan", "not-running, stopped"}}));
        const auto& bob = answer->at("agents").at(1);
        QVERIFY(bob.at("why").as_string().find("the machine does not pause") != json::string::npos);
        QCOMPARE(bob.at("hint"), json::value("End it with: carrel stop bob"));
        QCOMPARE(outcomes(e.good("agent.resume_all")), (Outcomes{{"ann", "resumed, ready"},
                                                                 {"bob", "not-paused, ready"},
                                                                 {"cat", "resumed, ready"},
                                                                 {"dan", "not-paused, stopped"}}));
        QVERIFY(e.w.world->stateOf(e.machineOf("ann")).value() == MachineState::Running);
    }

    // Nor does a guest that does not answer, a verb that waits for it, a start, or an agent that is being made.
    void whateverGoesOnMeanwhile() {
        RunningEngine e({"ann", "bob"});
        e.takeImage();
        (void)e.good("share.add", {{"agent", "ann"}, {"dir", (e.w.folder / "papers").string()}, {"mode", "review"}});
        (void)e.good("agent.start", {{"agent", "ann"}});
        std::atomic<bool> listing = false;
        e.clerks.on("changes.list", [&](const json::object&) -> agents::test::StandInClerks::Answer {
            listing = true;
            return std::nullopt;
        });
        auto changes = std::async(std::launch::async, [&] { return e.ask("changes", {{"agent", "ann"}}); });
        QTRY_VERIFY_WITH_TIMEOUT(listing, 60'000);
        const auto greeted = e.clerks.count("hello");
        e.clerks.on("hello", [](const json::object&) -> agents::test::StandInClerks::Answer { return std::nullopt; });
        auto start = std::async(std::launch::async, [&] { return e.ask("agent.start", {{"agent", "bob"}}); });
        std::atomic<bool> making = false;
        std::promise<void> go;
        auto gone = go.get_future().share();
        std::filesystem::create_directory(e.w.folder / "slow");
        e.w.engine->services().mayShare = [&](const std::filesystem::path&) -> Status {
            making = true;
            gone.wait();
            return {};
        };
        auto create = std::async(std::launch::async, [&] {
            const json::object share{{"dir", (e.w.folder / "slow").string()}, {"mode", "review"}};
            return e.ask("agent.create", {{"name", "cat"}, {"shares", json::array{share}}});
        });
        QTRY_VERIFY_WITH_TIMEOUT(making && e.clerks.count("hello") > greeted, 60'000);
        auto all = std::async(std::launch::async, [&] { return e.ask("agent.pause_all"); });
        if (all.wait_for(60s) != std::future_status::ready) {
            qFatal("agent.pause_all hangs");
        }
        const auto answer = all.get();
        go.set_value();
        QVERIFY2(answer, answer ? "" : answer.error().text().c_str());
        QCOMPARE(outcomes(*answer), (Outcomes{{"ann", "paused, paused"}, {"bob", "paused, paused"}}));
        const auto listed = changes.get();
        QVERIFY(!listed && listed.error().message == "the agent ann is paused");
        const auto started = start.get();
        QVERIFY(!started && started.error().hint == "It goes on with: carrel resume bob");
        const auto made = create.get();
        QVERIFY2(made, made ? "" : made.error().text().c_str());
        QVERIFY(e.ask("agent.create", {{"name", "cat"}}).error().code == ErrorCode::AlreadyExists);
    }
};

QTEST_GUILESS_MAIN(TestPauseVerbs)
#include "test_pause_verbs.moc"

// SPDX-License-Identifier: Apache-2.0
// A whole engine over machines that are none, asked through its socket.
#include "tests/app/engine/engine_world.h"

#include <QTest>

#include <atomic>
#include <future>

using namespace carrel;
using carrel::engine::test::EngineWorld;
using namespace std::chrono_literals;
namespace json = boost::json;

class TestEngine : public QObject {
    Q_OBJECT
private slots:
    // Whoever follows an agent that is deleted sees that, and comes to an end; the engine goes on.
    void followedAgentIsDeleted_data() {
        QTest::addColumn<QString>("kind");
        QTest::newRow("all kinds") << "";
        QTest::newRow("only others") << "exec";
    }
    void followedAgentIsDeleted() {
        QFETCH(QString, kind);
        EngineWorld w;
        std::atomic<unsigned> events = 0;
        std::string last;
        api::Listener listener;
        listener.event = [&](const json::object& event) {
            last = event.at("kind").as_string();
            ++events;
            return api::Flow::Continue;
        };
        json::object params{{"agent", "ann"}, {"follow", true}};
        if (!kind.isEmpty()) {
            params["kinds"] = json::array{kind.toStdString()};
        }
        auto following = std::async(std::launch::async, [&] { return w.ask("timeline", params, listener); });
        if (kind.isEmpty()) {
            QTRY_VERIFY_WITH_TIMEOUT(events > 0, 60'000);
        } else {
            QTest::qWait(300); // most likely it is there by then; where it is not, it has nothing to follow
        }
        const auto deleted = w.ask("agent.delete", {{"agent", "ann"}});
        QVERIFY2(deleted, deleted ? "" : deleted.error().text().c_str());
        if (following.wait_for(60s) != std::future_status::ready) {
            w.server->stop(); // which ends it
            QFAIL("the follower of a deleted agent waits for ever");
        }
        const auto followed = following.get();
        QVERIFY(followed || followed.error().code == ErrorCode::NotFound);
        QVERIFY(!kind.isEmpty() || last == "agent.deleted");
        QVERIFY(w.ask("agent.list", {}));
        QVERIFY(!w.engine->agent("ann"));
    }

    // Its tasks end before its folder goes, and nobody's question brings either back.
    void deletedWithItsTasks() {
        EngineWorld w;
        const auto agent = w.engine->agent("ann").value();
        const auto lane = w.engine->tasks().of(agent->id()).value();
        const auto folder = agent->tasksFolder();
        QVERIFY(std::filesystem::exists(folder));
        bool asked = false;
        const auto deleted = w.engine->deleteAgent("ann", agents::Agent::Staged::Refuse, [&](std::string_view step, std::string_view) {
            if (step == "delete") {
                asked = true;
                const auto other = w.engine->tasks().of(agent->id());
                QVERIFY(!other && other.error().code == ErrorCode::Conflict);
                QVERIFY(!lane->add({"sort", {}, {}, {}, {}, 0, 0, {}}));
            }
        });
        QVERIFY2(deleted, deleted ? "" : deleted.error().text().c_str());
        QVERIFY(asked);
        const auto after = w.engine->tasks().of(agent->id());
        QVERIFY(!after && after.error().code == ErrorCode::NotFound);
        QVERIFY(!std::filesystem::exists(folder.parent_path()));
    }

    void deletedTwiceAtOnce() {
        EngineWorld w;
        std::future<Status> second;
        const auto quiet = [](std::string_view, std::string_view) {};
        const auto first = w.engine->deleteAgent(
            "ann", agents::Agent::Staged::Refuse, [&](std::string_view, std::string_view) {
                if (!second.valid()) { // most likely it has found the agent when the first one goes on
                    second = std::async(std::launch::async, [&] {
                        return w.engine->deleteAgent("ann", agents::Agent::Staged::Refuse, quiet);
                    });
                    QTest::qSleep(200);
                }
            });
        QVERIFY2(first, first ? "" : first.error().text().c_str());
        QVERIFY(second.valid());
        QVERIFY(second.wait_for(60s) == std::future_status::ready);
        (void)second.get().has_value();
        QVERIFY(w.engine->allAgents().empty());
    }
};

QTEST_GUILESS_MAIN(TestEngine)
#include "test_engine.moc"

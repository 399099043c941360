// SPDX-License-Identifier: Apache-2.0
// A whole engine over machines that are none, asked through its socket.
#include "app/api/client.h"
#include "app/engine/engine.h"
#include "hypervisor/fake/fake_backend.h"

#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <future>

using namespace carrel;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct EngineWorld {
    QTemporaryDir dir{"/tmp/carrel-engine-XXXXXX"};
    std::filesystem::path folder = dir.path().toStdString();
    std::filesystem::path socket = folder / "s";
    std::unique_ptr<engine::Engine> engine;
    std::unique_ptr<api::Server> server; // ends first

    EngineWorld() {
        qputenv("XDG_RUNTIME_DIR", dir.path().toUtf8());
        auto home = api::openHome(folder / "home");
        auto made =
            engine::Engine::create(*home, engine::Installation{},
                                   hypervisor::makeFakeBackend(std::make_shared<hypervisor::FakeWorld>()));
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        engine = std::move(*made);
        agents::NewAgent wanted;
        wanted.name = "ann";
        wanted.image = "image";
        {
            const auto agent = agents::Agent::create(engine->services(), wanted); // let go: opening finds it
            if (!agent) {
                qFatal("%s", agent.error().text().c_str());
            }
        }
        if (auto opened = engine->open(); !opened) {
            qFatal("%s", opened.error().text().c_str());
        }
        server = std::move(*api::Server::start(socket, engine->handlers([] {})));
    }
    EngineWorld(const EngineWorld&) = delete;
    EngineWorld& operator=(const EngineWorld&) = delete;
    Result<json::value> ask(std::string_view verb, json::object params,
                            const api::Listener& listener = {}) const {
        auto client = api::Client::connect(socket);
        return client ? client->call(verb, std::move(params), listener) : fail(client.error());
    }
};

} // namespace

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

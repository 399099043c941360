// SPDX-License-Identifier: Apache-2.0
// agent.wait: whoever watches the agents is told of all that agent.list tells, and never has to ask by itself.
#include "tests/app/engine/running_engine.h"

#include <QElapsedTimer>
#include <QTest>

#include <future>
#include <poll.h>
#include <sys/socket.h>

using namespace carrel;
using namespace std::chrono_literals;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

// A watcher as a desktop is one: its list, and then each time that this is another.
class Watcher {
public:
    explicit Watcher(RunningEngine& engine)
        : m_engine(engine) {
        m_mark = std::string(engine.good("agent.list").at("mark").as_string());
    }
    // Until what it lists is so; it asks for the list only when it is told to.
    template <class Condition> bool sees(Condition condition) {
        for (;;) {
            const auto list = m_engine.good("agent.list");
            if (condition(list.at("agents").as_array())) {
                return true;
            }
            auto next = std::async(std::launch::async, [&] { return m_engine.ask("agent.wait", {{"mark", list.at("mark")}}); });
            if (next.wait_for(60s) != std::future_status::ready) {
                qFatal("nobody tells");
            }
            if (!next.get()) {
                return false;
            }
        }
    }
    // Tells whether anything is other than it was when this was asked last.
    bool isNews() {
        auto now = std::string(m_engine.good("agent.wait").at("mark").as_string());
        return std::exchange(m_mark, now) != now;
    }

private:
    RunningEngine& m_engine;
    std::string m_mark;
};

// Told right after `deed`, which happens when the watcher waits already, most likely.
template <class Deed> bool wakes(RunningEngine& e, Deed deed) {
    const auto mark = e.good("agent.wait").at("mark");
    auto waiting = std::async(std::launch::async, [&] { return e.ask("agent.wait", {{"mark", mark}}); });
    deed();
    if (waiting.wait_for(60s) != std::future_status::ready) {
        e.w.server->stop();
        return false;
    }
    const auto told = waiting.get();
    return told && told->at("mark") != mark;
}

} // namespace

class TestAgentWait : public QObject {
    Q_OBJECT
private slots:
    void tellsOfEachThing() {
        RunningEngine e;
        const auto dir = (e.w.folder / "papers").string();
        const auto does = [&](const char* verb, json::object params) {
            return wakes(e, [&] { (void)e.good(verb, std::move(params)); });
        };
        QVERIFY(does("share.add", {{"agent", "ann"}, {"dir", dir}, {"mode", "review"}}));
        QVERIFY(does("share.mode", {{"agent", "ann"}, {"share", "papers"}, {"mode", "auto"}}));
        QVERIFY(does("share.mode", {{"agent", "ann"}, {"share", "papers"}, {"mode", "review"}}));
        QVERIFY(does("agent.start", {{"agent", "ann"}}));
        QVERIFY(does("agent.pause", {{"agent", "ann"}}));
        QVERIFY(does("agent.resume", {{"agent", "ann"}}));
        QVERIFY2(wakes(e, [&] { e.clerks.tellFrom(2, "shares.failed", {{"shares", {{{"share", 1}, {"why", "it is full"}}}}}); }), "trouble");
        QCOMPARE(e.good("agent.list").at("agents").at(0).at("shares").at(0).at("trouble"), json::value("it is full"));
        // Staged work is counted whenever it is listed.
        e.clerks.on("changes.list", [](const json::object&) -> agents::test::StandInClerks::Answer {
            return json::object{{"entries", json::array{}}, {"next", nullptr}, {"staged", 3}};
        });
        QVERIFY(does("changes", {{"agent", "ann"}}));
        QCOMPARE(e.good("agent.list").at("agents").at(0).at("shares").at(0).at("staged"), json::value(3));
        QVERIFY(does("share.revoke", {{"agent", "ann"}, {"share", "papers"}}));
        // It dies by itself.
        QVERIFY(wakes(e, [&] {
            QVERIFY(e.w.world->end(e.machineOf("ann"), hypervisor::ExitReason::Crashed));
            e.clerks.tell("channel.closed", {{"name", "control"}});
        }));
        Watcher watcher(e);
        QVERIFY(watcher.sees([](const json::array& agents) {
            return agents.at(0).at("state") == "failed" && agents.at(0).as_object().contains("reason");
        }));
        QVERIFY(does("agent.delete", {{"agent", "ann"}, {"discard", true}}));
        QVERIFY(e.good("agent.list").at("agents").as_array().empty());
    }

    void tellsOfOneThatIsMade() {
        RunningEngine e;
        e.takeImage();
        QVERIFY(wakes(e, [&] { (void)e.good("agent.create", {{"name", "bob"}}); }));
        QCOMPARE(e.good("agent.list").at("agents").as_array().size(), std::size_t{2});
    }

    // What is the same is no news, and a list and its mark are of one moment.
    void nothingElseIsNews() {
        RunningEngine e;
        (void)e.good("agent.start", {{"agent", "ann"}});
        Watcher watcher(e);
        QVERIFY(!watcher.isNews());
        (void)e.good("timeline", {{"agent", "ann"}});
        (void)e.good("changes.wait", {{"agent", "ann"}});
        QVERIFY(!watcher.isNews());
        (void)e.good("agent.pause", {{"agent", "ann"}});
        QVERIFY(watcher.isNews());
        (void)e.good("agent.pause", {{"agent", "ann"}});
        QVERIFY(!watcher.isNews());
        QCOMPARE(e.good("agent.list").at("mark"), e.good("agent.wait").at("mark"));
    }

    void neverMoreOftenThanTheBound() {
        RunningEngine e;
        (void)e.good("agent.start", {{"agent", "ann"}});
        const std::jthread flood([&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                (void)e.agent("ann")->pause().has_value();
                (void)e.agent("ann")->resume([](std::string_view, std::string_view) {}, {}).has_value();
            }
        });
        QElapsedTimer took;
        took.start();
        std::string mark = std::string(e.good("agent.wait").at("mark").as_string());
        for (int i = 0; i < 4; ++i) {
            mark = std::string(e.good("agent.wait", {{"mark", mark}}).at("mark").as_string());
        }
        QVERIFY2(took.elapsed() >= 4 * 250, "told more often than four times a second");
    }

    // Whoever goes is not waited for; nor does a watcher keep the engine.
    void endsWithItsCaller() {
        RunningEngine e;
        const auto mark = e.good("agent.wait").at("mark");
        auto client = api::Client::connect(e.w.socket);
        QVERIFY(client);
        const int socket = client->descriptor();
        auto waiting = std::async(std::launch::async, [&] { return client->call("agent.wait", {{"mark", mark}}); });
        (void)::shutdown(socket, SHUT_RDWR);
        QVERIFY(waiting.wait_for(60s) == std::future_status::ready);
        QVERIFY(!waiting.get());
        auto other = std::async(std::launch::async, [&] { return e.ask("agent.wait", {{"mark", mark}}); });
        auto ended = std::async(std::launch::async, [&] { e.w.server->stop(); });
        if (ended.wait_for(60s) != std::future_status::ready) {
            qFatal("a watcher keeps the engine");
        }
        QVERIFY(other.wait_for(60s) == std::future_status::ready);
        QVERIFY(!other.get());
    }

    // What becomes of another's agent is no news to a client.
    void aClientIsToldOfItsOwn() {
        RunningEngine e({"ann", "secret"});
        auto client = e.w.connected(e.w.token("editor", "ann"));
        QVERIFY2(client, client ? "" : client.error().text().c_str());
        const auto markOf = [&](const char* verb) { return client->call(verb, {}).value().at("mark"); };
        const auto before = markOf("agent.wait");
        QVERIFY(before == markOf("agent.list"));
        QVERIFY(before != e.good("agent.wait").at("mark"));
        (void)e.good("agent.start", {{"agent", "secret"}});
        (void)e.good("agent.pause", {{"agent", "secret"}});
        (void)e.good("agent.delete", {{"agent", "secret"}, {"discard", true}});
        QVERIFY(before == markOf("agent.wait"));
        auto waiting = std::async(std::launch::async, [&] { return client->call("agent.wait", {{"mark", before}}); });
        (void)e.good("agent.start", {{"agent", "ann"}});
        QVERIFY(waiting.wait_for(60s) == std::future_status::ready);
        const auto told = waiting.get();
        QVERIFY(told && told->at("mark") != before);
        const auto refused = client->call("agent.pause", {{"agent", "ann"}});
        QVERIFY(!refused && refused.error().code == ErrorCode::Refused);
    }
};

QTEST_GUILESS_MAIN(TestAgentWait)
#include "test_agent_wait.moc"

// SPDX-License-Identifier: Apache-2.0
// What an agent's machine serves, shown on this computer, over a whole engine: by the owner's word and nobody else's, from a browser's
// connection to the clerk that gets it.
#include "tests/app/egress/listener.h"
#include "tests/app/engine/running_engine.h"

#include <QTest>

#include <future>

using namespace carrel;
using carrel::egress::test::isOver;
using carrel::egress::test::isReset;
using carrel::egress::test::take;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

struct World {
    std::mutex mutex;
    std::vector<std::pair<json::object, UniqueFd>> handed;
    RunningEngine e;

    World() {
        e.clerks.onConnected([this](const json::object& params, UniqueFd socket) {
            const std::lock_guard lock(mutex);
            handed.emplace_back(params, std::move(socket));
        });
        e.clerks.on("forward.cut", [](const json::object&) { return json::object{}; });
        e.clerks.on("net.mode", [](const json::object&) { return json::object{}; });
    }
    void start() const { (void)e.good("agent.start", {{"agent", "ann"}}); }
    [[nodiscard]] json::object open(std::uint64_t port = 8000) const {
        return e.good("forward.open", {{"agent", "ann"}, {"port", port}}).at("forward").as_object();
    }
    [[nodiscard]] json::array list() const { return e.good("forward.list", {{"agent", "ann"}}).at("forwards").as_array(); }
    [[nodiscard]] std::size_t count() {
        const std::lock_guard lock(mutex);
        return handed.size();
    }
    [[nodiscard]] std::vector<std::string> logged(const std::string& kind) const {
        std::vector<std::string> out;
        const auto timeline = e.good("timeline", {{"agent", "ann"}, {"kinds", {kind}}});
        for (const auto& each : timeline.at("events").as_array()) {
            out.push_back(std::string(each.at("provenance").as_string()) + " " + std::string(each.at("subject").as_string()) + " " +
                          json::serialize(each.at("detail")));
        }
        return out;
    }
};

UniqueFd connectTo(const json::object& forward) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(forward.at("at").to_number<std::uint16_t>());
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
        out.reset();
    }
    return out;
}

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

} // namespace

class TestForwardVerbs : public QObject {
    Q_OBJECT
private slots:
    void fromABrowserToTheClerk() {
        World w;
        w.start();
        const auto forward = w.open();
        QCOMPARE(forward.at("url"), json::value("http://" + std::string(forward.at("host").as_string()) + ":" +
                                                std::to_string(forward.at("at").to_number<unsigned>()) + "/"));
        const auto browser = connectTo(forward);
        TRY(w.count() == 1);
        {
            const std::lock_guard lock(w.mutex);
            QCOMPARE(w.handed[0].first.at("host"), forward.at("host"));
            QCOMPARE(w.handed[0].first.at("port"), json::value(8000));
            egress::test::send(w.handed[0].second, "page");
        }
        QCOMPARE(take(browser, 4), std::string("page"));
        QCOMPARE(w.list().at(0).at("open"), json::value(1));
        w.e.clerks.tell("forward.closed", {{"number", w.handed[0].first.at("number")}, {"sent", 4}, {"received", 0}, {"how", "ended"}});
        QVERIFY(isOver(browser));
        (void)w.e.good("forward.close", {{"agent", "ann"}, {"number", forward.at("number")}});
        QVERIFY(!connectTo(forward) && w.list().empty());
        QVERIFY(w.e.ask("forward.close", {{"agent", "ann"}, {"number", forward.at("number")}}).error().code == ErrorCode::NotFound);
        // I5: the decision stands before what came of it, with who, where and under which name.
        const auto opened = w.logged("forward.opened");
        QVERIFY(opened.size() == 1 && opened[0].starts_with("host 8000 ") && opened[0].find(R"("by":"owner")") != std::string::npos &&
                opened[0].find(std::string(forward.at("host").as_string())) != std::string::npos);
        const auto closed = w.logged("forward.closed");
        QVERIFY(closed.size() == 1 && closed[0].find("The owner closed it") != std::string::npos);
        QVERIFY(!w.logged("forward.traffic").empty());
    }
    void shownBeforeItIsOpened() {
        World w;
        w.start();
        const auto shown = w.e.good("forward.open", {{"agent", "ann"}, {"port", 8000}, {"preview", true}});
        for (const auto* leak : {"leading the browser to another address", "names looked up", "WebRTC", "leave this computer"}) {
            QVERIFY2(std::string(shown.at("meaning").as_string()).find(leak) != std::string::npos, leak);
        }
        QVERIFY(!shown.contains("forward") && w.list().empty() && w.logged("forward").empty());
    }
    void whatIsRefused() {
        World w;
        QVERIFY(w.e.ask("forward.open", {{"agent", "ann"}, {"port", 8000}}).error().code == ErrorCode::Unavailable); // it does not run
        QVERIFY(w.list().empty());
        w.start();
        QVERIFY(!w.e.ask("forward.open", {{"agent", "ann"}, {"port", 0}}));
        QVERIFY(!w.e.ask("forward.open", {{"agent", "ann"}, {"port", 65536}}));
        QVERIFY(!w.e.ask("forward.open", {{"agent", "ann"}, {"port", 8000}, {"seconds", 0}}));
        QVERIFY(w.e.ask("forward.open", {{"agent", "nobody"}, {"port", 8000}}).error().code == ErrorCode::NotFound);
        const auto rule = w.e.good("rule.add", {{"rule", {{"effect", "deny"}, {"action", "forward"}, {"fields", json::object{}}}}});
        QVERIFY(w.e.ask("forward.open", {{"agent", "ann"}, {"port", 8000}}).error().code == ErrorCode::Refused);
        (void)w.e.good("rule.remove", {{"id", rule.at("rule").at("id")}});
        QVERIFY(connectTo(w.open()));
    }
    void aRuleThatDeniesEndsIt() {
        World w;
        w.start();
        const auto forward = w.open();
        const auto browser = connectTo(forward);
        TRY(w.count() == 1);
        (void)w.e.good("rule.add", {{"rule", {{"effect", "deny"}, {"action", "forward"}, {"fields", {{"port", {"8000"}}}}}}});
        QVERIFY(isReset(browser));
        QVERIFY(!connectTo(forward) && w.list().empty());
    }
    void forSoLong() {
        World w;
        w.start();
        const auto made = w.e.good("forward.open", {{"agent", "ann"}, {"port", 8000}, {"seconds", 1}}).at("forward").as_object();
        QVERIFY(made.contains("until"));
        TRY(w.list().empty());
        QVERIFY(!connectTo(made));
    }
    // Whoever holds it open is its life: a terminal that is closed, or a command that is killed, ends it.
    void heldOpen() {
        World w;
        w.start();
        std::promise<json::object> opened;
        std::atomic<bool> go = true;
        auto call = std::async(std::launch::async, [&] {
            auto client = api::Client::connect(w.e.w.socket);
            return client->call("forward.open", {{"agent", "ann"}, {"port", 8000}, {"hold", true}},
                                {{}, [&](const json::object& event) {
                                     opened.set_value(event.at("forward").as_object());
                                     return go ? api::Flow::Continue : api::Flow::Stop;
                                 }});
        });
        const auto forward = opened.get_future().get();
        QVERIFY(connectTo(forward));
        (void)w.e.good("forward.close", {{"agent", "ann"}, {"number", forward.at("number")}});
        const auto result = call.get();
        QVERIFY(result.has_value());
        QCOMPARE(result->at("ended"), json::value("The owner closed it"));

        opened = {};
        go = false;
        call = std::async(std::launch::async, [&] {
            auto client = api::Client::connect(w.e.w.socket);
            return client->call("forward.open", {{"agent", "ann"}, {"port", 8000}, {"hold", true}},
                                {{}, [&](const json::object& event) {
                                     opened.set_value(event.at("forward").as_object());
                                     return api::Flow::Stop; // and goes
                                 }});
        });
        const auto second = opened.get_future().get();
        QVERIFY(!call.get());
        TRY(w.list().empty());
        QVERIFY(!connectTo(second));
    }
    void theBrakesEndIt() {
        World w;
        w.start();
        const auto offline = w.open();
        QVERIFY(connectTo(offline)); // an agent without a network, as all begin
        (void)w.e.good("net.mode", {{"agent", "ann"}, {"mode", "offline"}});
        QVERIFY(!connectTo(offline));
        const auto forward = w.open();
        const auto browser = connectTo(forward);
        TRY(w.list().at(0).at("open") == json::value(1));
        (void)w.e.good("agent.stop", {{"agent", "ann"}});
        QVERIFY(isReset(browser));
        QVERIFY(!connectTo(forward) && w.list().empty());
        QCOMPARE(w.logged("forward.closed").size(), std::size_t{2});
        w.start();
        QVERIFY(w.list().empty()); // nothing opens it again
    }
    void anotherClerkGoesOn() {
        World w;
        w.start();
        const auto forward = w.open();
        const auto browser = connectTo(forward);
        TRY(w.count() == 1);
        const auto before = w.e.clerks.count("prepare");
        w.e.clerks.tell("forward.closed", {{"number", 1}}); // out of its form: it is ended, and another comes
        QVERIFY(isReset(browser));
        TRY(w.e.clerks.count("prepare") > before);
        QTRY_VERIFY_WITH_TIMEOUT(([&] {
                                     const auto again = connectTo(forward);
                                     return again && w.count() >= 2;
                                 }()),
                                 60'000);
    }
    void aClientMayNone() {
        World w;
        w.start();
        auto client = w.e.w.connected(w.e.w.token("helper", "ann"));
        QVERIFY(client);
        for (const auto& [verb, params] : std::map<std::string, json::object>{{"forward.open", {{"agent", "ann"}, {"port", 8000}}},
                                                                             {"forward.list", {{"agent", "ann"}}},
                                                                             {"forward.close", {{"agent", "ann"}, {"number", 1}}}}) {
            const auto answer = client->call(verb, params);
            QVERIFY2(!answer && answer.error().code == ErrorCode::Refused, verb.c_str());
        }
        QVERIFY(w.list().empty());
    }
};

QTEST_GUILESS_MAIN(TestForwardVerbs)
#include "test_forward_verbs.moc"

// SPDX-License-Identifier: Apache-2.0
// What a client gets of a whole engine: its own agents and nothing of the others, and none of the owner's verbs.
#include "app/api/roles.h"
#include "tests/app/engine/engine_world.h"
#include "tests/support/json_schema.h"

#include <QDir>
#include <QTest>

#include <future>
#include <poll.h>
#include <unistd.h>

using namespace carrel;
using namespace std::chrono_literals;
using carrel::engine::test::EngineWorld;
namespace json = boost::json;

namespace {

const std::string kSchemas = CARREL_SOURCE_DIR "/app/api/schema";

std::vector<std::string> allVerbs() {
    std::vector<std::string> out;
    for (const auto& file : QDir(QString::fromStdString(kSchemas)).entryList({"*.json"}, QDir::Files)) {
        if (file != "common.json" && file != "auth.json") {
            out.push_back(file.chopped(5).toStdString());
        }
    }
    return out;
}

std::vector<json::object> examplesOf(const std::string& verb) {
    std::vector<json::object> out;
    const auto schema = test::Schemas(kSchemas).load(verb + ".json").as_object();
    for (const auto& example : schema.at("examples").as_array()) {
        out.push_back(example.at("params").as_object());
    }
    return out;
}

bool endsWithin(int fd, std::chrono::milliseconds patience) {
    pollfd one{fd, POLLIN, 0};
    char byte = 0;
    return ::poll(&one, 1, int(patience.count())) == 1 && ::read(fd, &byte, 1) == 0;
}

std::vector<std::string> kindsOf(const json::value& timeline) {
    std::vector<std::string> out;
    for (const auto& event : timeline.at("events").as_array()) {
        out.emplace_back(event.at("kind").as_string());
    }
    return out;
}

} // namespace

class TestRoles : public QObject {
    Q_OBJECT
private slots:
    // With the right parameters, and with the client's own agent: it is the role that says no.
    void everyOwnersVerbIsRefused() {
        EngineWorld w;
        auto client = w.connected(w.token("editor", "ann"));
        QVERIFY2(client, client ? "" : client.error().text().c_str());
        const auto before = w.ask("timeline", {{"agent", "ann"}});
        QVERIFY(before);
        unsigned tried = 0;
        for (const auto& verb : allVerbs()) {
            if (api::mayCall(api::Role::Client, verb)) {
                continue;
            }
            for (auto params : examplesOf(verb)) {
                if (params.contains("agent")) {
                    params["agent"] = "ann";
                }
                const auto answer = client->call(verb, std::move(params));
                QVERIFY2(!answer && answer.error().code == ErrorCode::Refused &&
                             answer.error().message.find("for the owner alone") != std::string::npos,
                         verb.c_str());
                ++tried;
            }
        }
        QVERIFY(tried >= 20);
        const auto after = w.ask("timeline", {{"agent", "ann"}});
        QCOMPARE(kindsOf(*after), kindsOf(*before));
        QVERIFY(w.ask("token.list", {})->at("clients").as_array().size() == 1);
        QVERIFY(w.ask("agent.list", {})->at("agents").as_array().size() == 1);
    }

    // Another's agent and one that is not there are told apart by nothing.
    void anothersAgentIsNotThere() {
        EngineWorld w({"ann", "secret"});
        auto client = w.connected(w.token("editor", "ann"));
        QVERIFY(client);
        unsigned tried = 0;
        for (const auto& verb : allVerbs()) {
            if (!api::mayCall(api::Role::Client, verb)) {
                continue;
            }
            for (auto params : examplesOf(verb)) {
                if (!params.contains("agent")) {
                    continue;
                }
                params["agent"] = "secret";
                const auto others = client->call(verb, params);
                params["agent"] = "nobody";
                const auto nobody = client->call(verb, params);
                QVERIFY2(!others && !nobody, verb.c_str());
                QVERIFY2(json::serialize(toJson(others.error())) == json::serialize(toJson(nobody.error())) &&
                             others.error().code == ErrorCode::NotFound,
                         verb.c_str());
                ++tried;
            }
        }
        QVERIFY(tried >= 7);
        const auto list = client->call("agent.list", {});
        QVERIFY(list);
        QCOMPARE(list->at("agents").as_array().size(), std::size_t(1));
        QVERIFY(list->at("agents").as_array().at(0).at("name") == "ann");
        QVERIFY(client->call("engine.info", {}));
        QVERIFY(client->call("timeline", {{"agent", "ann"}}));
        // The owner's handler finds what the client's does not.
        QVERIFY(w.ask("timeline", {{"agent", "secret"}}));
    }

    // A token is for an agent, not for whoever bears its name later.
    void anAgentMadeAnewIsAnother() {
        EngineWorld w;
        auto client = w.connected(w.token("editor", "ann"));
        QVERIFY(client && client->call("timeline", {{"agent", "ann"}}));
        QVERIFY(w.ask("agent.delete", {{"agent", "ann"}}));
        w.addAgent("ann");
        QVERIFY(w.engine->open());
        QVERIFY(w.ask("timeline", {{"agent", "ann"}}));
        const auto answer = client->call("timeline", {{"agent", "ann"}});
        QVERIFY(!answer && answer.error().code == ErrorCode::NotFound);
        QVERIFY(client->call("agent.list", {})->at("agents").as_array().empty());
    }

    void revokingEndsWhatIsOpen() {
        EngineWorld w;
        const auto token = w.token("editor", "ann");
        const auto other = w.token("other", "ann");
        auto idle = w.connected(token);
        auto follower = w.connected(token);
        auto stays = w.connected(other);
        QVERIFY(idle && follower && stays);
        std::atomic<unsigned> events = 0;
        api::Listener listener;
        listener.event = [&](const json::object&) {
            ++events;
            return api::Flow::Continue;
        };
        auto following = std::async(std::launch::async, [&] {
            return follower->call("timeline", {{"agent", "ann"}, {"follow", true}}, listener);
        });
        QTRY_VERIFY_WITH_TIMEOUT(events > 0, 60'000);
        QCOMPARE(w.ask("token.list", {})->at("clients").as_array().at(0).at("connections").to_number<int>(), 2);
        QVERIFY(w.ask("token.revoke", {{"name", "editor"}}));
        if (following.wait_for(60s) != std::future_status::ready) {
            w.server->stop();
            QFAIL("a revoked client follows on");
        }
        QVERIFY(following.get().error().code == ErrorCode::Unavailable);
        QVERIFY(endsWithin(idle->descriptor(), 60s));
        const auto again = w.connected(token);
        QVERIFY(!again && again.error().code == ErrorCode::Refused);
        QVERIFY(stays->call("agent.list", {}));
        QVERIFY(w.ask("token.revoke", {{"name", "editor"}}).error().code == ErrorCode::NotFound);
    }

    // Who was let at an agent stands in that agent's log, before it counts (I5).
    void itsLogSaysWhoMay() {
        EngineWorld w;
        (void)w.token("editor", "ann");
        QVERIFY(w.ask("token.create", {{"name", "editor"}, {"agents", json::array{"ann"}}, {"seconds", 60}}).error().code ==
                ErrorCode::AlreadyExists); // and no word of it in the log
        QVERIFY(w.ask("token.create", {{"name", "two"}, {"agents", json::array{"ann", "nobody"}}, {"seconds", 60}}).error().code ==
                ErrorCode::NotFound);
        QVERIFY(!w.ask("token.create", {{"name", "three"}, {"agents", json::array{}}, {"seconds", 60}}));
        QVERIFY(w.ask("token.revoke", {{"name", "editor"}}));
        const auto timeline = w.ask("timeline", {{"agent", "ann"}, {"kinds", json::array{"client"}}});
        QVERIFY(timeline);
        QCOMPARE(kindsOf(*timeline), (std::vector<std::string>{"client.allowed", "client.ended"}));
        const auto& allowed = timeline->at("events").as_array().at(0);
        QVERIFY(allowed.at("subject") == "editor" && allowed.at("provenance") == "host");
        QCOMPARE(allowed.at("detail").at("seconds").to_number<int>(), 3600);
    }

    // The answers are of the schemas' form.
    void answersFitTheirSchemas() {
        EngineWorld w;
        const test::Schemas schemas(kSchemas);
        const auto fits = [&](const std::string& verb, json::object params, const json::value& result) {
            const auto schema = schemas.load(verb + ".json").as_object();
            const auto problem = schemas.check(json::object{{"params", std::move(params)}, {"result", result}}, schema);
            return problem.empty() ? QString() : QString::fromStdString(verb + ": " + problem);
        };
        json::object create{{"name", "editor"}, {"agents", json::array{"ann", "ann"}}, {"seconds", 60}};
        const auto made = w.ask("token.create", create);
        QVERIFY(made);
        QCOMPARE(fits("token.create", create, *made), QString());
        QCOMPARE(made->at("client").at("agents").as_array().size(), std::size_t(1));
        json::object auth{{"token", made->at("token")}};
        auto client = api::Client::connect(w.clients);
        const auto in = client->call("auth", auth);
        QVERIFY(in);
        QCOMPARE(fits("auth", auth, *in), QString());
        QCOMPARE(fits("token.list", {}, *w.ask("token.list", {})), QString());
        QCOMPARE(fits("engine.info", {}, *client->call("engine.info", {})), QString());
        QCOMPARE(fits("agent.list", {}, *client->call("agent.list", {})), QString());
        json::object revoke{{"name", "editor"}};
        QCOMPARE(fits("token.revoke", revoke, *w.ask("token.revoke", revoke)), QString());
    }
};

QTEST_GUILESS_MAIN(TestRoles)
#include "test_roles.moc"

// SPDX-License-Identifier: Apache-2.0
// Which programs run in an agent's machine, at a whole engine: the machine is told before it is ready, with each change, and what the
// owner answers about an unknown program; and what cannot be known lets nothing run.
#include "tests/app/engine/running_engine.h"

#include "guest/protocol/ask.h"

#include <QTest>
#include <fstream>

using namespace carrel;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

const std::string kOne(64, 'a');
const std::string kTwo(64, 'b');

struct World {
    std::mutex mutex;
    std::vector<json::object> told; // programs.policy
    std::map<std::uint64_t, json::object> answers; // by the number of the question
    bool refuses = false;
    RunningEngine e;
    std::uint64_t next = 1;

    World() {
        e.clerks.on("programs.policy", [this](const json::object& params) -> agents::test::StandInClerks::Answer {
            const std::lock_guard lock(mutex);
            if (refuses) {
                return fail(ErrorCode::Io, "its kernel does not take it");
            }
            told.push_back(params);
            return json::object{};
        });
        e.clerks.on("ask.answer", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            answers[params.at("number").to_number<std::uint64_t>()] = params;
            return json::object{};
        });
    }
    void start() { (void)e.good("agent.start", {{"agent", "ann"}}); }
    [[nodiscard]] json::object last() {
        const std::lock_guard lock(mutex);
        return told.empty() ? json::object() : told.back();
    }
    [[nodiscard]] std::size_t count() {
        const std::lock_guard lock(mutex);
        return told.size();
    }
    [[nodiscard]] bool lastHas(const char* list, const std::string& sha256) {
        const auto params = last();
        const auto* found = params.if_contains(list);
        return found != nullptr && std::ranges::count(found->as_array(), json::value(sha256)) > 0;
    }
    // As guestd asks.
    json::object asked(const ask::Question& question) {
        const auto number = next++;
        e.clerks.tell("ask", {{"number", number}, {"method", ask::methodOf(question)}, {"params", ask::paramsOf(question)}});
        const auto there = [&] {
            const std::lock_guard lock(mutex);
            return answers.contains(number);
        };
        if (!QTest::qWaitFor(there, 60'000)) {
            qFatal("no answer");
        }
        const std::lock_guard lock(mutex);
        return answers.at(number).at("answer").as_object();
    }
    void decide(std::uint64_t id, const char* effect, const char* scope) const {
        const auto of = e.good("approval.show", {{"id", id}}).at("approval").as_object();
        (void)e.good("approval.decide", {{"id", id}, {"effect", effect}, {"scope", scope}, {"digest", of.at("digest")},
                                         {"revision", of.at("revision")}, {"asked", of.at("asked")}});
    }
    [[nodiscard]] std::string log(const char* kind) const { return json::serialize(e.good("timeline", {{"agent", "ann"}, {"kinds", {kind}}}).at("events")); }
};

ask::Program unknown(const std::string& sha256) {
    return {sha256, "/tmp/tool", {"make", "bash"}, std::nullopt};
}

} // namespace

class TestExecVerbs : public QObject {
    Q_OBJECT
private slots:
    void aMachineIsToldBeforeItIsReady() {
        World w;
        auto now = w.e.good("programs.show", {{"agent", "ann"}});
        QVERIFY(now.at("mode") == json::value("deny") && now.at("in_force") == json::value(false));
        QCOMPARE(now.at("deny").as_array().size(), std::size_t{1});
        QVERIFY(now.at("deny").at(0).at("scope") == json::value("carrel"));
        w.start();
        QVERIFY(w.count() >= 1);
        QVERIFY(w.last().at("mode") == json::value("deny") && w.last().at("last") == json::value(true));
        QVERIFY(w.e.good("programs.show", {{"agent", "ann"}}).at("in_force") == json::value(true));
    }
    void oneThatCannotBeToldDoesNotStart() {
        World w;
        w.refuses = true;
        const auto started = w.e.ask("agent.start", {{"agent", "ann"}});
        QVERIFY(!started);
        QVERIFY2(started.error().text().find("could not be told which programs may run") != std::string::npos, started.error().text().c_str());
    }
    void aDenyIsToldAtOnceWrittenDownAndTakenBack() {
        World w;
        w.start();
        const auto before = w.last().at("age").to_number<std::uint64_t>();
        auto now = w.e.good("programs.deny", {{"agent", "ann"}, {"sha256", kOne}, {"note", "a miner"}});
        QVERIFY(w.lastHas("deny", kOne)); // when it answers
        QVERIFY(w.last().at("age").to_number<std::uint64_t>() > before);
        QVERIFY(now.at("deny").at(0).at("note") == json::value("a miner") && now.at("in_force") == json::value(true));
        QVERIFY(w.log("rule.added").find(kOne) != std::string::npos);
        const auto rules = json::serialize(w.e.good("rule.list", {}));
        QVERIFY2(rules.find(kOne) != std::string::npos, "it is a rule like any other");
        (void)w.e.good("programs.deny", {{"agent", "ann"}, {"sha256", kOne}}); // it is so already
        QCOMPARE(json::serialize(w.e.good("rule.list", {})), rules);
        const auto allowed = w.e.ask("programs.allow", {{"agent", "ann"}, {"sha256", kOne}});
        QVERIFY(!allowed && allowed.error().code == ErrorCode::Conflict);
        (void)w.e.good("programs.remove", {{"agent", "ann"}, {"sha256", kOne}});
        QVERIFY(!w.lastHas("deny", kOne));
        QVERIFY(!w.e.ask("programs.remove", {{"agent", "ann"}, {"sha256", kOne}}));
    }
    void aRuleOfTheRulesOwnVerbsCountsToo() {
        World w;
        w.start();
        (void)w.e.good("rule.add", {{"rule", {{"effect", "deny"}, {"action", "program"}, {"fields", {{"sha256", {kTwo}}}}}}});
        TRY(w.lastHas("deny", kTwo));
    }
    void aModeIsWrittenDownAndTold() {
        World w;
        w.start();
        (void)w.e.good("programs.set", {{"agent", "ann"}, {"mode", "observe"}});
        QVERIFY(w.last().at("mode") == json::value("observe") && w.last().at("deny").as_array().empty());
        QVERIFY(w.log("programs.mode").find("observe") != std::string::npos);
        // The image has no list of what it brought: nothing could run.
        const auto allow = w.e.ask("programs.set", {{"agent", "ann"}, {"mode", "allow"}});
        QVERIFY(!allow);
        QVERIFY(w.e.good("programs.show", {{"agent", "ann"}}).at("mode") == json::value("observe"));
        for (const auto& bad : {json::object{{"mode", "off"}}, json::object{{"unknown", "maybe"}}, json::object{{"more", 1}}}) {
            auto params = bad;
            params["agent"] = "ann";
            QVERIFY2(!w.e.ask("programs.set", params), json::serialize(bad).c_str());
        }
    }
    void whatCarrelDeniesIsNotAllowed() {
        World w;
        const std::string carrels(w.e.good("programs.show", {{"agent", "ann"}}).at("deny").at(0).at("sha256").as_string());
        const auto allowed = w.e.ask("programs.allow", {{"agent", "ann"}, {"sha256", carrels}});
        QVERIFY(!allowed && allowed.error().code == ErrorCode::Refused);
    }
    void whatMayMakeCodeIsARuleThatSaysSo() {
        World w;
        const auto allow = [&](json::object more) {
            more["agent"] = "ann";
            more["sha256"] = kOne;
            return w.e.good("programs.allow", std::move(more)).at("allow").as_array();
        };
        auto now = allow({});
        QVERIFY(now.size() == 1 && !now.at(0).as_object().contains("code"));
        now = allow({{"code", true}}); // more than it was
        QVERIFY(now.size() == 2 && now.at(1).at("code") == json::value(true));
        QCOMPARE(allow({{"code", true}}).size(), std::size_t{2}); // it is so already
        const auto rules = json::serialize(w.e.good("rule.list", {}));
        QVERIFY2(rules.find(kOne + ", and make code in memory.") != std::string::npos && rules.find(kOne + ".") != std::string::npos, rules.c_str());
        QVERIFY(!w.e.ask("programs.deny", {{"agent", "ann"}, {"sha256", kTwo}, {"code", true}}));
        (void)w.e.good("programs.remove", {{"agent", "ann"}, {"sha256", kOne}}); // both
        QVERIFY(w.e.good("programs.show", {{"agent", "ann"}}).at("allow").as_array().empty());
    }
    void whatAptInstalledIsWrittenDownKeptAndTold() {
        World w;
        w.start();
        const ask::Installed found{{{"tool", "1.0-1", "amd64", {{kOne, "/usr/bin/tool"}}}, {"node", "18", "amd64", {{kTwo, "/usr/bin/node"}}}}, true};
        QVERIFY(w.asked(found).at("state") == json::value("allowed"));
        const auto now = w.e.good("programs.show", {{"agent", "ann"}});
        const auto installed = now.at("installed").as_array();
        QVERIFY(installed.size() == 2 && installed.at(0).at("package") == json::value("tool") && installed.at(0).at("programs") == json::value(1));
        const auto log = w.log("programs.installed");
        QVERIFY2(log.find("\"tool\"") != std::string::npos && log.find("1.0-1") != std::string::npos && log.find("\"guest\"") != std::string::npos, log.c_str());
        QVERIFY(w.asked(found).at("state") == json::value("allowed")); // it was so already
        QCOMPARE(w.log("programs.installed"), log);
        QCOMPARE(json::serialize(w.e.good("programs.show", {{"agent", "ann"}}).at("installed")), json::serialize(now.at("installed")));
        QVERIFY2(!now.at("deny").as_array().empty() && now.at("allow").as_array().empty(), "no rule of the owner's came of it");
    }
    void anUnknownProgramIsAskedAboutAndRunsOnceAllowed() {
        World w;
        w.start();
        const auto first = w.asked(unknown(kOne));
        QVERIFY(first.at("state") == json::value("open"));
        const auto id = first.at("id").to_number<std::uint64_t>();
        const auto look = w.e.good("approval.show", {{"id", id}}).at("approval").as_object();
        QVERIFY(look.at("action") == json::value("program"));
        QVERIFY2(std::string(look.at("words").as_string()).find(kOne) != std::string::npos, look.at("words").as_string().c_str());
        QVERIFY2(look.at("claim") == json::value("/tmp/tool, started by make in bash"), look.at("claim").as_string().c_str());
        w.decide(id, "allow", "once");
        const auto now = w.e.good("programs.show", {{"agent", "ann"}}).at("allow").as_array();
        QVERIFY(now.size() == 1 && now.at(0).at("sha256") == json::value(kOne) && now.at(0).at("scope") == json::value("session"));
        QVERIFY(w.asked(ask::Wait{id, std::chrono::seconds(5)}).at("state") == json::value("allowed"));
        (void)w.e.good("agent.stop", {{"agent", "ann"}});
        QVERIFY2(w.e.good("programs.show", {{"agent", "ann"}}).at("allow").as_array().empty(), "for as long as the machine runs");
    }
    void anAnswerForTheAgentIsARule() {
        World w;
        w.start();
        const auto id = w.asked(unknown(kOne)).at("id").to_number<std::uint64_t>();
        w.decide(id, "deny", "agent");
        TRY(w.lastHas("deny", kOne));
        QVERIFY(w.asked(unknown(kOne)).at("state") == json::value("denied"));
    }
    void rulesThatCannotBeReadLetNoMachineStart() {
        World w;
        (void)w.e.good("programs.deny", {{"agent", "ann"}, {"sha256", kOne}});
        std::ofstream(w.e.w.folder / "home" / "rules.toml", std::ios::app) << "# by somebody else\n";
        const auto started = w.e.ask("agent.start", {{"agent", "ann"}});
        QVERIFY(!started);
        QVERIFY(w.e.good("programs.show", {{"agent", "ann"}}).contains("trouble"));
    }
};

QTEST_GUILESS_MAIN(TestExecVerbs)
#include "test_exec_verbs.moc"

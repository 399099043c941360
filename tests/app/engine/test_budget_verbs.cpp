// SPDX-License-Identifier: Apache-2.0
// Budgets at a whole engine: the owner sets one, what agents' requests to models use is counted against it, and is there for the next
// engine.
#include "tests/app/engine/engine_world.h"

#include "app/egress/own_computer.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::engine;
using namespace carrel::engine::test;
namespace json = boost::json;

namespace {

struct World : EngineWorld {
    [[nodiscard]] json::object good(std::string_view verb, json::object params) const {
        params["agent"] = "ann";
        const auto answer = ask(verb, std::move(params));
        if (!answer) {
            qFatal("%s", answer.error().text().c_str());
        }
        return answer->as_object();
    }
    [[nodiscard]] std::string id() const { return (*engine->agent("ann"))->id(); }
    // As its network tells it.
    void use(std::uint64_t input, const std::string& model = "claude-haiku-4-5-20251001", std::string_view host = "api.anthropic.com") const {
        engine->services().modelUsed(id(), egress::Destination::parse(host, 443).value(), {.model = model, .input = input, .status = 200});
    }
    [[nodiscard]] std::string whyNot() const { return engine->services().mayAskModel(id()).value_or(""); }
    [[nodiscard]] std::vector<std::string> logged() const {
        std::vector<std::string> out;
        const auto timeline = good("timeline", {});
        for (const auto& each : timeline.at("events").as_array()) {
            if (each.at("kind") == json::value("budget.set")) {
                out.push_back(std::string(each.at("subject").as_string()) + " " + json::serialize(each.at("detail")));
            }
        }
        return out;
    }
};

std::uint64_t numberIn(const json::object& result, const char* part, const char* key) {
    return result.at(part).at(key).to_number<std::uint64_t>();
}

} // namespace

class TestBudgetVerbs : public QObject {
    Q_OBJECT
private slots:
    void setsShowsAndCounts() {
        World w;
        auto now = w.good("budget.show", {});
        QVERIFY(now.at("budget").as_object().empty() && now.at("since").is_null() && !now.contains("over"));
        w.use(100);
        w.use(1000, "qwen3:4b", egress::kOwnComputer); // on this computer: it costs nothing, and that is known
        now = w.good("budget.show", {});
        QCOMPARE(numberIn(now, "used", "input"), std::uint64_t{1100});
        QCOMPARE(numberIn(now, "used", "micro_dollars"), std::uint64_t{100});
        QCOMPARE(numberIn(now, "used", "unpriced"), std::uint64_t{0});
        now = w.good("budget.set", {{"tokens", 50}, {"time_s", 60}});
        QCOMPARE(json::serialize(now.at("budget")), std::string(R"({"tokens":50,"time_s":60})"));
        QCOMPARE(numberIn(now, "used", "input"), std::uint64_t{0}); // from now on
        QVERIFY(now.at("since").is_string());
        QVERIFY(w.whyNot().empty());
        w.use(50);
        QVERIFY(w.whyNot().find("50 tokens is used up") != std::string::npos);
        now = w.good("budget.show", {});
        QCOMPARE(std::string(now.at("over").at("bound").as_string()), std::string("tokens"));
        QVERIFY(std::string(now.at("over").at("text").as_string()).starts_with("Of this agent the budget of 50 tokens"));
        now = w.good("budget.set", {{"tokens", 0}, {"micro_dollars", 5'000'000}}); // the other stays
        QCOMPARE(json::serialize(now.at("budget")), std::string(R"({"micro_dollars":5000000,"time_s":60})"));
        w.use(1, "new-model-1");
        QVERIFY(w.whyNot().find("cannot be kept") != std::string::npos); // never taken for nothing
        QCOMPARE(w.logged(), (std::vector<std::string>{R"(50 tokens, 1 min of work {"tokens":50,"time_s":60,"by":"owner"})",
                                                       R"($5.00, 1 min of work {"micro_dollars":5000000,"time_s":60,"by":"owner"})"}));
    }

    void theNextEngineKnows() {
        World w;
        (void)w.good("budget.set", {{"tokens", 50}});
        w.use(49);
        const auto folder = w.engine->services().agentsFolder / w.id() / "usage.json";
        providers::UsageBook next({.file = [&](const std::string&) { return folder; }});
        QCOMPARE(next.used(w.id())->input, std::uint64_t{49});
        QVERIFY(next.budgetOf(w.id()).value() == providers::Budget{.tokens = 50});
    }

    void whatIsNoBudgetIsRefused() {
        World w;
        for (const auto& bad : {json::object{{"tokens", -1}}, json::object{{"tokens", UINT64_MAX}}, json::object{{"micro_dollars", 1.5}},
                                json::object{{"time_s", "1"}}, json::object{{"more", 1}}}) {
            auto params = bad;
            params["agent"] = "ann";
            QVERIFY2(!w.ask("budget.set", params), json::serialize(bad).c_str());
        }
        QVERIFY(!w.ask("budget.show", {{"agent", "nobody"}}) && !w.ask("budget.set", {{"agent", "nobody"}, {"tokens", 1}}));
        QVERIFY(w.good("budget.show", {}).at("budget").as_object().empty() && w.logged().empty());
    }

    void aClientLearnsNothingOfIt() {
        World w;
        auto client = w.connected(w.token("editor", "ann"));
        QVERIFY(client);
        for (const char* verb : {"budget.show", "budget.set"}) {
            const auto answer = client->call(verb, {{"agent", "ann"}});
            QVERIFY(!answer && answer.error().code == ErrorCode::Refused);
        }
    }
};

QTEST_GUILESS_MAIN(TestBudgetVerbs)
#include "test_budget_verbs.moc"

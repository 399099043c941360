// SPDX-License-Identifier: Apache-2.0
// A server of its machine that an agent asks to have shown: asked of the owner, at high risk, opened by the answer and by no rule, and
// told to the agent without the address.
#include "app/egress/forwards.h"
#include "tests/app/egress/listener.h"
#include "tests/app/engine/running_engine.h"

#include "guest/protocol/ask.h"

#include <QTest>

using namespace carrel;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

struct World {
    std::mutex mutex;
    std::map<std::uint64_t, json::object> answers; // by the number of the question
    RunningEngine e;
    std::uint64_t next = 1;

    World() {
        e.clerks.on("ask.answer", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            answers[params.at("number").to_number<std::uint64_t>()] = params;
            return json::object{};
        });
        for (const char* const told : {"forward.cut", "net.mode"}) {
            e.clerks.on(told, [](const json::object&) { return json::object{}; });
        }
        (void)e.good("agent.start", {{"agent", "ann"}});
    }
    // As a program in the machine does.
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
        return answers.at(number);
    }
    json::object standing(const ask::Question& question) { return asked(question).at("answer").as_object(); }
    json::value decide(std::uint64_t id, const char* effect, json::object more = {}) const {
        const auto of = e.good("approval.show", {{"id", id}}).at("approval").as_object();
        json::object params{{"id", id}, {"effect", effect}, {"scope", "once"}, {"digest", of.at("digest")}, {"revision", of.at("revision")}, {"asked", of.at("asked")}};
        for (const auto& each : more) {
            params[each.key()] = each.value();
        }
        return e.good("approval.decide", std::move(params));
    }
    [[nodiscard]] json::array shown() const { return e.good("forward.list", {{"agent", "ann"}}).at("forwards").as_array(); }
    [[nodiscard]] std::string log(const char* kind) const { return json::serialize(e.good("timeline", {{"agent", "ann"}, {"kinds", {kind}}}).at("events")); }
};

const ask::Forward kAsked{8000, "the preview is ready"};

} // namespace

class TestForwardGiven : public QObject {
    Q_OBJECT
private slots:
    void theOwnerAllows() {
        World w;
        const auto first = w.standing(kAsked);
        QCOMPARE(first.at("state"), json::value("open"));
        const auto id = first.at("id").to_number<std::uint64_t>();
        QVERIFY(w.shown().empty()); // a question does nothing by itself
        const auto look = w.e.good("approval.show", {{"id", id}});
        const auto& of = look.at("approval").as_object();
        QVERIFY(of.at("action") == json::value("forward") && of.at("risk") == json::value("high") && of.at("can_be_rule") == json::value(false));
        QCOMPARE(look.at("confirm"), json::value("port-8000"));
        QCOMPARE(of.at("words"), json::value("The agent ann asks to have what it serves at port 8000 of its machine shown in your browser"));
        QVERIFY(of.at("claim") == json::value(kAsked.reason) && of.at("risk_reason").as_string().find("WebRTC") != json::string::npos);
        const auto done = w.decide(id, "allow", {{"seconds", 3600}});
        const auto& forward = done.at("forward").as_object();
        QVERIFY(forward.at("port") == json::value(8000) && forward.contains("until"));
        QCOMPARE(w.shown().size(), std::size_t{1});
        // The agent is told that it is shown, and not where.
        const auto told = json::serialize(w.standing(ask::Wait{id, std::chrono::seconds(5)}));
        QVERIFY2(told.find(R"("state":"allowed")") != std::string::npos && told.find("port 8000 of the machine is shown") != std::string::npos, told.c_str());
        const std::string host(forward.at("host").as_string());
        {
            const std::lock_guard lock(w.mutex);
            for (const auto& [number, answer] : w.answers) {
                const auto text = json::serialize(answer);
                QVERIFY2(text.find(host.substr(0, 32)) == std::string::npos && text.find("localhost") == std::string::npos, text.c_str());
            }
        }
        // I5: written down with the request that it comes from; the decision stands before it.
        QVERIFY(w.log("forward.opened").find("\"approval\":" + std::to_string(id)) != std::string::npos);
        const auto seq = [&](const char* kind) {
            return w.e.good("timeline", {{"agent", "ann"}, {"kinds", {kind}}}).at("events").at(0).at("seq").to_number<std::uint64_t>();
        };
        QVERIFY(seq("approval.decided") < seq("forward.opened"));
        // Once: the same again is asked again.
        QVERIFY(w.standing(kAsked).at("id").to_number<std::uint64_t>() != id);
    }
    // The agent chooses the port: a short one is no reason to ask for a word that is typed without looking.
    void aShortPortIsTypedToo() {
        World w;
        const auto id = w.standing(ask::Forward{80, "the preview is ready"}).at("id").to_number<std::uint64_t>();
        QCOMPARE(w.e.good("approval.show", {{"id", id}}).at("confirm"), json::value("port-80"));
    }
    void theOwnerDenies() {
        World w;
        const auto id = w.standing(kAsked).at("id").to_number<std::uint64_t>();
        (void)w.decide(id, "deny");
        QCOMPARE(w.standing(ask::Wait{id, std::chrono::seconds(5)}).at("state"), json::value("denied"));
        QVERIFY(w.shown().empty() && w.log("forward.opened") == "[]");
    }
    void noRuleAllowsIt() {
        World w;
        const auto rule = [&](const char* effect) {
            return w.e.good("rule.add", {{"rule", {{"effect", effect}, {"action", "forward"}, {"high", *effect == 'a'}, {"fields", json::object{}}}}});
        };
        (void)rule("allow");
        const auto asked = w.standing(kAsked);
        QVERIFY(asked.at("state") == json::value("open") && w.shown().empty());
        (void)rule("deny");
        const auto id = asked.at("id").to_number<std::uint64_t>();
        TRY(json::serialize(w.standing(ask::Why{id})).find("denied") != std::string::npos);
        QCOMPARE(w.standing(ask::Forward{8001, "more"}).at("state"), json::value("denied"));
        QVERIFY(w.shown().empty());
    }
    // What is allowed and cannot be done is told as that, on both sides.
    void itCannotBeShown() {
        World w;
        auto& forwards = (*w.e.agent("ann")->running())->forwards();
        for (std::size_t i = 0; i < egress::kMaxForwards; ++i) {
            QVERIFY(forwards.open({static_cast<std::uint16_t>(9000 + i)}));
        }
        const auto id = w.standing(kAsked).at("id").to_number<std::uint64_t>();
        const auto done = w.decide(id, "allow").as_object();
        QVERIFY(!done.contains("forward") && done.at("effect_trouble").as_string().find("too much") != json::string::npos);
        QCOMPARE(w.standing(ask::Wait{id, std::chrono::seconds(5)}).at("state"), json::value("cancelled"));
    }
    void itEndsWithTheSession() {
        World w;
        const auto id = w.standing(kAsked).at("id").to_number<std::uint64_t>();
        (void)w.e.good("agent.stop", {{"agent", "ann"}});
        TRY(w.e.good("approval.show", {{"id", id}}).at("approval").at("state") == json::value("cancelled"));
    }
};

QTEST_GUILESS_MAIN(TestForwardGiven)
#include "test_forward_given.moc"

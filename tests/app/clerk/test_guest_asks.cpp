// SPDX-License-Identifier: Apache-2.0
// What a guest may ask: five questions, in one form each, so many at once and so many a minute. What the engine answers goes
// to whoever asked, and to nobody after the epoch.
#include "app/clerk/guest_asks.h"
#include "app/clerk/guest_rpc.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::clerk;
namespace json = boost::json;

namespace {

struct World {
    std::vector<RpcResponse> answered; // to the guest
    std::vector<Told> told;            // to the engine
    GuestAsks::Greeted greeted = GuestAsks::Greeted::Yes;
    GuestAsks::Clock::time_point now = GuestAsks::Clock::time_point() + std::chrono::hours(1);
    GuestAsks asks{[this](const RpcResponse& response) -> Status {
                       answered.push_back(response);
                       return {};
                   },
                   [this](Told one) { told.push_back(std::move(one)); }};
    GuestRpc rpc{[](std::string_view) -> Status { return {}; }, [](const std::string&, const json::object&) {},
                 [this](std::uint64_t id, const std::string& method, const json::object& params) {
                     return asks.ask(id, method, params, greeted, now);
                 }};

    void hear(std::uint64_t id, std::string method, json::object params) {
        const auto text = toText(RpcRequest{id, std::move(method), std::move(params)});
        if (!rpc.receive(asBytes(text))) {
            qFatal("a request spoilt the channel");
        }
    }
    void wait(std::uint64_t id) { hear(id, "ask.wait", {{"id", 1}, {"seconds", 1}}); }
    [[nodiscard]] std::uint64_t number(std::size_t of) const { return told.at(of).params.at("number").to_number<std::uint64_t>(); }
    [[nodiscard]] ErrorCode refusal() const {
        return answered.empty() || answered.back().result ? ErrorCode::Internal : answered.back().result.error().code;
    }
};

json::object standing(std::uint64_t id, std::string_view state) {
    return {{"id", id}, {"state", state}, {"words", "so it is"}};
}

} // namespace

class TestGuestAsks : public QObject {
    Q_OBJECT
private slots:
    // I2: what a guest may ask is one closed list.
    void theGuestAsksTheseSevenAndNothingElse() {
        World world;
        world.hear(1, "ask.apply", {{"paths", {{{"share", 1}, {"path", "a"}}}}, {"reason", "done"}});
        world.hear(2, "ask.folder", {{"reason", "more"}});
        world.hear(3, "ask.wait", {{"id", 1}, {"seconds", 5}});
        world.hear(4, "ask.withdraw", {{"id", 1}});
        world.hear(5, "ask.why", {});
        world.hear(6, "ask.forward", {{"port", 8000}, {"reason", "look"}});
        world.hear(7, "ask.program", {{"sha256", std::string(64, 'a')}, {"path", "/usr/bin/tool"}, {"started_by", {"sh"}}});
        QVERIFY(world.answered.empty());
        std::vector<std::string> methods;
        for (std::size_t i = 0; i < world.told.size(); ++i) {
            QCOMPARE(world.told[i].method, std::string("ask"));
            QCOMPARE(world.number(i), i + 1);
            methods.emplace_back(world.told[i].params.at("method").as_string());
        }
        QCOMPARE(methods, (std::vector<std::string>{"ask.apply", "ask.folder", "ask.wait", "ask.withdraw", "ask.why", "ask.forward", "ask.program"}));
        QCOMPARE(json::serialize(world.told[0].params.at("params")),
                 std::string(R"({"paths":[{"share":1,"path":"a"}],"reason":"done"})"));
        for (const char* method : {"apply", "exec", "stage", "file.open", "ask", "ask.", "ask.allow", "ask.answer", "hello"}) {
            world.answered.clear();
            world.hear(9, method, {});
            QCOMPARE(world.told.size(), std::size_t{7}); // it went nowhere
            QCOMPARE(world.answered.size(), std::size_t{1});
            QCOMPARE(world.answered[0].id, std::uint64_t{9});
            QVERIFY2(world.refusal() == ErrorCode::Refused, method);
        }
    }

    void aWrongFormIsAnsweredAndGoesNowhere() {
        World world;
        world.hear(1, "ask.apply", {{"paths", {{{"share", 1}, {"path", "../a"}}}}, {"reason", "x"}});
        world.hear(2, "ask.wait", {{"id", 1}});
        world.hear(3, "ask.why", {{"id", 1}, {"more", 1}});
        QVERIFY(world.told.empty());
        QCOMPARE(world.answered.size(), std::size_t{3});
        QVERIFY(world.refusal() == ErrorCode::Malformed);
    }

    void nothingBeforeTheGreeting() {
        World world;
        world.greeted = GuestAsks::Greeted::No;
        world.wait(1);
        QVERIFY(world.told.empty());
        QVERIFY(world.refusal() == ErrorCode::Unavailable);
    }

    // Nothing passes as it came: of the longest question the engine gets a message that it can read.
    void theLongestQuestionFitsTheLink() {
        World world;
        json::array paths;
        for (std::size_t i = 0; i < ask::kMaxPaths; ++i) {
            const std::string name(ask::kMaxPathBytes / ask::kMaxPaths, '\x01');
            paths.push_back({{"share", 4095}, {"path", name}});
        }
        world.hear(1, "ask.apply", {{"paths", std::move(paths)}, {"reason", std::string(ask::kMaxReasonBytes, '\x01')}});
        QCOMPARE(world.told.size(), std::size_t{1});
        const auto text = toText(RpcRequest{std::nullopt, world.told[0].method, world.told[0].params});
        QVERIFY(text.size() < kMaxLinkMessage);
        QVERIFY(text.size() > 80 * 1024); // the bounds were met
        QVERIFY(parseRpc(text, {kMaxLinkMessage, 12}));
    }

    void answersFindTheirQuestion() {
        World world;
        world.wait(41);
        world.hear(42, "ask.why", {});
        QVERIFY(world.asks.answer({{"number", world.number(1)}, {"answer", {{"requests", {standing(3, "open")}}}}}));
        QVERIFY(world.asks.answer({{"number", world.number(0)}, {"answer", standing(1, "allowed")}}));
        QCOMPARE(world.answered.size(), std::size_t{2});
        QCOMPARE(world.answered[0].id, std::uint64_t{42});
        QCOMPARE(json::serialize(*world.answered[0].result),
                 std::string(R"({"requests":[{"id":3,"state":"open","words":"so it is"}]})"));
        QCOMPARE(world.answered[1].id, std::uint64_t{41});
        QCOMPARE(json::serialize(*world.answered[1].result), std::string(R"({"id":1,"state":"allowed","words":"so it is"})"));
        // Each once, and nothing that was never asked.
        QVERIFY(world.asks.answer({{"number", world.number(0)}, {"answer", standing(1, "allowed")}}));
        QVERIFY(world.asks.answer({{"number", 99}, {"answer", standing(1, "allowed")}}));
        QCOMPARE(world.answered.size(), std::size_t{2});
    }

    void anErrorIsAnAnswer() {
        World world;
        world.wait(1);
        const Error error{ErrorCode::NotFound, "there is no such request", {}, 0, {}};
        QVERIFY(world.asks.answer({{"number", 1}, {"error", toJson(error)}}));
        QCOMPARE(world.answered.size(), std::size_t{1});
        QVERIFY(world.refusal() == ErrorCode::NotFound);
    }

    // The engine is ours; a mistake of its is told it, and the guest is left with an error and no nonsense.
    void whatTheEngineGetsWrong() {
        World world;
        world.wait(1);
        QVERIFY(!world.asks.answer({}));
        QVERIFY(!world.asks.answer({{"number", 1}}));
        QVERIFY(!world.asks.answer({{"number", 1}, {"answer", standing(1, "open")}, {"error", json::object{}}}));
        QVERIFY(world.answered.empty());
        QVERIFY(world.asks.answer({{"number", 1}, {"answer", standing(1, "perhaps")}}));
        QVERIFY(world.refusal() == ErrorCode::Internal);
    }

    void soManyAtOnce() {
        World world;
        for (std::size_t i = 0; i < ask::kMaxUnderWay; ++i) {
            world.wait(i);
        }
        QVERIFY(world.answered.empty());
        world.wait(100);
        QCOMPARE(world.told.size(), ask::kMaxUnderWay);
        QVERIFY(world.refusal() == ErrorCode::LimitExceeded);
        QVERIFY(world.asks.answer({{"number", 3}, {"answer", standing(1, "denied")}}));
        world.wait(101);
        QCOMPARE(world.told.size(), ask::kMaxUnderWay + 1);
    }

    void anEpochsEndForgets() {
        World world;
        for (std::size_t i = 0; i < ask::kMaxUnderWay; ++i) {
            world.wait(i);
        }
        world.asks.newEpoch();
        QVERIFY(world.asks.answer({{"number", 1}, {"answer", standing(1, "allowed")}}));
        QVERIFY(world.answered.empty()); // the guest may have given its id to another by now
        // What the engine still works on counts, however many epochs a guest begins.
        world.wait(200);
        QCOMPARE(world.told.size(), ask::kMaxUnderWay + 1);
        world.asks.newEpoch();
        world.wait(201);
        QCOMPARE(world.told.size(), ask::kMaxUnderWay + 1);
        QVERIFY(world.refusal() == ErrorCode::LimitExceeded);
        QCOMPARE(world.number(ask::kMaxUnderWay), ask::kMaxUnderWay + 1); // no number twice
    }

    void soManyAMinute() {
        World world;
        const auto askOnce = [&world] {
            const auto before = world.told.size();
            world.wait(1);
            if (world.told.size() > before) {
                return world.asks.answer({{"number", world.number(before)}, {"answer", standing(1, "denied")}}).has_value();
            }
            return false;
        };
        for (unsigned i = 0; i < kMaxAsksPerMinute; ++i) {
            QVERIFY(askOnce());
        }
        QVERIFY(!askOnce());
        QVERIFY(world.refusal() == ErrorCode::LimitExceeded);
        world.now += std::chrono::seconds(59);
        QVERIFY(!askOnce());
        world.now += std::chrono::seconds(1);
        QVERIFY(askOnce());
    }
};

QTEST_GUILESS_MAIN(TestGuestAsks)
#include "test_guest_asks.moc"

// SPDX-License-Identifier: Apache-2.0
// Questions under way from the machine to the host: each is answered once, by the host, by the clock, or by the epoch's end,
// whichever comes first, and what can be asked twice outlives a change of clerk.
#include "guest/guestd/host_asks.h"

#include <QTest>
#include <boost/json.hpp>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::guestd;
using namespace std::chrono_literals;

namespace {

struct World {
    std::vector<std::pair<EpochNumber, RpcRequest>> sent;
    bool isGone = false;
    HostAsks asks{[this](EpochNumber epoch, std::string_view text) -> Status {
        if (isGone) {
            return fail(ErrorCode::Unavailable, "the epoch is over");
        }
        sent.emplace_back(epoch, std::get<RpcRequest>(parseRpc(text).value()));
        return {};
    }};
    HostAsks::Clock::time_point now = HostAsks::Clock::time_point() + 1h;
    std::vector<std::string> answers;

    void ask(ask::Question question) {
        asks.ask(
            std::move(question),
            [this](const Result<ask::Standings>& answer) {
                answers.push_back(answer ? std::string(ask::toString(answer->at(0).state)) : answer.error().message);
            },
            now);
    }
    void connect(EpochNumber epoch) {
        asks.newEpoch(epoch, now);
        asks.greeted(epoch, now);
    }
    void answer(std::uint64_t id, EpochNumber epoch, std::string_view state) {
        asks.receive({id, json::value{{"id", 7}, {"state", state}, {"words", ""}}}, epoch);
    }
    void pass(HostAsks::Clock::duration time) {
        now += time;
        asks.expire(now);
    }
};

const ask::Question kApply = ask::Apply{{}, "done"};
const ask::Question kWait = ask::Wait{7, 60s};

} // namespace

class TestHostAsks : public QObject {
    Q_OBJECT
private slots:
    void asksAndIsAnswered() {
        World w;
        w.connect(1);
        w.ask(kApply);
        w.ask(kWait);
        QCOMPARE(w.sent.size(), std::size_t{2});
        QCOMPARE(w.sent[1].second.method, std::string("ask.wait"));
        QCOMPARE(json::serialize(w.sent[1].second.params), std::string(R"({"id":7,"seconds":60})"));
        w.answer(*w.sent[1].second.id, 1, "denied");
        QCOMPARE(w.answers, std::vector<std::string>{"denied"});
        w.answer(*w.sent[1].second.id, 1, "allowed"); // once
        w.answer(99, 1, "allowed");
        QCOMPARE(w.answers.size(), std::size_t{1});
        w.answer(*w.sent[0].second.id, 1, "open");
        QCOMPARE(w.answers.back(), std::string("open"));
        QVERIFY(!w.asks.nextDeadline());
    }

    // Nothing before the hello of an epoch has its answer, and nothing for a hello of an epoch that is over.
    void waitsForTheGreeting() {
        World w;
        w.ask(kApply);
        w.asks.newEpoch(1, w.now);
        QVERIFY(w.sent.empty());
        w.asks.newEpoch(2, w.now);
        w.asks.greeted(1, w.now);
        QVERIFY(w.sent.empty());
        w.asks.greeted(2, w.now);
        QCOMPARE(w.sent.size(), std::size_t{1});
        QCOMPARE(w.sent[0].first, EpochNumber{2});
        w.asks.greeted(2, w.now); // a second hello in one epoch
        QCOMPARE(w.sent.size(), std::size_t{1});
    }

    void anEpochsEnd() {
        World w;
        w.connect(1);
        w.ask(kApply);
        w.ask(kWait);
        const auto wait = *w.sent[1].second.id;
        w.asks.newEpoch(2, w.now);
        QCOMPARE(w.answers, std::vector<std::string>{"Carrel has restarted, ask again"});
        w.answer(wait, 1, "allowed"); // of the last epoch: it counts no more
        QCOMPARE(w.answers.size(), std::size_t{1});
        w.asks.greeted(2, w.now);
        QCOMPARE(w.sent.size(), std::size_t{3});
        QCOMPARE(w.sent[2].first, EpochNumber{2});
        QCOMPARE(w.sent[2].second.method, std::string("ask.wait"));
        w.answer(wait, 2, "allowed");
        QCOMPARE(w.answers.back(), std::string("allowed"));
    }

    void theClockEndsWhatNobodyAnswers() {
        World w;
        w.ask(kApply); // there is no host
        QVERIFY(w.asks.nextDeadline() == w.now + kReachPatience);
        w.pass(kReachPatience - 1ms);
        QVERIFY(w.answers.empty());
        w.pass(1ms);
        QCOMPARE(w.answers.size(), std::size_t{1});
        w.connect(1);
        QVERIFY(w.sent.empty()); // and it is not asked late
        w.ask(kWait);
        QVERIFY(w.asks.nextDeadline() == w.now + 60s + kAnswerGrace);
        w.ask(kApply);
        w.pass(60s + kAnswerGrace);
        QCOMPARE(w.answers.size(), std::size_t{2});
        w.pass(kOpenPatience);
        QCOMPARE(w.answers.size(), std::size_t{3});
        QVERIFY(!w.asks.nextDeadline());
    }

    // What was sent and lost has as long again to reach the next host.
    void theNextHostHasToCome() {
        World w;
        w.connect(1);
        w.ask(kWait);
        w.pass(10s);
        w.asks.newEpoch(2, w.now);
        QVERIFY(w.asks.nextDeadline() == w.now + kReachPatience);
        w.pass(kReachPatience);
        QCOMPARE(w.answers.size(), std::size_t{1});
    }

    void whatCannotBeSentWaits() {
        World w;
        w.connect(1);
        w.isGone = true;
        w.ask(kApply);
        QVERIFY(w.sent.empty() && w.answers.empty());
        w.isGone = false;
        w.connect(2);
        QCOMPARE(w.sent.size(), std::size_t{1});
    }

    void soManyAtOnce() {
        World w;
        w.connect(1);
        for (std::size_t i = 0; i < ask::kMaxUnderWay; ++i) {
            w.ask(kWait);
        }
        QVERIFY(w.answers.empty());
        w.ask(kWait);
        QCOMPARE(w.answers.size(), std::size_t{1});
        QCOMPARE(w.sent.size(), ask::kMaxUnderWay);
        w.answer(*w.sent[0].second.id, 1, "denied");
        w.ask(kWait);
        QCOMPARE(w.sent.size(), ask::kMaxUnderWay + 1);
    }

    void answersThatMakeNoSense() {
        World w;
        w.connect(1);
        w.ask(kWait);
        w.ask(kWait);
        w.ask(kWait);
        w.asks.receive({*w.sent[0].second.id, json::value(7)}, 1);
        w.asks.receive({*w.sent[1].second.id, json::value{{"id", 7}, {"state", "perhaps"}, {"words", ""}}}, 1);
        w.asks.receive({*w.sent[2].second.id, fail(ErrorCode::NotFound, "there is no such request")}, 1);
        QCOMPARE(w.answers.size(), std::size_t{3});
        QCOMPARE(w.answers[2], std::string("there is no such request"));
    }
};

QTEST_GUILESS_MAIN(TestHostAsks)
#include "test_host_asks.moc"

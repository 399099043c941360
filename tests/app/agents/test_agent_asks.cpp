// SPDX-License-Identifier: Apache-2.0
// A question that a clerk hands on reaches whoever the composition says, and each is answered once, whatever becomes of the
// one who was asked.
#include "tests/app/agents/agent_world.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

// What the clerk is answered.
class Answers {
public:
    void attach(StandInClerks& clerks) {
        clerks.on("ask.answer", [this](const json::object& params) {
            const std::lock_guard lock(m_mutex);
            m_all.push_back(json::serialize(params));
            return json::object{};
        });
    }
    [[nodiscard]] std::vector<std::string> all() const {
        const std::lock_guard lock(m_mutex);
        return m_all;
    }
    [[nodiscard]] bool hold(const std::string& text) const {
        const auto now = all();
        return std::any_of(now.begin(), now.end(), [&](const auto& one) { return one.find(text) != std::string::npos; });
    }

private:
    mutable std::mutex m_mutex;
    std::vector<std::string> m_all;
};

struct Asked {
    std::string agent;
    ask::Question question;
    AnswerAsk answer;
};

// Whom the agent's questions reach.
class Desk {
public:
    void attach(Services& services) {
        services.asked = [this](const std::string& agent, const ask::Question& question, AnswerAsk answer) {
            const std::lock_guard lock(m_mutex);
            m_waiting.push_back({agent, question, std::move(answer)});
        };
    }
    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock(m_mutex);
        return m_waiting.size();
    }
    Asked take() {
        const std::lock_guard lock(m_mutex);
        auto first = std::move(m_waiting.front());
        m_waiting.erase(m_waiting.begin());
        return first;
    }
    void dropAll() {
        std::vector<Asked> all;
        {
            const std::lock_guard lock(m_mutex);
            all.swap(m_waiting);
        }
    }

private:
    mutable std::mutex m_mutex;
    std::vector<Asked> m_waiting;
};

// The agent and its clerks go first.
struct World {
    Answers answers;
    Desk desk;
    AgentWorld w;
    World() {
        answers.attach(w.clerks);
        desk.attach(w.services);
    }
};

json::object asks(std::uint64_t number, const ask::Question& question) {
    return {{"number", number}, {"method", ask::methodOf(question)}, {"params", ask::paramsOf(question)}};
}

} // namespace

class TestAgentAsks : public QObject {
    Q_OBJECT
private slots:
    void aQuestionIsHandedOnAndAnswered() {
        World all;
        auto& [answers, desk, w] = all;
        QVERIFY(w.start());
        const ask::Question question = ask::Apply{{{1, SharePath::parse("a").value()}}, "done"};
        w.clerks.tell("ask", asks(7, question));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), std::size_t{1}, 60'000);
        auto asked = desk.take();
        QCOMPARE(asked.agent, w.agent->id());
        QVERIFY(asked.question == question);
        asked.answer(ask::Standings{{3, ask::State::Open, "It waits for an answer"}});
        asked.answer(ask::Standings{{3, ask::State::Allowed, "twice"}}); // only the first counts
        asked.answer = nullptr;
        QTRY_VERIFY_WITH_TIMEOUT(!answers.all().empty(), 60'000);
        QCOMPARE(answers.all(),
                 std::vector<std::string>{
                     R"({"number":7,"answer":{"id":3,"state":"open","words":"It waits for an answer"}})"});
        QVERIFY(w.stop());
        QCOMPARE(answers.all().size(), std::size_t{1});
    }

    void anErrorIsToldInItsWords() {
        World all;
        auto& [answers, desk, w] = all;
        QVERIFY(w.start());
        w.clerks.tell("ask", asks(1, ask::Withdraw{9}));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), std::size_t{1}, 60'000);
        desk.take().answer(fail(ErrorCode::NotFound, "there is no request 9"));
        QTRY_VERIFY_WITH_TIMEOUT(answers.hold(R"("kind":"not-found")"), 60'000);
    }

    void nobodyToAskIsSaid() {
        Answers answers;
        AgentWorld w;
        answers.attach(w.clerks);
        QVERIFY(w.start());
        w.clerks.tell("ask", asks(1, ask::Folder{"more"}));
        QTRY_VERIFY_WITH_TIMEOUT(answers.hold("nobody can be asked here"), 60'000);
    }

    void whatNobodyAnswersIsAnswered() {
        World all;
        auto& [answers, desk, w] = all;
        QVERIFY(w.start());
        w.clerks.tell("ask", asks(5, ask::Why{}));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), std::size_t{1}, 60'000);
        desk.dropAll();
        QTRY_VERIFY_WITH_TIMEOUT(answers.hold(R"("number":5,"error")"), 60'000);
    }

    // The agent's own locks are free: whoever is asked may look at it, and answer at once.
    void noLockIsHeld() {
        Answers answers;
        AgentWorld w(true);
        answers.attach(w.clerks);
        w.services.asked = [&](const std::string&, const ask::Question&, const AnswerAsk& answer) {
            (void)w.agent->describe();
            (void)w.agent->history({}, 10);
            answer(ask::Standings{{0, ask::State::Denied, "no"}});
        };
        QVERIFY(w.start());
        w.clerks.tell("ask", asks(1, ask::Folder{"more"}));
        QTRY_VERIFY_WITH_TIMEOUT(answers.hold(R"("state":"denied")"), 60'000);
    }

    // A clerk that hands on more than it may is told so; one whose question is none is broken, and another takes over.
    void aBrokenClerkIsBoundedAndEnded() {
        World all;
        auto& [answers, desk, w] = all;
        QVERIFY(w.start());
        for (std::uint64_t i = 1; i <= ask::kMaxUnderWay + 1; ++i) {
            w.clerks.tell("ask", asks(i, ask::Wait{1, 1s}));
        }
        QTRY_VERIFY_WITH_TIMEOUT(answers.hold("too many programs"), 60'000);
        QCOMPARE(desk.size(), ask::kMaxUnderWay);
        desk.take().answer(ask::Standings{{1, ask::State::Denied, ""}});
        w.clerks.tell("ask", asks(100, ask::Wait{1, 1s}));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), ask::kMaxUnderWay, 60'000);

        const unsigned clerks = w.clerks.count("attach");
        w.clerks.tell("ask", {{"number", 200}, {"method", "ask.allow"}, {"params", json::object{}}});
        QTRY_VERIFY_WITH_TIMEOUT(w.clerks.count("attach") > clerks, 60'000);
        QCOMPARE(desk.size(), ask::kMaxUnderWay);
        desk.dropAll(); // of a clerk that has gone: nobody is told, and nothing breaks
        w.clerks.tell("ask", asks(1, ask::Why{}));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), std::size_t{1}, 60'000);
    }

    // I2. Another takes over, and hears what there is.
    void aWordThatThereIsNotEndsTheClerk() {
        World all;
        auto& [answers, desk, w] = all;
        QVERIFY(w.start());
        const unsigned clerks = w.clerks.count("attach");
        w.clerks.tell("changes.apply", {{"share", 1}});
        QTRY_VERIFY_WITH_TIMEOUT(w.clerks.count("attach") > clerks, 60'000);
        w.clerks.tell("ask", asks(1, ask::Why{}));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), std::size_t{1}, 60'000);
    }

    void anAnswerMayComeAfterTheAgentHasGone() {
        World all;
        auto& [answers, desk, w] = all;
        QVERIFY(w.start());
        w.clerks.tell("ask", asks(1, ask::Wait{1, 60s}));
        QTRY_COMPARE_WITH_TIMEOUT(desk.size(), std::size_t{1}, 60'000);
        auto asked = desk.take();
        QVERIFY(w.stop());
        w.agent.reset();
        asked.answer(ask::Standings{{1, ask::State::Allowed, ""}});
        QVERIFY(answers.all().empty());
    }
};

QTEST_GUILESS_MAIN(TestAgentAsks)
#include "test_agent_asks.moc"

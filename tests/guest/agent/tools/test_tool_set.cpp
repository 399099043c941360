// SPDX-License-Identifier: Apache-2.0
// The tools together, as a loop has them; and the question to the user, with one who plays.
#include "guest/agent/tools/ask_tool.h"
#include "guest/agent/tools/tool_set.h"
#include "guest/agent/tools/tool_specs.h"
#include "tests/guest/agent/played_model.h"
#include "tests/guest/agent/tools/tool_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

class PlayedAsker final : public Asker {
public:
    Result<std::string> ask(const Question& question, const std::stop_token& stop) override {
        asked.push_back(question);
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "it was stopped");
        }
        return answer;
    }
    std::vector<Question> asked;
    Result<std::string> answer = std::string("blue");
};

class PlayedShower final : public PlanShower {
public:
    void show(const std::vector<PlanEntry>& plan) override { shown.push_back(plan); }
    std::vector<std::vector<PlanEntry>> shown;
};

class NoWeb final : public Web {
public:
    Result<WebPage> get(const WebAddress&, std::size_t, const std::stop_token&) override { return fail(ErrorCode::Unavailable, "there is none"); }
    std::string whyNot(const std::string&, const std::stop_token&) override { return {}; }
};

} // namespace

class TestToolSet : public QObject {
    Q_OBJECT
    PlayedAsker m_asker;
    PlayedShower m_shower;
    NoWeb m_web;

    ToolOutcome asks(const std::string& input, const std::stop_token& stop = {}) {
        AskTool tool(*ownToolSpec("ask"), m_asker);
        return use(tool, input, stop);
    }

private slots:
    void init() { m_asker = {}; }

    void asksTheUser() {
        auto outcome = asks("{'question':'Which?','choices':['red','blue']}");
        QVERIFY(outcome.end == ToolEnd::Done);
        QCOMPARE(outcome.text, std::string("blue"));
        QCOMPARE(m_asker.asked[0].text, std::string("Which?"));
        QCOMPARE(m_asker.asked[0].choices, (std::vector<std::string>{"red", "blue"}));
        m_asker.answer = "neither\xff";
        outcome = asks("{'question':'Which?'}");
        QCOMPARE(outcome.text, std::string("neither\xef\xbf\xbd"));
        QVERIFY(m_asker.asked[1].choices.empty());
    }

    void saysWhyThereIsNoAnswer() {
        m_asker.answer = fail(ErrorCode::Unavailable, "nobody is there", "decide yourself");
        QVERIFY(asks("{'question':'Which?'}").end == ToolEnd::Failed);
        QCOMPARE(asks("{'question':'Which?'}").text, std::string("nobody is there. Hint: decide yourself."));
        m_asker.answer = " \n";
        QVERIFY(asks("{'question':'Which?'}").end == ToolEnd::Failed);
        std::stop_source source;
        source.request_stop();
        QVERIFY(has(asks("{'question':'Which?'}", source.get_token()).text, "it was stopped"));
    }

    void asksNothingThatIsNoQuestion_data() {
        QTest::addColumn<QByteArray>("input");
        QTest::newRow("nothing") << QByteArray("{}");
        QTest::newRow("blank") << QByteArray("{'question':' '}");
        QTest::newRow("too long") << QByteArray("{'question':'" + QByteArray(5000, 'x') + "'}");
        QTest::newRow("one choice") << QByteArray("{'question':'x','choices':['a']}");
        QTest::newRow("twice the same") << QByteArray("{'question':'x','choices':['a','b','a']}");
        QTest::newRow("too many") << QByteArray("{'question':'x','choices':['a','b','c','d','e','f','g','h','i']}");
        QTest::newRow("no text") << QByteArray("{'question':'x','choices':['a',1]}");
        QTest::newRow("blank choice") << QByteArray("{'question':'x','choices':['a','']}");
        QTest::newRow("an unknown field") << QByteArray("{'question':'x','options':[]}");
    }
    void asksNothingThatIsNoQuestion() {
        QFETCH(QByteArray, input);
        const auto outcome = asks(input.toStdString());
        QVERIFY(outcome.end == ToolEnd::Failed && has(outcome.text, "ask: "));
        QVERIFY(m_asker.asked.empty());
    }

    void isThereAsAWhole() {
        const Folder folder;
        const auto set = ToolSet::make({folder.path(), {}}, {m_asker, m_shower, m_web});
        QVERIFY(set);
        std::string names;
        for (const auto* tool : (*set)->tools()) {
            names += tool->spec().name + " ";
        }
        QCOMPARE(names, std::string("bash read write edit list search ask plan fetch "));
        QVERIFY(!ToolSet::make({"relative", {}}, {m_asker, m_shower, m_web}));
    }

    // A turn after the other, with calls side by side, through the loop: what one conversation wrote, it may edit.
    void worksInTheLoop() {
        const Folder folder;
        const auto set = ToolSet::make({folder.path(), {}}, {m_asker, m_shower, m_web});
        const auto write = j("{'path':'a','content':'one'}");
        const auto edit = j("{'path':'a','old':'one','new':'two'}");
        const auto run = j("{'command':'cat a'}");
        const auto ask = j("{'question':'Well?'}");
        PlayedModel model({calls({{"write", write.c_str()}}), calls({{"edit", edit.c_str()}, {"ask", ask.c_str()}}),
                           calls({{"bash", run.c_str()}}), says("done")});
        NoWaiter waiter;
        Loop loop({}, model, (*set)->tools(), RetryPolicy([] { return 0.0; }), waiter);
        Conversation conversation;
        Told told;
        QVERIFY(loop.prompt(conversation, "go", told, {}).reason == EndReason::EndOfTurn);
        QCOMPARE(model.tools, std::size_t(9));
        const auto& last = conversation.messages()[6].parts[0];
        QCOMPARE(std::get<ToolResult>(last).text, std::string("two\n[It ended with status 0.]"));
    }
};

QTEST_GUILESS_MAIN(TestToolSet)
#include "test_tool_set.moc"

// SPDX-License-Identifier: Apache-2.0
// What is a plan, and what is none.
#include "guest/agent/tools/plan_tool.h"
#include "guest/agent/tools/tool_specs.h"
#include "tests/guest/agent/tools/tool_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {
class Shown final : public PlanShower {
public:
    void show(const std::vector<PlanEntry>& plan) override { plans.push_back(plan); }
    std::vector<std::vector<PlanEntry>> plans;
};
} // namespace

class TestPlan : public QObject {
    Q_OBJECT
    Shown m_shown;

    ToolOutcome plans(const std::string& input) {
        PlanTool tool(*ownToolSpec("plan"), m_shown);
        return use(tool, input);
    }

private slots:
    void init() { m_shown = {}; }

    void isShown() {
        const auto outcome = plans("{'entries':[{'content':'look','status':'completed','priority':'high'},{'content':'write','status':'in_progress'}]}");
        QVERIFY(outcome.end == ToolEnd::Done);
        QCOMPARE(outcome.text, std::string("The user sees the plan: 1 of 2 steps are done."));
        QCOMPARE(m_shown.plans.size(), std::size_t(1));
        QCOMPARE(m_shown.plans[0][0].priority, std::string("high"));
        QCOMPARE(m_shown.plans[0][1].priority, std::string("medium"));
        QCOMPARE(m_shown.plans[0][1].content, std::string("write"));
    }

    void isNone_data() {
        QTest::addColumn<QByteArray>("input");
        for (const char* each :
             {"{}", "{'entries':[]}", "{'entries':['look']}", "{'entries':[{'content':'x'}]}", "{'entries':[{'content':' ','status':'pending'}]}",
              "{'entries':[{'content':'x','status':'done'}]}", "{'entries':[{'content':'x','status':'pending','priority':'urgent'}]}",
              "{'entries':[{'content':'x','status':'pending','more':1}]}", "{'entries':{},'x':1}"}) {
            QTest::newRow(each) << QByteArray(each);
        }
    }
    void isNone() {
        QFETCH(QByteArray, input);
        const auto outcome = plans(input.toStdString());
        QVERIFY(outcome.end == ToolEnd::Failed && has(outcome.text, "plan"));
        QVERIFY(m_shown.plans.empty());
    }
};

QTEST_GUILESS_MAIN(TestPlan)
#include "test_plan.moc"

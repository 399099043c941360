// SPDX-License-Identifier: Apache-2.0
// What an agent may use of models and machines, on the command line.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliBudget : public QObject, protected CliTest {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        prepareAll();
    }
    void init() { beginEngine(); }
    void cleanup() { endEngine(); }

    void verbsAskAndShow() {
        checkVerb({"budget", "clerk", "--tokens", "2,000,000", "--money", "5.00", "--time", "2h", "--cpu", "30m"}, "budget.set",
                  R"({"agent":"clerk","tokens":2000000,"micro_dollars":5000000,"time_s":7200,"cpu_s":1800})",
                  "Agent clerk may use 2,000,000 tokens, $5.00, 2 h of work and 30 min of processor time.\n");
        checkVerb({"budget", "clerk"}, "budget.show", R"({"agent":"clerk"})",
                  "175,000 tokens in 12 requests, $0.1234, 40 min of work, 3 min 5 s of processor time.\n"
                  "  Tokens: 41,200 in, 5,300 out, 120,400 read from a cache, 8,100 written into one.\n"
                  "  900 of them were not told by the model's host, and are a guess.\n");
        checkVerb({"budget", "clerk", "none"}, "budget.set", R"({"agent":"clerk","tokens":0,"micro_dollars":0,"time_s":0,"cpu_s":0})", "may use");
        checkVerb({"budget", "clerk", "--money", "none"}, "budget.set", R"({"agent":"clerk","micro_dollars":0})", "may use");
        checkVerb({"budget", "clerk", "--money", "$0.50"}, "budget.set", R"({"agent":"clerk","micro_dollars":500000})", "may use");
    }
    void whereThereIsNoneAndWhereItIsUsedUp() {
        json::value answer{{"agent", "clerk"}, {"budget", json::object()}, {"since", nullptr},
                           {"used", {{"requests", 1}, {"input", 7}, {"output", 0}, {"cache_read", 0}, {"cache_write", 0}, {"estimated", 0}, {"micro_dollars", 0},
                                     {"unpriced", 7}, {"unpriced_model", "new\u001b[31m-1"}, {"time_s", 0}, {"cpu_s", 0}}}};
        m_engine->setAnswer("budget.show", answer);
        auto out = run({"budget", "clerk"}).out;
        QVERIFY2(out.startsWith("Agent clerk has no budget: it may use as much as it likes.\nSo far: 7 tokens in 1 request, $0.00"), out);
        QVERIFY2(out.contains("What 7 of them cost is not known: there is no price of new") && !out.contains('\x1b'), out);
        answer.as_object()["over"] = json::object{{"bound", "tokens"}, {"text", "Of this agent the budget of 5 tokens is used up"}};
        m_engine->setAnswer("budget.show", answer);
        out = run({"budget", "clerk"}).out;
        QVERIFY2(out.endsWith("Of this agent the budget of 5 tokens is used up.\n"), out);
    }
    void whatIsNoBudgetIsNotAsked() {
        const auto wrong = [&](const QStringList& arguments) { return run(QStringList{"budget", "clerk"} + arguments); };
        for (const char* tokens : {"many", "0", "-1", "1.5", ",", "99999999999999999999"}) {
            const auto ran = wrong({QString("--tokens=") + tokens});
            QVERIFY2(ran.status == 1 && ran.err.contains("--tokens takes a whole number, or none"), ran.err);
        }
        for (const char* money : {"much", "0", "-1", "1,5", "0.0000001"}) {
            QVERIFY(wrong({QString("--money=") + money}).err.contains("--money takes US dollars, or none"));
        }
        QVERIFY(wrong({"--time=2"}).err.contains("--time takes a length of time, or none"));
        QVERIFY(wrong({"--cpu=0s"}).err.contains("--cpu takes"));
        QVERIFY(wrong({"all"}).err.contains("may stand none"));
        QCOMPARE(run({"budget"}).status, 2);
        QVERIFY(asked().isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliBudget)
#include "test_cli_budget.moc"

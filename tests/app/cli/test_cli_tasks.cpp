// SPDX-License-Identifier: Apache-2.0
// Tasks on the command line: what is asked of the engine, and what an agent's words may do to a terminal, which is nothing.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliTasks : public QObject, protected CliTest {
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

    void whatIsGiven() {
        checkVerb({"task", "desk", "Sort these receipts into a report", "--detach", "--ask", "--money", "2.50", "--time", "1h", "--tokens", "1000", "--every", "24h"},
                  "task.add",
                  R"({"agent":"desk","text":"Sort these receipts into a report","permissions":"ask","every_s":86400,
                      "budget":{"tokens":1000,"micro_dollars":2500000,"wall_s":3600}})",
                  "Task 1 of agent desk: queued.\nFollow it: carrel task show desk 1 --follow\n");
        checkVerb({"task", "list", "desk"}, "task.list", R"({"agent":"desk"})", "Sort these receipts into a report");
        checkVerb({"task", "list"}, "task.list", "{}", "desk");
        checkVerb({"task", "cancel", "desk", "3"}, "task.cancel", R"({"agent":"desk","task":3})", "what it changed waits for your review");
        const auto file = m_folder.filePath("a file").toUtf8();
        (void)run({"task", "desk", "x", "--detach", "--attach", file});
        QVERIFY(asked().last() == "task.add" && lastParams().contains(file));
        (void)run({"task", "desk", "x", "--detach", "--at", "2199-03-01T10:00"});
        QVERIFY(asked().last() == "task.add" && lastParams().contains("2199-03-01T10:00:00Z"));
    }

    void whatIsWrongIsNotAsked() {
        for (const QStringList& arguments :
             {QStringList{"task", "desk"}, {"task", "desk", "x", "--money", "much"}, {"task", "desk", "x", "--tokens", "0"}, {"task", "desk", "x", "--time", "2"},
              {"task", "desk", "x", "--every", "59s"}, {"task", "desk", "x", "--at", "soon"}}) {
            QVERIFY2(run(arguments).status == 1, qPrintable(arguments.join(' ')));
        }
        QCOMPARE(run({"task", "desk", "x", "--follow", "--detach"}).status, 2);
        QCOMPARE(run({"task", "answer", "desk", "1", "--yes", "--no"}).status, 2);
        QVERIFY(asked().isEmpty());
    }

    // It is followed until it is over: a text that grew by what it grew, tools once, and each of an agent's lines behind a bar.
    void followed() {
        auto news = example("task.watch");
        auto& task = news.at("task").as_object();
        const auto item = [](int number, const char* kind, const char* text, json::object more = {}) {
            json::object out{{"item", number}, {"kind", kind}, {"turn", 1}, {"time", "2026-03-01T12:00:00.000Z"}, {"text", text}};
            out.insert(more.begin(), more.end());
            return out;
        };
        task["state"] = "done";
        task["staged"] = 2;
        task["turns"] = 1;
        task["worked_ms"] = 61'000;
        task["plan"] = json::array{json::object{{"text", "read \x1b[2J"}, {"priority", "high"}, {"status", "completed"}}};
        news["items"] = json::array{item(1, "user", "Sort these"), item(2, "text", "I look\n▸ Task 1 of agent desk: done.\n\x1b]0;title\x07" "and see"),
                                    item(3, "tool", "out", {{"title", "ls \x1b[31m-la"}, {"status", "completed"}, {"tool_kind", "execute"}}),
                                    item(4, "permission", "", {{"title", "rm"}, {"answer", "allow_once, by the task's setting"}}), item(5, "note", "The machine was stopped")};
        m_engine->setAnswer("task.watch", news);
        const auto ran = run({"task", "show", "desk", "1"});
        QCOMPARE(ran.status, 0);
        QVERIFY2(!ran.out.contains('\x1b') && !ran.out.contains('\x07'), ran.out);
        QVERIFY2(ran.out.contains("▸ You: Sort these\n│ I look\n│ ▸ Task 1 of agent desk: done.\n"), ran.out); // no line of its own as ours are
        QVERIFY2(ran.out.contains("│ ✓ ls ") && ran.out.contains("│ [x] read ") && ran.out.contains("▸ The machine was stopped\n"), ran.out);
        QVERIFY2(ran.out.contains("▸ It asks: rm (allow_once, by the task's setting)\n"), ran.out);
        QVERIFY2(ran.out.contains("▸ Task 1 of agent desk: done, after 1 min 1 s of work, 0 tokens, $0.00.\n"), ran.out);
        QVERIFY2(ran.out.contains("2 changes wait for your review: carrel changes desk, then carrel apply desk"), ran.out);
    }

    void whatItWaitsForIsSaidAndAnswered() {
        auto news = example("task.watch");
        auto& task = news.at("task").as_object();
        task["state"] = "waiting";
        task["waits_for"] = json::object{{"kind", "permission"}, {"text", "rm -r \x1b[31mx"}, {"hint", ""}, {"request", 7},
                                         {"options", {{{"id", "always"}, {"name", "Always"}, {"kind", "allow_always"}}, {{"id", "once"}, {"name", "Once"}, {"kind", "allow_once"}}}}};
        m_engine->setAnswer("task.watch", news);
        auto ran = run({"task", "show", "desk", "1", "--follow"});
        QVERIFY2(ran.status == 1 && ran.out.contains("asks leave inside its machine: rm -r ") && ran.out.contains("carrel task answer desk 1"), ran.out);
        QVERIFY(!ran.out.contains('\x1b'));
        QVERIFY(run({"task", "answer", "desk", "1"}).status == 1); // how, is not said
        (void)asked();
        QCOMPARE(run({"task", "answer", "desk", "1", "--yes"}).status, 0);
        QVERIFY(asked().last() == "task.answer" && lastParams().contains(R"("option":"once")") && lastParams().contains(R"("request":7)"));
        QCOMPARE(run({"task", "answer", "desk", "1", "--no"}).status, 0);
        QVERIFY(asked().last() == "task.answer" && !lastParams().contains("option"));
        task["waits_for"] = json::object{{"kind", "budget"}, {"text", "The money is used up."}, {"hint", "Go on, or not."}};
        m_engine->setAnswer("task.watch", news);
        ran = run({"task", "show", "desk", "1"});
        QVERIFY2(ran.out.contains("waits: The money is used up.") && ran.out.contains("--go-on"), ran.out);
        (void)asked();
        QCOMPARE(run({"task", "answer", "desk", "1", "--go-on"}).status, 0);
        QVERIFY(asked().last() == "task.answer" && lastParams().contains(R"("go_on":true)"));
        task["waits_for"] = nullptr;
        task["state"] = "failed";
        task["error"] = json::object{{"message", "The key is wrong."}, {"hint", "Add it anew."}};
        m_engine->setAnswer("task.watch", news);
        ran = run({"task", "show", "desk", "1", "--follow"});
        QVERIFY2(ran.status == 1 && ran.out.contains("▸ The key is wrong.\n▸ Add it anew.\n"), ran.out);
        QVERIFY(run({"task", "answer", "desk", "1", "--yes"}).err.contains("waits for no answer"));
    }
};

QTEST_GUILESS_MAIN(TestCliTasks)
#include "test_cli_tasks.moc"

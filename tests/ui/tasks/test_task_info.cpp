// SPDX-License-Identifier: Apache-2.0
// How a task stands, in words: what is not known is said so, and what a later engine says is shown as far as it goes.
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/tasks/task_info.h"
#include "ui/text/languages.h"

#include <QLocale>
#include <QTest>

using namespace carrel::ui;
namespace json = boost::json;

class TestTaskInfo : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        QLocale::setDefault(QLocale(QLocale::English, QLocale::UnitedStates));
        installLanguages();
    }
    void whatItCost() {
        TaskUsage usage;
        QCOMPARE(usageText(usage), QString("no model asked yet"));
        usage = {3, 12345, 678, "0.012345", false};
        QCOMPARE(usageText(usage), QString("12,345 tokens read, 678 written, $0.012"));
        usage.estimated = true;
        QCOMPARE(usageText(usage), QString("12,345 tokens read, 678 written, $0.012 (estimated)"));
        usage.cost = {};
        QVERIFY2(usageText(usage).contains("cost unknown"), qPrintable(usageText(usage)));
        usage.cost = "0.000012";
        QVERIFY2(usageText(usage).contains("$0.000012"), qPrintable(usageText(usage)));
        usage.cost = "12.5";
        QVERIFY2(usageText(usage).contains("$12.50"), qPrintable(usageText(usage)));
    }
    void howLong() {
        using std::chrono::milliseconds;
        QCOMPARE(workedText(milliseconds(900)), QString("0 s"));
        QCOMPARE(workedText(milliseconds(192'000)), QString("3 min 12 s"));
        QCOMPARE(workedText(milliseconds(7'500'000)), QString("2 h 5 min"));
        QCOMPARE(everyText(std::chrono::seconds(86'400)), QString("every day"));
        QCOMPARE(everyText(std::chrono::seconds(3 * 86'400)), QString("every 3 days"));
        QCOMPARE(everyText(std::chrono::seconds(7'200)), QString("every 2 hours"));
        QCOMPARE(everyText(std::chrono::seconds(90)), QString("every 90 seconds"));
    }
    void howItStands() {
        TaskInfo task;
        task.state = TaskState::Waiting;
        task.waitsFor = TaskWait{TaskWait::Kind::Budget, "", "", 0, {}};
        QCOMPARE(taskStandsText(task), QString("Waits for you: its budget is used up"));
        QVERIFY(task.isOpen() && !task.works() && !task.isOver());
        task = taskFrom({{"state", "scheduled"}, {"next", "2026-03-02T12:00:00Z"}, {"every_s", 86400}});
        QVERIFY2(taskStandsText(task).startsWith("Begins ") && taskStandsText(task).endsWith(", every day"), qPrintable(taskStandsText(task)));
        QVERIFY(task.isOpen());
        for (const auto state : {TaskState::Done, TaskState::Failed, TaskState::Cancelled}) {
            task.state = state;
            QVERIFY(task.isOver() && !task.isOpen());
        }
    }
    void whoseAndWhen() {
        const auto task = taskFrom({{"program", "opencode"}, {"provider", "hosted"}, {"created", "2026-03-02T12:00:00Z"}, {"begun", nullptr}});
        const auto lines = taskDetails(task).split('\n');
        QCOMPARE(lines.size(), 3);
        QVERIFY(lines[0] == "Program: opencode" && lines[1] == "Model by: hosted" && lines[2].startsWith("Given: "));
    }
    // Every state and kind of the schema is one that is known here.
    void allOfThem() {
        for (const char* state : {"scheduled", "queued", "starting", "working", "waiting", "done", "failed", "cancelled"}) {
            QVERIFY2(taskFrom({{"state", state}}).state != TaskState::Unknown, state);
        }
        for (const char* kind : {"permission", "budget", "machine", "provider"}) {
            QVERIFY2(taskFrom({{"waits_for", {{"kind", kind}}}}).waitsFor->kind != TaskWait::Kind::Unknown, kind);
        }
        for (const char* kind : {"allow_once", "allow_always", "reject_once", "reject_always"}) {
            const auto task = taskFrom({{"waits_for", {{"kind", "permission"}, {"options", json::array{json::object{{"id", "a"}, {"name", "b"}, {"kind", kind}}}}}}});
            QVERIFY2(task.waitsFor->options.front().kind != TaskWait::Option::Kind::Unknown, kind);
        }
    }
    void ofALaterEngine() {
        const auto task = taskFrom({{"id", 7}, {"state", "dreaming"}, {"plan", {1, {{"text", "a"}, {"status", "odd"}}}}, {"waits_for", {{"kind", "luck"}}}, {"usage", 5}});
        QVERIFY(task.state == TaskState::Unknown && !task.isOpen());
        QCOMPARE(task.plan.size(), 1);
        QVERIFY(task.plan.front().status == PlanStep::Status::Pending);
        QVERIFY(task.waitsFor->kind == TaskWait::Kind::Unknown);
        QVERIFY(taskStateText(task.state).contains("does not know"));
        QCOMPARE(taskTitle(task), QString("Task 7"));
    }
    // What a button does is Carrel's word, whatever the agent calls it.
    void whatAButtonSays() {
        using Option = TaskWait::Option;
        QCOMPARE(optionText({"a", "Refuse", Option::Kind::AllowAlways}, false), QString("Allow from now on"));
        QCOMPARE(optionText({"a", "Refuse", Option::Kind::AllowAlways}, true), QString("Allow from now on: “Refuse”"));
        QCOMPARE(optionText({"a", "Yes\nno", Option::Kind::Unknown}, false), QString("Answer: “Yes\\nno”"));
    }
    void nastyTexts_data() {
        QTest::addColumn<QString>("name");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << name;
        }
    }
    void nastyTexts() {
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            if (name == QTest::currentDataTag()) {
                TaskInfo task;
                task.title = text;
                QCOMPARE(carrel::test::unfit(("> " + taskTitle(task)).toUtf8()), QString());
                QVERIFY(!taskTitle(task).contains('\n'));
                QCOMPARE(carrel::test::unfit(optionText({"a", text, TaskWait::Option::Kind::Unknown}, true).toUtf8()), QString());
            }
        }
    }
};

QTEST_MAIN(TestTaskInfo)
#include "test_task_info.moc"

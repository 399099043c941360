// SPDX-License-Identifier: Apache-2.0
// A task's file: all of it comes back, and what cannot be read is said.
#include "app/tasks/task.h"

#include <QFile>
#include <QIODevice>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::tasks;

class TestTaskRecord : public QObject {
    Q_OBJECT
private slots:
    void allOfItComesBack() {
        QTemporaryDir dir;
        const std::filesystem::path file = dir.filePath("1.json").toStdString();
        TaskRecord task;
        task.id = 9;
        task.title = "Sort \xc3\xa4";
        task.state = TaskState::Waiting;
        task.program = "opencode";
        task.provider = "house";
        task.permissions = Permissions::Ask;
        task.createdMs = 1, task.begunMs = 2, task.endedMs = 3, task.queuedMs = 4, task.workedMs = 5, task.turns = 6;
        task.unsaid = {{"say", {"/workspace/a"}}, {"and", {}}};
        task.run = 7, task.gone = true, task.stray = true, task.session = "s", task.open = true, task.told = true;
        task.plan = {{"read", talk::Priority::High, talk::StepStatus::Completed}};
        task.waiting = Waiting{WaitsFor::Permission, "Run?", "it asks", 8, true, {{"y", "Yes", talk::OptionKind::AllowAlways}}};
        task.asks = {*task.waiting, *task.waiting};
        task.cancelling = true;
        task.trouble = Trouble{"broke", "mend"};
        task.summary = "so far", task.firstEvent = 10, task.lastEvent = 11, task.staged = 12, task.nextMs = 13, task.everyS = 14;
        task.budget = {1, 2, 3, 4};
        QVERIFY(save(task, file));
        const auto back = loadTask(file);
        QVERIFY2(back, back ? "" : back.error().text().c_str());
        QVERIFY(save(*back, dir.filePath("2.json").toStdString()));
        QFile one(dir.filePath("1.json")), two(dir.filePath("2.json"));
        QVERIFY(one.open(QIODevice::ReadOnly) && two.open(QIODevice::ReadOnly));
        QCOMPARE(two.readAll(), one.readAll());
        QVERIFY(back->waiting && back->asks.size() == 2 && back->cancelling && back->waiting->options == task.waiting->options && back->unsaid.size() == 2 && back->plan == task.plan);
        QVERIFY(back->trouble->hint == "mend" && back->budget.cpuSeconds == 4U && back->open && back->told && back->permissions == Permissions::Ask);
    }

    void whatCannotBeReadIsSaid() {
        QTemporaryDir dir;
        TaskRecord task;
        task.id = 1;
        task.title = "t";
        const auto path = dir.filePath("1.json");
        QVERIFY(save(task, path.toStdString()));
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto good = file.readAll();
        file.close();
        const auto put = [&](QByteArray text) {
            QFile out(path);
            QVERIFY(out.open(QIODevice::WriteOnly) && out.write(text) == text.size());
        };
        for (const auto& [from, to] : {std::pair<const char*, const char*>{"\"schema\":1", "\"schema\":2"}, {"\"queued\"", "\"resting\""}, {"\"id\":1", "\"id\":0"}, {"\"run\":0", "\"run\":0,\"walk\":1"}}) {
            put(QByteArray(good).replace(from, to));
            const auto read = loadTask(path.toStdString());
            QVERIFY2(!read && !read.error().hint.empty(), from);
        }
        put(good);
        QVERIFY(loadTask(path.toStdString()));
    }

    void titles() {
        QCOMPARE(titleOf("\n  Sort these\nby date"), std::string("Sort these"));
        QVERIFY(titleOf(std::string(1000, 'a')).size() <= kMaxTitleBytes && titleOf(std::string(1000, 'a')).ends_with("…"));
        QCOMPARE(titleOf("a\xff"), std::string("a?"));
    }
};

QTEST_GUILESS_MAIN(TestTaskRecord)
#include "test_task_record.moc"

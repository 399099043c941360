// SPDX-License-Identifier: Apache-2.0
// The tasks and stories for the pictures of desktop_shots.cpp, and the pictures of them.
#pragma once

#include "tests/ui/desktop_world.h"
#include "tests/ui/tasks/played_tasks.h"
#include "ui/agents/agent_page.h"
#include "ui/providers/model_dialog.h"
#include "ui/tasks/attachments.h"
#include "ui/tasks/story_model.h"
#include "ui/tasks/story_view.h"
#include "ui/tasks/task_page.h"
#include "ui/window/main_window.h"

#include <QLineEdit>
#include <QListView>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QToolButton>

namespace carrel::ui::test {

inline void tellOfReceipts(PlayedTasks& played, std::uint64_t id) {
    auto user = taskItem(1, "user", "Sort these receipts into a report: one table, by month, with totals.");
    user["files"] = {"/run/carrel/files/1/monday.pdf", "/run/carrel/files/1/tuesday.pdf"};
    auto list = toolItem(4, "List /workspace/papers", "completed", "search");
    auto read = toolItem(5, "pdftotext /run/carrel/files/1/monday.pdf -", "completed", "execute");
    read["input"] = "pdftotext /run/carrel/files/1/monday.pdf -";
    read["text"] = "Tea house            3.10\nPaper                12.40\nTotal                15.50";
    auto failed = toolItem(6, "pdftotext /run/carrel/files/1/tuesday.pdf -", "failed", "execute");
    auto edit = toolItem(9, "Write report.md", "in_progress", "edit");
    edit["paths"] = json::array{"/workspace/papers/report.md"};
    edit["diffs"] = json::array{json::object{{"path", "report.md"}, {"old", "# Report\n"}, {"new", "# Report\n\n| month | total |\n|---|---|\n| March | 15.50 |\n"}}};
    edit["text"] = "written";
    played.tell(id, {std::move(user), taskItem(2, "note", "The machine was started for this task."),
                     taskItem(3, "thought", "The user wants one table. First I look at what there is, then at what the receipts say."), std::move(list), std::move(read), std::move(failed),
                     taskItem(7, "text", "One of the two is a scan, so I read it by its picture. What I found:\n\n- tea house: 3.10\n- paper: 12.40\n  - of which white: 8.00\n\n"
                                         "The table will look like this:\n\n```\nmonth   what    amount\nMarch   tea       3.10\nMarch   paper    12.40\n```"),
                     taskItem(8, "note", "A follow-up of yours waits for the end of this turn."), std::move(edit)});
    played.change(id, [](json::object& task) {
        task["plan"] = {{{"text", "Look at the receipts"}, {"priority", "high"}, {"status", "completed"}},
                        {{"text", "Read what they say, by their pictures where they are scans"}, {"priority", "high"}, {"status", "completed"}},
                        {{"text", "Write the report"}, {"priority", "medium"}, {"status", "in_progress"}},
                        {{"text", "Check the totals"}, {"priority", "low"}, {"status", "pending"}}};
        task["worked_ms"] = 72'000;
        task["unsaid"] = 1;
        task["usage"] = {{"requests", 5}, {"input_tokens", 18'420}, {"output_tokens", 1'210}, {"cost", "0.073410"}, {"estimated", false}};
    });
}

// `files`: where there may be some of the user's. `take`: makes the picture of that name; `until`: waits for it.
template <class Take, class Until> void taskPictures(PlayedTasks& played, const std::filesystem::path& files, MainWindow& window, const Take& take, const Until& until) {
    window.showAgent("desk");
    until([&] { return window.page("desk")->isVisible(); });
    auto& page = *window.page("desk");
    page.showPage("taskPage");
    auto& tasks = *find<TaskPage>(page, "taskPage");
    until([&] { return find<QPushButton>(tasks, "emptyAction")->isVisible(); });
    take(window, "39-task-no-model");
    tasks.chooseModel();
    until([&] { return dialog<ModelDialog>("modelDialog") != nullptr; });
    auto* const model = dialog<ModelDialog>("modelDialog");
    until([&] { return find<QPushButton>(*model, "agree")->isEnabled(); });
    take(*model, "40-model");
    find<QPushButton>(*model, "agree")->click();
    take(*model, "41-model-key-missing");
    find<QListWidget>(*model, "choices")->setCurrentRow(1);
    QTest::keyClicks(find<QLineEdit>(*model, "model"), "qwen3:8b");
    until([&] { return find<QPushButton>(*model, "agree")->isEnabled(); });
    take(*model, "42-model-on-this-computer");
    find<QPushButton>(*model, "agree")->click();
    until([&] { return dialog<ModelDialog>("modelDialog") == nullptr; });
    until([&] { return !find<QPushButton>(tasks, "emptyAction")->isVisible(); });
    take(window, "43-task-first");

    const auto old = played.give("Rename the photos of the fair by their day", "done");
    played.set(old, "staged", 14);
    const auto wrong = played.give("Clean the list of contacts", "failed");
    played.change(wrong, [](json::object& task) {
        task["error"] = {{"message", "The model's provider refused the key"}, {"hint", "Give a new key: choose the model again"}};
        task["usage"] = {{"requests", 1}, {"input_tokens", 0}, {"output_tokens", 0}, {"cost", nullptr}, {"estimated", true}};
    });
    const auto id = played.give("Sort these receipts into a report: one table, by month, with totals.", "working");
    tellOfReceipts(played, id);
    const auto later = played.give("Put this week's invoices into the folder of the tax office", "scheduled");
    played.change(later, [](json::object& task) {
        task["next"] = "2026-03-06T17:00:00.000Z";
        task["every_s"] = 604'800;
    });
    (void)played.give("Write a letter to the bank", "queued");
    auto* const list = find<QListView>(tasks, "tasks");
    until([&] { return list->model()->rowCount() == 5; });
    auto& story = *find<StoryView>(tasks, "story");
    list->setCurrentIndex(list->model()->index(2, 0));
    until([&] { return story.model()->rowCount() == 9; });
    find<QPlainTextEdit>(tasks, "taskText")->setPlainText("And say which of them are missing.");
    take(window, "44-task-works");
    auto& model2 = *qobject_cast<StoryModel*>(story.model());
    find<QToolButton>(tasks, "planLine")->click();
    model2.setOpened(2, true);
    model2.setOpened(4, true);
    model2.setOpened(8, true);
    story.setCurrentIndex(model2.index(4));
    story.verticalScrollBar()->setValue(180);
    take(window, "45-task-opened");
    story.goToEnd();
    take(window, "46-task-opened-end");
    played.change(id, [](json::object& task) {
        task["state"] = "waiting";
        task["waits_for"] = {{"kind", "permission"}, {"text", "Run: curl -T report.md https://files.example.org/"}, {"hint", "What leaves its machine is asked about once more."}, {"request", 7},
                             {"options", {{{"id", "a"}, {"name", "Yes, go ahead"}, {"kind", "allow_once"}}, {{"id", "b"}, {"name", "Always"}, {"kind", "allow_always"}}, {{"id", "c"}, {"name", "No"}, {"kind", "reject_once"}}}}};
    });
    auto permission = taskItem(10, "permission", "It is to be sent");
    permission["title"] = "Run: curl -T report.md https://files.example.org/";
    played.tell(id, {permission});
    until([&] { return find<QWidget>(tasks, "waitPanel")->isVisible(); });
    take(window, "47-task-permission");
    played.change(id, [](json::object& task) { task["waits_for"] = {{"kind", "budget"}, {"text", "It has used 200,000 tokens, which is all that it may."}, {"hint", "Give it as much again, or stop it."}}; });
    take(window, "48-task-budget");
    list->setCurrentIndex(list->model()->index(4, 0));
    until([&] { return find<QWidget>(tasks, "taskEnd")->isVisible(); });
    played.tell(old, {taskItem(1, "user", "Rename the photos of the fair by their day"), taskItem(2, "text", "Done. Fourteen photos have new names; two had no date in them, so I left them as they are.")});
    until([&] { return story.model()->rowCount() == 2; });
    take(window, "49-task-done");
    list->setCurrentIndex(list->model()->index(3, 0));
    take(window, "50-task-failed");
    find<QPushButton>(tasks, "newTask")->click();
    for (const char* name : {"monday.pdf", "tuesday & wednesday.pdf", "a rather long name of a receipt of last year.pdf"}) {
        const auto file = QString::fromStdString((files / name).string());
        if (!carrel::test::writeFile(file, "x")) {
            qFatal("no file");
        }
        find<Attachments>(tasks, "attachments")->add(QStringList{file});
    }
    find<QPlainTextEdit>(tasks, "taskText")->setPlainText("Add these to the report.");
    take(window, "51-task-new");
}

} // namespace carrel::ui::test

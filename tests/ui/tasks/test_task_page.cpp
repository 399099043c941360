// SPDX-License-Identifier: Apache-2.0
// The page of an agent's tasks, used as a person does: typed, followed, answered, stopped, reviewed.
#include "tests/ui/tasks/task_world.h"

#include "app/api/display_text.h"
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"
#include "ui/tasks/attachments.h"
#include "ui/tasks/story_model.h"
#include "ui/tasks/story_view.h"
#include "ui/tasks/task_edit.h"
#include "ui/text/languages.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QDialog>
#include <QLabel>
#include <QListView>
#include <QListWidget>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

#define TRY(what) QTRY_VERIFY_WITH_TIMEOUT(what, kPatience)

class TestTaskPage : public QObject {
    Q_OBJECT
    std::unique_ptr<TaskWorld> w;

    [[nodiscard]] QString textOf(const char* label) const { return w->find<QLabel>(label)->text(); }
    [[nodiscard]] TaskEdit* edit() const { return w->find<TaskEdit>("taskText"); }
    [[nodiscard]] QAbstractItemModel& story() const { return *w->find<StoryView>("story")->model(); }
    [[nodiscard]] QString lineAt(int row) const { return story().index(row, 0).data().toString(); }
    [[nodiscard]] MessageBar* bar(const char* name) const { return w->find<MessageBar>(name); }
    [[nodiscard]] static QPushButton* actionOf(const MessageBar* of) { return of->findChild<QPushButton*>(); }
    [[nodiscard]] int count(const char* verb) const { return static_cast<int>(w->played.asked(verb).size()); }
    [[nodiscard]] std::string last(const char* verb) const {
        const auto all = w->played.asked(verb);
        return all.empty() ? std::string() : json::serialize(all.back());
    }
    void openWithModel() {
        w->played.addProvider("hosted", {"desk"});
        QVERIFY(w->open());
    }
    [[nodiscard]] bool isShown(std::uint64_t task) const { return textOf("taskTitle") == QString::fromStdString(std::string(w->played.task(task).at("title").as_string())); }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        QLocale::setDefault(QLocale(QLocale::English, QLocale::UnitedStates));
        installLanguages();
    }
    void init() { w = std::make_unique<TaskWorld>(); }
    void cleanup() {
        w->page.reset();
        QCOMPARE(w->played.problems(), std::string());
        w.reset();
    }

    // Typed in two lines, sent by Enter, followed to its end, reviewed by one click.
    void fromTheFirstWordToTheReview() {
        openWithModel();
        QVERIFY(w->find<QWidget>("taskEmpty")->isVisible() && !w->find<QListView>("tasks")->isVisible());
        QVERIFY(!w->find<QPushButton>("send")->isEnabled());
        QTest::keyClicks(edit(), "Sort these receipts");
        QTest::keyClick(edit(), Qt::Key_Return, Qt::ShiftModifier);
        QTest::keyClicks(edit(), "into a report");
        QCOMPARE(count("task.add"), 0);
        QTest::keyClick(edit(), Qt::Key_Return);
        TRY(count("task.add") == 1);
        QCOMPARE(last("task.add"), std::string("{\"agent\":\"desk\",\"text\":\"Sort these receipts\\ninto a report\"}"));
        TRY(edit()->toPlainText().isEmpty() && w->find<QWidget>("story")->isVisible());
        TRY(story().rowCount() == 1);
        w->played.change(1, [](json::object& task) {
            task["state"] = "working";
            task["begun"] = "2026-03-01T12:00:00.000Z";
            task["plan"] = {{{"text", "Read the receipts"}, {"priority", "high"}, {"status", "completed"}}, {{"text", "Write the report"}, {"priority", "high"}, {"status", "in_progress"}}};
        });
        TRY(textOf("taskStands") == "Works");
        TRY(w->find<QWidget>("plan")->isVisible());
        QCOMPARE(w->find<QListWidget>("planSteps")->count(), 2);
        QVERIFY(w->find<QListWidget>("planSteps")->item(0)->text().startsWith(QString::fromUtf8("✓")));
        QVERIFY(w->find<QToolButton>("planLine")->text().contains("1 of 2 steps done"));
        w->played.tell(1, {taskItem(2, "text", "I will sort them"), toolItem(3, "Read monday.pdf", "in_progress", "read")});
        TRY(story().rowCount() == 3);
        w->played.tell(1, {toolItem(3, "Read monday.pdf", "completed", "read"), taskItem(4, "text", "Done: see report.md")});
        TRY(story().rowCount() == 4);
        w->played.change(1, [](json::object& task) {
            task["state"] = "done";
            task["staged"] = 3;
            task["worked_ms"] = 65000;
            task["usage"] = {{"requests", 2}, {"input_tokens", 1200}, {"output_tokens", 300}, {"cost", "0.010000"}, {"estimated", true}};
        });
        TRY(textOf("taskStands") == "Done");
        QCOMPARE(textOf("taskCost"), QString("1 min 5 s of work; 1,200 tokens read, 300 written, $0.010 (estimated)"));
        QVERIFY(!w->find<QPushButton>("stopTask")->isVisible());
        auto* const review = actionOf(bar("taskEnd"));
        QCOMPARE(review->text(), QString("Re&view 3 changes"));
        QSignalSpy wanted(w->page.get(), &TaskPage::reviewWanted);
        QTest::mouseClick(review, Qt::LeftButton);
        QCOMPARE(wanted.size(), 1);
    }
    void aFollowUpWhileItWorksOrANewTask() {
        const auto id = w->played.give("Sort the photos", "working");
        openWithModel();
        TRY(isShown(id));
        QVERIFY(textOf("taskTarget").startsWith("A follow-up, said after the turn that goes on"));
        QTest::keyClicks(edit(), "And by year");
        QTest::keyClick(edit(), Qt::Key_Return);
        TRY(count("task.say") == 1);
        QCOMPARE(last("task.say"), std::string("{\"agent\":\"desk\",\"text\":\"And by year\",\"task\":1}"));
        TRY(edit()->toPlainText().isEmpty());
        w->press("newInstead");
        QCOMPARE(textOf("taskTarget"), QString("A new task"));
        QVERIFY(!w->find<QPushButton>("newInstead")->isVisible());
        TRY(edit()->hasFocus());
        QTest::keyClicks(edit(), "Rename them");
        w->press("send");
        TRY(count("task.add") == 1);
        TRY(w->find<QListView>("tasks")->model()->rowCount() == 2 && isShown(2));
        // Newest first, and chosen by the list.
        auto* const list = w->find<QListView>("tasks");
        QCOMPARE(list->model()->index(0, 0).data().toString(), QString("Rename them"));
        QCOMPARE(list->currentIndex().row(), 0);
        list->setCurrentIndex(list->model()->index(1, 0));
        TRY(isShown(id) && story().rowCount() == 1);
    }
    // What is typed belongs to the task that it was typed for.
    void whatIsTypedStaysWithItsTask() {
        (void)w->played.give("First", "done");
        (void)w->played.give("Second", "working");
        openWithModel();
        TRY(isShown(2));
        auto* const list = w->find<QListView>("tasks");
        QTest::keyClicks(edit(), "about the second");
        w->find<Attachments>("attachments")->add(QStringList{QString::fromStdString(w->file("a.pdf"))});
        list->setCurrentIndex(list->model()->index(1, 0));
        TRY(isShown(1));
        QVERIFY(edit()->toPlainText().isEmpty() && w->find<Attachments>("attachments")->paths().isEmpty());
        QTest::keyClicks(edit(), "about the first");
        list->setCurrentIndex(list->model()->index(0, 0));
        QCOMPARE(edit()->toPlainText(), QString("about the second"));
        QCOMPARE(w->find<Attachments>("attachments")->paths().size(), 1);
        w->press("newInstead"); // it was meant to be one of its own
        QCOMPARE(edit()->toPlainText(), QString("about the second"));
        QCOMPARE(textOf("taskTarget"), QString("A new task"));
        list->setCurrentIndex(list->model()->index(0, 0));
        QVERIFY(edit()->toPlainText().isEmpty());
        list->setCurrentIndex(list->model()->index(1, 0));
        QCOMPARE(edit()->toPlainText(), QString("about the first"));
        w->press("newInstead"); // something is typed there already
        QCOMPARE(edit()->toPlainText(), QString("about the second"));
    }
    // In Carrel's words, whatever the agent calls them; and the choice is by name, never by Enter in passing.
    void aPermission() {
        const auto id = w->played.give("Send it", "waiting");
        const auto option = [](const char* id_, const char* name, const char* kind) { return json::object{{"id", id_}, {"name", name}, {"kind", kind}}; };
        const auto waits = json::object{{"kind", "permission"},
                                        {"text", "Run curl to send it"},
                                        {"hint", "Inside its machine alone"},
                                        {"request", 5},
                                        {"options", {option("a", "Never mind", "allow_once"), option("b", "No", "reject_once")}}};
        w->played.set(id, "waits_for", waits);
        openWithModel();
        TRY(w->find<QWidget>("waitPanel")->isVisible());
        QCOMPARE(textOf("waitText"), QString("Run curl to send it"));
        QVERIFY(textOf("waitTitle").startsWith("The agent asks leave"));
        QStringList buttons;
        for (const auto* const each : w->find<QWidget>("waitPanel")->findChildren<QPushButton*>()) {
            buttons << each->text();
            QVERIFY(!each->isDefault() && !each->autoDefault());
        }
        QCOMPARE(buttons, QStringList({"Allow once", "Refuse", "None of these"}));
        w->press("waitOption");
        TRY(count("task.answer") == 1);
        QCOMPARE(last("task.answer"), std::string("{\"agent\":\"desk\",\"task\":1,\"request\":5,\"option\":\"a\"}"));
        TRY(!w->find<QWidget>("waitPanel")->isVisible());
        w->played.change(id, [&](json::object& task) {
            task["state"] = "waiting";
            task["waits_for"] = waits;
        });
        TRY(w->find<QWidget>("waitPanel")->isVisible());
        w->press("waitNone");
        TRY(count("task.answer") == 2);
        QCOMPARE(last("task.answer"), std::string("{\"agent\":\"desk\",\"task\":1,\"request\":5}"));
    }
    void whatElseItWaitsFor_data() {
        QTest::addColumn<QString>("kind");
        QTest::addColumn<QString>("title");
        QTest::addColumn<QString>("button");
        QTest::newRow("budget") << "budget" << "Its budget is used up" << "Give it as much again";
        QTest::newRow("machine") << "machine" << "Its machine does not run" << "Try again";
        QTest::newRow("provider") << "provider" << "Its model cannot be reached" << "Try again";
    }
    void whatElseItWaitsFor() {
        QFETCH(const QString, kind);
        QFETCH(const QString, title);
        QFETCH(const QString, button);
        const auto id = w->played.give("Sort it", "waiting");
        w->played.set(id, "waits_for", {{"kind", kind.toStdString()}, {"text", "what happened"}, {"hint", "what to do"}});
        openWithModel();
        TRY(w->find<QWidget>("waitPanel")->isVisible());
        QCOMPARE(textOf("waitTitle"), title);
        QCOMPARE(textOf("waitText"), QString("what happened"));
        QCOMPARE(textOf("waitHint"), QString("what to do"));
        QCOMPARE(w->find<QPushButton>("waitGoOn")->text(), button);
        QCOMPARE(w->page->findChild<QPushButton*>("waitProvider") != nullptr, kind == "provider");
        w->press("waitGoOn");
        TRY(count("task.answer") == 1);
        QCOMPARE(last("task.answer"), std::string("{\"agent\":\"desk\",\"task\":1,\"go_on\":true}"));
    }
    void stopped() {
        const auto id = w->played.give("Sort it", "working");
        openWithModel();
        TRY(isShown(id) && w->find<QPushButton>("stopTask")->isVisible());
        w->press("stopTask");
        TRY(count("task.cancel") == 1);
        TRY(textOf("taskStands") == "Stopped" && !w->find<QPushButton>("stopTask")->isVisible());
    }
    // With its cause, and a way on.
    void failed() {
        const auto id = w->played.give("Sort it", "working");
        openWithModel();
        TRY(isShown(id));
        w->played.change(id, [](json::object& task) {
            task["state"] = "failed";
            task["error"] = {{"message", "The key was refused"}, {"hint", "Give another key"}};
        });
        TRY(bar("taskEnd")->isVisible());
        QCOMPARE(bar("taskEnd")->text(), QString("The key was refused Give another key"));
        QTest::mouseClick(actionOf(bar("taskEnd")), Qt::LeftButton);
        QCOMPARE(edit()->toPlainText(), QString("Go on where you stopped."));
        QTest::keyClick(edit(), Qt::Key_Return);
        TRY(count("task.say") == 1);
    }
    // What the engine does not take is said, and nothing typed is lost.
    void whatIsRefused() {
        openWithModel();
        w->played.setAnswer("task.add", [](const json::object&) -> Result<json::value> { return fail(ErrorCode::Refused, "the queue is full", "Take a task off"); });
        QTest::keyClicks(edit(), "Sort it");
        QTest::keyClick(edit(), Qt::Key_Return);
        TRY(bar("taskBar")->isVisible());
        QVERIFY(bar("taskBar")->text().contains("The queue is full"));
        QCOMPARE(edit()->toPlainText(), QString("Sort it"));
        TRY(w->find<QPushButton>("send")->isEnabled());
        w->played.give("Another"); // what comes meanwhile does not wipe it away
        TRY(w->find<QListView>("tasks")->model()->rowCount() == 1);
        QVERIFY(bar("taskBar")->isVisible());
    }
    void attachments() {
        openWithModel();
        const auto one = w->file("monday.pdf");
        const auto two = w->file("a & b.pdf");
        QMimeData dropped;
        dropped.setUrls({QUrl::fromLocalFile(QString::fromStdString(one)), QUrl::fromLocalFile(QString::fromStdString(two)), QUrl::fromLocalFile(w->folder.path()),
                         QUrl("https://example.org/x.pdf")});
        QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, &dropped, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(w->page.get(), &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(10, 10), Qt::CopyAction, &dropped, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(w->page.get(), &drop);
        auto* const files = w->find<Attachments>("attachments");
        QCOMPARE(files->paths().size(), 2);
        QVERIFY(textOf("taskProblem").contains("is a folder") && w->find<QLabel>("taskProblem")->isVisible());
        auto chips = files->findChildren<QToolButton*>("chip");
        QCOMPARE(chips.size(), 2);
        QVERIFY(chips[0]->isVisible() && chips[0]->accessibleName() == "Take the file monday.pdf off");
        files->add(QStringList{QString::fromStdString(one)}); // once
        QCOMPARE(files->paths().size(), 2);
        chips[1]->setFocus();
        QTest::keyClick(chips[1], Qt::Key_Delete);
        QCOMPARE(files->paths(), QStringList{QString::fromStdString(one)});
        // Pasted files are attached and not typed; pasted text is typed, whatever it looked like elsewhere.
        auto* const pasted = new QMimeData;
        pasted->setUrls({QUrl::fromLocalFile(QString::fromStdString(two))});
        pasted->setText("file:///x");
        QApplication::clipboard()->setMimeData(pasted);
        edit()->paste();
        QVERIFY(edit()->toPlainText().isEmpty());
        QCOMPARE(files->paths().size(), 2);
        auto* const rich = new QMimeData;
        rich->setHtml("<b>read it</b>");
        rich->setText("<i>read it</i>");
        QApplication::clipboard()->setMimeData(rich);
        edit()->paste();
        QCOMPARE(edit()->toPlainText(), QString("<i>read it</i>"));
        QTest::keyClick(edit(), Qt::Key_Return);
        TRY(count("task.add") == 1);
        const auto sent = w->played.asked("task.add").back().at("files").as_array();
        QCOMPARE(std::string(sent.at(0).as_string()), one);
        QCOMPARE(std::string(sent.at(1).as_string()), two);
        TRY(files->paths().isEmpty() && !files->isVisible());
    }
    void aLongText() {
        openWithModel();
        edit()->setPlainText(QString(u'ä').repeated(32'768)); // 64 KiB exactly
        QVERIFY(w->find<QPushButton>("send")->isEnabled());
        QVERIFY(edit()->height() < w->page->height() / 2);
        edit()->insertPlainText("x");
        QVERIFY(!w->find<QPushButton>("send")->isEnabled());
        QVERIFY(textOf("taskProblem").contains("longer than a text may be"));
        QTest::keyClick(edit(), Qt::Key_Return);
        QTest::qWait(0);
        QCOMPARE(count("task.add"), 0);
    }
    // All of a long story comes, page by page, and in few batches.
    void aLongStory() {
        const auto id = w->played.give("Long", "working");
        std::vector<json::object> items;
        for (std::uint64_t number = 1; number <= 10'000; ++number) {
            items.push_back(number % 4 == 0 ? toolItem(number, "Run step " + std::to_string(number)) : taskItem(number, "text", "step " + std::to_string(number)));
        }
        w->played.tell(id, std::move(items));
        openWithModel();
        auto* const view = w->find<StoryView>("story");
        QSignalSpy batches(qobject_cast<StoryModel*>(view->model()), &StoryModel::taken);
        TRY(story().rowCount() == 10'000);
        QCOMPARE(lineAt(9'998), QString("step 9999"));
        QVERIFY2(batches.size() < 20, qPrintable(QString::number(batches.size())));
        QVERIFY2(view->work().items < 1'000, qPrintable(QString::number(view->work().items)));
    }
    void aHiddenPageAsksForNothing() {
        const auto id = w->played.give("Sort it", "working");
        openWithModel();
        TRY(isShown(id));
        w->page->hide();
        QVERIFY(w->page->findChildren<Request*>().isEmpty());
        w->played.tell(id, {taskItem(1, "text", "meanwhile")});
        QTest::qWait(0);
        QCOMPARE(story().rowCount(), 0);
        w->page->show();
        TRY(story().rowCount() == 1);
    }
    void theEngineGoesAndComes() {
        const auto id = w->played.give("Sort it", "working");
        w->played.tell(id, {taskItem(1, "text", "before")});
        openWithModel();
        TRY(story().rowCount() == 1);
        w->goDown();
        TRY(w->link.state() == EngineLink::State::Absent);
        QCOMPARE(story().rowCount(), 1); // what there was stays
        QVERIFY(!bar("taskBar")->isVisible());
        w->played.tell(id, {taskItem(2, "text", "after")});
        w->comeUp();
        TRY(story().rowCount() == 2);
    }
    // Without a model nothing is sent for nothing: the dialog comes first, and what was typed goes then.
    void noModelYet() {
        w->played.addProvider("hosted", {"another"});
        QVERIFY(w->open());
        TRY(w->find<EmptyState>("taskEmpty")->text().contains("Which model"));
        QVERIFY(w->find<QPushButton>("emptyAction")->isVisible());
        QVERIFY(w->find<QToolButton>("chooseModel")->text().startsWith("No model"));
        QTest::keyClicks(edit(), "Sort it");
        QTest::keyClick(edit(), Qt::Key_Return);
        QDialog* dialog = nullptr;
        TRY((dialog = w->page->findChild<QDialog*>("modelDialog")) != nullptr && dialog->isVisible());
        QCOMPARE(count("task.add"), 0);
        auto* const agree = dialog->findChild<QPushButton*>("agree");
        TRY(agree->isEnabled());
        QTest::mouseClick(agree, Qt::LeftButton);
        TRY(count("provider.use") == 2); // looked at, and done
        TRY(count("task.add") == 1);
        TRY(w->find<QToolButton>("chooseModel")->text() == "Model: large-1 by hosted…");
        // Called off, nothing is sent.
        TRY(edit()->toPlainText().isEmpty());
    }
    void calledOffNothingIsSent() {
        QVERIFY(w->open());
        TRY(w->find<EmptyState>("taskEmpty")->text().contains("Which model"));
        QTest::keyClicks(edit(), "Sort it");
        QTest::keyClick(edit(), Qt::Key_Return);
        QDialog* dialog = nullptr;
        TRY((dialog = w->page->findChild<QDialog*>("modelDialog")) != nullptr && dialog->isVisible());
        dialog->reject();
        TRY(w->page->findChild<QDialog*>("modelDialog") == nullptr);
        QCOMPARE(count("task.add"), 0);
        QCOMPARE(edit()->toPlainText(), QString("Sort it"));
    }
    // By another program, which its machine has not got yet, and asked before.
    void howItIsDone() {
        openWithModel();
        auto* const program = w->find<QComboBox>("program");
        TRY(program->count() == 3 && program->isVisible());
        QVERIFY(!w->find<QPushButton>("copyInstall")->isVisible());
        QCOMPARE(program->itemText(2), QString("OpenCode (not installed)"));
        program->setCurrentIndex(2);
        QVERIFY(w->find<QPushButton>("copyInstall")->isVisible());
        QVERIFY(textOf("installStep").contains("carrel task install desk opencode"));
        w->press("copyInstall");
        QCOMPARE(QGuiApplication::clipboard()->text(), QString("carrel task install desk opencode"));
        w->find<QCheckBox>("askMe")->setChecked(true);
        QTest::keyClicks(edit(), "Sort it");
        QTest::keyClick(edit(), Qt::Key_Return);
        TRY(count("task.add") == 1);
        QCOMPARE(last("task.add"), std::string("{\"agent\":\"desk\",\"text\":\"Sort it\",\"program\":\"opencode\",\"permissions\":\"ask\"}"));
        TRY(!w->find<QWidget>("taskOptions")->isVisible()); // of a task that there is it is what it is
    }
    // Its time runs while it works, between two words of the engine's, and not after.
    void itsTimeRuns() {
        const auto id = w->played.give("Sort it", "working");
        w->played.set(id, "worked_ms", 59'000);
        openWithModel();
        TRY(textOf("taskCost").startsWith("59 s of work"));
        TRY(textOf("taskCost").startsWith("1 min"));
        w->played.change(id, [](json::object& task) {
            task["state"] = "done";
            task["worked_ms"] = 61'000;
        });
        TRY(textOf("taskCost").startsWith("1 min 1 s of work"));
    }
    // Every control has a name that is read out, and is reached in the order in which it stands.
    void namesAndOrder() {
        const auto id = w->played.give("Send it", "waiting");
        w->played.set(id, "waits_for", {{"kind", "provider"}, {"text", "no answer"}, {"hint", ""}});
        openWithModel();
        TRY(w->find<QWidget>("waitPanel")->isVisible());
        const QStringList order{"newTask", "tasks", "stopTask", "story", "waitGoOn", "waitProvider", "newInstead", "taskText", "attach", "chooseModel", "send"};
        QStringList met;
        for (auto* each = w->page->nextInFocusChain(); each != w->page.get(); each = each->nextInFocusChain()) {
            if (order.contains(each->objectName()) && w->page->isAncestorOf(each)) {
                met << each->objectName();
                auto* const button = qobject_cast<QAbstractButton*>(each);
                QVERIFY2(!each->accessibleName().isEmpty() || (button != nullptr && !button->text().isEmpty()), qPrintable(each->objectName()));
                QVERIFY2((each->focusPolicy() & Qt::TabFocus) != 0, qPrintable(each->objectName()));
            }
        }
        QCOMPARE(met, order);
    }
    void nastyTexts_data() {
        QTest::addColumn<int>("at");
        int at = 0;
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << at++;
        }
    }
    // What a guest or its agent calls anything, in every label and button of the page.
    void nastyTexts() {
        QFETCH(const int, at);
        const auto text = api::asUtf8("> " + carrel::test::nastyTexts().at(static_cast<std::size_t>(at)).second);
        const auto id = w->played.give(text.size() <= 300 ? text : std::string("> …"), "waiting"); // as long as a title may be
        w->played.change(id, [&](json::object& task) {
            task["waits_for"] = {{"kind", "permission"}, {"text", text}, {"hint", text}, {"request", 1},
                                 {"options", {{{"id", "a"}, {"name", text}, {"kind", "allow_once"}}, {{"id", "b"}, {"name", text}, {"kind", "allow_once"}}}}};
            task["plan"] = json::array{json::object{{"text", text}, {"priority", "low"}, {"status", "in_progress"}}};
        });
        openWithModel();
        TRY(w->find<QWidget>("waitPanel")->isVisible());
        QStringList shown;
        for (const auto* const each : w->page->findChildren<QLabel*>()) {
            QVERIFY(each->textFormat() == Qt::PlainText || each->text().isEmpty());
            if (each->objectName() != "waitText") {
                shown << each->text();
            }
        }
        shown << QString(textOf("waitText")).replace('\n', "\n> "); // a block: it stands apart, in the colour of claims
        for (const auto* const each : w->page->findChildren<QAbstractButton*>()) {
            shown << each->text();
        }
        shown << w->find<QListWidget>("planSteps")->item(0)->text() << w->find<QListView>("tasks")->model()->index(0, 0).data().toString();
        const auto problem = carrel::test::unfit(shown.join("\n| ").toUtf8());
        QVERIFY2(problem.isEmpty(), qPrintable(problem));
    }
};

QTEST_MAIN(TestTaskPage)
#include "test_task_page.moc"

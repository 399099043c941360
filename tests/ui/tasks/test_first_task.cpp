// SPDX-License-Identifier: Apache-2.0
// From nothing to a first task over a whole engine: a folder, a brain, a text, in five clicks. Its tasks and its providers are played.
#include "tests/app/egress/memory_store.h"
#include "tests/ui/desktop_world.h"
#include "tests/ui/tasks/played_tasks.h"
#include "ui/agents/agent_page.h"
#include "ui/agents/create_dialog.h"
#include "ui/providers/model_dialog.h"
#include "ui/tasks/task_edit.h"
#include "ui/tasks/task_page.h"
#include "ui/text/languages.h"
#include "ui/window/main_window.h"

#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QTabWidget>

#include <atomic>
#include <thread>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

#define TRY(what) QTRY_VERIFY_WITH_TIMEOUT(what, kPatience)

class TestFirstTask : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void fiveClicks() {
        PlayedTasks played;
        egress::test::Memory memory; // outlives the engine
        DesktopWorld world(DesktopWorld::Image::There, std::make_unique<egress::test::MemoryStore>(memory));
        world.playMore = [&](api::Handlers& to) { played.addTo(to); };
        world.goDown();
        world.comeUp();
        EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
        MainWindow window(link);
        window.show();
        link.start();
        int clicks = 0;
        const auto press = [&](QWidget* what) {
            click(what);
            ++clicks;
        };
        // The folder.
        auto* const begin = find<QPushButton>(window, "welcomeAction");
        TRY(link.state() == EngineLink::State::Ready && begin->isVisible() && begin->text() == "Choose a &folder…");
        press(begin);
        QFileDialog* chooser = nullptr;
        TRY((chooser = window.findChild<QFileDialog*>()) != nullptr);
        emit chooser->fileSelected(QString::fromStdString(world.papers().string())); // the system's dialog: a click of its own
        ++clicks;
        chooser->reject();
        TRY(dialog<CreateDialog>("createDialog") != nullptr);
        auto* const create = dialog<CreateDialog>("createDialog");
        QCOMPARE(find<QLineEdit>(*create, "name")->text(), QString("papers"));
        press(find<QPushButton>(*create, "create"));
        // The brain, with its key, while the machine starts.
        TRY(dialog<ModelDialog>("modelDialog") != nullptr);
        auto* const model = dialog<ModelDialog>("modelDialog");
        TRY(find<QListWidget>(*model, "choices")->count() == 3);
        QVERIFY(find<QListWidget>(*model, "choices")->currentRow() == 0); // a click at most, counted all the same
        ++clicks;
        TRY(find<QPushButton>(*model, "agree")->isEnabled());
        QTest::keyClicks(find<QLineEdit>(*model, "key"), "sk-0123456789");
        press(find<QPushButton>(*model, "agree"));
        TRY(dialog<ModelDialog>("modelDialog") == nullptr);
        QVERIFY(find<TaskPage>(window, "taskPage")->isVisible());
        const auto added = played.asked("provider.add").back();
        QVERIFY(added.contains("secret"));
        QVERIFY(json::serialize(added).find("0123456789") == std::string::npos);
        QCOMPARE(json::serialize(played.asked("provider.use").back()), std::string("{\"agent\":\"papers\",\"provider\":\"hosted\"}"));
        // The task: the field has the focus, and Enter sends.
        auto* const text = find<TaskEdit>(window, "taskText");
        TRY(window.focusWidget() == text); // as soon as the window is in front
        QTest::keyClicks(text, "Sort these receipts");
        QTest::keyClick(text, Qt::Key_Return);
        TRY(played.asked("task.add").size() == 1);
        QCOMPARE(clicks, 5);
        QCOMPARE(played.problems(), std::string());
        TRY(world.engine->agent("papers").value()->state() == agents::AgentState::Ready);
    }
    // A task can be typed while the machine starts: how far it is stands above.
    void typedWhileItStarts() {
        PlayedTasks played;
        played.addProvider("hosted", {"desk"});
        DesktopWorld world;
        world.playMore = [&](api::Handlers& to) { played.addTo(to); };
        world.goDown();
        world.comeUp();
        world.addAgent("desk", false);
        std::atomic<bool> held = true;
        world.clerks.on("hello", [&](const boost::json::object&) -> agents::test::StandInClerks::Answer {
            while (held) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            return boost::json::object{};
        });
        EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
        MainWindow window(link);
        window.show();
        link.start();
        window.showAgent("desk");
        TRY(window.findChild<AgentPage*>("agentPage") != nullptr && window.page("desk")->isVisible());
        auto* const page = window.page("desk");
        QCOMPARE(find<QTabWidget>(*page, "pages")->currentWidget()->objectName(), QString("taskPage")); // the first
        page->start();
        TRY(find<QLabel>(*page, "startTitle")->isVisible());
        auto* const text = find<TaskEdit>(*page, "taskText");
        QVERIFY(text->isVisible());
        QTest::keyClicks(text, "Sort it");
        QTest::keyClick(text, Qt::Key_Return);
        TRY(played.asked("task.add").size() == 1);
        // A page that needs the machine gives way to the steps.
        page->showPage("terminalPane");
        QVERIFY(!find<QTabWidget>(*page, "pages")->isVisible() && find<QLabel>(*page, "startTitle")->isVisible());
        held = false;
        TRY(find<QTabWidget>(*page, "pages")->isVisible() && !find<QLabel>(*page, "startTitle")->isVisible());
    }
    void theReviewIsOneClickAway() {
        PlayedTasks played;
        played.addProvider("hosted", {"desk"});
        const auto id = played.give("Sort it", "done");
        played.set(id, "staged", 2);
        DesktopWorld world;
        world.playMore = [&](api::Handlers& to) { played.addTo(to); };
        world.goDown();
        world.comeUp();
        world.addAgent("desk");
        EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
        MainWindow window(link);
        window.show();
        link.start();
        window.showAgent("desk");
        TRY(window.findChild<AgentPage*>("agentPage") != nullptr && window.page("desk")->isVisible());
        auto* const end = find<QWidget>(*window.page("desk"), "taskEnd");
        TRY(end->isVisible());
        click(end->findChild<QPushButton*>());
        TRY(find<QTabWidget>(*window.page("desk"), "pages")->currentWidget()->objectName() == "changes");
    }
};

QTEST_MAIN(TestFirstTask)
#include "test_first_task.moc"

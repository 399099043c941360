// SPDX-License-Identifier: Apache-2.0
// The window, used as a person does, over a whole engine whose machines are none.
#include "tests/ui/desktop_world.h"

#include "ui/agents/agent_page.h"
#include "ui/agents/create_dialog.h"
#include "ui/doctor/doctor_window.h"
#include "ui/folders/folders_page.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/timeline/timeline_model.h"
#include "ui/window/main_window.h"

#include <QAbstractItemView>
#include <QAccessible>
#include <QAction>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSet>
#include <QTabBar>
#include <QTabWidget>
#include <QTableView>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

struct Desk {
    DesktopWorld world;
    EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
    std::unique_ptr<MainWindow> window;

    explicit Desk(DesktopWorld::Image image = DesktopWorld::Image::There)
        : world(image)
        , window(std::make_unique<MainWindow>(link)) {
        window->show();
        link.start();
    }
    [[nodiscard]] AgentPage* page() const { return window->findChild<AgentPage*>("agentPage"); }
    [[nodiscard]] QString barText(const char* name) const { return find<MessageBar>(*window, name)->text(); }
};

} // namespace

class TestMainWindow : public QObject {
    Q_OBJECT
private slots:
    // From nothing to a running agent with a folder, by the buttons.
    void createAndStart() {
        Desk desk;
        QTRY_VERIFY_WITH_TIMEOUT(find<QPushButton>(*desk.window, "newAgent")->isEnabled(), kPatience);
        click(find<QPushButton>(*desk.window, "newAgent"));
        QTRY_VERIFY_WITH_TIMEOUT(dialog<CreateDialog>("createDialog") != nullptr, kPatience);
        auto* const create = dialog<CreateDialog>("createDialog");
        auto* const name = find<QLineEdit>(*create, "name");
        auto* const make = find<QPushButton>(*create, "create");
        QVERIFY(!make->isEnabled());
        QTest::keyClicks(name, "My Desk");
        QVERIFY(!make->isEnabled()); // and says what a name is like
        name->clear();
        QTest::keyClicks(name, "desk");
        create->addFolder(QString::fromStdString(desk.world.papers().string()));
        create->addFolder(QString::fromStdString(desk.world.papers().string())); // once
        QVERIFY(make->isEnabled());
        click(make);
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").has_value(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->state() == agents::AgentState::Ready, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QLabel>(*desk.page(), "agentState")->text().startsWith("Ready"), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(find<QTabWidget>(*desk.page(), "pages")->isVisible(), kPatience);
        QCOMPARE(desk.world.engine->agent("desk").value()->describeShares().size(), std::size_t{1});
    }
    // What the engine refuses is said in the dialog, and what was typed stays.
    void aNameThatIsTaken() {
        Desk desk;
        desk.world.addAgent("desk", false);
        QTRY_VERIFY_WITH_TIMEOUT(find<QPushButton>(*desk.window, "newAgent")->isEnabled(), kPatience);
        desk.window->newAgent();
        auto* const create = dialog<CreateDialog>("createDialog");
        find<QLineEdit>(*create, "name")->setText("desk");
        click(find<QPushButton>(*create, "create"));
        QTRY_VERIFY_WITH_TIMEOUT(create->findChild<MessageBar*>()->text().contains("already"), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(find<QPushButton>(*create, "create")->isEnabled(), kPatience);
        QVERIFY(create->isVisible());
        QCOMPARE(find<QLineEdit>(*create, "name")->text(), QString("desk"));
    }
    // Why, and what to do; and once that is done, it starts.
    void aStartThatFails() {
        Desk desk;
        desk.world.addAgent("desk", false);
        desk.world.failStarts(Error{ErrorCode::NotFound, "the image was taken away", "Build it anew", 0, {}});
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr, kPatience);
        click(find<QPushButton>(*desk.page(), "start"));
        QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*desk.page(), "startWhy")->text().contains("the image was taken away", Qt::CaseInsensitive), kPatience);
        QCOMPARE(find<QLabel>(*desk.page(), "startWhat")->text(), QString("Build it anew."));
        QVERIFY(find<QPushButton>(*desk.page(), "startAgain")->isVisible());
        desk.world.failStarts({});
        click(find<QPushButton>(*desk.page(), "startAgain"));
        QTRY_VERIFY_WITH_TIMEOUT(find<QTabWidget>(*desk.page(), "pages")->isVisible(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*desk.page(), "agentState")->text().startsWith("Ready"), kPatience);
    }
    // The list may tell of it before the start's own answer, or not at all: the header is right either way.
    void aStartThatIsRefused() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QLabel>(*desk.page(), "agentState")->text().startsWith("Ready"), kPatience);
        desk.world.goDown();
        desk.page()->start();
        QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*desk.page(), "startWhy")->isVisible(), kPatience);
        QVERIFY(!find<QLabel>(*desk.page(), "agentState")->text().startsWith("Starting"));
        const auto why = find<QLabel>(*desk.page(), "startWhy")->text();
        desk.world.comeUp();
        QTRY_VERIFY_WITH_TIMEOUT(desk.barText("engineBar").isEmpty(), kPatience);
        desk.world.addAgent("more", false); // the list changes: why it failed stays
        QTRY_COMPARE_WITH_TIMEOUT(find<QAbstractItemView>(*desk.window, "agents")->model()->rowCount(), 2, kPatience);
        QVERIFY(find<QLabel>(*desk.page(), "startWhy")->isVisible());
        QCOMPARE(find<QLabel>(*desk.page(), "startWhy")->text(), why);
        QVERIFY(find<QPushButton>(*desk.page(), "stop")->isVisible());
    }
    // Whoever wants a paused agent to start wants it to go on.
    void startOfAPausedOneResumesIt() {
        Desk desk;
        desk.world.addAgent("desk");
        QVERIFY(desk.world.engine->agent("desk").value()->pause());
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QLabel>(*desk.page(), "agentState")->text().startsWith("Paused"), kPatience);
        desk.page()->start();
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->state() == agents::AgentState::Ready, kPatience);
    }
    // Where it was not the owner who paused it, the window says why, until it goes on.
    void pausedByCarrelItself() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QLabel>(*desk.page(), "agentState")->text().startsWith("Ready"), kPatience);
        auto* const bar = find<MessageBar>(*desk.page(), "agentBar");
        QVERIFY(!bar->isVisible());
        QVERIFY(desk.world.engine->agent("desk").value()->pause(agents::Pauser::Canary, "a request for evil.example:443 held the canary bait"));
        QTRY_VERIFY_WITH_TIMEOUT(bar->isVisible(), kPatience);
        QVERIFY2(bar->text().startsWith("Paused by Carrel: a request for evil.example:443 held the canary bait "), qPrintable(bar->text()));
        click(find<QPushButton>(*desk.page(), "pause"));
        QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*desk.page(), "agentState")->text().startsWith("Ready") && !bar->isVisible(), kPatience);
        // Of a budget nothing is said that is true of a canary only.
        QVERIFY(desk.world.engine->agent("desk").value()->pause(agents::Pauser::Budget, "the budget of 5 dollars is used up"));
        QTRY_VERIFY_WITH_TIMEOUT(bar->isVisible(), kPatience);
        QVERIFY2(bar->text().startsWith("Paused by Carrel: the budget of 5 dollars is used up ") && !bar->text().contains("Nobody has got"),
                 qPrintable(bar->text()));
    }
    void closingCallsAStartOffOnlyIfAsked() {
        Desk desk;
        desk.world.addAgent("desk", false);
        std::atomic<bool> held = true;
        desk.world.clerks.on("hello", [&](const boost::json::object&) -> agents::test::StandInClerks::Answer {
            while (held) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            return boost::json::object{};
        });
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr, kPatience);
        desk.page()->start();
        QTRY_VERIFY_WITH_TIMEOUT(desk.page()->starts(), kPatience);
        desk.window->close();
        QTRY_VERIFY_WITH_TIMEOUT(dialog<Question>("question") != nullptr, kPatience);
        QVERIFY(desk.window->isVisible());
        QTest::keyClick(dialog<Question>("question"), Qt::Key_Escape);
        held = false;
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->state() == agents::AgentState::Ready, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(!desk.page()->starts(), kPatience);
        desk.window->close();
        QVERIFY(!desk.window->isVisible());
    }
    void theBrakeIsInFrontOfEverything() {
        Desk desk;
        desk.world.addAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(find<QPushButton>(*desk.window, "newAgent")->isEnabled(), kPatience);
        desk.window->newAgent();
        find<QAction>(*desk.window, "doctorAction")->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(dialog<DoctorWindow>("doctor") != nullptr && dialog<CreateDialog>("createDialog") != nullptr, kPatience);
        QVERIFY(QApplication::activeModalWidget() == nullptr);
        find<QAction>(*desk.window, "pauseAll")->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->state() == agents::AgentState::Paused, kPatience);
    }
    void stopAndDelete() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QPushButton>(*desk.page(), "stop")->isVisible(), kPatience);
        click(find<QPushButton>(*desk.page(), "stop"));
        QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*desk.page(), "agentState")->text() == "Stopped", kPatience);
        auto* const remove = find<QAction>(*desk.page(), "delete");
        remove->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(dialog<Question>("question") != nullptr, kPatience);
        // The safe answer is the default.
        QTest::keyClick(dialog<Question>("question"), Qt::Key_Return);
        QTRY_VERIFY_WITH_TIMEOUT(dialog<Question>("question") == nullptr, kPatience);
        QVERIFY(desk.world.engine->agent("desk"));
        remove->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(dialog<Question>("question") != nullptr, kPatience);
        click(find<QPushButton>(*dialog<Question>("question"), "agree"));
        QTRY_VERIFY_WITH_TIMEOUT(!desk.world.engine->agent("desk"), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() == nullptr, kPatience);
        QVERIFY(find<QWidget>(*desk.window, "welcome")->isVisible()); // and not the inbox, which would count as looked at
    }
    void pauseEverything() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QLabel>(*desk.page(), "agentState")->text().startsWith("Ready"), kPatience);
        auto* const resume = find<QAction>(*desk.window, "resumeAll");
        QVERIFY(!resume->isVisible());
        find<QAction>(*desk.window, "pauseAll")->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->state() == agents::AgentState::Paused, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*desk.page(), "agentState")->text().startsWith("Paused") && resume->isVisible(), kPatience);
        resume->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->state() == agents::AgentState::Ready, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(!resume->isVisible(), kPatience);
    }
    void folders() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr, kPatience);
        desk.page()->showPage("foldersPage");
        auto* const page = find<FoldersPage>(*desk.page(), "foldersPage");
        auto* const view = find<QTableView>(*page, "folders");
        QTRY_COMPARE_WITH_TIMEOUT(view->model()->rowCount(), 1, kPatience);
        std::filesystem::create_directory(desk.world.folder() / "photos");
        page->addFolder(QString::fromStdString((desk.world.folder() / "photos").string()));
        QTRY_COMPARE_WITH_TIMEOUT(view->model()->rowCount(), 2, kPatience);
        QVERIFY(!find<QPushButton>(*page, "revoke")->isEnabled());
        view->selectRow(1);
        QVERIFY(find<QPushButton>(*page, "revoke")->isEnabled());
        click(find<QPushButton>(*page, "revoke"));
        QTRY_VERIFY_WITH_TIMEOUT(desk.world.engine->agent("desk").value()->describeShares().at(1).as_object().contains("revoked"), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(!find<QPushButton>(*page, "revoke")->isEnabled(), kPatience);
        click(find<QPushButton>(*page, "remove"));
        QTRY_VERIFY_WITH_TIMEOUT(dialog<Question>("question") != nullptr, kPatience);
        click(find<QPushButton>(*dialog<Question>("question"), "agree"));
        QTRY_COMPARE_WITH_TIMEOUT(view->model()->rowCount(), 1, kPatience);
        // What the engine refuses is said.
        page->addFolder("/nowhere/at/all");
        QTRY_VERIFY_WITH_TIMEOUT(page->findChild<MessageBar*>()->text().contains("/nowhere"), kPatience);
    }
    void theTimelineFollows() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr, kPatience);
        desk.page()->showPage("timelinePage");
        auto* const view = find<QTableView>(*desk.page(), "events");
        QTRY_VERIFY_WITH_TIMEOUT(view->model()->rowCount() > 2, kPatience);
        const int before = view->model()->rowCount();
        QVERIFY(desk.world.engine->agent("desk").value()->revokeShare("papers"));
        QTRY_VERIFY_WITH_TIMEOUT(view->model()->rowCount() > before, kPatience);
        // Hidden and shown again it goes on from where it was.
        desk.page()->showPage("foldersPage");
        QVERIFY(desk.world.engine->agent("desk").value()->stop(agents::test::quiet));
        const int then = view->model()->rowCount();
        desk.page()->showPage("timelinePage");
        QTRY_VERIFY_WITH_TIMEOUT(view->model()->rowCount() > then, kPatience);
        QCOMPARE(view->model()->rowCount(), static_cast<int>(desk.world.engine->agent("desk").value()->log().query({})->size())); // each once
    }
    // The guest system is made once, by a button, where there is none.
    void noGuestSystem() {
        Desk desk(DesktopWorld::Image::Missing);
        QTRY_COMPARE_WITH_TIMEOUT(find<QLabel>(*desk.window, "welcomeTitle")->text(), QString("The guest system is missing"), kPatience);
        click(find<QPushButton>(*desk.window, "welcomeAction")); // without a recipe it fails, and says why
        auto* const welcome = find<QWidget>(*desk.window, "welcome");
        QTRY_VERIFY_WITH_TIMEOUT(!welcome->findChild<MessageBar*>()->text().isEmpty(), kPatience);
        QVERIFY(find<QPushButton>(*desk.window, "welcomeAction")->isVisible());
    }
    // It goes while the window is open: said, and what was shown stays; it comes: all goes on.
    void theEngineGoesAndComes() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr, kPatience);
        desk.world.goDown();
        QTRY_VERIFY_WITH_TIMEOUT(desk.barText("engineBar").contains("does not run"), kPatience);
        QCOMPARE(find<QAbstractItemView>(*desk.window, "agents")->model()->rowCount(), 1);
        desk.world.comeUp();
        QTRY_VERIFY_WITH_TIMEOUT(desk.barText("engineBar").isEmpty(), kPatience);
        desk.world.addAgent("more", false);
        QTRY_COMPARE_WITH_TIMEOUT(find<QAbstractItemView>(*desk.window, "agents")->model()->rowCount(), 2, kPatience);
    }
    void stateIsKept() {
        DesktopWorld world;
        world.addAgent("desk", false);
        QSize size;
        {
            EngineLink link;
            MainWindow window(link);
            window.show();
            window.resize(901, 655);
            size = window.size();
            link.start();
            window.showAgent("desk");
            QTRY_VERIFY_WITH_TIMEOUT(window.findChild<AgentPage*>("agentPage") != nullptr, kPatience);
            window.close();
        }
        EngineLink link;
        MainWindow window(link);
        window.show();
        link.start();
        QCOMPARE(window.size(), size);
        QTRY_VERIFY_WITH_TIMEOUT(window.findChild<AgentPage*>("agentPage") != nullptr && window.findChild<AgentPage*>("agentPage")->isVisible(), kPatience);
    }
    // Whatever can be reached has a name for who does not see it, and by Tab one gets to the list, the page and its buttons.
    void namesAndFocus() {
        Desk desk;
        desk.world.addAgent("desk");
        desk.window->showAgent("desk");
        QTRY_VERIFY_WITH_TIMEOUT(desk.page() != nullptr && find<QTabWidget>(*desk.page(), "pages")->isVisible(), kPatience);
        int looked = 0;
        for (auto* const widget : desk.window->findChildren<QWidget*>()) {
            if ((widget->focusPolicy() & Qt::TabFocus) == 0 || widget->objectName().startsWith("qt_") || widget->isHidden() || qobject_cast<QTabBar*>(widget) != nullptr) {
                continue;
            }
            auto* const described = QAccessible::queryAccessibleInterface(widget);
            QVERIFY(described != nullptr);
            const auto name = described->text(QAccessible::Name);
            const bool inside = qobject_cast<QAbstractItemView*>(widget->parentWidget()) != nullptr || qobject_cast<QTabWidget*>(widget) != nullptr;
            QVERIFY2(inside || !name.isEmpty(), qPrintable(QString("%1 %2 has no name").arg(widget->metaObject()->className(), widget->objectName())));
            ++looked;
        }
        QVERIFY(looked > 8);
        desk.window->activateWindow();
        find<QAbstractItemView>(*desk.window, "agents")->setFocus();
        QSet<QWidget*> reached;
        for (int i = 0; i < 60; ++i) {
            QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
            reached.insert(QApplication::focusWidget());
        }
        QVERIFY(reached.contains(find<QPushButton>(*desk.window, "newAgent")));
        QVERIFY(reached.contains(find<QPushButton>(*desk.page(), "stop")));
    }
};

QTEST_MAIN(TestMainWindow)
#include "test_main_window.moc"

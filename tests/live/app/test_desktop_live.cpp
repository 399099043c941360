// SPDX-License-Identifier: Apache-2.0
// The main job in the window, on a real machine: an agent is made by the dialog, given a folder, started; what it changes is looked
// at, applied and taken back, all by what a person clicks. With CARREL_TEST_PICTURES=FOLDER a picture of each step is kept.
#include "tests/live/app/chain_world.h"

#include "ui/agents/agent_page.h"
#include "ui/agents/create_dialog.h"
#include "ui/changes/diff_view.h"
#include "ui/text/languages.h"
#include "ui/window/main_window.h"

#include <QAbstractItemView>
#include <QApplication>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSettings>
#include <QStandardPaths>
#include <QTest>

#include <memory>

using namespace carrel;
using namespace carrel::live;
using namespace carrel::ui;
namespace fs = std::filesystem;

namespace {
constexpr int kMachineMs = 600'000; // a slow computer may take its time; only a test that fails waits so long

template <class Widget> Widget* find(const QObject& within, const char* name) {
    return within.findChild<Widget*>(QString::fromLatin1(name));
}
void click(QWidget* widget) {
    QApplication::processEvents();
    QTest::mouseClick(widget, Qt::LeftButton);
}
} // namespace

class TestDesktopLive : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void fromNothingToAnUndoneApply();

private:
    void picture(const char* name) const {
        if (const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES"); !folder.isEmpty()) {
            QApplication::processEvents();
            QVERIFY(m_window->grab().save(folder + '/' + QString::fromLatin1(name) + ".png"));
        }
    }
    [[nodiscard]] bool applied() const { return readFile(m_world->folder() / "receipts/monday.txt").find("tea") != std::string::npos; }

    std::unique_ptr<ChainWorld> m_world;
    std::unique_ptr<EngineLink> m_link;
    std::unique_ptr<MainWindow> m_window;
};

void TestDesktopLive::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    QStandardPaths::setTestModeEnabled(true);
    QSettings().clear();
    installLanguages();
    m_world = std::make_unique<ChainWorld>("desk");
    QVERIFY(m_world->prepare());
    fs::create_directory(m_world->folder() / "receipts");
    writeFile(m_world->folder() / "receipts/monday.txt", "milk 1.20\nbread 2.40\n");
    // The engine is the build's: this test is not in one folder with it.
    QCOMPARE(m_world->carrel({"list"}).status, 0);
    qputenv("CARREL_HOME", m_world->path("home").toUtf8());
    m_link = std::make_unique<EngineLink>();
    m_window = std::make_unique<MainWindow>(*m_link);
    m_window->resize(1180, 760);
    m_window->show();
    m_link->start();
}

void TestDesktopLive::fromNothingToAnUndoneApply() {
    auto* const fresh = find<QPushButton>(*m_window, "newAgent");
    QTRY_VERIFY_WITH_TIMEOUT(fresh->isEnabled(), kMachineMs);
    picture("1-nobody-yet");
    m_window->newAgent();
    auto* const create = m_window->findChild<CreateDialog*>();
    QVERIFY(create != nullptr);
    QTest::keyClicks(find<QLineEdit>(*create, "name"), "desk");
    create->addFolder(m_world->path("receipts"));
    click(find<QPushButton>(*create, "create"));
    QTRY_VERIFY_WITH_TIMEOUT(find<AgentPage>(*m_window, "agentPage") != nullptr, kMachineMs);
    auto* const page = find<AgentPage>(*m_window, "agentPage");
    QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*page, "startTitle")->isVisible(), kMachineMs);
    picture("2-starting");
    QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*page, "agentState")->text().startsWith("Ready"), kMachineMs);

    const auto ran = m_world->shell("cd /workspace/receipts && echo 'tea 3.10' >> monday.txt && sort monday.txt > sorted.txt");
    QVERIFY2(ran.status == 0, ran.all());
    page->showPage("changes");
    auto* const tree = find<QAbstractItemView>(*page, "changeTree");
    QTRY_VERIFY_WITH_TIMEOUT(tree->model()->rowCount() == 1 && tree->model()->rowCount(tree->model()->index(0, 0)) == 2, kMachineMs);
    const auto share = tree->model()->index(0, 0);
    for (int row = 0; row < 2; ++row) {
        if (const auto file = tree->model()->index(row, 0, share); file.data().toString() == "monday.txt") {
            tree->setCurrentIndex(file);
        }
    }
    auto* const diff = find<DiffView>(*page, "diffView");
    QTRY_VERIFY_WITH_TIMEOUT(diff->isVisible() && diff->changes() == 1, kMachineMs);
    picture("3-changes");
    QVERIFY(!applied());

    click(find<QPushButton>(*page, "apply"));
    QTRY_VERIFY_WITH_TIMEOUT(applied(), kMachineMs);
    QVERIFY(fs::exists(m_world->folder() / "receipts/sorted.txt"));
    auto* const bar = find<QWidget>(*page, "resultBar");
    QTRY_VERIFY_WITH_TIMEOUT(bar->isVisible(), kMachineMs);
    picture("4-applied");
    click(bar->findChild<QPushButton*>());
    QTRY_VERIFY_WITH_TIMEOUT(!applied() && !fs::exists(m_world->folder() / "receipts/sorted.txt"), kMachineMs);
    QCOMPARE(readFile(m_world->folder() / "receipts/monday.txt"), std::string("milk 1.20\nbread 2.40\n"));
    picture("5-undone");

    page->showPage("timelinePage");
    auto* const events = find<QAbstractItemView>(*page, "events");
    QTRY_VERIFY_WITH_TIMEOUT(events->model()->rowCount() > 5, kMachineMs);
    picture("6-timeline");
    click(find<QPushButton>(*page, "stop"));
    QTRY_VERIFY_WITH_TIMEOUT(find<QLabel>(*page, "agentState")->text() == "Stopped", kMachineMs);
}

void TestDesktopLive::cleanupTestCase() {
    m_window.reset();
    m_link.reset();
    if (m_world) {
        const auto stayed = m_world->end();
        QVERIFY2(stayed.isEmpty(), qPrintable(stayed));
    }
}

QTEST_MAIN(TestDesktopLive)
#include "test_desktop_live.moc"

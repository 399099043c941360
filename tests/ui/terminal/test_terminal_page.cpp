// SPDX-License-Identifier: Apache-2.0
// An agent's terminal page before a scripted engine, with the shipped carrel-terminal between them.
#include "tests/app/cli/fake_engine.h"
#include "ui/parts/message_bar.h"
#include "ui/terminal/terminal_link.h"
#include "ui/terminal/terminal_page.h"
#include "ui/terminal/terminal_view.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QIODevice>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>

using namespace carrel;
using namespace carrel::ui;
using carrel::test::FakeEngine;

namespace {

constexpr int kGuardMs = 60'000;

boost::json::value agentsWith(const char* state) {
    return boost::json::value{
        {"agents",
         {boost::json::object{{"id", std::string(32, 'a')}, {"name", "desk"}, {"state", state}, {"memory_mib", 512}, {"cpus", 1},
                              {"shares", boost::json::array{}}}}}};
}

// A program in carrel-terminal's place, for a link that must not believe it.
class StandIn {
public:
    explicit StandIn(const QByteArray& script)
        : m_file(m_folder.filePath("carrel-terminal")) {
        if (m_file.open(QIODevice::WriteOnly)) {
            m_file.write("#!/bin/sh\n" + script);
            m_file.close();
            m_file.setPermissions(QFile::ReadOwner | QFile::ExeOwner);
        }
    }
    [[nodiscard]] std::filesystem::path program() const { return m_file.fileName().toStdString(); }

private:
    QTemporaryDir m_folder;
    QFile m_file;
};

} // namespace

class TestTerminalPage : public QObject {
    Q_OBJECT
private:
    QTemporaryDir m_folder;
    std::unique_ptr<FakeEngine> m_engine;
    std::unique_ptr<EngineLink> m_link;
    std::unique_ptr<AgentStore> m_store;
    std::unique_ptr<TerminalPage> m_page;

    void begin(const char* state) {
        m_engine->setAnswer("agent.list", agentsWith(state));
        m_link = std::make_unique<EngineLink>();
        m_store = std::make_unique<AgentStore>(*m_link);
        m_page = std::make_unique<TerminalPage>(*m_link, *m_store, "desk", nullptr);
        m_page->resize(700, 450);
        m_link->start();
        QTRY_VERIFY_WITH_TIMEOUT(m_store->known(), kGuardMs);
    }
    void become(const char* state) {
        m_engine->setAnswer("agent.list", agentsWith(state));
        QSignalSpy changed(m_store.get(), &AgentStore::changed);
        m_store->refresh();
        QTRY_VERIFY_WITH_TIMEOUT(!changed.isEmpty(), kGuardMs);
    }
    [[nodiscard]] MessageBar* bar() const { return m_page->findChild<MessageBar*>("terminalBar"); }
    [[nodiscard]] MessageBar* note() const { return m_page->findChild<MessageBar*>("terminalNote"); }
    [[nodiscard]] QString words() const { return m_page->findChild<QLabel*>("terminalWords")->text(); }
    [[nodiscard]] QPushButton* startButton() const { return m_page->findChild<QPushButton*>("terminalStart"); }
    [[nodiscard]] QString shown() const {
        const auto& grid = m_page->view()->grid();
        QString out;
        for (auto line = grid.screenTop(); line < grid.endLine(); ++line) {
            out += textOf(grid.line(line), 0, grid.screen().columns).trimmed() + '\n';
        }
        return out;
    }
    [[nodiscard]] int sessions() const { return m_opened; }
    int m_opened = 0;
    void countSessions() {
        for (const auto& request : m_engine->takeRequests()) {
            m_opened += request.verb == "exec.open" ? 1 : 0;
            m_last = request.verb == "exec.open" ? request.params : m_last;
        }
    }
    boost::json::object m_last;

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("CARREL_HOME", m_folder.filePath("home").toUtf8());
        // As an installation has it, with the tests' folder in the place of the window's program.
        QDir().mkpath(QCoreApplication::applicationDirPath() + "/../lib/carrel");
        const auto place = QCoreApplication::applicationDirPath() + "/../lib/carrel/carrel-terminal";
        QFile::remove(place);
        QVERIFY(QFile::link(CARREL_BIN_DIR "/carrel-terminal", place));
    }
    void init() {
        m_engine = std::make_unique<FakeEngine>(*api::openHome(), CARREL_SOURCE_DIR "/app/api/schema");
        m_opened = 0;
    }
    void cleanup() {
        m_page.reset();
        m_store.reset();
        m_link.reset();
        m_engine.reset();
    }

    void opensWhenItIsShown() {
        begin("ready");
        countSessions();
        QCOMPARE(m_opened, 0); // nobody looks at it
        m_page->show();
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
        countSessions();
        QCOMPARE(m_opened, 1);
        QVERIFY(m_last.at("argv") == (boost::json::array{"bash", "-l"}));
        const auto& tty = m_last.at("tty").as_object();
        QCOMPARE(tty.at("rows").to_number<int>(), int{m_page->view()->sizeInCells().first});
        QCOMPARE(tty.at("term").as_string(), "xterm-256color");
        const auto* strip = m_page->findChild<QWidget*>("drawnByTheGuest");
        QVERIFY(strip && strip->isVisible());
        QVERIFY(strip->findChild<QLabel*>()->text().startsWith("Drawn by the agent's machine"));
        // A key goes to the machine and what it writes comes back.
        QTest::keyClicks(m_page->view(), "hello");
        QTRY_VERIFY_WITH_TIMEOUT(shown().startsWith("hello"), kGuardMs);
        if (const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES"); !folder.isEmpty()) {
            QVERIFY(m_page->grab().save(folder + "/page-open.png"));
        }
        // Hidden and shown again it is the same one.
        m_page->hide();
        m_page->show();
        QTest::keyClicks(m_page->view(), "!");
        QTRY_VERIFY_WITH_TIMEOUT(shown().startsWith("hello!"), kGuardMs);
        countSessions();
        QCOMPARE(m_opened, 1);
    }

    void followsItsSize() {
        begin("ready");
        m_page->show();
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
        m_page->resize(500, 300);
        QTRY_COMPARE_WITH_TIMEOUT(m_page->view()->grid().screen().columns, m_page->view()->sizeInCells().second, kGuardMs);
        QCOMPARE(m_page->view()->grid().screen().rows, m_page->view()->sizeInCells().first);
    }

    void saysWhyThereIsNone() {
        begin("stopped");
        m_page->show();
        QVERIFY(words().contains("does not run"));
        QVERIFY(!m_page->findChild<QWidget*>("drawnByTheGuest")->isVisible()); // this is Carrel's own word
        QVERIFY(startButton()->isVisible());
        QSignalSpy wanted(m_page.get(), &TerminalPage::startWanted);
        QTest::mouseClick(startButton(), Qt::LeftButton);
        QCOMPARE(wanted.size(), 1);
        if (const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES"); !folder.isEmpty()) {
            QVERIFY(m_page->grab().save(folder + "/page-stopped.png"));
        }
        become("starting");
        QVERIFY(words().contains("not ready") && !startButton()->isVisible());
        become("ready"); // and then it opens by itself
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
    }

    void endsAndOpensAgain() {
        begin("ready");
        m_page->show();
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
        QTest::keyClicks(m_page->view(), "last words");
        QTRY_VERIFY_WITH_TIMEOUT(shown().contains("last words"), kGuardMs);
        QTest::keyClick(m_page->view(), Qt::Key_D, Qt::ControlModifier);
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Over, kGuardMs);
        QVERIFY2(bar()->text().contains("status 4"), qPrintable(bar()->text()));
        QVERIFY(shown().contains("last words")); // as it was left
        if (const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES"); !folder.isEmpty()) {
            QVERIFY(m_page->grab().save(folder + "/page-over.png"));
        }
        auto* again = bar()->findChild<QPushButton*>();
        QCOMPARE(again->text(), QString("Open again"));
        QTest::mouseClick(again, Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
        QVERIFY(!bar()->isVisible());
        QVERIFY(!shown().contains("last words"));
        countSessions();
        QCOMPARE(m_opened, 2);
    }

    void theMachineStops() {
        begin("ready");
        m_page->show();
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
        become("paused");
        QVERIFY(note()->isVisible() && note()->text().contains("paused"));
        become("ready");
        QVERIFY(!note()->isVisible());
        become("stopped");
        QTest::keyClick(m_page->view(), Qt::Key_D, Qt::ControlModifier);
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Over, kGuardMs);
        QSignalSpy wanted(m_page.get(), &TerminalPage::startWanted);
        QTest::mouseClick(bar()->findChild<QPushButton*>(), Qt::LeftButton);
        QCOMPARE(wanted.size(), 1); // a terminal needs the machine first
        become("ready");
        QCOMPARE(bar()->findChild<QPushButton*>()->text(), QString("Open again"));
    }

    void theEngineSaysNo() {
        m_engine->setAnswer("exec.open", fail(ErrorCode::Refused, "too many sessions are open", "Close one."));
        begin("ready");
        m_page->show();
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Over, kGuardMs);
        QVERIFY(bar()->text().contains("Too many sessions are open") && bar()->text().contains("Close one"));
    }

    void theEngineGoes() {
        begin("ready");
        m_page->show();
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Open, kGuardMs);
        m_engine.reset(); // and with it the far end of the session
        QTRY_COMPARE_WITH_TIMEOUT(m_page->state(), TerminalPage::State::Over, kGuardMs);
        QVERIFY2(bar()->text().contains("connection"), qPrintable(bar()->text()));
    }

    // A program that is not what it should be is ended, and that is said.
    void aProgramThatLies_data() {
        QTest::addColumn<QByteArray>("script");
        QTest::addColumn<QString>("said");
        const auto row = [](const char* name, const char* script, const char* said) {
            QTest::newRow(name) << QByteArray(script) << QString(said);
        };
        row("ends", "exit 0\n", "broke down");
        row("talks nonsense", "printf hello >&4\nexec sleep 1000\n", "wrong length");
        row("does not say that it is confined", R"(printf '\010\000\000\000\003\000\000\000\000\000\000\000' >&4; exec sleep 1000)", "out of turn");
        row("says so twice", R"(printf '\002\000\000\000\001\006\002\000\000\000\001\006' >&4; exec sleep 1000)", "out of turn");
        row("sends pictures without end",
            R"(f='\024\000\000\000\002\030\000\120\000\001\000\000\000\000\000\000\000\000\001\000\000\000\000\000'
printf '\002\000\000\000\001\006' >&4; printf "$f$f" >&4; exec sleep 1000)",
            "out of turn");
        row("an escape in a cell",
            R"(printf '\002\000\000\000\001\006\030\000\000\000\002\030\000\120\000\001\000\000\000\000\000\000\000\000\001\000\000\000\001\000\001\033\000\000' >&4; exec sleep 1000)",
            "cannot be read");
    }
    void aProgramThatLies() {
        QFETCH(QByteArray, script);
        QFETCH(QString, said);
        const StandIn program(script);
        int ends[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        const UniqueFd guest(ends[0]);
        TerminalLink link(nullptr);
        QStringList errors;
        int frames = 0;
        connect(&link, &TerminalLink::failed, this, [&](const Error& error) { errors << QString::fromStdString(error.message); });
        connect(&link, &TerminalLink::frame, this, [&] { ++frames; });
        QVERIFY(link.start(program.program(), UniqueFd(ends[1])));
        link.resize(24, 80);
        QTRY_VERIFY_WITH_TIMEOUT(!errors.isEmpty(), kGuardMs);
        QCOMPARE(errors.size(), 1);
        QVERIFY2(errors[0].contains(said), qPrintable(errors[0]));
        QVERIFY(frames <= 1);
        char byte = 0;
        QCOMPARE(::recv(guest.get(), &byte, 1, 0), ssize_t{0}); // nobody holds the session any more
        link.type("x"); // and what is typed now goes nowhere
    }
};

QTEST_MAIN(TestTerminalPage)
#include "test_terminal_page.moc"

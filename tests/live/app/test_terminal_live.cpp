// SPDX-License-Identifier: Apache-2.0
// A real machine's shell through the shipped carrel-terminal and the window's line to it: a command is typed, what it writes stands
// in the grid, the machine knows the size, and the shell's status comes back. The functions run in order and share the machine.
#include "app/api/client.h"
#include "app/api/home.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"
#include "ui/terminal/terminal_grid.h"
#include "ui/terminal/terminal_link.h"

#include <QTest>

using namespace carrel;
using namespace carrel::live;
using namespace carrel::ui;

namespace {
const QString kAgent = "ada";
const std::filesystem::path kProgram = CARREL_BIN_DIR "/carrel-terminal";
} // namespace

class TestTerminalLive : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void init() { open(); }
    void cleanup() { m_link.reset(); }

    void aCommandIsTyped();
    void theMachineKnowsTheSize();
    void coloursAndTheAlternateScreen();
    void muchOutput();
    void nothingIsAnswered();
    void theStatusComesBack();

private:
    void open() {
        m_grid.clear();
        m_end.reset();
        m_error.clear();
        auto client = api::Client::connect(api::socketPath(*api::openHome()).value());
        QVERIFY(client);
        const auto answer = client->call("exec.open", {{"agent", kAgent.toStdString()},
                                                       {"argv", {"bash", "-l"}},
                                                       {"tty", {{"rows", 24}, {"cols", 80}, {"term", "xterm-256color"}}}});
        QVERIFY2(answer, answer ? "" : answer.error().text().c_str());
        m_link = std::make_unique<TerminalLink>(nullptr);
        connect(m_link.get(), &TerminalLink::frame, this, [this](api::terminal::Frame& frame) { m_grid.apply(std::move(frame)); });
        connect(m_link.get(), &TerminalLink::ended, this, [this](const api::terminal::Ended& end) { m_end = end; });
        connect(m_link.get(), &TerminalLink::failed, this, [this](const Error& error) { m_error = error.text(); });
        const auto started = m_link->start(kProgram, client->takeDescriptor());
        QVERIFY2(started, started ? "" : started.error().text().c_str());
        m_link->resize(24, 80);
        say("PS1='> '; clear\r");
        QVERIFY2(QTest::qWaitFor([this] { return line(0) == ">"; }, kGuardMs), all());
    }
    void say(const QByteArray& text) { m_link->type(text); }
    [[nodiscard]] QString line(int row) const { return textOf(m_grid.line(m_grid.screenTop() + row), 0, 80).trimmed(); }
    [[nodiscard]] bool shows(const QString& text) const {
        for (int row = 0; row < m_grid.screen().rows; ++row) {
            if (line(row) == text) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool atPrompt() const { return line(m_grid.screen().cursorRow) == ">" && m_grid.screen().cursorColumn == 2; }
    [[nodiscard]] QByteArray all() const {
        QString out = QString::fromStdString(m_error);
        for (int row = 0; row < m_grid.screen().rows; ++row) {
            out += line(row) + '\n';
        }
        return out.toUtf8();
    }

    std::unique_ptr<ChainWorld> m_world;
    std::unique_ptr<TerminalLink> m_link;
    TerminalGrid m_grid;
    std::optional<api::terminal::Ended> m_end;
    std::string m_error;
};

#define QSHOWS(text) QVERIFY2(QTest::qWaitFor([this] { return shows(text) || !m_error.empty(); }, kGuardMs) && m_error.empty(), all())

void TestTerminalLive::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    qputenv("CARREL_HOME", m_world->path("home").toUtf8());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestTerminalLive::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestTerminalLive::aCommandIsTyped() {
    say("echo $((6 * 7)) is it\r");
    QSHOWS("42 is it");
    say("printf 'Gr\\303\\274\\303\\237e \\346\\274\\242\\n'\r");
    QSHOWS("Grüße 漢");
    // Said by the program that sleeps, so it is in the foreground by then. Said by the shell, Ctrl-C could come before the program has
    // been given the terminal: the shell takes it for itself, and the program sleeps on.
    say("sh -c 'echo works; exec sleep 1000'\r");
    QSHOWS("works");
    say("\x03"); // and it is taken back, with what was typed and not read
    QVERIFY2(QTest::qWaitFor([this] { return atPrompt(); }, kGuardMs), all());
    say("echo goes on\r");
    QSHOWS("goes on");
}

void TestTerminalLive::theMachineKnowsTheSize() {
    say("stty size\r");
    QSHOWS("24 80");
    m_link->resize(30, 100);
    QVERIFY(QTest::qWaitFor([this] { return m_grid.screen().columns == 100; }, kGuardMs));
    // Told to the machine before what is typed afterwards, but on another stream: ask until it has come.
    say("until [ \"$(stty size)\" = '30 100' ]; do :; done; stty size\r");
    QSHOWS("30 100");
}

void TestTerminalLive::coloursAndTheAlternateScreen() {
    say("printf '\\033[1;31mred\\033[0m\\n'\r");
    QSHOWS("red");
    bool found = false;
    for (int row = 0; row < 24; ++row) {
        const auto cells = m_grid.line(m_grid.screenTop() + row);
        found = found || (cells.size() == 3 && cells[0].style.foreground == api::terminal::Colour{api::terminal::Colour::Kind::Indexed, 1, 0, 0} &&
                          (cells[0].style.attributes & api::terminal::kBold) != 0);
    }
    QVERIFY2(found, all());
    say("tput smcup; tput cup 5 10; echo here; read x; tput rmcup\r");
    QVERIFY2(QTest::qWaitFor([this] { return m_grid.screen().alternate && line(5) == "here"; }, kGuardMs), all());
    say("\r");
    QVERIFY2(QTest::qWaitFor([this] { return !m_grid.screen().alternate; }, kGuardMs), all());
    QSHOWS("red"); // the screen that was there is back
}

void TestTerminalLive::muchOutput() {
    say("seq 1 30000; echo e''nd\r");
    QSHOWS("end");
    QCOMPARE(m_grid.screenTop() - m_grid.firstLine(), std::int64_t{TerminalGrid::kMaxLines});
    // All of it came, in order: what is kept is the end of it.
    for (auto number = m_grid.firstLine() + 1; number < m_grid.screenTop(); ++number) {
        const auto before = textOf(m_grid.line(number - 1), 0, 80).trimmed().toInt();
        QCOMPARE(textOf(m_grid.line(number), 0, 80).trimmed().toInt(), before + 1);
    }
}

// Whatever the machine asks the terminal, its program reads nothing but what was typed.
void TestTerminalLive::nothingIsAnswered() {
    say("printf '\\033[6n\\033[c\\033]52;c;?\\007\\033]10;?\\007\\005'; echo ask''ed; read -r x; echo \"[$x]\" | cat -v\r");
    QSHOWS("asked");
    say("typed\r");
    QSHOWS("[typed]");
}

void TestTerminalLive::theStatusComesBack() {
    say("exit 7\r");
    QVERIFY2(QTest::qWaitFor([this] { return m_end.has_value() || !m_error.empty(); }, kGuardMs), all());
    QVERIFY2(m_end.has_value(), m_error.c_str());
    QVERIFY(m_end->how == api::terminal::Ended::How::Exited);
    QCOMPARE(int{m_end->number}, 7);
}

QTEST_GUILESS_MAIN(TestTerminalLive)
#include "test_terminal_live.moc"

// SPDX-License-Identifier: Apache-2.0
// Commands: what is told of them, and that nothing of them is left, whatever they do against it.
#include "guest/agent/tools/bash_tool.h"
#include "guest/agent/tools/run_command.h"
#include "guest/agent/tools/tool_specs.h"
#include "guest/protocol/share_path.h"
#include "tests/guest/agent/tools/tool_words.h"

#include <QTest>

#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

constexpr std::chrono::hours kLong{24};

bool isRunning(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto name = text.rfind(')');
    return name != std::string::npos && text.at(name + 2) != 'Z' && text.at(name + 2) != 'X';
}

// A killed process goes when the kernel comes to it: waited for, however long it takes.
void untilGone(const std::string& pid) {
    QVERIFY(!pid.empty());
    QTRY_VERIFY_WITH_TIMEOUT(!isRunning(pid), 200'000);
}

std::string firstLine(const std::string& path) {
    std::ifstream file(path); // of a FIFO: waits for its writer
    std::string line;
    std::getline(file, line);
    return line;
}

} // namespace

class TestBash : public QObject {
    Q_OBJECT
    Folder m_folder;
    std::string m_fifo;
    std::unique_ptr<BashTool> m_tool;

    Result<CommandOutcome> runs(const std::string& text, std::chrono::milliseconds limit = kLong, const std::stop_token& stop = {}) {
        return runCommand({text, m_folder.path(), limit, 1000}, stop);
    }
    // Stops it as soon as it has written the number of a process to the FIFO, which must be gone then.
    void stopped(const std::string& text) {
        std::stop_source source;
        std::string pid;
        std::jthread stopper([&] {
            pid = firstLine(m_fifo);
            source.request_stop();
        });
        const auto outcome = runs(text, kLong, source.get_token());
        stopper.join();
        QVERIFY(outcome);
        QVERIFY(outcome->end == CommandEnd::Stopped);
        untilGone(pid);
    }

private slots:
    void init() {
        m_folder = {};
        m_fifo = m_folder.at("fifo");
        QCOMPARE(::mkfifo(m_fifo.c_str(), 0600), 0);
        m_tool = std::make_unique<BashTool>(*ownToolSpec("bash"), m_folder.path());
    }

    void tellsHowItEnded_data() {
        QTest::addColumn<QByteArray>("input");
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<bool>("well");
        QTest::newRow("well") << QByteArray("{'command':'echo a'}") << QByteArray("a\n[It ended with status 0.]") << true;
        QTest::newRow("silently") << QByteArray("{'command':''}") << QByteArray("[It ended with status 0, and wrote nothing.]") << true;
        QTest::newRow("badly") << QByteArray("{'command':'printf a; exit 3'}") << QByteArray("a\n[It ended with status 3.]") << false;
        QTest::newRow("by a signal") << QByteArray("{'command':'kill -9 $$'}")
                                     << QByteArray("[It was ended by signal 9 (Killed), and wrote nothing.]") << false;
        QTest::newRow("both ends in order") << QByteArray("{'command':'echo 1; echo 2 >&2; echo 3'}")
                                            << QByteArray("1\n2\n3\n[It ended with status 0.]") << true;
        QTest::newRow("nothing to read") << QByteArray("{'command':'cat; readlink /proc/self/fd/0'}")
                                         << QByteArray("/dev/null\n[It ended with status 0.]") << true;
        QTest::newRow("not quoted again") << QByteArray("{'command':'printf %s ^a  $(echo b) *\\\\n^'}")
                                          << QByteArray("a  b *\\n\n[It ended with status 0.]") << true;
    }
    void tellsHowItEnded() {
        QFETCH(QByteArray, input);
        QFETCH(QByteArray, text);
        QFETCH(bool, well);
        const auto outcome = use(*m_tool, input.toStdString());
        QCOMPARE(QByteArray::fromStdString(outcome.text), text);
        QCOMPARE(outcome.end == ToolEnd::Done, well);
    }

    void judgesItsInput_data() {
        QTest::addColumn<QByteArray>("input");
        QTest::newRow("nothing") << QByteArray("{}");
        QTest::newRow("a number") << QByteArray("{'command':7}");
        QTest::newRow("an unknown field") << QByteArray("{'command':'touch ran','shell':'sh'}");
        QTest::newRow("no time") << QByteArray("{'command':'touch ran','timeout_seconds':0}");
        QTest::newRow("too much time") << QByteArray("{'command':'touch ran','timeout_seconds':3601}");
        QTest::newRow("a NUL") << QByteArray("{'command':'touch ran\\u0000'}");
        QTest::newRow("no such folder") << QByteArray("{'command':'touch ../ran','directory':'none'}");
        QTest::newRow("a folder that is none") << QByteArray("{'command':'touch ran','directory':'fifo'}");
        QTest::newRow("an empty folder") << QByteArray("{'command':'touch ran','directory':''}");
    }
    void judgesItsInput() {
        QFETCH(QByteArray, input);
        const auto outcome = use(*m_tool, input.toStdString());
        QVERIFY(outcome.end == ToolEnd::Failed && outcome.text.size() > 10);
        QVERIFY(::access(m_folder.at("ran").c_str(), F_OK) != 0);
    }

    void runsWhereItIsTold() {
        QCOMPARE(use(*m_tool, "{'command':'pwd'}").text, m_folder.path() + "\n[It ended with status 0.]");
        QVERIFY(has(use(*m_tool, "{'command':'mkdir ^a b^'}").text, "status 0"));
        QCOMPARE(use(*m_tool, "{'command':'pwd','directory':'a b'}").text, m_folder.at("a b") + "\n[It ended with status 0.]");
        QCOMPARE(use(*m_tool, "{'command':'pwd','directory':'/'}").text, std::string("/\n[It ended with status 0.]"));
    }

    void isASessionOfItsOwn() {
        const auto outcome = runs("cut -d ' ' -f 5,6 /proc/$$/stat; echo $$ $$; ls /proc/$$/fd | tr '\\n' ' '");
        QVERIFY(outcome);
        const auto lines = QString::fromStdString(outcome->output).split('\n');
        QCOMPARE(lines[0], lines[1]);
        QCOMPARE(lines[2].trimmed(), QString("0 1 2")); // and it holds nothing of ours
    }

    void tooLongACommandIsSaid() {
        const auto outcome = runs("true " + std::string(200'000, 'x'));
        QVERIFY(!outcome && outcome.error().code == ErrorCode::LimitExceeded && !outcome.error().hint.empty());
    }

    void outputIsText() {
        const auto outcome = runs("printf 'a\\xff\\0\\xc3\\xa4\\xe2\\x82'");
        QCOMPARE(outcome->output, std::string("a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd"));
    }

    void muchOutputIsBounded() {
        const auto outcome = runs("printf begin; head -c 10000000 /dev/zero | tr '\\0' x; printf end");
        QVERIFY(outcome->output.size() < 1100);
        QVERIFY(outcome->output.starts_with("beginx") && outcome->output.ends_with("xend"));
        QVERIFY(has(outcome->output, "9999008 bytes left out"));
    }

    void outputWithoutEndIsStopped() { stopped("echo $$ >fifo; exec yes"); }
    void whatIgnoresSignalsIsStopped() { stopped("trap '' TERM INT HUP; echo $$ >fifo; while :; do :; done"); }
    void whatClosesItsOutputIsStopped() { stopped("exec >/dev/null 2>&1; echo $$ >fifo; exec sleep 1000000"); }
    void whatIsBehindItIsStopped() { stopped("sleep 1000000 & echo $! >fifo; wait"); }
    void anotherGroupIsStopped() { stopped("set -m; sleep 1000000 & echo $! >fifo; wait"); }
    void whatStoppedItselfIsStopped() { stopped("echo $$ >fifo; kill -STOP $$"); }

    void whatClosedItsOutputIsWaitedFor() {
        std::jthread teller([this] { std::ofstream(m_fifo) << "7\n"; }); // waits for its reader, whose output is closed by then
        const auto outcome = runs("echo a; exec >&- 2>&-; read -r number <fifo; exit $number");
        QVERIFY(outcome && outcome->end == CommandEnd::Exited);
        QCOMPARE(outcome->number, 7);
        QCOMPARE(outcome->output, std::string("a\n"));
    }

    void stoppedBeforeItBegan() {
        std::stop_source source;
        source.request_stop();
        QVERIFY(runs("sleep 1000000", kLong, source.get_token())->end == CommandEnd::Stopped);
    }

    void aTimeLimitEndsIt() {
        const auto outcome = runs("trap '' TERM; printf before; sleep 1000000 & wait", std::chrono::milliseconds(1));
        QVERIFY(outcome && outcome->end == CommandEnd::TimeLimit);
        const auto told = use(*m_tool, "{'command':'sleep 1000000','timeout_seconds':1}");
        QVERIFY(told.end == ToolEnd::Failed && has(told.text, "ran for 1 seconds, its time limit"));
    }

    void whatIsLeftBehindEndsWithIt() {
        const auto told = use(*m_tool, "{'command':'sleep 1000000 & echo $!; set -m; sleep 1000000 & echo $!'}");
        QVERIFY(told.end == ToolEnd::Done);
        QVERIFY(has(told.text, "What it had left running (2 processes) was ended with it."));
        const auto lines = QString::fromStdString(told.text).split('\n');
        untilGone(lines[0].toStdString());
        untilGone(lines[1].toStdString());
    }

    // It holds the end of our pipe, and neither that nor its life keeps us.
    void aSessionOfItsOwnStays() {
        const auto outcome = runs("setsid --fork bash -c 'echo $$ >fifo; exec sleep 1000000'; cat fifo");
        QVERIFY(outcome && outcome->end == CommandEnd::Exited && outcome->others == 0);
        const auto pid = outcome->output.substr(0, outcome->output.find('\n'));
        QVERIFY(isRunning(pid));
        ::kill(std::stoi(pid), SIGKILL);
        untilGone(pid);
    }
    void norDoesOneThatWritesWithoutEnd() {
        const auto outcome = runs("setsid --fork bash -c 'echo $$ >fifo; exec yes'; cat fifo");
        QVERIFY(outcome && outcome->end == CommandEnd::Exited);
    }

    void manyAtATime() {
        std::vector<std::jthread> threads;
        std::array<ToolOutcome, 16> outcomes;
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            threads.emplace_back([&, i] { outcomes[i] = use(*m_tool, "{'command':'for i in 1 2 3; do echo " + std::to_string(i) + "; done'}"); });
        }
        threads.clear();
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const auto line = std::to_string(i) + "\n";
            QCOMPARE(outcomes[i].text, line + line + line + "[It ended with status 0.]");
        }
    }
};

QTEST_GUILESS_MAIN(TestBash)
#include "test_bash.moc"

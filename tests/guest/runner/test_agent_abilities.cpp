// SPDX-License-Identifier: Apache-2.0
// The files and terminals that an agent program asks its client for.
#include "guest/runner/text_file.h"
#include "tests/guest/runner/runner_fixture.h"

#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <fstream>
#include <sys/stat.h>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::runner;
using namespace carrel::test;

namespace {

json::object asked(const std::string& method, json::object params, json::object more = {}) {
    params["sessionId"] = "s1";
    json::object out{{"ask", method}, {"params", std::move(params)}};
    for (auto& each : more) {
        out[each.key()] = each.value();
    }
    return out;
}

std::string contentOf(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

class TestAgentAbilities : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); }
    void init() {
        m_runner = std::make_unique<AgentRunner>(plainSettings());
        m_host = std::make_unique<Host>(*m_runner);
    }
    void cleanup() {
        m_runner.reset();
        m_host.reset();
    }
    void files();
    void filesThatAreNone();
    void lines_data();
    void lines();
    void writesWhatIsThere();
    void aHalfIsNotWritten();
    void terminals();
    void outputIsBounded();
    void killAndRelease();
    void aTerminalInATool();
    void terminalsThatAreNone();

private:
    // Every step that is not as expected ends the played agent with status 3.
    void plays(json::array steps) {
        auto script = begun({});
        script.insert(script.end(), steps.begin(), steps.end());
        script.push_back(says("done"));
        QVERIFY(m_host->play(script));
        QVERIFY(m_host->until([&] { return !m_host->all<talk::Text>().empty() || !m_host->all<talk::Ended>().empty(); }));
        QVERIFY2(m_host->all<talk::Ended>().empty(), (m_host->last<talk::Ended>().how + ": " + m_host->last<talk::Ended>().said).c_str());
    }
    QTemporaryDir m_folder;
    std::string at(const char* name) const { return m_folder.filePath(name).toStdString(); }
    std::unique_ptr<AgentRunner> m_runner;
    std::unique_ptr<Host> m_host;
};

void TestAgentAbilities::files() {
    std::ofstream(at("notes")) << "one\ntwo\nthree";
    const std::string large(1'500'000, 'y');
    plays({asked("fs/read_text_file", {{"path", at("notes")}}, {{"answered", {{"content", "one\ntwo\nthree"}}}}),
           asked("fs/read_text_file", {{"path", at("notes")}, {"line", 2}, {"limit", 1}}, {{"answered", {{"content", "two\n"}}}}),
           asked("fs/read_text_file", {{"path", at("notes")}, {"limit", 0}}, {{"answered", {{"content", ""}}}}),
           asked("fs/read_text_file", {{"path", at("notes")}, {"line", nullptr}, {"limit", nullptr}}, {{"answered", {{"content", "one\ntwo\nthree"}}}}),
           asked("fs/write_text_file", {{"path", at("new/deep/file")}, {"content", "grüße\n"}}, {{"answered", nullptr}}),
           asked("fs/read_text_file", {{"path", at("new/deep/file")}}, {{"answered", {{"content", "grüße\n"}}}}),
           asked("fs/write_text_file", {{"path", at("large")}, {"content", large}}, {{"answered", nullptr}}),
           asked("fs/write_text_file", {{"path", at("large2")}, {"content", ""}}, {{"answered", nullptr}})});
    QVERIFY(contentOf(at("large")) == large);
    QVERIFY(QFile::exists(m_folder.filePath("large2")));
}

void TestAgentAbilities::filesThatAreNone() {
    std::ofstream(at("bytes")) << "\xff\xfe";
    std::ofstream(at("huge")) << std::string(AgentFiles::kMostBytes + 1, 'x') << "\nsecond\n";
    QCOMPARE(::mkfifo(at("pipe").c_str(), 0666), 0);
    plays({asked("fs/read_text_file", {{"path", at("missing")}}, {{"refused", {{"code", -32002}}}}),
           asked("fs/read_text_file", {{"path", "relative"}}, {{"refused", {{"code", -32602}}}}),
           asked("fs/read_text_file", {{"path", std::string("/a\0b", 4)}}, {{"refused", {{"code", -32602}}}}),
           asked("fs/read_text_file", {{"path", 7}}, {{"refused", {{"code", -32602}}}}),
           asked("fs/read_text_file", {}, {{"refused", {{"code", -32602}}}}),
           asked("fs/write_text_file", {{"path", at("x")}}, {{"refused", {{"code", -32602}}}}),
           asked("fs/read_text_file", {{"path", m_folder.path().toStdString()}}, {{"refused", {{"code", -32603}}}}),
           asked("fs/read_text_file", {{"path", at("pipe")}}, {{"refused", {{"code", -32603}}}}), // and is not waited for
           asked("fs/write_text_file", {{"path", at("pipe")}, {"content", "x"}}, {{"refused", {{"code", -32603}}}}),
           asked("fs/read_text_file", {{"path", "/dev/zero"}}, {{"refused", {{"code", -32603}}}}),
           asked("fs/read_text_file", {{"path", at("bytes")}}, {{"refused", {{"message", at("bytes") + " is not a text in UTF-8"}}}}),
           asked("fs/read_text_file", {{"path", at("huge")}}, {{"refused", {{"code", -32603}}}}),
           asked("fs/read_text_file", {{"path", at("huge")}, {"line", 2}}, {{"answered", {{"content", "second\n"}}}}),
           asked("fs/write_text_file", {{"path", "/proc/version"}, {"content", "x"}}, {{"refused", {{"code", -32603}}}})});
}

void TestAgentAbilities::lines_data() {
    QTest::addColumn<int>("first");
    QTest::addColumn<int>("count");
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("all") << 1 << 0 << QByteArray("a\nb\n\nd");
    QTest::newRow("from none") << 0 << 0 << QByteArray("a\nb\n\nd");
    QTest::newRow("first") << 1 << 1 << QByteArray("a\n");
    QTest::newRow("middle") << 2 << 2 << QByteArray("b\n\n");
    QTest::newRow("last") << 4 << 9 << QByteArray("d");
    QTest::newRow("beyond") << 5 << 1 << QByteArray("");
}

void TestAgentAbilities::lines() {
    QFETCH(int, first);
    QFETCH(int, count);
    QFETCH(QByteArray, text);
    std::ofstream(at("lines")) << "a\nb\n\nd";
    const auto read = readTextFile(at("lines"), {static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count)}, 100);
    QVERIFY(read);
    QCOMPARE(QByteArray::fromStdString(*read), text);
    QVERIFY(readTextFile(at("lines"), {}, 3).error().code == ErrorCode::LimitExceeded);
}

void TestAgentAbilities::writesWhatIsThere() {
    std::ofstream(at("first")) << "a longer text than the new one";
    QVERIFY(::chmod(at("first").c_str(), 0640) == 0 && ::link(at("first").c_str(), at("second").c_str()) == 0 &&
            ::symlink("first", at("third").c_str()) == 0);
    QVERIFY(writeTextFile(at("third"), "short"));
    QCOMPARE(contentOf(at("second")), std::string("short"));
    struct stat is {};
    QVERIFY(::stat(at("first").c_str(), &is) == 0);
    QCOMPARE(is.st_mode & 0777, 0640U);
    QVERIFY(writeTextFile(at("first/below"), "x").error().code == ErrorCode::NotFound);
}

void TestAgentAbilities::aHalfIsNotWritten() {
    std::ofstream(at("kept")) << "all of it";
    const std::string command = "printf half | " CARREL_BIN_DIR "/carrel-ask text-file write " + at("kept") + " 9";
    QCOMPARE(WEXITSTATUS(std::system(command.c_str())), static_cast<int>(kTextFileWrongWords));
    QCOMPARE(contentOf(at("kept")), std::string("all of it"));
}

void TestAgentAbilities::terminals() {
    plays({asked("terminal/create", {{"command", "sh"}, {"args", {"-c", "echo out; echo err >&2; echo $NAME in $PWD; exit 5"}}, {"env", {{{"name", "NAME"}, {"value", "value"}}}}, {"cwd", "/usr"}},
                 {{"answered", {{"terminalId", "*"}}}, {"keep", {{"t", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$t"}}, {{"answered", {{"exitCode", 5}, {"signal", nullptr}}}}),
           asked("terminal/output", {{"terminalId", "$t"}}, {{"answered", {{"output", "out\nerr\nvalue in /usr\n"}, {"truncated", false}, {"exitStatus", {{"exitCode", 5}, {"signal", nullptr}}}}}}),
           asked("terminal/kill", {{"terminalId", "$t"}}, {{"answered", json::object()}}),
           asked("terminal/release", {{"terminalId", "$t"}}, {{"answered", json::object()}}),
           asked("terminal/output", {{"terminalId", "$t"}}, {{"refused", {{"code", -32002}}}}),
           // A whole line, as many agents say it; and its input is at its end.
           asked("terminal/create", {{"command", "cat; echo a | tr a b && pwd"}}, {{"keep", {{"u", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$u"}}, {{"answered", {{"exitCode", 0}}}}),
           asked("terminal/output", {{"terminalId", "$u"}}, {{"answered", {{"output", "b\n/\n"}}}})});
}

void TestAgentAbilities::outputIsBounded() {
    plays({asked("terminal/create", {{"command", "printf 'abcdefghij\\303\\274xyz'"}, {"outputByteLimit", 4}}, {{"keep", {{"t", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$t"}}),
           // Four bytes would begin within a character.
           asked("terminal/output", {{"terminalId", "$t"}}, {{"answered", {{"output", "xyz"}, {"truncated", true}}}}),
           asked("terminal/create", {{"command", "head -c 30000000 /dev/zero | tr '\\0' x; echo end"}}, {{"keep", {{"u", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$u"}}, {{"answered", {{"exitCode", 0}}}}),
           asked("terminal/output", {{"terminalId", "$u"}},
                 {{"answered", {{"output", std::string(AgentTerminals::kMostOutput - 4, 'x') + "end\n"}, {"truncated", true}}}})});
}

void TestAgentAbilities::killAndRelease() {
    plays({asked("terminal/create", {{"command", "sh"}, {"args", {"-c", "sleep 1000 & echo $! > " + at("child") + "; echo ready; wait"}}}, {{"keep", {{"t", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$t"}}, {{"as", "wait"}}), json::object{{"until", at("child")}},
           asked("terminal/kill", {{"terminalId", "$t"}}, {{"answered", json::object()}}),
           json::object{{"answered", "wait"}, {"result", {{"exitCode", nullptr}, {"signal", "SIGKILL"}}}},
           // What a command has left behind goes with its terminal.
           asked("terminal/create", {{"command", "sh"}, {"args", {"-c", "sleep 1000 & echo $! > " + at("left")}}}, {{"keep", {{"u", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$u"}}, {{"answered", {{"exitCode", 0}}}}),
           asked("terminal/release", {{"terminalId", "$u"}}),
           asked("terminal/create", {{"command", "sleep"}, {"args", {"1000"}}}, {{"keep", {{"v", "terminalId"}}}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$v"}}, {{"as", "wait2"}}),
           asked("terminal/wait_for_exit", {{"terminalId", "$v"}}, {{"as", "wait3"}}),
           json::object{{"note", "$/cancel_request"}, {"params", {{"requestId", "$id:wait2"}}}},
           json::object{{"answered", "wait2"}, {"error", {{"code", -32800}}}},
           asked("terminal/release", {{"terminalId", "$v"}}),
           json::object{{"answered", "wait3"}, {"result", {{"signal", "SIGKILL"}}}},
           asked("terminal/create", {{"command", "sh"}, {"args", {"-c", "echo $$ > " + at("open") + "; exec sleep 1000"}}}, {{"answered", {{"terminalId", "*"}}}}),
           json::object{{"until", at("open")}}});
    for (const auto* name : {"child", "left"}) {
        const auto pid = static_cast<pid_t>(std::stol(contentOf(at(name))));
        QVERIFY(pid > 1);
        QTRY_VERIFY_WITH_TIMEOUT(::kill(pid, 0) != 0, 60000);
    }
    // And what is open still, with the agent program.
    QTRY_VERIFY_WITH_TIMEOUT(contentOf(at("open")).ends_with("\n"), 60000);
    const auto open = static_cast<pid_t>(std::stol(contentOf(at("open"))));
    QCOMPARE(::kill(open, 0), 0);
    QVERIFY(m_host->ask(talk::Stop{1}));
    QVERIFY(m_host->hears<talk::Ended>());
    QTRY_VERIFY_WITH_TIMEOUT(::kill(open, 0) != 0, 60000);
}

void TestAgentAbilities::aTerminalInATool() {
    auto script = begun({kPrompted, asked("terminal/create", {{"command", "echo first; until [ -e " + at("go") + " ]; do sleep 0.02; done; echo second"}}, {{"keep", {{"t", "terminalId"}}}}),
                         json::object{{"update", {{"sessionUpdate", "tool_call"}, {"toolCallId", "c"}, {"title", "run"}, {"kind", "execute"}, {"status", "in_progress"},
                                                  {"content", {{{"type", "terminal"}, {"terminalId", "$t"}}}}}}},
                         asked("terminal/wait_for_exit", {{"terminalId", "$t"}}), asked("terminal/release", {{"terminalId", "$t"}}),
                         json::object{{"update", {{"sessionUpdate", "tool_call_update"}, {"toolCallId", "c"}, {"status", "completed"}}}}, kTurnDone});
    QVERIFY(m_host->play(script));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    // While it runs.
    QVERIFY(m_host->until([&] { return m_host->last<talk::Tool>().output == "first\n"; }));
    QVERIFY(m_host->last<talk::Tool>().status == talk::ToolStatus::InProgress);
    std::ofstream(at("go")) << "";
    QVERIFY(m_host->hears<talk::TurnEnded>());
    // And after its terminal has gone.
    QCOMPARE(m_host->last<talk::Tool>().output, std::string("first\nsecond\n"));
    QVERIFY(m_host->last<talk::Tool>().status == talk::ToolStatus::Completed);
}

void TestAgentAbilities::terminalsThatAreNone() {
    json::array steps{asked("terminal/create", {{"command", "no-such-program"}}, {{"refused", {{"message", "the machine has no program no-such-program"}}}}),
                      asked("terminal/create", {{"command", "true"}, {"cwd", "/no/such"}}, {{"refused", {{"code", -32603}}}}),
                      asked("terminal/create", {{"command", "true"}, {"cwd", "here"}}, {{"refused", {{"code", -32602}}}}),
                      asked("terminal/create", {{"command", ""}}, {{"refused", {{"code", -32602}}}}),
                      asked("terminal/create", {{"command", "true"}, {"args", "x"}}, {{"refused", {{"code", -32602}}}}),
                      asked("terminal/create", {{"command", "true"}, {"args", {7}}}, {{"refused", {{"code", -32602}}}}),
                      asked("terminal/create", {{"command", "true"}, {"env", {"x"}}}, {{"refused", {{"code", -32602}}}}),
                      asked("terminal/create", {{"command", "true"}, {"args", {std::string(200'000, 'x')}}}, {{"refused", {{"code", -32602}}}}),
                      asked("terminal/output", {{"terminalId", "terminal-99"}}, {{"refused", {{"code", -32002}}}}),
                      asked("terminal/output", json::object(), {{"refused", {{"code", -32602}}}})};
    for (std::size_t i = 0; i < AgentTerminals::kMostTerminals; ++i) {
        steps.push_back(asked("terminal/create", {{"command", "true"}}, {{"answered", {{"terminalId", "*"}}}}));
    }
    steps.push_back(asked("terminal/create", {{"command", "true"}}, {{"refused", {{"code", -32603}}}}));
    plays(steps);
}

QTEST_GUILESS_MAIN(TestAgentAbilities)
#include "test_agent_abilities.moc"

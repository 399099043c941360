// SPDX-License-Identifier: Apache-2.0
// Agent programs that crash, hang, flood, print where only messages belong, or speak something else: each is told with its cause, and
// guestd goes on within its bounds.
#include "tests/guest/runner/runner_fixture.h"
#include "tests/support/sanitized.h"

#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <fstream>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::runner;
using namespace carrel::test;

namespace {

std::size_t residentBytes() {
    std::size_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

class TestAgentTrouble : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); }
    void init() { begin({}); }
    void cleanup() {
        m_runner.reset();
        m_host.reset();
    }
    void noSuchProgram_data();
    void noSuchProgram();
    void otherVersions_data();
    void otherVersions();
    void hangsAtTheStart();
    void endsInATurn_data();
    void endsInATurn();
    void itsLastWordsAreHeard();
    void closesItsOutput();
    void whatItLeavesBehindHoldsNothingUp();
    void printsAmongMessages();
    void saysWhatNobodyKnows();
    void aLineWithoutEnd();
    void aFloodIsBounded();
    void aFloodWaitsForTheHost();
    void questionsWithoutEnd();
    void readsNothing();

private:
    void begin(RunBounds bounds) {
        m_runner = std::make_unique<AgentRunner>(plainSettings(bounds));
        m_host = std::make_unique<Host>(*m_runner);
    }
    std::unique_ptr<AgentRunner> m_runner;
    std::unique_ptr<Host> m_host;
};

void TestAgentTrouble::noSuchProgram_data() {
    QTest::addColumn<QString>("program");
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("says");
    QTest::newRow("none") << "no-such-agent" << "/" << "has no program no-such-agent";
    QTest::newRow("no program") << "/etc/passwd" << "/" << "cannot run";
    QTest::newRow("no folder") << "true" << "/no/such" << "the working folder";
}

void TestAgentTrouble::noSuchProgram() {
    QFETCH(QString, program);
    QFETCH(QString, folder);
    QFETCH(QString, says);
    QVERIFY(m_host->ask(talk::Start{1, {program.toStdString()}, {}, folder.toStdString(), {}}));
    QVERIFY(m_host->hears<talk::Ended>());
    const auto ended = m_host->last<talk::Ended>();
    QVERIFY2(has(ended.how, "could not be started") && has(ended.how, says.toStdString()), ended.how.c_str());
    QVERIFY(!ended.code && !ended.signal);
    QCOMPARE(m_host->told.size(), 1U);
}

void TestAgentTrouble::otherVersions_data() {
    QTest::addColumn<QByteArray>("script");
    QTest::addColumn<QByteArray>("says");
    QTest::newRow("newer") << QByteArray(R"([{"expect":"initialize","result":{"protocolVersion":2}}])") << QByteArray("version 2");
    QTest::newRow("none") << QByteArray(R"([{"expect":"initialize","result":{"hello":"you"}}])") << QByteArray("not of the Agent Client Protocol");
    QTest::newRow("a text") << QByteArray(R"([{"expect":"initialize","result":"fine"}])") << QByteArray("not of the Agent Client Protocol");
    QTest::newRow("refused") << QByteArray(R"([{"expect":"initialize","error":{"code":-32601,"message":"no such method"}}])")
                             << QByteArray("could not begin: no such method");
    QTest::newRow("no session") << QByteArray(R"([{"expect":"initialize","result":{"protocolVersion":1}},
                                                  {"expect":"session/new","error":{"code":-32603,"message":"no model","data":"set one"}}])")
                                << QByteArray("could not open a session: no model: set one");
    QTest::newRow("which session") << QByteArray(R"([{"expect":"initialize","result":{"protocolVersion":1}},{"expect":"session/new","result":{}}])")
                                   << QByteArray("did not say which");
}

void TestAgentTrouble::otherVersions() {
    QFETCH(QByteArray, script);
    QFETCH(QByteArray, says);
    QVERIFY(m_host->play(json::parse(script.toStdString()).as_array()));
    QVERIFY(m_host->hears<talk::Ended>());
    QVERIFY2(has(m_host->last<talk::Ended>().how, says.toStdString()), m_host->last<talk::Ended>().how.c_str());
    QCOMPARE(m_host->last<talk::Ended>().code, std::optional<std::uint32_t>(0)); // it was let to end by itself
}

void TestAgentTrouble::hangsAtTheStart() {
    RunBounds bounds;
    bounds.toBegin = bounds.toEnd = std::chrono::milliseconds(100);
    begin(bounds);
    QVERIFY(m_host->ask(talk::Start{1, {"sh", "-c", "echo waiting for a key >&2; trap '' TERM; exec sleep 1000"}, {}, "/", {}}));
    QVERIFY(m_host->hears<talk::Ended>());
    const auto ended = m_host->last<talk::Ended>();
    QVERIFY2(has(ended.how, "opened no session and said nothing for 100 ms"), ended.how.c_str());
    QCOMPARE(ended.said, std::string("waiting for a key\n"));
    QCOMPARE(ended.signal, std::optional<std::uint32_t>(SIGKILL));
}

void TestAgentTrouble::endsInATurn_data() {
    QTest::addColumn<QByteArray>("step");
    QTest::addColumn<QByteArray>("says");
    QTest::addColumn<int>("code");
    QTest::addColumn<int>("signal");
    QTest::newRow("status") << QByteArray(R"({"end":7})") << QByteArray("ended by itself, with status 7") << 7 << 0;
    QTest::newRow("signal") << QByteArray(R"({"die":10})") << QByteArray("was ended by signal 10 (SIGUSR1)") << 0 << 10;
    QTest::newRow("killed") << QByteArray(R"({"die":9})") << QByteArray("was ended by signal 9 (SIGKILL)") << 0 << 9;
}

void TestAgentTrouble::endsInATurn() {
    QFETCH(QByteArray, step);
    QFETCH(QByteArray, says);
    QFETCH(int, code);
    QFETCH(int, signal);
    QVERIFY(m_host->play(begun({kPrompted, carrel::test::says("so far"), json::object{{"complain", "panic!\n"}}, json::parse(step.toStdString()).as_object()})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Ended>());
    const auto turn = m_host->last<talk::TurnEnded>();
    QVERIFY(turn.stop == talk::TurnStop::Failed && turn.turn == 1);
    QVERIFY2(has(turn.message, says.toStdString()), turn.message.c_str());
    QVERIFY(!turn.hint.empty());
    const auto ended = m_host->last<talk::Ended>();
    QVERIFY2(has(ended.how, says.toStdString()), ended.how.c_str());
    QCOMPARE(ended.said, std::string("panic!\n"));
    QCOMPARE(ended.code.value_or(0), static_cast<std::uint32_t>(code));
    QCOMPARE(ended.signal.value_or(0), static_cast<std::uint32_t>(signal));
    QCOMPARE(m_host->text(), std::string("so far"));
    QVERIFY(std::holds_alternative<talk::Ended>(m_host->told.back().what));
    QVERIFY(m_host->refusalOf(talk::Prompt{1, 2, "more", {}}) == ErrorCode::Conflict);
}

void TestAgentTrouble::itsLastWordsAreHeard() {
    QVERIFY(m_host->play(begun({kPrompted, json::object{{"update", {{"sessionUpdate", "agent_message_chunk"}, {"content", {{"type", "text"}, {"text", "# "}}}}}, {"times", 20000}},
                                kTurnDone, json::object{{"end", 0}}})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Ended>());
    QVERIFY(m_host->text().ends_with(" 19999 20000 "));
    QVERIFY(m_host->last<talk::TurnEnded>().stop == talk::TurnStop::EndTurn);
}

void TestAgentTrouble::closesItsOutput() {
    RunBounds bounds;
    bounds.toFinish = std::chrono::milliseconds(100);
    begin(bounds);
    QVERIFY(m_host->play(begun({json::object{{"close", true}}})));
    QVERIFY(m_host->hears<talk::Ended>());
    QVERIFY2(has(m_host->last<talk::Ended>().how, "closed its output"), m_host->last<talk::Ended>().how.c_str());
}

void TestAgentTrouble::whatItLeavesBehindHoldsNothingUp() {
    RunBounds bounds;
    bounds.toFinish = std::chrono::milliseconds(100);
    begin(bounds);
    QTemporaryDir folder;
    const auto number = folder.filePath("pid").toStdString();
    QVERIFY(m_host->ask(talk::Start{1, {"sh", "-c", "sleep 1000 & echo $! > " + number + "; exit 3"}, {}, "/", {}}));
    QVERIFY(m_host->hears<talk::Ended>());
    QCOMPARE(m_host->last<talk::Ended>().code, std::optional<std::uint32_t>(3));
    pid_t left = 0;
    std::ifstream(number) >> left;
    QVERIFY(left > 1);
    QTRY_VERIFY_WITH_TIMEOUT(::kill(left, 0) != 0, 60000); // it was of its group, and went with it
}

void TestAgentTrouble::printsAmongMessages() {
    QVERIFY(m_host->play(json::array{json::object{{"print", "(node:12) Warning: this is experimental"}}, kInitialize, json::object{{"print", "{not json"}}, kNewSession,
                                     json::object{{"print", "[1, 2]"}}, json::object{{"print", R"({"jsonrpc":"2.0","id":99,"result":1})"}},
                                     json::object{{"byte", 0xc3}}, json::object{{"print", "( bytes"}}, json::object{{"print", "again"}, {"times", 5000}}, says("still here")}));
    QVERIFY2(m_host->until([&] { return !m_host->all<talk::Text>().empty() || !m_host->all<talk::Ended>().empty(); }), "nothing");
    QVERIFY2(m_host->all<talk::Ended>().empty(), (m_host->last<talk::Ended>().how + ": " + m_host->last<talk::Ended>().said).c_str());
    const auto other = m_host->all<talk::Other>();
    QCOMPARE(other.size(), 100U); // and no more
    QVERIFY(std::all_of(other.begin(), other.end(), [](const auto& each) { return each.name == "stdout"; }));
    QCOMPARE(other[0].text, std::string("(node:12) Warning: this is experimental"));
    QCOMPARE(other[1].text, std::string("{not json"));
    QCOMPARE(other[4].text, std::string("?( bytes"));
    QVERIFY(m_host->all<talk::Ended>().empty());
}

void TestAgentTrouble::saysWhatNobodyKnows() {
    QVERIFY(m_host->play(begun({json::object{{"ask", "elicitation/create"}, {"params", {{"mode", "form"}}}, {"refused", {{"code", -32601}}}},
                                json::object{{"note", "_vendor/news"}, {"params", {{"it", "is new"}}}},
                                json::object{{"update", {{"sessionUpdate", "weather_update"}, {"sky", "blue"}}}},
                                json::object{{"update", {{"sessionUpdate", "plan"}, {"entries", json::array{}}}}, {"session", "another"}}, says("done")})));
    QVERIFY(m_host->hears<talk::Text>());
    const auto other = m_host->all<talk::Other>();
    QCOMPARE(other.size(), 4U);
    QCOMPARE(other[0], (talk::Other{0, "elicitation/create", R"({"mode":"form"})"}));
    QCOMPARE(other[1], (talk::Other{0, "_vendor/news", R"({"it":"is new"})"}));
    QCOMPARE(other[2], (talk::Other{0, "weather_update", R"({"sessionUpdate":"weather_update","sky":"blue"})"}));
    QCOMPARE(other[3].name, std::string("session/update")); // of a session that nobody asked for
    QVERIFY(m_host->all<talk::Plan>().empty());
}

void TestAgentTrouble::aLineWithoutEnd() {
    QVERIFY(m_host->play(begun({kPrompted, json::object{{"long", 9 * 1024 * 1024}}})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Ended>());
    QVERIFY2(has(m_host->last<talk::Ended>().how, "a message of more than 8388608 bytes"), m_host->last<talk::Ended>().how.c_str());
    QVERIFY(m_host->last<talk::TurnEnded>().stop == talk::TurnStop::Failed);
}

void TestAgentTrouble::aFloodIsBounded() {
    RunBounds bounds;
    bounds.bookFull = std::chrono::milliseconds(0);
    begin(bounds);
    QTemporaryDir folder;
    const auto mark = folder.filePath("all").toStdString();
    constexpr std::size_t kMany = kSanitized ? 10'000 : 100'000;
    const json::object flood{{"update", {{"sessionUpdate", "tool_call"}, {"toolCallId", "call-#"}, {"title", "call #"}, {"rawInput", {{"text", std::string(100, 'x')}}}}}, {"times", kMany}};
    QVERIFY(m_host->play(begun({kPrompted, flood, json::object{{"touch", mark}}, kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    const auto before = residentBytes();
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(QString::fromStdString(mark)), 280000); // nobody fetches
    if (!kSanitized) { // which keep what was freed
        QVERIFY2(residentBytes() < before + 32 * 1024 * 1024, std::to_string(residentBytes() - before).c_str());
    }
    QVERIFY(m_host->hears<talk::TurnEnded>());
    std::uint64_t lost = 0;
    for (const auto& each : m_host->all<talk::Lost>()) {
        lost += each.count;
    }
    QVERIFY(lost > kMany / 2);
    QCOMPARE(lost + m_host->all<talk::Tool>().size(), kMany);
    QCOMPARE(m_host->last<talk::Tool>().id, "call-" + std::to_string(kMany)); // the newest are kept
}

void TestAgentTrouble::aFloodWaitsForTheHost() {
    RunBounds bounds;
    bounds.book.updates = 64;
    bounds.bookFull = std::chrono::hours(1);
    begin(bounds);
    const json::object flood{{"update", {{"sessionUpdate", "tool_call"}, {"toolCallId", "call-#"}, {"title", "call #"}}}, {"times", 5000}};
    QVERIFY(m_host->play(begun({kPrompted, flood, kTurnDone})));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::TurnEnded>());
    QCOMPARE(m_host->all<talk::Tool>().size(), 5000U);
    QVERIFY(m_host->all<talk::Lost>().empty());
}

void TestAgentTrouble::questionsWithoutEnd() {
    const auto question = [](const std::string& name) {
        return json::object{{"ask", "session/request_permission"}, {"as", name},
                            {"params", {{"sessionId", "s1"}, {"toolCall", {{"toolCallId", name}}}, {"options", {{{"optionId", "y"}, {"name", "Yes"}, {"kind", "allow_once"}}}}}}};
    };
    auto script = begun({kPrompted});
    for (std::size_t i = 1; i <= AcpClient::kMostQuestions + 1; ++i) {
        script.push_back(question("q" + std::to_string(i)));
    }
    script.push_back(json::object{{"answered", "q" + std::to_string(AcpClient::kMostQuestions + 1)}, {"error", {{"message", "too many questions are open"}}}});
    script.push_back(json::object{{"note", "$/cancel_request"}, {"params", {{"requestId", "$id:q1"}}}});
    script.push_back(json::object{{"answered", "q1"}, {"result", {{"outcome", {{"outcome", "cancelled"}}}}}});
    script.push_back(kTurnDone);
    script.push_back(json::object{{"answered", "q2"}, {"result", {{"outcome", {{"outcome", "cancelled"}}}}}}); // those that a turn leaves open
    script.push_back(says("fine"));
    QVERIFY(m_host->play(script));
    QVERIFY(m_host->hears<talk::Started>());
    QVERIFY(m_host->ask(talk::Prompt{1, 1, "go", {}}));
    QVERIFY(m_host->hears<talk::Text>());
    // Each question that was told is told to be over.
    QCOMPARE(m_host->all<talk::Permission>().size(), m_host->all<talk::PermissionOver>().size());
    QVERIFY(m_host->all<talk::Ended>().empty());
}

void TestAgentTrouble::readsNothing() {
    // It asks for a large file again and again and takes none of it: it only stops itself.
    RunBounds bounds;
    bounds.toEnd = bounds.toTerminate = std::chrono::milliseconds(50);
    begin(bounds);
    QTemporaryDir folder;
    const auto path = folder.filePath("large").toStdString();
    std::ofstream(path) << std::string(3'000'000, 'x');
    auto script = begun({json::object{{"stubborn", true}}});
    for (int i = 0; i < 200; ++i) {
        script.push_back(json::object{{"ask", "fs/read_text_file"}, {"as", "r" + std::to_string(i)}, {"params", {{"sessionId", "s1"}, {"path", path}}}});
    }
    script.push_back(json::object{{"touch", folder.filePath("asked").toStdString()}});
    script.push_back(json::object{{"until", folder.filePath("never").toStdString()}});
    QVERIFY(m_host->play(script));
    QVERIFY(m_host->hears<talk::Started>());
    const auto before = residentBytes();
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(folder.filePath("asked")), 60000);
    QVERIFY(m_host->ask(talk::Stop{1})); // and is ended all the same
    QVERIFY(residentBytes() < before + 256 * 1024 * 1024);
    QVERIFY(m_host->hears<talk::Ended>());
}

QTEST_GUILESS_MAIN(TestAgentTrouble)
#include "test_agent_trouble.moc"

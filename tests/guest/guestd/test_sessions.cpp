// SPDX-License-Identifier: Apache-2.0
// Sessions on the terminals channel, with plain processes of the test's own account.
#include "guest/guestd/session_server.h"
#include "guest/protocol/control.h"
#include "tests/guest/guestd/channel_pair.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>

#include <csignal>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::guestd;
using namespace carrel::test;

class TestSessions : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); }
    void init();
    void cleanup();
    void statusAndOutput_data();
    void statusAndOutput();
    void inputAndHalfClose();
    void largeOutputBeforeExit();
    void stalledReaderStallsOnlyItself();
    void signalReachesTheGroup();
    void terminalSizeAndForeground();
    void resetKills();
    void epochEndSendsHangup();
    void processLeftBehindDoesNotHoldTheSession();
    void noAccountIsAnError();
    void numbersBeyondTheBoundAreRefused();

private:
    static constexpr std::uint32_t kControl = 4, kIn = 5, kOut = 6, kErr = 7;
    void start(const json::object& what, std::uint32_t session = 1);
    bool ends(std::uint32_t session = 1) {
        // The last words may overtake output that waits for credit: streams keep order only within themselves.
        return m_pair->until([=, this] {
            const auto over = [&](std::uint32_t part) {
                const auto stream = m_pair->streams.find(session * 4 + part);
                return stream == m_pair->streams.end() || stream->second.ended || stream->second.reset;
            };
            return m_pair->streams[session * 4].ended && over(2) && over(3);
        });
    }
    QByteArray words(std::uint32_t session = 1) { return m_pair->streams[session * 4].bytes; }

    std::shared_ptr<Spawner> m_spawner;
    std::unique_ptr<SessionServer> m_server;
    std::unique_ptr<ChannelPair> m_pair;
};

void TestSessions::init() {
    m_spawner = std::make_shared<PlainSpawner>();
    m_server = std::make_unique<SessionServer>([this] { return m_spawner; });
    m_pair = std::make_unique<ChannelPair>(
        [](std::uint32_t id) { return id % 4 == 0 ? StreamKind::Messages : StreamKind::Bytes; },
        Channel::Options{"terminals", SessionServer::accept,
                         [this](ChannelEvent&& event) { m_server->handle(std::move(event)); }});
    QVERIFY(m_server->start(*m_pair->channel).has_value());
    QVERIFY(m_pair->channel->start().has_value());
    QVERIFY(m_pair->open());
}

void TestSessions::cleanup() {
    m_pair->channel->stop();
    m_server->stop();
    m_pair.reset();
}

void TestSessions::start(const json::object& what, std::uint32_t session) {
    m_pair->mux().openStream(session * 4, StreamKind::Messages);
    m_pair->mux().openStream(session * 4 + 1, StreamKind::Bytes);
    QVERIFY(m_pair->mux()
                .sendMessage(session * 4, asBytes(json::serialize(json::object{{"start", what}})))
                .has_value());
}

void TestSessions::statusAndOutput_data() {
    QTest::addColumn<QByteArray>("script");
    QTest::addColumn<QByteArray>("end");
    QTest::newRow("zero") << QByteArray("exit 0") << QByteArray(R"({"started":{}}{"exit":{"code":0}})");
    QTest::newRow("seven") << QByteArray("exit 7") << QByteArray(R"({"started":{}}{"exit":{"code":7}})");
    QTest::newRow("killed") << QByteArray("kill -TERM $$")
                            << QByteArray(R"({"started":{}}{"exit":{"signal":15}})");
}

void TestSessions::statusAndOutput() {
    QFETCH(QByteArray, script);
    QFETCH(QByteArray, end);
    start({{"argv", {"sh", "-c", "printf out; printf err >&2; " + script.toStdString()}}, {"cwd", "/"}});
    QVERIFY(ends());
    QCOMPARE(words(), end);
    QCOMPARE(m_pair->streams[kOut].bytes, QByteArray("out"));
    QCOMPARE(m_pair->streams[kErr].bytes, QByteArray("err"));
    QVERIFY(m_pair->streams[kOut].ended && m_pair->streams[kErr].ended);
    start({{"argv", {"no-such-program-here"}}}, 2);
    QVERIFY(ends(2));
    QVERIFY2(words(2).contains("\"not_found\"") || words(2).contains("has no program"), words(2).constData());
    start({{"argv", {"/etc/passwd"}}}, 3);
    QVERIFY(ends(3));
    QVERIFY2(words(3).contains("cannot run"), words(3).constData());
    start({{"argv", {"ls"}}, {"cwd", "/no/such/folder"}}, 4);
    QVERIFY(ends(4));
    QVERIFY2(words(4).contains("working folder"), words(4).constData());
}

void TestSessions::inputAndHalfClose() {
    start({{"argv", {"cat"}}});
    QByteArray data(2'000'000, 'x');
    for (qsizetype i = 0; i < data.size(); i += 1000) {
        data[i] = static_cast<char>('a' + i / 1000 % 26);
    }
    QVERIFY(m_pair->mux()
                .sendBytes(kIn, {reinterpret_cast<const std::byte*>(data.constData()),
                                 static_cast<std::size_t>(data.size())})
                .has_value());
    m_pair->mux().sendEnd(kIn);
    QVERIFY(ends());
    QVERIFY(m_pair->streams[kOut].bytes == data);
}

void TestSessions::largeOutputBeforeExit() {
    start({{"argv", {"sh", "-c", "head -c 5000000 /dev/zero; head -c 700000 /dev/zero >&2"}}});
    QVERIFY(ends());
    QCOMPARE(m_pair->streams[kOut].bytes.size(), 5000000);
    QCOMPARE(m_pair->streams[kErr].bytes.size(), 700000);
}

void TestSessions::stalledReaderStallsOnlyItself() {
    m_pair->streams[kOut].stalled = true;
    start({{"argv", {"sh", "-c", "head -c 5000000 /dev/zero"}}});
    QVERIFY(m_pair->until(
        [&] { return m_pair->streams[kOut].bytes.size() == static_cast<qsizetype>(kInitialWindow); }));
    start({{"argv", {"echo", "fine"}}}, 2);
    QVERIFY(ends(2));
    QCOMPARE(m_pair->streams[2 * 4 + 2].bytes, QByteArray("fine\n"));
    QVERIFY(!m_pair->streams[kControl].ended);
    m_pair->streams[kOut].stalled = false;
    m_pair->mux().consumed(kOut, kInitialWindow);
    QVERIFY(ends());
    QCOMPARE(m_pair->streams[kOut].bytes.size(), 5000000);
}

void TestSessions::signalReachesTheGroup() {
    // Both the shell and its child must hear it.
    start({{"argv",
            {"sh", "-c",
             "trap 'echo parent' TERM; sh -c 'trap \"echo child; exit\" TERM; echo go; while :; do sleep "
             "0.01; done';"
             "exit 5"}}});
    QVERIFY(m_pair->until([&] { return m_pair->streams[kOut].bytes.contains("go\n"); }));
    QVERIFY(m_pair->mux().sendMessage(kControl, asBytes(R"({"signal":15})")).has_value());
    QVERIFY(ends());
    QVERIFY2(words().contains(R"("code":5)"), words().constData());
    QCOMPARE(m_pair->streams[kOut].bytes, QByteArray("go\nchild\nparent\n"));
}

void TestSessions::terminalSizeAndForeground() {
    start(
        {{"argv", {"sh"}}, {"env", {{"PS1", ""}}}, {"tty", {{"rows", 33}, {"cols", 77}, {"term", "dumb"}}}});
    const auto type = [&](std::string_view text) {
        QVERIFY(m_pair->mux().sendBytes(kIn, asBytes(text)).has_value());
    };
    const auto shows = [&](const char* text) {
        return m_pair->until([&] { return m_pair->streams[kOut].bytes.contains(text); });
    };
    type("stty size; echo $TERM\n");
    QVERIFY(shows("33 77\r\ndumb\r\n"));
    QVERIFY(m_pair->mux().sendMessage(kControl, asBytes(R"({"resize":{"rows":50,"cols":101}})")).has_value());
    type("stty size\n");
    QVERIFY(shows("50 101\r\n"));
    type("sh -c 'trap \"echo cau\"\"ght; exit\" INT; echo rea\"\"dy; while :; do sleep 0.01; done'\n");
    QVERIFY(shows("ready\r\n"));
    QVERIFY(m_pair->mux().sendMessage(kControl, asBytes(R"({"signal":2})")).has_value());
    QVERIFY(shows("caught"));
    m_pair->mux().sendEnd(kIn); // the end of input at a terminal
    QVERIFY(ends());
    QVERIFY2(words().contains("\"exit\""), words().constData());
}

void TestSessions::resetKills() {
    QTemporaryDir folder;
    const auto pidFile = folder.filePath("pid");
    start({{"argv", {"sh", "-c", "echo $$; trap '' HUP TERM INT; while :; do sleep 0.01; done"}}});
    QVERIFY(m_pair->until([&] { return m_pair->streams[kOut].bytes.endsWith("\n"); }));
    const auto pid = static_cast<pid_t>(m_pair->streams[kOut].bytes.trimmed().toInt());
    m_pair->mux().sendReset(kControl, ECANCELED);
    QVERIFY(m_pair->until([&] { return m_pair->streams[kOut].reset; }));
    QTRY_VERIFY_WITH_TIMEOUT(::kill(pid, 0) != 0 && errno == ESRCH, 30000);
}

void TestSessions::epochEndSendsHangup() {
    QTemporaryDir folder;
    const auto mark = folder.filePath("hup");
    start({{"argv",
            {"sh", "-c",
             "trap 'echo x > " + mark.toStdString() +
                 "; exit' HUP; echo ready; while :; do sleep 0.01; done"}}});
    QVERIFY(m_pair->until([&] { return m_pair->streams[kOut].bytes == "ready\n"; }));
    m_pair->begin();
    QVERIFY(m_pair->open());
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(mark), 30000);
    QVERIFY(m_pair->streams.empty()); // nothing of the old epoch
    start({{"argv", {"echo", "new"}}});
    QVERIFY(ends());
    QCOMPARE(m_pair->streams[kOut].bytes, QByteArray("new\n"));
}

void TestSessions::processLeftBehindDoesNotHoldTheSession() {
    start({{"argv", {"sh", "-c", "sleep 1000 & echo $!"}}});
    QVERIFY(ends());
    const auto pid = static_cast<pid_t>(m_pair->streams[kOut].bytes.trimmed().toInt());
    QVERIFY(pid > 1);
    QCOMPARE(::kill(pid, SIGKILL), 0); // it was still there
}

void TestSessions::noAccountIsAnError() {
    m_spawner.reset();
    start({{"argv", {"true"}}});
    QVERIFY(ends());
    QVERIFY2(words().contains("\"error\""), words().constData());
}

void TestSessions::numbersBeyondTheBoundAreRefused() {
    m_pair->mux().openStream((control::kMaxSessions + 1) * 4, StreamKind::Messages);
    QVERIFY(m_pair->mux().sendMessage((control::kMaxSessions + 1) * 4, asBytes("{}")).has_value());
    QVERIFY(m_pair->until([&] { return m_pair->streams[(control::kMaxSessions + 1) * 4].reset; }));
}

QTEST_GUILESS_MAIN(TestSessions)
#include "test_sessions.moc"

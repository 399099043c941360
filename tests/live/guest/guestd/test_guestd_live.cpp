// SPDX-License-Identifier: Apache-2.0
// guestd in a real machine: the agent's account and what it cannot do, commands, terminals, epochs,
// power-off.
#include "guest/protocol/control.h"
#include "tests/live/guest/guestd/machine_rig.h"

#include <QTest>
#include <boost/json.hpp>

#include <csignal>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::test;

class TestGuestdLive : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void agentIsRootOfItsOwn();
    void agentCannotTouchTheMachine_data();
    void agentCannotTouchTheMachine();
    void rootWorkIsPossible();
    void commandsAnswerAndFail_data();
    void commandsAnswerAndFail();
    void largeStreamsArriveWhole();
    void stalledReaderStallsOnlyItself();
    void terminalResizesAndInterrupts();
    void newEpochHangsUp();
    void badRequestsAreAnswered();
    void theBuiltInAgentIsThere();
    void programsAskTheHost();
    void agentsInitCanBeReplaced();
    void powerOff(); // last

private:
    MachineRig m_rig;
};

void TestGuestdLive::initTestCase() {
    const QString problem = m_rig.boot();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY2(m_rig.greet(), m_rig.console().constData());
}

void TestGuestdLive::agentIsRootOfItsOwn() {
    QCOMPARE(m_rig.run({"id", "-u"}).out, QByteArray("0\n"));
    QCOMPARE(m_rig.run({"hostname"}).out, QByteArray("desk-one\n"));
    QCOMPARE(m_rig.run({"cat", "/proc/self/uid_map"}).out.simplified(), QByteArray("0 100000 65536"));
    QCOMPARE(m_rig.run({"sh", "-c", "cat /proc/1/comm; pwd; echo $HOME $LANG"}).out,
             QByteArray("agent-init\n/root\n/root C.UTF-8\n"));
    const auto listing = m_rig.run({"ls", "/"}).out;
    QVERIFY2(listing.contains("workspace") && !listing.contains("disk"), listing.constData());
    QCOMPARE(m_rig.run({"stat", "-c", "%u", "/etc/passwd", "/bin/sh", "/root"}).out, QByteArray("0\n0\n0\n"));
    const auto net = m_rig.run({"cat", "/proc/net/route"}).out;
    QVERIFY2(net.contains("dummy0\t00000000"), net.constData());
    QVERIFY(m_rig.run({"grep", "NoNewPrivs", "/proc/self/status"}).out.simplified().endsWith("1"));
}

// Each of these must fail, and the shell must have got that far (it prints the status).
void TestGuestdLive::agentCannotTouchTheMachine_data() {
    QTest::addColumn<QString>("attempt");
    QTest::newRow("private folder") << "ls /disk/carrel || ls /proc/1/root/disk";
    QTest::newRow("the disk's device") << "mknod /tmp/vda b 254 0";
    QTest::newRow("kernel setting") << "echo 0 > /proc/sys/kernel/kptr_restrict";
    QTest::newRow("core pattern") << "echo '|/bin/x' > /proc/sys/kernel/core_pattern";
    QTest::newRow("module") << "rmmod fuse || modprobe dummy || test -e /proc/modules-loaded-by-agent";
    QTest::newRow("kernel log") << "dmesg";
    QTest::newRow("clock") << "date -s 2001-01-01";
    QTest::newRow("sysfs") << "mount -o remount,rw /sys && echo 1 > /sys/module/virtio_console/uevent";
    QTest::newRow("unmount of the workspace's mounts") << "touch /workspace/not-a-share";
    QTest::newRow("fuse") << "test -e /dev/fuse";
    QTest::newRow("ports") << "ls /dev/vport*";
    QTest::newRow("Carrel's shelf") << "echo x > /run/carrel/x || { mount -o remount,rw,bind /run/carrel; "
                                       "echo x > /run/carrel/x || rm /run/carrel/ask || echo x >> /run/carrel/bin/carrel-ask; }";
    QTest::newRow("reboot") << "echo b > /proc/sysrq-trigger";
    QTest::newRow("cgroup")
        << "mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && echo 0 > /tmp/cg/cgroup.freeze";
}

void TestGuestdLive::agentCannotTouchTheMachine() {
    QFETCH(QString, attempt);
    const auto result = m_rig.run({"sh", "-c", "(" + attempt.toStdString() + ") 2>&1; echo status=$?"});
    QVERIFY2(result.out.contains("status=") && !result.out.contains("status=0"), result.out.constData());
}

void TestGuestdLive::rootWorkIsPossible() {
    const auto result = m_rig.run(
        {"sh", "-ec",
         "useradd -m tester; touch /tmp/owned; chown tester:nogroup /tmp/owned; stat -c %U:%G /tmp/owned;"
         "su tester -c 'id -un; cd; touch mine; stat -c %U mine';"
         "mkdir -p /tmp/p/DEBIAN /tmp/p/opt/t; echo hi > /tmp/p/opt/t/f;"
         "printf 'Package: t\\nVersion: 1\\nArchitecture: all\\nMaintainer: T <t@example.org>\\nDescription: "
         "t\\n' "
         "> /tmp/p/DEBIAN/control; dpkg-deb -b /tmp/p /tmp/t.deb >/dev/null; dpkg -i /tmp/t.deb >/dev/null "
         "2>&1;"
         "cat /opt/t/f; apt-get --version | head -c 3; cd /tmp; git init -q r; git -C r status -s; "
         "python3 -c 'import tempfile, multiprocessing as m; m.Lock(); print(40+2)'"});
    QVERIFY2(result.out == "tester:nogroup\ntester\ntester\nhi\napt42\n",
             (result.out + result.err + result.end).constData());
}

void TestGuestdLive::commandsAnswerAndFail_data() {
    QTest::addColumn<QStringList>("argv");
    QTest::addColumn<QByteArray>("end");
    QTest::newRow("code") << QStringList{"sh", "-c", "exit 7"} << QByteArray("{\"exit\":{\"code\":7}}");
    QTest::newRow("signal") << QStringList{"sh", "-c", "kill -9 $$"}
                            << QByteArray("{\"exit\":{\"signal\":9}}");
    QTest::newRow("not found") << QStringList{"no-such-program"}
                               << QByteArray("has no program no-such-program");
    QTest::newRow("not executable") << QStringList{"/etc/passwd"} << QByteArray("is there but cannot run");
}

void TestGuestdLive::commandsAnswerAndFail() {
    QFETCH(QStringList, argv);
    QFETCH(QByteArray, end);
    std::vector<std::string> list;
    for (const auto& argument : argv) {
        list.push_back(argument.toStdString());
    }
    const auto result = m_rig.run(list);
    QVERIFY2(result.end.contains(end), result.end.constData());
}

void TestGuestdLive::largeStreamsArriveWhole() {
    QByteArray data;
    for (int i = 0; data.size() < 3'000'000; ++i) {
        data += QByteArray::number(i) + '\n';
    }
    const auto result = m_rig.run({"sh", "-c", "tee /dev/stderr"}, data);
    QCOMPARE(result.end, QByteArray("{\"exit\":{\"code\":0}}"));
    QCOMPARE(result.out.size(), data.size());
    QVERIFY(result.out == data);
    QVERIFY(result.err == data);
}

void TestGuestdLive::stalledReaderStallsOnlyItself() {
    const auto stalled = m_rig.startSession({{"argv", {"sh", "-c", "yes | head -c 20000000"}}});
    m_rig.terminals().streams[stalled * 4 + control::kSessionStdout].stalled = true;
    QVERIFY(m_rig.until(
        [&] { return m_rig.outcome(stalled).out.size() >= static_cast<qsizetype>(kInitialWindow); }));
    QCOMPARE(m_rig.run({"echo", "still here"}).out, QByteArray("still here\n"));
    QVERIFY(m_rig.outcome(stalled).out.size() <= static_cast<qsizetype>(kInitialWindow));
    QVERIFY(!m_rig.ended(stalled));
    m_rig.terminals().mux().sendReset(stalled * 4, ECANCELED);
    QVERIFY(m_rig.run({"sh", "-c", "while pgrep yes; do :; done"}).end.contains("\"code\":"));
}

void TestGuestdLive::terminalResizesAndInterrupts() {
    const auto shell = m_rig.startSession({{"argv", {"bash", "--norc"}},
                                           {"tty", {{"rows", 30}, {"cols", 90}, {"term", "dumb"}}},
                                           {"env", {{"PS1", ""}}}});
    const auto first = shell * control::kSessionStreams;
    auto& mux = m_rig.terminals().mux();
    const auto type = [&](std::string_view text) {
        QVERIFY(mux.sendBytes(first + control::kSessionStdin, asBytes(text)).has_value());
    };
    const auto shows = [&](const char* text) {
        return m_rig.until([&] { return m_rig.outcome(shell).out.contains(text); });
    };
    type("stty size; tty\n");
    QVERIFY(shows("30 90\r\n"));
    QVERIFY(shows("/dev/pts/0"));
    QVERIFY(mux.sendMessage(first, asBytes(R"({"resize":{"rows":41,"cols":132}})")).has_value());
    type("stty size\n");
    QVERIFY(shows("41 132\r\n"));
    type("echo be''fore; sleep 1000; echo after=$?\n");
    QVERIFY(shows("before\r\n"));
    QVERIFY(m_rig.until([&] { // until the sleep is the foreground group, the signal would be for the shell
        return m_rig.run({"pgrep", "-x", "sleep"}).end.contains("\"code\":0");
    }));
    QVERIFY(mux.sendMessage(first, asBytes(R"({"signal":2})")).has_value());
    type("echo still''alive\n");
    QVERIFY(shows("stillalive"));
    type("exit 3\n");
    QVERIFY(m_rig.until([&] { return m_rig.ended(shell); }));
    QVERIFY(m_rig.outcome(shell).end.contains("\"code\":3"));
}

void TestGuestdLive::newEpochHangsUp() {
    const auto session = m_rig.startSession(
        {{"argv",
          {"sh", "-c", "trap 'echo hup > /tmp/hup; exit' HUP; echo ready; while :; do sleep 0.01; done"}}});
    QVERIFY(m_rig.until([&] { return m_rig.outcome(session).out == "ready\n"; }));
    m_rig.terminals().disconnect();
    m_rig.terminals().reconnect();
    QVERIFY(m_rig.until([&] { return m_rig.terminals().mux().isOpen(); }));
    QCOMPARE(m_rig.run({"sh", "-c", "while ! test -s /tmp/hup; do :; done; cat /tmp/hup"}).out,
             QByteArray("hup\n"));
}

void TestGuestdLive::badRequestsAreAnswered() {
    const auto unknown = m_rig.call("no.such", {});
    QVERIFY(!unknown && unknown.error().code == ErrorCode::Unsupported);
    const auto malformed =
        m_rig.call("share.add", {{"share", {{"id", 1}, {"name", "../x"}, {"mode", "review"}}}});
    QVERIFY(!malformed && malformed.error().code == ErrorCode::Malformed);
    const auto missing = m_rig.call("share.remove", {{"id", 77}});
    QVERIFY(!missing && missing.error().code == ErrorCode::NotFound);
}

// The built-in agent begins a session as whoever it is started by.
void TestGuestdLive::theBuiltInAgentIsThere() {
    const auto ran = m_rig.run(
        {"sh", "-c",
         "cd /tmp && export CARREL_MODEL_API=openai CARREL_MODEL_URL=http://10.255.255.1:9 CARREL_MODEL=m CARREL_AGENT_HOME=/tmp/agent && "
         "{ echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":1}}'; "
         "echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"session/new\",\"params\":{\"cwd\":\"/workspace\",\"mcpServers\":[]}}'; } | "
         "/run/carrel/bin/carrel-agent && ls /tmp/agent/sessions | wc -l"});
    QVERIFY2(ran.out.contains("\"loadSession\":true") && ran.out.contains("\"id\":2,\"result\":{\"sessionId\":\"") && ran.out.endsWith("\n1\n"),
             (ran.out + ran.err + ran.end).constData());
}

// carrel-ask, from a program of the agent's to the host and back, over an epoch's end.
void TestGuestdLive::programsAskTheHost() {
    QCOMPARE(m_rig.run({"sh", "-c", "command -v carrel-ask; carrel-ask apply /etc/passwd --reason x 2>&1; echo $?"}).out,
             QByteArray("/usr/local/bin/carrel-ask\ncarrel-ask: /etc/passwd is in no shared folder. Shared folders are those in "
                        "/workspace\n64\n"));
    const auto session = m_rig.startSession({{"argv", {"su", "nobody", "-s", "/bin/sh", "-c", "carrel-ask folder --reason more"}}});
    std::uint64_t id = 0;
    const auto asked = [&](std::string_view text) {
        return m_rig.until([&] {
            for (const auto& message : m_rig.control().streams[control::kRpcStream].messages) {
                const auto parsed = parseRpc(message.toStdString());
                const auto* request = parsed ? std::get_if<RpcRequest>(&*parsed) : nullptr;
                if (request != nullptr && request->id && *request->id > id &&
                    request->method + json::serialize(request->params) == text) {
                    id = *request->id;
                    return true;
                }
            }
            return false;
        });
    };
    const auto answer = [&](std::string_view state) {
        const json::value result{{"id", 7}, {"state", state}, {"words", "so it is"}};
        return m_rig.control().mux().sendMessage(control::kRpcStream, asBytes(toText(RpcResponse{id, result}))).has_value();
    };
    QVERIFY(asked(R"(ask.folder{"reason":"more"})"));
    QVERIFY(answer("open"));
    QVERIFY(asked(R"(ask.wait{"id":7,"seconds":60})"));
    // The next host is asked the same, and its answer is the one that counts.
    m_rig.control().disconnect();
    m_rig.control().reconnect();
    m_rig.control().streams.clear();
    --id;
    QVERIFY(m_rig.greet());
    QVERIFY(asked(R"(ask.wait{"id":7,"seconds":60})"));
    QVERIFY(answer("denied"));
    QVERIFY(m_rig.until([&] { return m_rig.ended(session); }));
    const auto outcome = m_rig.outcome(session);
    QCOMPARE(outcome.end, QByteArray("{\"exit\":{\"code\":1}}"));
    QCOMPARE(outcome.out, QByteArray("so it is\n"));
    QCOMPARE(outcome.err, QByteArray("Request 7 waits for an answer.\n"));
}

void TestGuestdLive::agentsInitCanBeReplaced() {
    // Inside, nobody can end PID 1; so nothing happens and the account goes on.
    QVERIFY(m_rig.run({"sh", "-c", "kill -9 1; echo $?"}).out.contains("0"));
    QCOMPARE(m_rig.run({"cat", "/proc/1/comm"}).out, QByteArray("agent-init\n"));
}

void TestGuestdLive::powerOff() {
    QVERIFY(m_rig.run({"sh", "-c", "echo kept > /root/kept"}).end.contains("\"code\":0"));
    const auto answer = m_rig.call("power.off", {});
    QVERIFY2(answer.has_value(), m_rig.console().constData());
    QTRY_VERIFY_WITH_TIMEOUT(!m_rig.isRunning(), 60000);
    QVERIFY2(m_rig.console().contains("carrel-init: stage poweroff"), m_rig.console().constData());
}

QTEST_GUILESS_MAIN(TestGuestdLive)
#include "test_guestd_live.moc"

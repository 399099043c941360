// SPDX-License-Identifier: Apache-2.0
// Where only what is listed runs, in a real machine: ordinary work goes on, everything else is refused or asked about, and no program
// makes code in its memory but those that are listed as makers of code.
#include "guest/protocol/ask.h"
#include "guest/protocol/control.h"
#include "tests/live/guest/bpf/gate_rig.h"

#include <QTest>
#include <boost/json.hpp>

#include <algorithm>

using namespace carrel;
using namespace carrel::test;
namespace json = boost::json;

class TestExecAllowLive : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void nothingRunsBeforeThePolicy();
    void ordinaryWorkGoesOn_data();
    void ordinaryWorkGoesOn();
    void whatIsNotListedIsRefused_data();
    void whatIsNotListedIsRefused();
    void memoryHoldsFilesOnly_data();
    void memoryHoldsFilesOnly();
    void makersOfCodeMayMakeIt();
    void aMakersLibraryHasAName();
    void whatIsMadeRunnableIsWrittenByNobody();
    void denialGoesBeforeAllowance();
    void unknownIsAskedAbout();
    void unknownIsAskedAboutOnce();

private:
    [[nodiscard]] std::optional<RpcRequest> asked(std::string_view method);
    [[nodiscard]] bool answer(std::uint64_t id, std::string_view state);

    GateRig m_rig;
    GateRig::Policy m_policy;
    std::uint64_t m_lastAsked = 0;
};

void TestExecAllowLive::initTestCase() {
    const QString problem = m_rig.prepare();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    const QByteArray list = m_rig.sh("find /usr -xdev -type f '(' -perm /111 -o -name '*.so*' ')' -print0 | xargs -0 sha256sum -b | cut -c-64");
    m_policy.mode = "allow";
    for (const auto& hash : list.split('\n')) {
        QCOMPARE(hash.size(), 64);
        m_policy.allow.push_back(hash);
    }
    QVERIFY2(m_policy.allow.size() > 500, list.constData());
    m_policy.allow.push_back(sha256(m_rig.helper()));
    QCOMPARE(m_rig.sh("cp /tmp/helper /root/other && printf o >> /root/other && /root/other victim"), QByteArray("ran"));
    const auto set = m_rig.setPolicy(m_policy);
    QVERIFY2(set.has_value(), set ? "" : set.error().text().c_str());
}

// A machine whose host has said that a policy follows, and has not sent it.
void TestExecAllowLive::nothingRunsBeforeThePolicy() {
    GateRig fresh;
    const QString problem = fresh.boot();
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY(fresh.greet({}, nullptr, MachineRig::Programs::Follow));
    const auto ran = fresh.run({"/bin/true"});
    QVERIFY2(ran.end.contains("cannot run"), ran.end.constData());
    QVERIFY(fresh.setPolicy({.mode = "observe"}));
    QVERIFY(fresh.run({"/bin/true"}).end.contains("\"code\":0"));
}

void TestExecAllowLive::ordinaryWorkGoesOn_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QByteArray>("says");
    const auto row = [](const char* name, const char* line, const char* says) { QTest::newRow(name) << QByteArray(line) << QByteArray(says); };
    row("a shell", "echo a | tr a b", "b");
    row("python", "python3 -c 'import ssl, sqlite3, ctypes; print(ctypes.CDLL(None).getpid() > 0)'", "True");
    row("perl", "perl -MPOSIX -e 'print floor(2.5)'", "2");
    row("git", "rm -rf /tmp/g && git init -q /tmp/g && cd /tmp/g && git config user.email a@example.org && git config user.name a && "
               "echo x > x && git add x && git commit -qm x && git log --format=%s",
        "x");
    row("sqlite", "sqlite3 :memory: 'select 1+1'", "2");
    row("the listed helper by another name", "cp /tmp/helper /root/same && /root/same victim", "ran");
    row("the loader on a listed program", "/lib64/ld-linux-x86-64.so.2 /bin/echo yes", "yes");
    row("an account of its own", "su nobody -s /bin/sh -c 'id -u'", "65534");
    row("nested user namespaces", "unshare -U -r -m sh -c 'id -u'", "0");
}

void TestExecAllowLive::ordinaryWorkGoesOn() {
    QFETCH(QByteArray, line);
    QFETCH(QByteArray, says);
    QCOMPARE(m_rig.sh(line), says);
}

void TestExecAllowLive::whatIsNotListedIsRefused_data() {
    QTest::addColumn<QByteArray>("line");
    const auto row = [](const char* name, const char* line) { QTest::newRow(name) << QByteArray(line); };
    row("a program", "/root/other victim");
    row("by /proc/self/root", "/proc/self/root/root/other victim");
    row("one byte more", "cp /usr/bin/env /root/e; printf x >> /root/e; /root/e sh -c 'echo ran'");
    row("a script", "printf '#!/bin/sh\\necho ran\\n' > /root/s; chmod +x /root/s; /root/s");
    row("the loader on it", "/lib64/ld-linux-x86-64.so.2 /root/other victim");
    row("a mapping", "/tmp/helper map /root/other");
    row("a mapping made to run later", "/tmp/helper protect /root/other");
    row("memfd of a listed content", "/tmp/helper memfd /tmp/helper");
    row("O_TMPFILE of a listed content", "/tmp/helper tmpfile /tmp/helper");
    row("removed, of a listed content", "/tmp/helper removed /tmp/helper");
    row("an overlay of a listed content",
        "mkdir -p /tmp/m /tmp/low; cp /tmp/helper /tmp/low/; unshare -m sh -c 'mount -t tmpfs t /tmp/m; mkdir /tmp/m/u /tmp/m/w /tmp/m/o; "
        "mount -t overlay o -o userxattr,lowerdir=/tmp/low,upperdir=/tmp/m/u,workdir=/tmp/m/w /tmp/m/o && /tmp/m/o/helper victim'");
    row("another user namespace", "unshare -U -r /root/other victim");
    // Its name below the overlay runs first, so that its content is known; then it is cut by its other name, as soon as that may be.
    row("what was cut through an overlay",
        "mkdir -p /tmp/m; unshare -m sh -c 'mount -t tmpfs t /tmp/m; cd /tmp/m; mkdir l u w o; mount -t overlay o -o "
        "userxattr,lowerdir=l,upperdir=u,workdir=w o; cp /tmp/helper u/h; u/h victim >/dev/null; until truncate -s -1 o/h 2>/dev/null; do :; done; u/h victim'");
}

void TestExecAllowLive::whatIsNotListedIsRefused() {
    QFETCH(QByteArray, line);
    const QByteArray said = m_rig.sh(line);
    QVERIFY2(!said.contains("ran") && !said.contains("done"), said.constData());
    // "Permission denied" or "Operation not permitted" of the shell, or the loader's own words.
    QVERIFY2(said.contains("ermi") || said.contains("EPERM") || said.contains("EACCES") || said.contains("failed to map segment"), said.constData());
}

void TestExecAllowLive::memoryHoldsFilesOnly_data() {
    QTest::addColumn<QByteArray>("way");
    QTest::addColumn<QByteArray>("says");
    const auto row = [](const char* way, const char* says) { QTest::newRow(way) << QByteArray(way) << QByteArray(says); };
    row("anonymous", "EPERM");
    row("anonymous-later", "EPERM");
    row("anonymous-shared", "EPERM");
    row("shared-memory", "EPERM");
    row("writable-code", "EPERM");
    row("code-made-writable", "EPERM");
    row("own-pages", "EPERM");
    row("executable-heap", "EPERM");
    row("device", "EPERM");
    row("own-memory", "EPERM");
    row("held-writer", "ETXTBSY");
    row("once-shared", "ETXTBSY");
    row("write-mapped", "ETXTBSY");
    row("truncate-mapped", "ETXTBSY");
    row("trace", "EPERM");
    row("attach", "EPERM");
    row("map", "done");
    row("map-shared", "done");
}

void TestExecAllowLive::memoryHoldsFilesOnly() {
    QFETCH(QByteArray, way);
    QFETCH(QByteArray, says);
    QCOMPARE(m_rig.sh("cp -f /tmp/helper /root/mine-" + way + "; /tmp/helper " + way + " /root/mine-" + way), says);
}

void TestExecAllowLive::makersOfCodeMayMakeIt() {
    auto policy = m_policy;
    policy.code = {sha256(m_rig.helper())};
    QVERIFY(m_rig.setPolicy(policy));
    for (const char* way : {"anonymous", "anonymous-later", "own-memory", "trace", "attach"}) {
        QCOMPARE(m_rig.sh(QByteArray("/tmp/helper ") + way), QByteArray("done"));
    }
    // In memory of its own; no other file's content for that.
    QCOMPARE(m_rig.sh("cp -f /tmp/helper /root/held; /tmp/helper held-writer /root/held"), QByteArray("ETXTBSY"));
    for (const char* way : {"memfd", "tmpfile", "removed", "map"}) {
        const auto said = m_rig.sh(QByteArray("/tmp/helper ") + way + " /root/other");
        QVERIFY2(said.contains("EPERM") || said.contains("EACCES"), said.constData());
    }
    QVERIFY(m_rig.setPolicy(m_policy));
    QCOMPARE(m_rig.sh("/tmp/helper anonymous"), QByteArray("EPERM"));
}

void TestExecAllowLive::aMakersLibraryHasAName() { // git is one, and in every image
    const auto said = m_rig.sh("cp /root/other /root/o.so; exec 3</root/o.so; rm /root/o.so; LD_PRELOAD=/proc/self/fd/3 git --version");
    QVERIFY2(said.contains("failed to map segment") || said.contains("cannot be preloaded"), said.constData());
}

void TestExecAllowLive::whatIsMadeRunnableIsWrittenByNobody() {
    QCOMPARE(m_rig.sh("cp /usr/bin/ldd /root/listed; /root/listed --version >/dev/null && /tmp/helper protect-then-write /root/listed"), QByteArray("ETXTBSY"));
}

void TestExecAllowLive::denialGoesBeforeAllowance() {
    auto policy = m_policy;
    policy.deny = {sha256(m_rig.helper())};
    policy.code = policy.deny;
    QVERIFY(m_rig.setPolicy(policy));
    QVERIFY(m_rig.sh("/tmp/helper victim").contains("Operation not permitted"));
    QVERIFY(m_rig.setPolicy(m_policy));
    QCOMPARE(m_rig.sh("/tmp/helper victim"), QByteArray("ran"));
}

std::optional<RpcRequest> TestExecAllowLive::asked(std::string_view method) {
    std::optional<RpcRequest> found;
    const bool came = m_rig.until([&] {
        for (const auto& message : m_rig.control().streams[control::kRpcStream].messages) {
            const auto parsed = parseRpc(message.toStdString());
            const auto* request = parsed ? std::get_if<RpcRequest>(&*parsed) : nullptr;
            if (request != nullptr && request->id && *request->id > m_lastAsked && request->method == method) {
                found = *request;
                m_lastAsked = *request->id;
                return true;
            }
        }
        return false;
    });
    return came ? found : std::nullopt;
}

bool TestExecAllowLive::answer(std::uint64_t id, std::string_view state) {
    const json::value result{{"id", 5}, {"state", state}, {"words", "so it is"}};
    return m_rig.control().mux().sendMessage(control::kRpcStream, asBytes(toText(RpcResponse{id, result}))).has_value();
}

void TestExecAllowLive::unknownIsAskedAbout() {
    auto policy = m_policy;
    policy.unknown = "ask";
    QVERIFY(m_rig.setPolicy(policy));
    const QByteArray hash = sha256(m_rig.helper() + "o");
    QVERIFY(m_rig.sh("/root/other victim").contains("Permission denied"));
    const auto question = asked("ask.program");
    QVERIFY(question.has_value());
    const auto read = ask::questionFrom(question->method, question->params);
    QVERIFY(read.has_value());
    const auto& program = std::get<ask::Program>(*read);
    QCOMPARE(program.sha256, hash.toStdString());
    QCOMPARE(program.path, std::string("/root/other"));
    QVERIFY(!program.startedBy.empty() && program.startedBy.front() == "sh");
    QVERIFY(answer(*question->id, "open"));
    // It waits: the next attempt asks how it stands, and not for the same again.
    QVERIFY(m_rig.sh("/root/other victim").contains("Permission denied"));
    const auto look = asked("ask.wait");
    QVERIFY(look && look->params.at("id") == json::value(5));
    QVERIFY(answer(*look->id, "allowed"));
    policy.allow.push_back(hash);
    QVERIFY(m_rig.setPolicy(policy));
    QCOMPARE(m_rig.sh("/root/other victim"), QByteArray("ran"));
}

void TestExecAllowLive::unknownIsAskedAboutOnce() {
    auto policy = m_policy;
    policy.unknown = "ask";
    QVERIFY(m_rig.setPolicy(policy));
    QVERIFY(m_rig.sh("/root/other victim").contains("Permission denied"));
    const auto question = asked("ask.program");
    QVERIFY(question.has_value());
    QVERIFY(answer(*question->id, "denied"));
    m_rig.control().streams.clear();
    QVERIFY(m_rig.sh("/root/other victim; /root/other victim; /root/other victim").contains("Permission denied"));
    // Another content is asked about; had the first been, too, it would have come before.
    QVERIFY(m_rig.sh("cp /root/other /root/third; printf 3 >> /root/third; /root/third victim").contains("Permission denied"));
    const auto next = asked("ask.program");
    QVERIFY(next && next->params.at("path") == json::value("/root/third"));
    // No program can ask for one.
    QVERIFY(m_rig.setPolicy(m_policy));
}

QTEST_GUILESS_MAIN(TestExecAllowLive)
#include "test_exec_allow_live.moc"

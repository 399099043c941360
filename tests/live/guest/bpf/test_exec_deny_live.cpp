// SPDX-License-Identifier: Apache-2.0
// A content on the list of what is denied runs by no path, name, copy, loader or file without a name, in a real machine; what was cached of
// it ends with any change; and the list is in force at once, and gone when it is taken back.
#include "tests/live/guest/bpf/gate_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test;

class TestExecDenyLive : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void refusalsAreTold(); // while lines are left in this minute
    void deniedByEveryWay_data();
    void deniedByEveryWay();
    void othersRun_data();
    void othersRun();
    void scriptAndItsInterpreter();
    void libraryAndLoader();
    void changedContentIsAnother();
    void writersEndWhatWasKnown();
    void unreadableIsRefused();
    void policyIsInForceAtOnce();
    void manyRefusalsAreCounted();
    void partsThatDoNotFollow();

private:
    GateRig m_rig;
    QByteArray m_victim; // its hash
};

void TestExecDenyLive::initTestCase() {
    const QString problem = m_rig.prepare();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    // The helper with something behind its end: it runs as before, and is another content.
    QCOMPARE(m_rig.sh("cp /tmp/helper /root/victim && printf v >> /root/victim && /root/victim victim"), QByteArray("ran"));
    m_victim = sha256(m_rig.helper() + "v");
    QCOMPARE(m_rig.hashOf("/root/victim"), m_victim);
    const auto set = m_rig.setPolicy({.mode = "deny", .deny = {m_victim}});
    QVERIFY2(set.has_value(), set ? "" : set.error().text().c_str());
}

void TestExecDenyLive::deniedByEveryWay_data() {
    QTest::addColumn<QByteArray>("line");
    const auto row = [](const char* name, const char* line) { QTest::newRow(name) << QByteArray(line); };
    row("by its name", "/root/victim victim");
    row("/proc/self/root", "/proc/self/root/root/victim victim");
    row("/proc/PID/root", "/proc/$$/root/root/victim victim");
    row("/proc/self/cwd", "cd /root && /proc/self/cwd/victim victim");
    row("a symbolic link", "ln -sf /root/victim /tmp/link && /tmp/link victim");
    row("a hard link", "ln -f /root/victim /root/hard && /root/hard victim");
    row("a copy of another name", "cp /root/victim /root/ls && /root/ls victim");
    row("a copy in memory's file system", "cp /root/victim /dev/shm/v && /dev/shm/v victim");
    row("a bind mount of the file", "touch /tmp/bound && unshare -m sh -c 'mount --bind /root/victim /tmp/bound && /tmp/bound victim'");
    row("a bind mount of the folder", "mkdir -p /tmp/there && unshare -m sh -c 'mount --bind /root /tmp/there && /tmp/there/victim victim'");
    row("another root", "mkdir -p /tmp/jail && cp /root/victim /tmp/jail/x && chroot /tmp/jail /x victim");
    row("an overlay", "mkdir -p /dev/shm/o/u /dev/shm/o/w /tmp/o && mount -t tmpfs o /dev/shm/o && mkdir -p /dev/shm/o/u /dev/shm/o/w && "
                      "unshare -m sh -c 'mount -t overlay o -o userxattr,lowerdir=/root,upperdir=/dev/shm/o/u,workdir=/dev/shm/o/w /tmp/o && "
                      "/tmp/o/victim victim'");
    row("another user namespace", "unshare -U -r /root/victim victim");
    row("another account", "cp /root/victim /tmp/public && chmod 755 /tmp/public && su nobody -s /bin/sh -c '/tmp/public victim'");
    row("a file without a name, memfd", "/tmp/helper memfd /root/victim");
    row("a file without a name, O_TMPFILE", "/tmp/helper tmpfile /root/victim");
    row("a removed file", "/tmp/helper removed /root/victim");
    row("a mapping", "/tmp/helper map /root/victim");
    row("a shared mapping", "/tmp/helper map-shared /root/victim");
    row("a mapping made to run later", "/tmp/helper protect /root/victim");
    row("a pipe's end", "cat /root/victim > /tmp/piped && chmod +x /tmp/piped && /tmp/piped victim");
    row("as an argument of a program that starts others", "env /root/victim victim; timeout 5 /root/victim victim; find /root/victim -exec {} victim ';'");
}

void TestExecDenyLive::deniedByEveryWay() {
    QFETCH(QByteArray, line);
    const QByteArray said = m_rig.sh(line);
    QVERIFY2(!said.contains("ran") && !said.contains("done"), said.constData());
    QVERIFY2(said.contains("Operation not permitted") || said.contains("EPERM"), said.constData());
}

// The same ways, with a content that nobody denied: what refuses above is the list and nothing else.
void TestExecDenyLive::othersRun_data() {
    deniedByEveryWay_data();
}

void TestExecDenyLive::othersRun() {
    QFETCH(QByteArray, line);
    line.replace("/root/victim", "/root/other").replace("/victim", "/other").replace("./victim", "./other");
    QCOMPARE(m_rig.sh("cp /tmp/helper /root/other; echo ok"), QByteArray("ok"));
    const QByteArray said = m_rig.sh(line);
    if (line.contains("helper protect")) { // the kernel can look at it only when it is mapped to run, or was before
        QVERIFY2(said == "EPERM" || said == "done", said.constData());
        return;
    }
    QVERIFY2(said.contains("ran") || said.contains("done"), said.constData());
}

void TestExecDenyLive::scriptAndItsInterpreter() {
    QCOMPARE(m_rig.sh("printf '#!/bin/sh\\necho ran\\n' > /root/script; chmod +x /root/script; /root/script"), QByteArray("ran"));
    QVERIFY(m_rig.setPolicy({.deny = {m_victim, sha256("#!/bin/sh\necho ran\n")}}));
    QVERIFY(m_rig.sh("/root/script").contains("Operation not permitted"));
    QVERIFY(m_rig.sh("cp /root/script /root/other-script; /root/other-script").contains("Operation not permitted"));
    // A script that names the denied content as its interpreter.
    QVERIFY(m_rig.sh("printf '#!/root/victim victim\\n' > /root/s2; chmod +x /root/s2; /root/s2").contains("Operation not permitted"));
    QVERIFY(m_rig.setPolicy({.deny = {m_victim}}));
    QCOMPARE(m_rig.sh("/root/script"), QByteArray("ran"));
}

void TestExecDenyLive::libraryAndLoader() {
    // A dynamic program, run by the loader; and a library, loaded into another program.
    QCOMPARE(m_rig.sh("cp /bin/true /root/true; printf v >> /root/true; /lib64/ld-linux-x86-64.so.2 /root/true; echo $?"), QByteArray("0"));
    const auto load = QByteArray("python3 -c 'import ctypes; ctypes.CDLL(\"/root/libz.so\"); print(\"ran\")'");
    QCOMPARE(m_rig.sh("cp $(ls /lib/x86_64-linux-gnu/libz.so.1) /root/libz.so; printf v >> /root/libz.so; " + load), QByteArray("ran"));
    QCOMPARE(m_rig.sh("LD_PRELOAD=/root/libz.so cat /proc/self/maps 2>/dev/null | grep 'x[ps] .*/root/libz.so' | wc -l"), QByteArray("1"));
    QVERIFY(m_rig.setPolicy({.deny = {m_victim, m_rig.hashOf("/root/true"), m_rig.hashOf("/root/libz.so")}}));
    QVERIFY(!m_rig.sh("/lib64/ld-linux-x86-64.so.2 /root/true; echo $?").endsWith("0"));
    QVERIFY(!m_rig.sh(load).contains("ran"));
    QCOMPARE(m_rig.sh("LD_PRELOAD=/root/libz.so cat /proc/self/maps 2>/dev/null | grep 'x[ps] .*/root/libz.so' | wc -l"), QByteArray("0"));
    QVERIFY(m_rig.setPolicy({.deny = {m_victim}}));
    QCOMPARE(m_rig.sh(load), QByteArray("ran"));
}

void TestExecDenyLive::changedContentIsAnother() {
    // What was known of a file ends with its content, both ways, whatever its name, inode, size and time are.
    QCOMPARE(m_rig.sh("cp /tmp/helper /root/change; printf w >> /root/change; /root/change victim; "
                      "touch -r /root/change /tmp/time; printf v | dd of=/root/change bs=1 seek=$(stat -c %s /tmp/helper) conv=notrunc status=none; "
                      "touch -r /tmp/time /root/change; sha256sum -b /root/change | cut -c-64"),
             "ran\n" + m_victim);
    QVERIFY(m_rig.sh("/root/change victim").contains("Operation not permitted"));
    QCOMPARE(m_rig.sh("truncate -s -1 /root/change; /root/change victim"), QByteArray("ran"));
    QVERIFY(m_rig.sh("printf v >> /root/change; /root/change victim").contains("Operation not permitted"));
    QVERIFY(m_rig.sh("cp /tmp/helper /root/new; mv /root/new /root/change; /root/change victim; cat /root/victim > /root/change; /root/change victim")
                .startsWith("ran"));
    QVERIFY(m_rig.sh("/root/change victim").contains("Operation not permitted"));
}

void TestExecDenyLive::writersEndWhatWasKnown() {
    // Many changes, each followed by a run: no stale word on any.
    const QByteArray said = m_rig.sh("cp /tmp/helper /root/flip; n=$(stat -c %s /root/flip); i=0; wrong=0; while [ $i -lt 150 ]; do "
                                     "printf v >> /root/flip; /root/flip victim 2>/dev/null && wrong=$((wrong+1)); "
                                     "truncate -s $n /root/flip; [ \"$(/root/flip victim)\" = ran ] || wrong=$((wrong+1)); "
                                     "i=$((i+1)); done; echo wrong $wrong");
    QVERIFY2(said.endsWith("wrong 0"), said.constData());
}

void TestExecDenyLive::unreadableIsRefused() {
    // Opened past the page cache the kernel cannot hash it: nothing is known, so no.
    QCOMPARE(m_rig.sh("cp /tmp/helper /root/direct; /tmp/helper map-direct /root/direct"), QByteArray("EPERM"));
    QVERIFY(m_rig.setPolicy({.mode = "observe"}));
    QCOMPARE(m_rig.sh("/tmp/helper map-direct /root/direct"), QByteArray("done"));
    QVERIFY(m_rig.setPolicy({.deny = {m_victim}}));
}

void TestExecDenyLive::policyIsInForceAtOnce() {
    QVERIFY(m_rig.sh("/root/victim victim").contains("Operation not permitted"));
    QVERIFY(m_rig.setPolicy({}));
    QCOMPARE(m_rig.sh("/root/victim victim"), QByteArray("ran"));
    QVERIFY(m_rig.setPolicy({.mode = "observe", .deny = {m_victim}}));
    QCOMPARE(m_rig.sh("/root/victim victim"), QByteArray("ran"));
    QVERIFY(m_rig.setPolicy({.deny = {m_victim}}));
    QVERIFY(m_rig.sh("/root/victim victim").contains("Operation not permitted"));
}

void TestExecDenyLive::refusalsAreTold() {
    m_rig.control().streams.clear();
    QVERIFY(m_rig.sh("cp /root/victim /root/told; /root/told victim").contains("Operation not permitted"));
    QVERIFY(m_rig.until([&] { return m_rig.logged().contains("/root/told"); }));
    QVERIFY2(m_rig.logged().contains(m_victim) && m_rig.logged().contains("it is on the list of what may not run") && m_rig.logged().contains("wanted by sh"),
             m_rig.logged().constData());
}

void TestExecDenyLive::manyRefusalsAreCounted() {
    m_rig.control().streams.clear();
    // Twenty in a minute at most, and this may see parts of two.
    QVERIFY(m_rig.sh("i=0; while [ $i -lt 80 ]; do (/root/victim victim) 2>/dev/null; i=$((i+1)); done; echo ok").endsWith("ok"));
    QVERIFY2(m_rig.logged().count("a program was not run") <= 40, m_rig.logged().constData());
}

void TestExecDenyLive::partsThatDoNotFollow() {
    const auto part = [&](int number, bool last) {
        return m_rig.call("programs.policy", {{"mode", "observe"}, {"unknown", "refuse"}, {"age", 99}, {"deny", boost::json::array{}},
                                              {"allow", boost::json::array{}}, {"part", number}, {"last", last}});
    };
    QVERIFY(!part(3, true));
    QVERIFY(part(0, false));
    QVERIFY(!part(2, true));
    QVERIFY(!part(1, true)); // the beginning is forgotten
    QVERIFY(m_rig.sh("/root/victim victim").contains("Operation not permitted"));
}

QTEST_GUILESS_MAIN(TestExecDenyLive)
#include "test_exec_deny_live.moc"

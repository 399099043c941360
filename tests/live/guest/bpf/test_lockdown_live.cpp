// SPDX-License-Identifier: Apache-2.0
// Each protection of the machine, tried to be switched off from within the agent's world, as its root and as root of a user namespace
// beneath; and ordinary work that goes on beside them.
#include "tests/live/guest/bpf/gate_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test;

class TestLockdownLive : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void settingsAreSealed_data();
    void settingsAreSealed();
    void callsAreRefused_data();
    void callsAreRefused();
    void protectionsStay_data();
    void protectionsStay();
    void guestdIsOutOfReach();
    void standingIsForgotten();
    void workGoesOn_data();
    void workGoesOn();

private:
    GateRig m_rig;
};

void TestLockdownLive::initTestCase() {
    const QString problem = m_rig.prepare();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY2(!m_rig.console().contains("not sealed"), m_rig.console().constData()); // lockdown is among what is said there
}

void TestLockdownLive::settingsAreSealed_data() {
    QTest::addColumn<QByteArray>("value");
    QTest::addColumn<QByteArray>("other");
    const auto row = [](const char* name, const char* value, const char* other) { QTest::newRow(name) << QByteArray(value) << QByteArray(other); };
    row("kernel/modules_disabled", "1", "0");
    row("kernel/unprivileged_bpf_disabled", "1", "0");
    row("kernel/kexec_load_disabled", "1", "0");
    row("kernel/yama/ptrace_scope", "2", "0");
    row("kernel/perf_event_paranoid", "3", "0");
    row("kernel/kptr_restrict", "2", "0");
    row("kernel/dmesg_restrict", "1", "0");
    row("kernel/sysrq", "0", "1");
    row("fs/suid_dumpable", "0", "1");
    row("vm/unprivileged_userfaultfd", "0", "1");
}

void TestLockdownLive::settingsAreSealed() {
    QFETCH(QByteArray, value);
    QFETCH(QByteArray, other);
    const QByteArray path = QByteArray("/proc/sys/") + QTest::currentDataTag();
    QCOMPARE(m_rig.sh("cat " + path), value);
    const QByteArray said = m_rig.sh("echo " + other + " > " + path + " && echo written; unshare -Ur sh -c 'echo " + other + " > " + path +
                                     "' && echo written; mount -t proc p /proc && echo " + other + " > " + path + " && echo written; cat " + path);
    QVERIFY2(!said.contains("written") && said.endsWith(value), said.constData());
}

void TestLockdownLive::callsAreRefused_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::newRow("as root") << QByteArray("/tmp/helper calls");
    QTest::newRow("as root beneath") << QByteArray("unshare -U -r -m /tmp/helper calls");
    QTest::newRow("as nobody") << QByteArray("su nobody -s /bin/sh -c '/tmp/helper calls'");
}

void TestLockdownLive::callsAreRefused() {
    QFETCH(QByteArray, line);
    const QByteArray said = m_rig.sh(line);
    QCOMPARE(said.count('\n') + 1, 25);
    for (const auto& one : said.split('\n')) {
        QVERIFY2(one.endsWith(" EPERM"), said.constData());
    }
}

void TestLockdownLive::protectionsStay_data() {
    QTest::addColumn<QByteArray>("attempt");
    const auto row = [](const char* name, const char* attempt) { QTest::newRow(name) << QByteArray(attempt); };
    row("the gate's pins", "mkdir -p /tmp/b; mount -t bpf b /tmp/b && test -e /tmp/b/carrel");
    row("the machine's bpffs", "ls /sys/fs/bpf/carrel");
    row("lockdown's switch", "mkdir -p /tmp/s; mount -t securityfs s /tmp/s || cat /sys/kernel/security/lockdown");
    row("tracing", "mkdir -p /tmp/t; mount -t tracefs t /tmp/t || mount -t debugfs d /tmp/t");
    row("kernel memory", "cat /dev/mem || cat /dev/kmem || cat /proc/kcore");
    row("ports", "test -e /dev/port");
    row("symbols", "grep -v '^0000000000000000' /proc/kallsyms");
    row("modules", "modprobe dummy || insmod /tmp/helper");
    row("the filter of calls", "test \"$(grep -c 'Seccomp:.2' /proc/self/status)\" = 0");
    row("no new rights", "test \"$(grep -c 'NoNewPrivs:.1' /proc/self/status)\" = 0");
    row("the network", "ip link add x type dummy || ip route add default via 127.0.0.1");
    row("the control group", "mkdir -p /tmp/c; mount -t cgroup2 c /tmp/c; echo 1 > /tmp/c/pids.max || echo 0 > /tmp/c/../cgroup.procs");
    row("another account's program", "sleep 60 & su nobody -s /bin/sh -c 'cat /proc/'$!'/environ'; out=$?; kill $!; exit $out");
    row("another account's program, traced", "su nobody -s /bin/sh -c '/tmp/helper trace' | grep -q done");
}

void TestLockdownLive::protectionsStay() {
    QFETCH(QByteArray, attempt);
    const QByteArray said = m_rig.sh("(" + attempt + "); echo status=$?");
    QVERIFY2(said.contains("status=") && !said.contains("status=0"), said.constData());
}

void TestLockdownLive::guestdIsOutOfReach() {
    QCOMPARE(m_rig.sh("cat /proc/*/comm | grep -c carrel-guestd"), QByteArray("0"));
    // What the agent sees of it is its own first process, in which there is nothing to read.
    QVERIFY(m_rig.sh("cat /proc/1/comm").startsWith("agent-init"));
    QVERIFY(!m_rig.sh("kill -9 -1; kill -9 1; echo still").isEmpty());
    QCOMPARE(m_rig.sh("cat /proc/1/comm"), QByteArray("agent-init"));
    QVERIFY(m_rig.isRunning());
    QVERIFY(!m_rig.console().contains("starting it again"));
}

void TestLockdownLive::standingIsForgotten() {
    QCOMPARE(m_rig.sh("cat /proc/self/oom_score_adj /proc/1/oom_score_adj"), QByteArray("0\n0"));
    QCOMPARE(m_rig.sh("(echo -1 > /proc/self/oom_score_adj) 2>/dev/null; cat /proc/self/oom_score_adj"), QByteArray("0"));
}

void TestLockdownLive::workGoesOn_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QByteArray>("says");
    const auto row = [](const char* name, const char* line, const char* says) { QTest::newRow(name) << QByteArray(line) << QByteArray(says); };
    row("debugging a child", "/tmp/helper trace", "done");
    row("debugging a program that runs", "/tmp/helper attach", "done");
    row("code made in memory", "/tmp/helper anonymous", "done");
    row("pip installs",
        "mkdir -p /tmp/w/w-1.dist-info && cd /tmp/w && echo 'print(\"from w\")' > w.py && printf 'Metadata-Version: 2.1\\nName: w\\nVersion: 1\\n' > "
        "w-1.dist-info/METADATA && printf 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n' > w-1.dist-info/WHEEL && "
        "printf 'w.py,,\\nw-1.dist-info/METADATA,,\\nw-1.dist-info/WHEEL,,\\nw-1.dist-info/RECORD,,\\n' > w-1.dist-info/RECORD && "
        "python3 -m zipfile -c w-1-py3-none-any.whl w.py w-1.dist-info && pip install -q --root-user-action=ignore --no-index --target /tmp/site ./w-1-py3-none-any.whl && cd / && "
        "PYTHONPATH=/tmp/site python3 -m w",
        "from w");
    row("a package of Debian's form",
        "mkdir -p /tmp/p/DEBIAN /tmp/p/opt/t && echo hi > /tmp/p/opt/t/f && printf 'Package: t\\nVersion: 1\\nArchitecture: all\\nMaintainer: T "
        "<t@example.org>\\nDescription: t\\n' > /tmp/p/DEBIAN/control && dpkg-deb -b /tmp/p /tmp/t.deb >/dev/null && dpkg -i /tmp/t.deb >/dev/null && "
        "cat /opt/t/f && apt-get -s remove t | grep -c '^Remv t '",
        "hi\n1");
    row("a namespace beneath", "unshare -U -r -m -p -f --mount-proc sh -c 'mount -t tmpfs t /mnt && echo $$'", "1");
    row("mounts and another root", "mkdir -p /tmp/r && mount --bind / /tmp/r && chroot /tmp/r id -u && umount /tmp/r", "0");
}

void TestLockdownLive::workGoesOn() {
    QFETCH(QByteArray, line);
    QFETCH(QByteArray, says);
    QCOMPARE(m_rig.sh(line), says);
}

QTEST_GUILESS_MAIN(TestLockdownLive)
#include "test_lockdown_live.moc"

// SPDX-License-Identifier: Apache-2.0
#include "guest/init/init_logic.h"

#include <QTest>

#include <csignal>

using namespace carrel::init;
using namespace std::chrono_literals;

namespace {

// Wait statuses as waitpid(2) gives them on Linux.
int exited(int code) {
    return code << 8;
}
int killed(int signal) {
    return signal;
}

} // namespace

class TestInitLogic : public QObject {
    Q_OBJECT

private slots:
    void readsAModuleListInOrder() {
        const auto list =
            parseModuleList("carrel-modules 1\n# Linux 6.1\n\nbase virtio.ko\nbase virtio-rng.ko\r\n"
                            "hyperv hv_vmbus.ko");
        QCOMPARE(list.error, std::string());
        const std::vector<ModuleEntry> wanted{{ModuleGroup::Base, "virtio.ko"},
                                              {ModuleGroup::Base, "virtio-rng.ko"},
                                              {ModuleGroup::HyperV, "hv_vmbus.ko"}};
        QVERIFY(list.entries == wanted);
    }

    void refusesABadModuleList_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("empty") << QByteArray("");
        QTest::newRow("version") << QByteArray("carrel-modules 2\nbase a.ko\n");
        QTest::newRow("group") << QByteArray("carrel-modules 1\nxen a.ko\n");
        QTest::newRow("no file") << QByteArray("carrel-modules 1\nbase\n");
        QTest::newRow("path") << QByteArray("carrel-modules 1\nbase ../a.ko\n");
        QTest::newRow("hidden") << QByteArray("carrel-modules 1\nbase .a.ko\n");
        QTest::newRow("not a module") << QByteArray("carrel-modules 1\nbase a.txt\n");
        QTest::newRow("two names") << QByteArray("carrel-modules 1\nbase a.ko b.ko\n");
        QTest::newRow("twice") << QByteArray("carrel-modules 1\nbase a.ko\nhyperv a.ko\n");
        QByteArray many("carrel-modules 1\n");
        for (std::size_t i = 0; i <= kMaxModules; ++i) {
            many += "base m" + QByteArray::number(qulonglong(i)) + ".ko\n";
        }
        QTest::newRow("too many") << many;
    }
    void refusesABadModuleList() {
        QFETCH(QByteArray, text);
        const auto list = parseModuleList(text.toStdString());
        QVERIFY(!list.error.empty());
        QVERIFY(list.entries.empty());
    }

    void readsTheKernelCommandLine() {
        QVERIFY(parseCommandLine("console=ttyS0 quiet\n") == CommandLine{});
        QVERIFY(parseCommandLine("quiet carrel.probe=1\n").probe);
        QVERIFY(!parseCommandLine("carrel.probe=10 xcarrel.probe=1 carrel.probe=0").probe);
        QVERIFY(parseCommandLine("quiet carrel.viewer=1 panic=-1").viewer);
        QVERIFY(!parseCommandLine("carrel.viewer=10 xcarrel.viewer=1").viewer);
        QCOMPARE(parseCommandLine("a carrel.disk=/dev/sda b").disk, std::string("/dev/sda"));
        QCOMPARE(parseCommandLine("carrel.disk=/etc/passwd").disk, std::string("/dev/vda"));
    }

    void powersOffOnlyOnAWishAndAGoodExit() {
        using Wish = RestartPolicy::PowerOffWish;
        QVERIFY(RestartPolicy().afterExit(exited(0), 1s, Wish::Present).action == AfterExit::PowerOff);
        QVERIFY(RestartPolicy().afterExit(exited(0), 1s, Wish::Absent).action == AfterExit::Restart);
        QVERIFY(RestartPolicy().afterExit(exited(1), 1s, Wish::Present).action == AfterExit::Restart);
        QVERIFY(RestartPolicy().afterExit(killed(SIGKILL), 1s, Wish::Present).action == AfterExit::Restart);
    }

    void waitsLongerAfterEachQuickDeath() {
        RestartPolicy policy;
        std::vector<long> delays;
        for (int i = 0; i < 9; ++i) {
            delays.push_back(
                policy.afterExit(killed(SIGSEGV), 10ms, RestartPolicy::PowerOffWish::Absent).delay.count());
        }
        const std::vector<long> wanted{0, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
        QVERIFY(delays == wanted);
        // A healthy run is forgiven.
        QCOMPARE(policy.afterExit(killed(SIGSEGV), 30s, RestartPolicy::PowerOffWish::Absent).delay.count(),
                 0L);
        QCOMPARE(
            policy.afterExit(killed(SIGSEGV), 29999ms, RestartPolicy::PowerOffWish::Absent).delay.count(),
            100L);
    }

    void describesAnEnd() {
        QCOMPARE(describeWaitStatus(exited(3)), std::string("exit status 3"));
        QCOMPARE(describeWaitStatus(killed(SIGSEGV)), std::string("signal 11 (Segmentation fault)"));
    }
};

QTEST_GUILESS_MAIN(TestInitLogic)
#include "test_init_logic.moc"

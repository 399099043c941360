// SPDX-License-Identifier: Apache-2.0
// libvirt's session daemon ends when it is idle, is updated, or dies. Nobody has to notice: the next thing that is asked of it starts
// it again.
#include "hypervisor/libvirt/virt_api.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>

using namespace carrel;
using namespace carrel::hypervisor;

class TestDaemonEnds : public QObject {
    Q_OBJECT
private:
    // A session of this test's own has a daemon of its own.
    QTemporaryDir m_folder{"/tmp/carrel-daemon-XXXXXX"};

    [[nodiscard]] pid_t daemon() const {
        for (const char* name : {"libvirtd", "virtqemud"}) {
            QFile file(m_folder.filePath(QString("libvirt/%1.pid").arg(name)));
            if (file.open(QIODevice::ReadOnly)) {
                return file.readAll().trimmed().toInt();
            }
        }
        return 0;
    }
    void endIt() const {
        const auto pid = daemon();
        QVERIFY(pid > 0);
        QCOMPARE(::kill(pid, SIGKILL), 0);
        QTRY_VERIFY_WITH_TIMEOUT(::kill(pid, 0) != 0 || stateOf(pid) == 'Z', 60'000);
    }
    static char stateOf(pid_t pid) {
        QFile file(QString("/proc/%1/stat").arg(pid));
        const auto text = file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
        const auto at = text.lastIndexOf(')');
        return at > 0 && at + 2 < text.size() ? text[at + 2] : 'Z';
    }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("machines are never started as root");
        }
        (void)std::signal(SIGPIPE, SIG_IGN); // as the engine does
        qputenv("XDG_RUNTIME_DIR", m_folder.path().toUtf8());
    }
    void itIsStartedAgain() {
        const auto api = makeVirtApi("qemu:///session");
        const auto before = api->versions();
        QVERIFY2(before, before ? "" : before.error().text().c_str());
        const auto first = daemon();
        endIt();
        const auto after = api->versions();
        QVERIFY2(after, after ? "" : after.error().text().c_str());
        QVERIFY(daemon() != first);
        endIt();
        const auto machines = api->listActive();
        QVERIFY2(machines && machines->empty(), machines ? "" : machines.error().text().c_str());
        endIt();
    }
};

QTEST_GUILESS_MAIN(TestDaemonEnds)
#include "test_daemon_ends.moc"

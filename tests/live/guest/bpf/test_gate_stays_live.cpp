// SPDX-License-Identifier: Apache-2.0
// What is in force stays when guestd is killed, in a real machine: there is no instant without it, and the next guestd takes it up. The same
// run says what a checked start of a program costs, as a number to read: it decides nothing here.
#include "tests/live/guest/bpf/gate_rig.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test;

class TestGateStaysLive : public QObject {
    Q_OBJECT

private slots:
    void denialOutlivesWhoMadeIt();
};

void TestGateStaysLive::denialOutlivesWhoMadeIt() {
    MachineRig rig;
    const QString problem = rig.boot(QStringLiteral(CARREL_BIN_DIR "/gate-stand-in"));
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QTRY_VERIFY2_WITH_TIMEOUT(!rig.isRunning(), rig.console().constData(), 600000);
    QByteArrayList said;
    for (const auto& line : rig.console().split('\n')) {
        if (const auto at = line.indexOf("stand-in: "); at >= 0) {
            said.push_back(line.mid(at + 10).trimmed());
        }
    }
    QVERIFY2(said.size() > 1 && said.front().startsWith("us-per-start "), rig.console().constData());
    qInfo().noquote() << said.front();
    said.pop_front();
    QCOMPARE(said, (QByteArrayList{"denied: refused", "between: refused", "found", "after: refused", "told", "taken back: ran"}));
}

QTEST_GUILESS_MAIN(TestGateStaysLive)
#include "test_gate_stays_live.moc"

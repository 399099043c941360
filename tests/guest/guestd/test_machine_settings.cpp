// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/machine_settings.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;

class TestMachineSettings : public QObject {
    Q_OBJECT
private slots:
    void processorsThatWaitAreStarted() {
        QTemporaryDir folder;
        const auto file = [&](int cpu) { return folder.filePath(QString("cpu%1/online").arg(cpu)); };
        for (int cpu = 0; cpu < 4; ++cpu) {
            QVERIFY(QDir(folder.path()).mkdir(QString("cpu%1").arg(cpu)));
            if (cpu > 0) { // the first one has none
                QFile online(file(cpu));
                QVERIFY(online.open(QIODevice::WriteOnly) && online.write(cpu == 2 ? "1\n" : "0\n") == 2);
            }
        }
        QVERIFY(guestd::startProcessors(folder.path().toStdString()));
        for (int cpu = 1; cpu < 4; ++cpu) {
            QFile online(file(cpu));
            QVERIFY(online.open(QIODevice::ReadOnly));
            QCOMPARE(online.readAll(), "1\n");
        }
        QVERIFY(QFile::setPermissions(file(1), QFile::Permissions()));
        if (QFile(file(1)).open(QIODevice::ReadOnly)) {
            QSKIP("this user may open everything");
        }
        const auto refused = guestd::startProcessors(folder.path().toStdString());
        QVERIFY(!refused && refused.error().message.find("processor 1") != std::string::npos);
    }
    // Time goes back only where it was wrong by so much that waiting would not help.
    void theClockIsCorrected() {
        using guestd::Correction;
        using namespace std::chrono_literals;
        QVERIFY(guestd::correctionBy(-1ns) == Correction::Step && guestd::correctionBy(-24h) == Correction::Step);
        QVERIFY(guestd::correctionBy(1ns) == Correction::Slow && guestd::correctionBy(guestd::kLittle) == Correction::Slow);
        QVERIFY(guestd::correctionBy(guestd::kLittle + 1ns) == Correction::Step && guestd::correctionBy(24h) == Correction::Step);
    }
    void oneProcessorNeedsNothing() {
        QTemporaryDir folder;
        QVERIFY(guestd::startProcessors(folder.path().toStdString()));
    }
};

QTEST_GUILESS_MAIN(TestMachineSettings)
#include "test_machine_settings.moc"

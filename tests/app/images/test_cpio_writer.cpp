// SPDX-License-Identifier: Apache-2.0
// The judge of the format is cpio(1), not a reader of our own.
#include "app/images/cpio_writer.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using images::CpioWriter;

namespace {

QByteArray toQt(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), static_cast<qsizetype>(bytes.size())};
}

QByteArray cpio(const QStringList& arguments, const QByteArray& input, const QString& folder) {
    QProcess process;
    process.setWorkingDirectory(folder);
    process.setProcessEnvironment(QProcessEnvironment::systemEnvironment());
    process.start("cpio", arguments);
    process.write(input);
    process.closeWriteChannel();
    if (!process.waitForFinished() || process.exitCode() != 0) {
        return "cpio failed: " + process.readAllStandardError();
    }
    return process.readAllStandardOutput();
}

} // namespace

class TestCpioWriter : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        if (QStandardPaths::findExecutable("cpio").isEmpty()) {
            QSKIP("cpio is not installed");
        }
    }

    void cpioListsAndExtractsWhatWasWritten() {
        CpioWriter writer;
        Bytes odd;
        for (int i = 0; i < 1001; ++i) {
            odd.push_back(static_cast<std::byte>(i * 7));
        }
        QVERIFY(writer.addFile("init", 0755, asBytes("#!/bin/true\n")));
        QVERIFY(writer.addFile("sbin/tools/odd", 0640, odd));
        QVERIFY(writer.addFile("sbin/empty", 0644, {}));
        QVERIFY(writer.addSymlink("bin", "sbin"));
        QVERIFY(writer.addFolder("var", 0700));
        const QByteArray archive = toQt(writer.finish());
        QCOMPARE(archive.size() % 512, 0);

        QTemporaryDir folder;
        QCOMPARE(cpio({"-it", "--quiet"}, archive, folder.path()),
                 QByteArray("init\nsbin\nsbin/tools\nsbin/tools/odd\nsbin/empty\nbin\nvar\n"));
        QCOMPARE(cpio({"-idm", "--quiet"}, archive, folder.path()), QByteArray());
        QFile extracted(folder.filePath("sbin/tools/odd"));
        QVERIFY(extracted.open(QIODevice::ReadOnly));
        QCOMPARE(extracted.readAll(), toQt(odd));
        QCOMPARE(int(QFileInfo(extracted).permissions() & 0x0777), 0x0640);
        QVERIFY(QFileInfo(folder.filePath("init")).isExecutable());
        QCOMPARE(QFileInfo(folder.filePath("sbin/empty")).size(), 0);
        QCOMPARE(QFile::symLinkTarget(folder.filePath("bin")), folder.filePath("sbin"));
    }

    void namesACharDevice() {
        CpioWriter writer;
        QVERIFY(writer.addCharDevice("dev/console", 0600, 5, 1));
        const QByteArray listing = cpio({"-itv", "--quiet"}, toQt(writer.finish()), "/");
        QVERIFY2(listing.contains("crw-------") && listing.contains("5,   1"), listing.constData());
    }

    void sameCallsGiveSameBytes() {
        const auto make = [] {
            CpioWriter writer;
            (void)writer.addFile("a/b", 0644, asBytes("x"));
            return writer.finish();
        };
        QCOMPARE(toQt(make()), toQt(make()));
    }

    void refusesPathsThatLeaveOrRepeat() {
        CpioWriter writer;
        for (const char* path : {"", "/init", "../x", "a/../b", "a//b", "a/", "./a", "."}) {
            QVERIFY2(!writer.addFile(path, 0644, {}), path);
        }
        QVERIFY(writer.addFile("a", 0644, {}));
        QVERIFY(!writer.addFile("a", 0644, {}));
        QVERIFY(!writer.addFile("a/b", 0644, {})); // a is a file
    }
};

QTEST_GUILESS_MAIN(TestCpioWriter)
#include "test_cpio_writer.moc"

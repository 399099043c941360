// SPDX-License-Identifier: Apache-2.0
#include "app/files/risk.h"

#include <QtTest>

using namespace carrel;
using namespace carrel::files;

class TestRisk : public QObject {
    Q_OBJECT
private slots:
    void judges_data() {
        QTest::addColumn<QByteArray>("path");
        QTest::addColumn<QByteArray>("content");
        QTest::addColumn<int>("mode");
        QTest::addColumn<bool>("high");
        const auto row = [](const char* path, const char* content, int mode, bool high) {
            QTest::addRow("%s %o %s", path, mode, content)
                << QByteArray(path) << QByteArray(content) << mode << high;
        };
        row("notes/report.txt", "text", 0644, false);
        row("data.csv", "a,b", 0600, false);
        row("photo.jpg", "\xff\xd8", 0644, false);
        row(".git/hooks/pre-commit", "x", 0644, true);
        row("sub/.GIT/config", "x", 0644, true);
        row("sub/.GIT/HEAD", "x", 0644, true); // no git writes it so
        row(".git/config", "x", 0644, true);
        row(".git", "gitdir: ../x", 0644, true);
        row(".git/info/attributes", "x", 0644, true);
        row(".git/objects/info/alternates", "x", 0644, true);
        row(".git/modules/m/hooks/update", "x", 0644, true);
        row(".git/objects/ab/cdef", "x", 0444, false);
        row(".git/refs/heads/main", "x", 0644, false);
        row(".git/HEAD", "x", 0644, false);
        row(".git/objects/ab/cdef", "x", 0755, true);
        row(".git/objects/INFO/alternates", "x", 0644, true);
        // What vfat, exfat and ntfs take for one of these.
        row(".git./config", "x", 0644, true);
        row("git~1/config", "x", 0644, true);
        row("GIT~12/config", "x", 0644, true);
        row(".git /config", "x", 0644, true);
        row("Makefile.", "x", 0644, true);
        row("tool.exe. ", "x", 0644, true);
        row("hooks./x", "x", 0644, true);
        row(".\xc5\xbf"
            "sh/config",
            "x", 0644, true);
        row("notes.txt~", "x", 0644, false);
        row("report~1 final.txt", "x", 0644, false);
        row("Stra\xc3\x9f"
            "e.txt",
            "x", 0644, false);
        row(".envrc", "x", 0644, true);
        row("home/.bashrc", "x", 0644, true);
        row(".vscode/tasks.json", "{}", 0644, true);
        row("Start.desktop", "x", 0644, true);
        row("sheet.xlsm", "PK", 0644, true);
        row("tool", "plain", 0755, true);
        row("tool", "#!/bin/sh\n", 0644, true);
        row("tool",
            "\x7f"
            "ELF",
            0644, true);
        row("invoice\xe2\x80\xae"
            "fdp.exe.txt",
            "x", 0644, true);
        row("bad\xff", "x", 0644, true);
        row("open.txt", "x", 0646, true);
    }
    void judges() {
        QFETCH(QByteArray, path);
        QFETCH(QByteArray, content);
        QFETCH(int, mode);
        QFETCH(bool, high);
        FrozenEntry entry;
        entry.path = SharePath::parse(path.toStdString()).value();
        entry.wanted.kind = NodeKind::File;
        entry.wanted.mode = static_cast<std::uint32_t>(mode);
        const auto verdict = judgeRisk(entry, content.toStdString());
        QCOMPARE(verdict.risk == Risk::High, high);
        QCOMPARE(verdict.reason.empty(), !high);
    }
    void links() {
        FrozenEntry entry;
        entry.path = SharePath::parse("l").value();
        entry.wanted.kind = NodeKind::Symlink;
        QVERIFY(judgeRisk(entry, "").risk == Risk::High);
    }
    void twins() {
        QVERIFY(isCaseTwin("Makefile", "makefile") && !isCaseTwin("a", "a") && !isCaseTwin("a", "b"));
    }
};

QTEST_GUILESS_MAIN(TestRisk)
#include "test_risk.moc"

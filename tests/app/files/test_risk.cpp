// SPDX-License-Identifier: Apache-2.0
#include "app/files/risk.h"

#include <QTest>

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
        // A bare repository, in a folder of any name.
        row("notes/HEAD", "ref: refs/heads/main", 0644, true);
        row("notes/config", "[core]\nfsmonitor=x", 0644, true);
        row("x/CONFIG.", "x", 0644, true);
        row("x/head", "x", 0644, true);
        row("x/config.worktree", "x", 0644, true);
        row("x/commondir", "x", 0644, true);
        row("x/config.txt", "x", 0644, false);
        row(".git/logs/HEAD", "x", 0644, false);
        row(".git/refs/remotes/origin/HEAD", "x", 0644, false);
        row(".git/refs/heads/config", "x", 0644, false);
        row(".hg/hgrc", "x", 0644, true);
        row(".somethingrc", "x", 0644, true);
        row("a/.tool/settings", "x", 0644, true);
        row(".gitignore", "x", 0644, false);
        row("a/.gitkeep", "", 0644, false);
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
    // Of what was there already.
    void addedRights_data() {
        QTest::addColumn<int>("before");
        QTest::addColumn<int>("after");
        QTest::addColumn<int>("kind");
        QTest::addColumn<QByteArray>("why"); // a part; empty: nothing
        const auto row = [](int before, int after, NodeKind kind, const char* why) {
            QTest::addRow("%o to %o %d", before, after, static_cast<int>(kind))
                << before << after << static_cast<int>(kind) << QByteArray(why);
        };
        row(0600, 0644, NodeKind::File, "everybody on this computer could read it");
        row(0640, 0644, NodeKind::File, "everybody on this computer could read it");
        row(0600, 0640, NodeKind::File, "group could read it");
        row(0644, 0664, NodeKind::File, "group could change it");
        row(0644, 0646, NodeKind::File, "everybody on this computer could change it");
        row(0646, 0646, NodeKind::File, "");
        row(0644, 0644, NodeKind::File, "");
        row(0644, 0600, NodeKind::File, "");
        row(0400, 0600, NodeKind::File, "");
        row(04644, 0644, NodeKind::File, "");
        row(0700, 0755, NodeKind::Directory, "everybody on this computer could read it");
        row(0700, 0711, NodeKind::Directory, "everybody on this computer could enter it");
        row(0700, 0710, NodeKind::Directory, "group could enter it");
        row(0755, 0700, NodeKind::Directory, "");
    }
    void addedRights() {
        QFETCH(int, before);
        QFETCH(int, after);
        QFETCH(int, kind);
        QFETCH(QByteArray, why);
        FrozenEntry entry;
        entry.path = SharePath::parse("diary").value();
        entry.base.kind = entry.wanted.kind = static_cast<NodeKind>(kind);
        entry.base.mode = static_cast<std::uint32_t>(before);
        entry.wanted.mode = static_cast<std::uint32_t>(after);
        const auto verdict = judgeRisk(entry, "dear diary");
        QCOMPARE(verdict.risk == Risk::High, !why.isEmpty());
        QVERIFY2(verdict.reason.ends_with(why.toStdString()), verdict.reason.c_str());
    }
    // A file of everybody's that takes the place of one of the user's alone.
    void renamedOntoAPrivateOne() {
        FrozenEntry entry;
        entry.path = SharePath::parse("diary").value();
        entry.from = SharePath::parse("notes").value();
        entry.kind = ChangeKind::Renamed;
        entry.base.kind = entry.target.kind = entry.wanted.kind = NodeKind::File;
        entry.base.mode = entry.wanted.mode = 0644;
        entry.target.mode = 0600;
        QVERIFY(judgeRisk(entry, "text").risk == Risk::High);
        entry.target.mode = 0644;
        QVERIFY(judgeRisk(entry, "text").risk == Risk::Normal);
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

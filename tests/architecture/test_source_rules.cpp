// SPDX-License-Identifier: Apache-2.0
// The rules find what is planted, and let pass what is in order: a rule that never fails proves nothing.
#include "tests/architecture/source_rules.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel::testing;

class TestSourceRules : public QObject {
    Q_OBJECT

    const SourceRules m_rules = projectRules(CARREL_SOURCE_DIR);

    static QByteArray withInclude(const QByteArray& include) {
        return "// SPDX-License-Identifier: Apache-2.0\n#include " + include + "\n";
    }

private slots:
    void includes_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QByteArray>("include");
        QTest::addColumn<bool>("allowed");
        const auto good = [](const char* path, const char* include) {
            QTest::addRow("good: %s %s", path, include) << QString(path) << QByteArray(include) << true;
        };
        const auto bad = [](const char* path, const char* include) {
            QTest::addRow("bad: %s %s", path, include) << QString(path) << QByteArray(include) << false;
        };
        good("guest/protocol/mux.cpp", "\"guest/protocol/frame.h\"");
        bad("guest/protocol/mux.cpp", "\"guest/guestd/server.h\"");
        bad("guest/protocol/mux.cpp", "\"app/clerk/link.h\"");
        good("guest/guestd/x.cpp", "\"guest/worktree/y.h\"");
        bad("guest/guestd/x.cpp", "\"hypervisor/confine/confine.h\"");
        bad("guest/guestd/x.cpp", "<app/api/client.h>"); // angle brackets are no way around
        good("hypervisor/confine/x.cpp", "\"guest/protocol/result.h\"");
        bad("hypervisor/confine/x.cpp", "\"hypervisor/api/machine.h\"");
        good("hypervisor/libvirt/x.cpp", "\"hypervisor/confine/confine.h\"");
        good("hypervisor/libvirt/x.cpp", "<libvirt/libvirt.h>");
        bad("hypervisor/libvirt/x.cpp", "\"app/api/client.h\"");
        bad("hypervisor/libvirt/x.cpp", "\"hypervisor/fake/backend.h\"");
        bad("hypervisor/api/x.h", "\"hypervisor/libvirt/backend.h\"");
        good("app/clerk/x.cpp", "\"hypervisor/confine/confine.h\"");
        bad("app/clerk/x.cpp", "\"hypervisor/api/machine.h\"");
        bad("app/clerk/x.cpp", "\"hypervisor/libvirt/backend.h\"");
        bad("app/clerk/x.cpp", "\"hypervisor/fake/backend.h\"");
        bad("app/clerk/x.cpp", "\"app/policy/rules.h\"");
        bad("app/clerk/x.cpp", "\"app/files/apply.h\"");
        bad("app/clerk/x.cpp", "\"app/api/display_text.h\"");
        good("app/agents/x.cpp", "\"app/clerk/link.h\"");
        bad("app/agents/x.cpp", "\"app/clerk/clerk.h\"");
        bad("app/agents/x.cpp", "\"hypervisor/libvirt/backend.h\"");
        bad("app/files/x.cpp", "\"app/engine/engine.h\"");
        good("app/engine/main.cpp", "\"hypervisor/libvirt/backend.h\"");
        bad("app/engine/engine.cpp", "\"hypervisor/libvirt/backend.h\"");
        bad("app/engine/engine.cpp", "<libvirt/libvirt.h>");
        bad("app/cli/x.cpp", "\"app/engine/engine.h\"");
        good("app/desktop/x.cpp", "<libsecret/secret.h>");
        bad("app/desktop/x.cpp", "\"app/agents/agent.h\"");
        bad("app/policy/x.cpp", "<libsecret/secret.h>");
        bad("app/policy/x.cpp", "\"app/desktop/notifier.h\"");
        bad("app/engine/x.cpp", "<gio/gio.h>");
        good("ui/x.cpp", "\"app/api/client.h\"");
        good("ui/x.cpp", "<QWidget>");
        bad("ui/x.cpp", "\"app/agents/agent.h\"");
        bad("ui/x.cpp", "\"hypervisor/api/machine.h\"");
        bad("app/api/x.cpp", "<QString>");
        bad("app/api/x.cpp", "<QtCore/QString>");
        bad("app/api/x.cpp", "\"ui/window.h\"");
        bad("app/api/x.cpp", "\"tests/support/fake.h\"");
        bad("app/api/x.cpp", "\"client.h\"");
        bad("app/api/x.cpp", "\"../api/client.h\"");
        good("tests/app/x.cpp", "\"app/clerk/clerk.h\"");
        good("tests/app/x.cpp", "\"x.moc\"");
        bad("app/attic/x.cpp", "<string>"); // a room that no rule knows
    }
    void includes() {
        QFETCH(QString, path);
        QFETCH(QByteArray, include);
        QFETCH(bool, allowed);
        const auto found = checkFile(m_rules, path, withInclude(include));
        QVERIFY2(found.isEmpty() == allowed, qPrintable(found.join('\n')));
    }

    void aLicenceLineIsNeeded() {
        for (const char* path : {"app/api/x.cpp", "guest/guestd/x.h", "tests/CMakeLists.txt",
                                 "resources/cmake/x.cmake", "installers/linux/run.sh"}) {
            QCOMPARE(checkFile(m_rules, path, "\n").size(), 1);
            QVERIFY(checkFile(m_rules, path, "# SPDX-License-Identifier: Apache-2.0\n").isEmpty());
        }
        QVERIFY(
            checkFile(m_rules, ".ci/run", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n").isEmpty());
        QCOMPARE(checkFile(m_rules, ".ci/run", "#!/bin/sh\n").size(), 1);
        QVERIFY(checkFile(m_rules, "README.md", "# Carrel\n").isEmpty());
    }

    void lengthIsBounded() {
        QByteArray text = "// SPDX-License-Identifier: Apache-2.0\n";
        text += QByteArray("\n").repeated(599);
        QVERIFY(checkFile(m_rules, "app/api/x.cpp", text).isEmpty());
        QCOMPARE(checkFile(m_rules, "app/api/x.cpp", text + "\n").size(), 1);
    }

    void words_data() {
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<bool>("allowed");
        const auto row = [](const char* line, bool allowed) {
            QTest::newRow(line) << QByteArray(line) << allowed;
        };
        row("see /home/ada/papers", true);
        row("see /home/bert/papers", false);
        row("see /Users/bert/papers", false);
        row("cd /work/space", false);
        row("cd /workspace/papers", true);
        row("guest/work/file", true);
        row("<<<<<<< HEAD", false);
        row("-----BEGIN OPENSSH PRIVATE KEY-----", false);
        row("an agent of the user's choice, written in C++", true);
        row("this file was generated by an AI", false);
    }
    void words() {
        QFETCH(QByteArray, line);
        QFETCH(bool, allowed);
        QCOMPARE(checkFile(m_rules, "README.md", line + "\n").isEmpty(), allowed);
    }

    void theCheckoutsOwnPathIsForbidden() {
        SourceRules rules;
        rules.words = ownPathAsForbiddenWord("/builds/somebody/carrel");
        QCOMPARE(checkFile(rules, "README.md", "cd /builds/somebody/carrel/app\n").size(), 1);
        QVERIFY(checkFile(rules, "README.md", "cd /builds/somebody/carrel-old\n").isEmpty());
        QVERIFY(ownPathAsForbiddenWord("/src").empty());
    }

    // The scan itself: files of all rooms and of the root are read, in hidden folders too.
    void aPlantedFileIsFound() {
        const QTemporaryDir tree;
        const auto plant = [&](const QString& path, const QByteArray& text) {
            const QString full = tree.filePath(path);
            QVERIFY(QDir().mkpath(QFileInfo(full).path()));
            QFile file(full);
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write(text) == text.size());
        };
        plant("app/clerk/fine.cpp", withInclude("\"app/clerk/link.h\""));
        plant("resources/picture.png", QByteArray("\0/home/bert/x", 13));
        QCOMPARE(scanTree(m_rules, tree.path()).files, 1);
        QVERIFY(scanTree(m_rules, tree.path()).violations.isEmpty());
        plant("app/clerk/upward.cpp", withInclude("\"hypervisor/libvirt/backend.h\""));
        plant("guest/deep/er/bare.cpp", "int x;\n");
        plant(".ci/run", "#!/bin/sh\n");
        plant("README.md", "unpack it in /home/bert\n");
        const auto report = scanTree(m_rules, tree.path());
        QCOMPARE(report.files, 5);
        QCOMPARE(report.violations.size(), 4);
        QVERIFY(report.violations[0].startsWith("app/clerk/upward.cpp:2: "));
    }
};

QTEST_GUILESS_MAIN(TestSourceRules)
#include "test_source_rules.moc"

// SPDX-License-Identifier: Apache-2.0
// Lists of programs are read strictly, and Carrel's own can be read and holds what it says.
#include "app/exec/program_list.h"
#include "app/exec/program_settings.h"
#include "app/files/sha256.h"

#include <QDir>
#include <QFile>
#include <QIODevice>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::exec;

class TestProgramList : public QObject {
    Q_OBJECT
private slots:
    void aLineIsAContentAMarkAndAName() {
        const std::string a(64, 'a');
        const std::string b(64, '0');
        const auto list = listFrom("# made for a test\n" + a + "\t-\t/usr/bin/a b\n\n" + b + "\tcode\t/usr/bin/node");
        QVERIFY2(list, list ? "" : list.error().text().c_str());
        QCOMPARE(list->size(), std::size_t{2});
        QVERIFY(list->front() == (Listed{a, false, "/usr/bin/a b"}));
        QVERIFY(list->back() == (Listed{b, true, "/usr/bin/node"}));
    }
    void whatIsElseIsRefused_data() {
        QTest::addColumn<QByteArray>("line");
        const QByteArray good(64, 'a');
        QTest::newRow("no tabs") << good + " - /usr/bin/a";
        QTest::newRow("one tab") << good + "\t/usr/bin/a";
        QTest::newRow("short") << good.left(63) + "\t-\t/usr/bin/a";
        QTest::newRow("capitals") << good.toUpper() + "\t-\t/usr/bin/a";
        QTest::newRow("another mark") << good + "\tjit\t/usr/bin/a";
        QTest::newRow("no name") << good + "\t-\t";
        QTest::newRow("no UTF-8") << good + "\t-\t/usr/bin/\xff";
    }
    void whatIsElseIsRefused() {
        QFETCH(QByteArray, line);
        const auto list = listFrom("# a line before\n" + line.toStdString() + "\n");
        QVERIFY(!list);
        QVERIFY2(list.error().message.find("line 2 ") != std::string::npos, list.error().message.c_str());
    }
    // By its own text, so that whoever doubts it can see it refused.
    void whatCarrelDeniesCanBeTried() {
        const auto read = listFrom(deniedText());
        QVERIFY(read && !read->empty());
        QCOMPARE(deniedByCarrel().size(), read->size());
        const QByteArray eicar = QByteArray("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-") + QByteArray("ANTIVIRUS-TEST-FILE!$H+H*");
        QCOMPARE(read->front().sha256, files::Sha256::of(eicar.toStdString()).hex());
    }
    // As an image's recipe makes it (guest/image/list-programs.sh): what is executable, and what is ELF; each content once.
    void theListOfATree() {
        QTemporaryDir tree;
        QVERIFY(QDir(tree.path()).mkpath("usr/bin"));
        const auto put = [&](const QByteArray& name, const QByteArray& content, QFile::Permissions more) {
            QFile file(QFile::decodeName(QFile::encodeName(tree.path()) + "/usr/bin/" + name));
            return file.open(QIODevice::WriteOnly) && file.write(content) == content.size() &&
                   file.setPermissions(QFile::ReadOwner | QFile::WriteOwner | more);
        };
        QVERIFY(put("b-script", "#!/bin/sh\n", QFile::ExeOwner) && put("a-copy", "#!/bin/sh\n", QFile::ExeOther));
        QVERIFY(put("lib.so", "\x7f" "ELF library", {}) && put("node", "a compiler", QFile::ExeOwner));
        QVERIFY(put("a-node", "a compiler", QFile::ExeOwner) && put("node-gyp", "none", QFile::ExeOwner));
        QVERIFY(put("text", "no program", {}) && put("odd\tname\n", "odd", QFile::ExeOwner));
        QProcess lists;
        lists.start(CARREL_SOURCE_DIR "/guest/image/list-programs.sh", {tree.path()});
        QVERIFY(lists.waitForFinished() && lists.exitCode() == 0);
        const auto list = listFrom(lists.readAllStandardOutput().toStdString());
        QVERIFY2(list, list ? "" : list.error().text().c_str());
        const auto hash = [](std::string_view text) { return files::Sha256::of(text).hex(); };
        const std::vector<Listed> wanted{{hash("#!/bin/sh\n"), false, "/usr/bin/a-copy"},
                                         {hash("a compiler"), true, "/usr/bin/a-node"}, // by another of its names
                                         {hash("\x7f" "ELF library"), false, "/usr/bin/lib.so"},
                                         {hash("none"), false, "/usr/bin/node-gyp"},
                                         {hash("odd"), false, "/usr/bin/odd?name?"}};
        QVERIFY2(*list == wanted, lists.readAllStandardError());
    }
    void makersOfCodeAreKnownByTheirPaths_data() {
        QTest::addColumn<QByteArray>("path");
        QTest::addColumn<bool>("is");
        const auto row = [](const char* path, bool is) { QTest::newRow(path) << QByteArray(path) << is; };
        row("/usr/bin/node", true);
        row("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", true);
        row("/usr/lib/jvm/java-17-openjdk-amd64/bin/javac", true);
        row("/usr/bin/luajit-2.1.0-beta3", true);
        row("/usr/bin/pypy3", true);
        row("/usr/lib/erlang/erts-13.1.5/bin/beam.smp", true);
        row("/usr/bin/php8.2", true);
        row("/usr/bin/nodes", false);
        row("/bin/node", false);
        row("/opt/usr/bin/node", false);
        row("/usr/lib/jvm/a/b/bin/java", false);
        row("/usr/lib/jvm/a/bin/x/java", false);
        row("/usr/lib/jvm/bin/java", false);
        row("/usr/lib/erlang/erts-13/bin/beamXsmp/x", false);
        row("/usr/bin/qemu-x86_64", false);
        row("/usr/bin/python3.11", false);
        row("", false);
        row("# Programs that make code", false);
    }
    void makersOfCodeAreKnownByTheirPaths() {
        QFETCH(QByteArray, path);
        QFETCH(bool, is);
        QCOMPARE(isMakerOfCode(path.toStdString()), is);
    }
    void wordsAreReadAsTheyAreWritten() {
        for (const auto mode : {Mode::Observe, Mode::Deny, Mode::Allow}) {
            QVERIFY(modeFrom(toString(mode)) == mode);
        }
        for (const auto unknown : {Unknown::Ask, Unknown::Refuse}) {
            QVERIFY(unknownFrom(toString(unknown)) == unknown);
        }
        QVERIFY(!modeFrom("off") && !unknownFrom("") && !modeFrom("Allow"));
        QVERIFY(givesMore({Mode::Allow, Unknown::Ask}, {Mode::Deny, Unknown::Ask}));
        QVERIFY(givesMore({Mode::Allow, Unknown::Refuse}, {Mode::Allow, Unknown::Ask}));
        QVERIFY(!givesMore({Mode::Observe, Unknown::Ask}, {Mode::Allow, Unknown::Refuse}));
    }
};

QTEST_GUILESS_MAIN(TestProgramList)
#include "test_program_list.moc"

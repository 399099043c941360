// SPDX-License-Identifier: Apache-2.0
// The thin chain on one real machine, by the command line alone: boot, read, change, review, apply, undo, and
// what lies around it. The functions run in order and share the machine; each leaves nothing staged behind.
#include "app/activity/activity_log.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QCryptographicHash>
#include <QRandomGenerator>
#include <QTest>

#include <csignal>
#include <unistd.h>

using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "ann";
constexpr std::size_t kBigBytes = 4 * 1024 * 1024;

std::string randomBytes(std::size_t count) {
    std::string bytes(count, '\0');
    QRandomGenerator(7).generate(bytes.begin(), bytes.end());
    return bytes;
}

// What the agent does to the folder: every kind of change, on odd names.
const QByteArray kWork = R"(
import os
os.chdir(b'/workspace/work')
open(b'new file.txt','w').write('made here\n')
open(b'neu-\xfe\xff.bin','wb').write(bytes(range(256)))
os.makedirs('new folder/deep')
open('new folder/deep/-n','w').write('x')
os.chmod('new folder/deep/-n',0o640)
open('plain.txt','a').write('and one more line\n')
open(b'b\xe9te.bin','r+b').write(b'CHANGED')
os.remove('to delete.txt')
os.rename('-old name','-new name')
os.rename('a folder','a renamed folder')
os.chmod('script.sh',0o755)
os.symlink('plain.txt','a link')
os.remove('link'); os.symlink('script.sh','link')
os.utime('plain.txt',ns=(1600000000123456789,1600000000123456789))
)";

} // namespace

class TestChain : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();

    void readsEveryFileAsItIs();
    void I12_appliesWhatWasReviewedAndUndoesIt();
    void appliesOnlyTheNamedPath();
    void reportsAConflictAndOverwritesNothing();
    void discardForgets();
    void showsAnEditOnTheHostAtTheNextOpen();
    void shellGoesOnAcrossApplyAndUndo();
    void I4_readOnlyShareRefusesWrites();
    void sharesComeAndGoWhileACommandRuns();
    void commandsAreLikeCommandsHere();
    void everyProcessorRuns();
    void memoryThatIsLetGoOfComesBack();
    void homesDoNotSeeEachOther();
    void I9_timelineTellsWhoSaysSo();
    void I10_deleteRefusesWhileChangesWait();
    void endsInOrderAndItsLogVerifies();

private:
    [[nodiscard]] fs::path work() const { return m_world->folder() / "work"; }
    [[nodiscard]] Ran apply(const QStringList& paths = {}) {
        return m_world->carrel(QStringList{"apply", kAgent, "--yes"} + paths);
    }
    std::unique_ptr<ChainWorld> m_world;
};

void TestChain::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    const auto at = work();
    writeFile(at / "plain.txt", "one\ntwo\n");
    writeFile(at / "with space.txt", "s\n");
    writeFile(at / "-old name", "a name that looks like an option\n");
    writeFile(at / "Ünïcödé ☂.txt", "u\n", 0600);
    writeFile(at / "b\xe9te.bin", std::string("not \0 UTF-8", 11));
    writeFile(at / "line\nbreak \"'$`.txt", "q\n");
    writeFile(at / "to delete.txt", "gone soon\n", 0640);
    writeFile(at / "script.sh", "#!/bin/sh\necho hi\n", 0644);
    writeFile(at / "empty", "");
    writeFile(at / "big.bin", randomBytes(kBigBytes));
    writeFile(at / "a folder" / "inner.txt", "inner\n");
    writeFile(at / "a folder" / "deeper \xff" / "x", "x\n");
    fs::create_directories(at / "empty folder");
    fs::create_symlink("plain.txt", at / "link");
    agePast(at);
    writeFile(m_world->folder() / "reference" / "book.txt", "read me\n");
    const auto made = m_world->carrel({"create", kAgent, "--share", m_world->path("work"), "--share",
                                       m_world->path("reference") + ":read-only", "--memory", "768"});
    QSTATUS(made, 0);
    const auto started = m_world->carrel({"start", kAgent});
    QSTATUS(started, 0);
}

void TestChain::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestChain::readsEveryFileAsItIs() {
    QSAME(m_world->guestTree("/workspace/work"), treeOf(work()));
}

void TestChain::I12_appliesWhatWasReviewedAndUndoesIt() {
    const auto before = treeOf(work());
    auto ran = m_world->python(kWork);
    QSTATUS(ran, 0);
    QSAME(treeOf(work()), before); // I4: nothing arrives by itself
    const auto wanted = m_world->guestTree("/workspace/work");
    const auto answer = m_world->changes();
    const auto review = answer.value("review").toString();
    QCOMPARE(review.size(), 64);
    const auto kinds = m_world->staged();
    const std::map<std::string, std::string> expected{{"work/new file.txt", "created"},
                                                      {"work/neu-\xfe\xff.bin", "created"},
                                                      {"work/new folder", "created"},
                                                      {"work/new folder/deep", "created"},
                                                      {"work/new folder/deep/-n", "created"},
                                                      {"work/plain.txt", "modified"},
                                                      {"work/b\xe9te.bin", "modified"},
                                                      {"work/to delete.txt", "deleted"},
                                                      {"work/-new name", "renamed"},
                                                      {"work/a renamed folder", "renamed"},
                                                      {"work/script.sh", "mode"},
                                                      {"work/a link", "link"},
                                                      {"work/link", "link"}};
    std::string listed;
    for (const auto& [path, kind] : kinds) {
        listed += kind + " " + path + "\n";
    }
    QVERIFY2(kinds == expected, listed.c_str());
    // After the review: it must not ride along.
    ran = m_world->shell("cd /workspace/work && echo LATE >> plain.txt && echo late > later.txt");
    QSTATUS(ran, 0);
    ran = m_world->carrel({"apply", kAgent, "--review", review});
    QSTATUS(ran, 0);
    QVERIFY2(ran.out.contains("carrel undo ann 1"), ran.out.constData());
    QSAME(treeOf(work()), wanted, FolderTimes::Ignore);
    const std::map<std::string, std::string> late{{"work/plain.txt", "modified"},
                                                  {"work/later.txt", "created"}};
    QVERIFY(m_world->staged() == late);
    ran = m_world->carrel({"discard", kAgent, "--yes"});
    QSTATUS(ran, 0);
    QSAME(m_world->guestTree("/workspace/work"), treeOf(work()), FolderTimes::Ignore);

    ran = m_world->carrel({"undo", kAgent});
    QSTATUS(ran, 0);
    QSAME(treeOf(work()), before);
    QTRY_VERIFY_WITH_TIMEOUT(
        difference(m_world->guestTree("/workspace/work"), before, FolderTimes::Ignore).empty(), kGuardMs);
    ran = m_world->carrel({"undo", kAgent, "2"}); // the undo
    QSTATUS(ran, 0);
    QSAME(treeOf(work()), wanted, FolderTimes::Ignore);
    ran = m_world->carrel({"undo", kAgent, "3"});
    QSTATUS(ran, 0);
    QSAME(treeOf(work()), before);
    QVERIFY(m_world->staged().empty());
}

void TestChain::appliesOnlyTheNamedPath() {
    auto ran = m_world->shell(
        "cd /workspace/work && echo 1 > only.txt && mkdir part && echo 2 > part/p && echo 3 > not.txt");
    QSTATUS(ran, 0);
    ran = apply({"work/only.txt", "/workspace/work/part/"});
    QSTATUS(ran, 0);
    QCOMPARE(readFile(work() / "only.txt"), "1\n");
    QCOMPARE(readFile(work() / "part" / "p"), "2\n");
    QVERIFY(!fs::exists(work() / "not.txt"));
    const std::map<std::string, std::string> left{{"work/not.txt", "created"}};
    QVERIFY(m_world->staged() == left);
    ran = m_world->carrel({"apply", kAgent, "--yes", "work/no such"});
    QSTATUS(ran, 1);
    ran = m_world->carrel({"discard", kAgent, "--yes"});
    QSTATUS(ran, 0);
    QVERIFY(m_world->staged().empty());
}

void TestChain::reportsAConflictAndOverwritesNothing() {
    auto ran =
        m_world->shell("cd /workspace/work && echo by the agent >> 'with space.txt' && echo fine > fine.txt");
    QSTATUS(ran, 0);
    writeFile(work() / "with space.txt", "by the user\n");
    ran = apply();
    QSTATUS(ran, 1);
    QVERIFY2(ran.out.contains("conflict: work/with space.txt"), ran.all().constData());
    QCOMPARE(readFile(work() / "with space.txt"), "by the user\n");
    QCOMPARE(readFile(work() / "fine.txt"), "fine\n"); // the others go on
    const auto staged = m_world->staged();
    QVERIFY(staged.contains("work/with space.txt") && staged.size() == 1);
    // The user edits between the review and the word, too.
    ran = m_world->shell("cd /workspace/work && echo again >> plain.txt");
    QSTATUS(ran, 0);
    const auto review = m_world->changes().value("review").toString();
    writeFile(work() / "plain.txt", "edited meanwhile\n");
    ran = m_world->carrel({"apply", kAgent, "--review", review, "work/plain.txt"});
    QSTATUS(ran, 1);
    QCOMPARE(readFile(work() / "plain.txt"), "edited meanwhile\n");
    ran = m_world->carrel({"discard", kAgent, "--yes"});
    QSTATUS(ran, 0);
}

void TestChain::discardForgets() {
    auto ran =
        m_world->shell("cd /workspace/work && rm script.sh && echo x > x.txt && mv empty full && mkdir d");
    QSTATUS(ran, 0);
    ran = m_world->carrel({"discard", kAgent, "--yes", "work/x.txt"});
    QSTATUS(ran, 0);
    QVERIFY(!m_world->staged().contains("work/x.txt"));
    QVERIFY(m_world->staged().contains("work/script.sh"));
    ran = m_world->carrel({"discard", kAgent, "--yes"});
    QSTATUS(ran, 0);
    QVERIFY(m_world->staged().empty());
    QSAME(m_world->guestTree("/workspace/work"), treeOf(work()), FolderTimes::Ignore);
}

void TestChain::showsAnEditOnTheHostAtTheNextOpen() {
    QCOMPARE(m_world->shell("cat /workspace/work/empty").out, "");
    writeFile(work() / "empty", "no longer\n");
    fs::rename(work() / "fine.txt", work() / "moved.txt");
    QTRY_COMPARE_WITH_TIMEOUT(m_world->shell("cat /workspace/work/empty").out, QByteArray("no longer\n"),
                              kGuardMs);
    QTRY_COMPARE_WITH_TIMEOUT(
        m_world->shell("cd /workspace/work; cat moved.txt; ls fine.txt 2>/dev/null").out,
        QByteArray("fine\n"), kGuardMs);
}

void TestChain::shellGoesOnAcrossApplyAndUndo() {
    const auto before = treeOf(work());
    auto shell = m_world->begin({"exec", kAgent, "--", "sh"});
    QByteArray seen;
    shell->write("cd '/workspace/work/a folder' && exec 3>>open.log && echo a >&3 && echo changed >> "
                 "inner.txt && echo R1\n");
    QSEES(*shell, StandardOutput, "R1\n");
    auto ran = apply();
    QSTATUS(ran, 0);
    QCOMPARE(readFile(work() / "a folder/open.log"), "a\n");
    shell->write("echo b >&3; pwd; cat inner.txt; cat open.log; echo R2\n");
    QSEES(*shell, StandardOutput, "R2\n");
    QCOMPARE(seen, "/workspace/work/a folder\ninner\nchanged\na\nb\nR2\n");
    QVERIFY(m_world->staged().contains("work/a folder/open.log"));
    QCOMPARE(readFile(work() / "a folder/open.log"), "a\n");
    // Taken back underneath it: what is written then is not dropped in silence.
    ran = m_world->carrel({"undo", kAgent});
    QSTATUS(ran, 0);
    QSAME(treeOf(work()), before);
    shell->write("echo c >&3; pwd; cat inner.txt; cat open.log; echo R3\n");
    QSEES(*shell, StandardOutput, "R3\n");
    QCOMPARE(seen, "/workspace/work/a folder\ninner\na\nb\nc\nR3\n");
    shell->write("exit 5\n");
    const auto end = finish(*shell);
    QSTATUS(end, 5);
    ran = m_world->carrel({"discard", kAgent, "--yes"});
    QSTATUS(ran, 0);
}

void TestChain::I4_readOnlyShareRefusesWrites() {
    const auto ran = m_world->python("import errno,os\n"
                                     "os.chdir('/workspace/reference')\n"
                                     "print(open('book.txt').read(),end='')\n"
                                     "def tried(what):\n"
                                     " try: what(); print('DONE')\n"
                                     " except OSError as e: print(errno.errorcode[e.errno])\n"
                                     "tried(lambda: open('new','w'))\n"
                                     "tried(lambda: open('book.txt','a'))\n"
                                     "tried(lambda: os.remove('book.txt'))\n"
                                     "tried(lambda: os.mkdir('d'))\n"
                                     "tried(lambda: os.rename('book.txt','b'))\n"
                                     "tried(lambda: os.chmod('book.txt',0o777))\n");
    QSTATUS(ran, 0);
    QCOMPARE(ran.out, "read me\nEROFS\nEROFS\nEROFS\nEROFS\nEROFS\nEROFS\n");
    QCOMPARE(readFile(m_world->folder() / "reference/book.txt"), "read me\n");
}

void TestChain::sharesComeAndGoWhileACommandRuns() {
    writeFile(m_world->folder() / "extra" / "e.txt", "extra\n");
    writeFile(m_world->folder() / "other" / "work" / "w.txt", "second of that name\n");
    auto shell = m_world->begin({"exec", kAgent, "--", "sh"});
    QByteArray seen;
    shell->write("echo R1\n");
    QSEES(*shell, StandardOutput, "R1\n");
    auto ran = m_world->carrel({"share", "add", kAgent, m_world->path("extra")});
    QSTATUS(ran, 0);
    ran = m_world->carrel({"share", "add", kAgent, m_world->path("other/work") + ":read-only"});
    QSTATUS(ran, 0);
    shell->write(
        "cat /workspace/extra/e.txt /workspace/work-2/w.txt; exec 4</workspace/extra/e.txt; echo staged > "
        "/workspace/extra/s.txt; echo R2\n");
    QSEES(*shell, StandardOutput, "R2\n");
    QCOMPARE(seen, "extra\nsecond of that name\nR2\n");
    ran = m_world->carrel({"share", "remove", kAgent, "extra"});
    QSTATUS(ran, 1); // I10: something is staged in it
    QVERIFY2(ran.err.contains("--discard"), ran.err.constData());
    ran = m_world->carrel({"share", "remove", kAgent, "extra", "--discard"});
    QSTATUS(ran, 0);
    ran = m_world->carrel({"share", "remove", kAgent, "work-2"});
    QSTATUS(ran, 0);
    shell->write("cat /workspace/extra/e.txt; echo $?; cat <&4 | wc -c; cat /workspace/work/big.bin | wc -c; "
                 "echo R3\n");
    QSEES(*shell, StandardOutput, "R3\n");
    const auto lines = seen.split('\n');
    QVERIFY2(lines.size() >= 4 && lines[0] == "1", seen.constData());
    QCOMPARE(lines[2], QByteArray::number(qint64(kBigBytes)));
    shell->closeWriteChannel();
    const auto end = finish(*shell);
    QSTATUS(end, 0);
    QCOMPARE(readFile(m_world->folder() / "extra/e.txt"), "extra\n");
    QVERIFY(!fs::exists(m_world->folder() / "extra/s.txt"));
}

void TestChain::commandsAreLikeCommandsHere() {
    QCOMPARE(m_world->shell("exit 42").status, 42);
    QCOMPARE(m_world->shell("kill -9 $$").status, 128 + SIGKILL);
    QCOMPARE(m_world->carrel({"exec", kAgent, "--", "no-such-program"}).status, 127);
    QCOMPARE(m_world->carrel({"exec", kAgent, "--", "/etc/passwd"}).status, 126);
    QCOMPARE(m_world->carrel({"exec", "nobody", "--", "true"}).status, 125);
    auto ran = m_world->shell("echo out; echo err >&2");
    QCOMPARE(ran.out, "out\n");
    QCOMPARE(ran.err, "err\n");
    ran = m_world->carrel(
        {"exec", kAgent, "--cwd", "/tmp", "--env", "A=b c", "--", "sh", "-c", "pwd; echo \"$A\"; id -u"});
    QCOMPARE(ran.out, "/tmp\nb c\n0\n");
    const auto big = QByteArray::fromStdString(randomBytes(8 * 1024 * 1024));
    ran = m_world->carrel({"exec", kAgent, "--", "cat"}, big);
    QCOMPARE(ran.status, 0);
    QVERIFY(ran.out == big);
    auto process =
        m_world->begin({"exec", kAgent, "--", "sh", "-c",
                        "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.1; done"});
    QByteArray seen;
    QSEES(*process, StandardOutput, "ready\n");
    process->terminate();
    ran = finish(*process);
    QSTATUS(ran, 3);
    QCOMPARE(ran.out, "caught\n");
}

void TestChain::everyProcessorRuns() { // of which but one set the machine up
    const auto wanted = m_world->ask({"list"}).value("agents").toArray().at(0).toObject().value("cpus").toInt();
    QVERIFY(wanted > 1);
    QTRY_COMPARE_WITH_TIMEOUT(m_world->shell("nproc").out, QByteArray::number(wanted) + "\n", kGuardMs);
}

void TestChain::memoryThatIsLetGoOfComesBack() {
    constexpr std::int64_t kBytes = 300 << 20;
    const auto resident = [this] { // proc_pid_statm(5), in pages
        const auto fields = QByteArray::fromStdString(processFile(m_world->machinePid(), "statm")).split(' ');
        return fields.value(1).toLongLong() * ::sysconf(_SC_PAGESIZE);
    };
    const auto before = resident();
    auto holding = m_world->begin({"exec", kAgent, "--", "python3", "-c",
                                   "x = b'x' * " + QString::number(kBytes) + "; print('held', flush=True); input()"});
    QByteArray seen;
    QSEES(*holding, StandardOutput, "held\n");
    const auto held = resident();
    QVERIFY(held > before + kBytes / 2);
    holding->write("\n");
    QSTATUS(finish(*holding), 0);
    QTRY_VERIFY_WITH_TIMEOUT(resident() < held - kBytes / 2, kGuardMs);
}

void TestChain::homesDoNotSeeEachOther() {
    QVERIFY(fs::create_directory(m_world->folder() / "h2"));
    fs::permissions(m_world->folder() / "h2", fs::perms::owner_all);
    const auto home = m_world->path("h2");
    auto ran = m_world->carrelIn(home, {"list", "--json"});
    QSTATUS(ran, 0);
    QVERIFY2(!ran.out.contains("ann"), ran.out.constData());
    QSTATUS(m_world->carrelIn(home, {"stop", kAgent}), 1);
    QSTATUS(m_world->carrelIn(home, {"delete", kAgent, "--discard"}), 1);
    QSTATUS(m_world->carrelIn(home, {"engine", "stop"}), 0);
    QCOMPARE(m_world->shell("echo here").out, "here\n");
}

void TestChain::I9_timelineTellsWhoSaysSo() {
    std::map<QString, int> kinds;
    int host = 0;
    int guest = 0;
    for (const auto& event : m_world->timeline()) {
        ++kinds[event.value("kind").toString()];
        const auto who = event.value("provenance").toString();
        QVERIFY2(who == "host" || who == "guest", qPrintable(who));
        ++(who == "host" ? host : guest);
    }
    QVERIFY(host > 0 && guest > 0);
    for (const char* kind :
         {"vm.state", "vm.stage", "share.added", "share.removed", "file.read", "exec.started", "exec.ended",
          "review.frozen", "apply.decided", "apply.done", "discard.done", "undo.decided", "undo.done"}) {
        QVERIFY2(kinds[kind] > 0, kind);
    }
    QVERIFY(m_world->carrel({"timeline", kAgent, "--kind", "exec"}).out.contains("GUEST SAYS"));
    QVERIFY(!m_world->carrel({"timeline", kAgent, "--kind", "apply"}).out.contains("GUEST SAYS"));
}

void TestChain::I10_deleteRefusesWhileChangesWait() {
    QSTATUS(m_world->shell("echo precious > /workspace/work/precious.txt"), 0);
    QSTATUS(m_world->carrel({"delete", kAgent}), 1);
    QSTATUS(m_world->carrel({"stop", kAgent}), 0);
    QSTATUS(m_world->carrel({"delete", kAgent}), 1); // nor while it is off
    QVERIFY(m_world->carrel({"list"}).out.contains("ann"));
}

void TestChain::endsInOrderAndItsLogVerifies() {
    const auto agents = m_world->folder() / "home/agents";
    QSTATUS(m_world->carrel({"engine", "stop"}), 0);
    int logs = 0;
    for (const auto& agent : fs::directory_iterator(agents)) {
        QTRY_VERIFY_WITH_TIMEOUT(
            carrel::activity::ActivityLog::open(agent.path() / "activity.db").has_value(), kGuardMs);
        auto log = carrel::activity::ActivityLog::open(agent.path() / "activity.db");
        const auto head = (*log)->verify();
        QVERIFY2(head.has_value(), head ? "" : head.error().text().c_str());
        QVERIFY(head->seq > 50);
        ++logs;
    }
    QCOMPARE(logs, 1);
    QSTATUS(m_world->carrel({"delete", kAgent, "--discard"}), 0);
    QVERIFY(fs::is_empty(agents));
    QVERIFY(!fs::exists(work() / "precious.txt"));
}

QTEST_GUILESS_MAIN(TestChain)
#include "test_chain.moc"

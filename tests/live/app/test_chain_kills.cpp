// SPDX-License-Identifier: Apache-2.0
// kill -9 of the engine and of the clerk in the middle of each step of the chain: boot, read, change, review,
// apply, undo. All the while a program in the guest reads one shared file over and over, past the page cache,
// and writes another. After every kill the machine goes on, that program has at most a clean error, and the
// next command works.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QTest>

#include <csignal>

using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "kim";
constexpr int kFiles = 120;

enum class Victim { Engine, Clerk };

// Reads `held` through one open descriptor and `steady.bin` by name, and appends numbered lines to `journal`;
// tells in /tmp/status: turns, errors, wrong contents.
const QByteArray kCompanion = R"(
import os,sys,time
if os.fork(): os._exit(0)
os.setsid()
null=os.open('/dev/null',os.O_RDWR)
for n in (0,1,2): os.dup2(null,n)
os.chdir('/workspace/notes')
want=open('/workspace/work/steady.bin','rb').read()
held=os.open('/workspace/work/steady.bin',os.O_RDONLY)
journal=os.open('journal',os.O_WRONLY|os.O_CREAT|os.O_APPEND,0o644)
turns=errors=wrong=0
last=''
def whole(fd):
    os.lseek(fd,0,0)
    os.posix_fadvise(fd,0,0,os.POSIX_FADV_DONTNEED)
    out=b''
    while True:
        piece=os.read(fd,65536)
        if not piece: return out
        out+=piece
while not os.path.exists('/tmp/stop'):
    try:
        if whole(held)!=want: wrong+=1
        fd=os.open('/workspace/work/steady.bin',os.O_RDONLY)
        try:
            if whole(fd)!=want: wrong+=1
        finally: os.close(fd)
    except OSError as e: errors+=1; last=str(e).replace(' ','_')
    try: os.write(journal,b'%d\n'%turns)
    except OSError as e: errors+=1; last=str(e).replace(' ','_')
    turns+=1
    with open('/tmp/status.new','w') as f: f.write('%d %d %d %s'%(turns,errors,wrong,last))
    os.rename('/tmp/status.new','/tmp/status')
    time.sleep(0.02)
)";

// The agent's piece of work, in the background, so that a kill falls into the middle of it.
const QByteArray kChange = R"(
import os
if os.fork(): os._exit(0)
os.setsid()
null=os.open('/dev/null',os.O_RDWR)
for n in (0,1,2): os.dup2(null,n)
os.chdir('/workspace/work')
for n in range(%FILES%):
    with open('made %03d'%n,'wb') as f: f.write(b'%d\n'%n*5000)
    if n==3: open('/tmp/changing','w').close()
    if n%10==0:
        with open('old %03d'%n,'ab') as f: f.write(b'more\n')
    if n%10==1: os.remove('old %03d'%n)
    if n%10==2: os.rename('old %03d'%n,'renamed %03d'%n)
open('/tmp/changed','w').close()
)";

} // namespace

class TestChainKills : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    // In this order: each goes on where the one before stopped.
    void engineInBoot();
    void companionBegins();
    void engineInRead() { inRead(Victim::Engine); }
    void engineInChange() { inChange(Victim::Engine); }
    void engineInReview() { inReview(Victim::Engine); }
    void engineInApply() { inApply(Victim::Engine); }
    void engineInUndo() { inUndo(Victim::Engine); }
    void clerkInRead() { inRead(Victim::Clerk); }
    void clerkInChange() { inChange(Victim::Clerk); }
    void clerkInReview() { inReview(Victim::Clerk); }
    void clerkInApply() { inApply(Victim::Clerk); }
    void clerkInUndo() { inUndo(Victim::Clerk); }
    void companionLostNothing();
    void clerkInBoot();

private:
    struct Companion {
        qint64 turns = 0, errors = 0, wrong = 0;
        QByteArray text;
    };
    [[nodiscard]] fs::path work() const { return m_world->folder() / "work"; }
    [[nodiscard]] Companion companion() const;
    [[nodiscard]] qint64 pidOf(Victim victim) const {
        return victim == Victim::Engine ? m_world->enginePid() : m_world->clerkPid();
    }
    void stillWell(const Companion& before);
    void inRead(Victim victim);
    void inChange(Victim victim);
    void inReview(Victim victim);
    void inApply(Victim victim);
    void inUndo(Victim victim);

    std::unique_ptr<ChainWorld> m_world;
    qint64 m_machine = 0; // QEMU's process: the VM goes on
    Tree m_before;
    Tree m_wanted;
};

void TestChainKills::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    for (int n = 0; n < kFiles; ++n) {
        const auto name = "old " + QByteArray::number(n).rightJustified(3, '0').toStdString();
        writeFile(work() / name, name + " is its own content\n", n % 3 == 0 ? 0600 : 0644);
    }
    std::string steady;
    for (int n = 0; n < 100'000; ++n) {
        steady += std::to_string(n) + "\n";
    }
    writeFile(work() / "steady.bin", steady);
    agePast(work());
    fs::create_directories(m_world->folder() / "notes");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("work"), "--share",
                             m_world->path("notes"), "--memory", "768"}),
            0);
}

void TestChainKills::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

TestChainKills::Companion TestChainKills::companion() const {
    const auto ran = m_world->shell("cat /tmp/status");
    const auto words = ran.out.split(' ');
    return words.size() < 4
               ? Companion{0, 0, 0, ran.all()}
               : Companion{words[0].toLongLong(), words[1].toLongLong(), words[2].toLongLong(), ran.all()};
}

// After a kill: the same machine, the companion works on, with at most one error for each of its two files.
void TestChainKills::stillWell(const Companion& before) {
    const auto first = companion(); // "the next command works"
    QVERIFY2(first.turns >= before.turns && first.turns > 0, first.text.constData());
    Companion later;
    QTRY_VERIFY_WITH_TIMEOUT((later = companion()).turns > first.turns + 3, kGuardMs);
    QVERIFY2(later.wrong == 0, later.text.constData());
    QVERIFY2(later.errors <= before.errors + 2, later.text.constData());
    QCOMPARE(::kill(static_cast<pid_t>(m_machine), 0), 0);
}

void TestChainKills::engineInBoot() {
    auto start = m_world->begin({"start", kAgent});
    QByteArray seen;
    QSEES(*start, StandardOutput, "opening the agent's disk");
    QVERIFY(killHard(m_world->enginePid()));
    const auto ended = finish(*start);
    QSTATUS(ended, 1);
    const auto again = m_world->carrel({"start", kAgent});
    QSTATUS(again, 0);
    QCOMPARE(m_world->shell("echo up").out, "up\n");
    // It is the machine of before: one start was told, and no other.
    int starts = 0;
    for (const auto& event : m_world->timeline({"--kind", "vm.state"})) {
        starts += event.value("subject").toString() == "starting" ? 1 : 0;
    }
    QCOMPARE(starts, 1);
    m_machine = m_world->machinePid();
    QVERIFY(m_machine > 1);
}

void TestChainKills::companionBegins() {
    QSTATUS(m_world->python(kCompanion), 0);
    QTRY_VERIFY_WITH_TIMEOUT(companion().turns > 2, kGuardMs);
}

void TestChainKills::inRead(Victim victim) {
    const auto before = companion();
    const auto pid = pidOf(victim);
    // A command in the foreground, too: it goes on or gets one clean error, and never hangs.
    auto reader =
        m_world->begin({"exec", kAgent, "--", "sh", "-c",
                        "echo R1; while read line; do wc -c < /workspace/work/steady.bin; done; echo R2"});
    QByteArray seen;
    QSEES(*reader, StandardOutput, "R1\n");
    reader->write("more\n");
    QVERIFY(killHard(pid));
    QDO(stillWell(before));
    reader->write("more\n");
    reader->closeWriteChannel();
    const auto ended = finish(*reader);
    const bool went = ended.status == 0 && ended.out.endsWith("R2\n");
    const bool told =
        ended.status == 125 && ended.err.trimmed().count('\n') == 0 && ended.err.startsWith("carrel: ");
    QVERIFY2(went || told, ended.all().constData());
    qInfo("the command in the foreground %s", went ? "went on" : ended.err.trimmed().constData());
}

void TestChainKills::inChange(Victim victim) {
    const auto before = companion();
    const auto pid = pidOf(victim);
    m_before = treeOf(work());
    QSTATUS(m_world->shell("rm -f /tmp/changing /tmp/changed"), 0);
    QSTATUS(m_world->python(QByteArray(kChange).replace("%FILES%", QByteArray::number(kFiles))), 0);
    QSTATUS(m_world->shell("until [ -e /tmp/changing ]; do sleep 0.01; done"), 0);
    QVERIFY(killHard(pid));
    QDO(stillWell(before));
    QSTATUS(m_world->shell("until [ -e /tmp/changed ]; do sleep 0.1; done"), 0);
    m_wanted = m_world->guestTree("/workspace/work");
    QCOMPARE(int(m_wanted.size()), int(m_before.size()) + kFiles - kFiles / 10);
    QSAME(treeOf(work()), m_before);
}

void TestChainKills::inReview(Victim victim) {
    const auto before = companion();
    const auto pid = pidOf(victim);
    auto review = m_world->begin({"changes", kAgent});
    QByteArray seen;
    QSEES(*review, StandardOutput, "Copying what changed");
    QVERIFY(killHard(pid));
    const auto ended = finish(*review);
    QVERIFY2(ended.status == 0 || (ended.status == 1 && ended.err.contains("carrel: ")),
             ended.all().constData());
    QDO(stillWell(before));
    const auto staged = m_world->staged();
    int made = 0;
    for (const auto& [path, kind] : staged) {
        made += path.starts_with("work/made ") && kind == "created" ? 1 : 0;
    }
    QCOMPARE(made, kFiles);
    QSAME(treeOf(work()), m_before);
}

void TestChainKills::inApply(Victim victim) {
    const auto before = companion();
    const auto pid = pidOf(victim);
    auto apply = m_world->begin({"apply", kAgent, "--yes", "work"});
    QByteArray seen;
    QSEES(*apply, StandardOutput, "\n20 of ");
    QVERIFY(killHard(pid));
    const auto ended = finish(*apply);
    QVERIFY2(ended.status == 0 || (ended.status == 1 && ended.err.contains("carrel: ")),
             ended.all().constData());
    QDO(stillWell(before));
    const auto again = m_world->carrel({"apply", kAgent, "--yes", "work"});
    QVERIFY2(again.status == 0 || again.err.contains("none of those paths"), again.all().constData());
    QSAME(treeOf(work()), m_wanted, FolderTimes::Ignore);
    for (const auto& [path, kind] : m_world->staged()) {
        QVERIFY2(!path.starts_with("work/"), (kind + " " + path).c_str());
    }
}

void TestChainKills::inUndo(Victim victim) {
    const auto before = companion();
    const auto pid = pidOf(victim);
    auto undo = m_world->begin({"undo", kAgent});
    QByteArray seen;
    QSEES(*undo, StandardOutput, "\n20 of ");
    QVERIFY(killHard(pid));
    const auto ended = finish(*undo);
    QVERIFY2(ended.status == 0 || (ended.status == 1 && ended.err.contains("carrel: ")),
             ended.all().constData());
    QDO(stillWell(before));
    QSAME(treeOf(work()), m_before);
    QTRY_VERIFY_WITH_TIMEOUT(
        difference(m_world->guestTree("/workspace/work"), m_before, FolderTimes::Ignore).empty(), kGuardMs);
}

void TestChainKills::companionLostNothing() {
    QSTATUS(m_world->shell("touch /tmp/stop; cp /tmp/status /tmp/seen"), 0);
    auto now = companion();
    for (qint64 last = -1; last != now.turns; now = companion()) {
        last = now.turns;
    }
    QCOMPARE(now.wrong, 0);
    qInfo("the companion: %s", now.text.constData());
    QSTATUS(m_world->carrel({"apply", kAgent, "--yes", "notes"}), 0);
    const auto journal = readFile(m_world->folder() / "notes/journal");
    std::string wanted;
    for (qint64 n = 0; n < now.turns; ++n) {
        wanted += std::to_string(n) + "\n";
    }
    QVERIFY2(journal == wanted || now.errors > 0, "a line that was written is not there");
}

void TestChainKills::clerkInBoot() {
    QSTATUS(m_world->carrel({"stop", kAgent}), 0);
    auto start = m_world->begin({"start", kAgent});
    QByteArray seen;
    QSEES(*start, StandardOutput, "opening the agent's disk");
    QVERIFY(killHard(m_world->clerkPid()));
    const auto ended = finish(*start);
    QSTATUS(ended, 0);
    QCOMPARE(m_world->shell("cat '/workspace/work/old 005'").out, "old 005 is its own content\n");
}

QTEST_GUILESS_MAIN(TestChainKills)
#include "test_chain_kills.moc"

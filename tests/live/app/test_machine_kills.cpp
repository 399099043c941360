// SPDX-License-Identifier: Apache-2.0
// kill -9 of guestd in the machine, and of QEMU on the host, in the middle of work on a share, of a review,
// of an apply and of an undo. What a program had flushed is staged afterwards byte for byte, the user's
// folder is as it was or as it was decided, file by file, and the work goes on.
//
// What becomes of the agent's programs: guestd's end takes them along, all of them, since the next guestd
// makes the agent's account anew; QEMU's end takes them along as a power cut would.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QTest>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>
#include <unistd.h>

using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "kim";
constexpr int kFiles = 60;
constexpr int kEnough = 15; // steps that are flushed before the kill

// One step: a new file, an edit, a rename and a removal, flushed; then its number is said.
const QByteArray kWriter = R"(
import os
os.chdir('/workspace/work')
here=os.open('.',os.O_RDONLY)
def put(name,flags,data):
    fd=os.open(name,os.O_WRONLY|flags,0o640)
    while data: data=data[os.write(fd,data[:8192]):]
    os.fsync(fd)
    os.close(fd)
for n in range(%FILES%):
    put('made %03d'%n,os.O_CREAT|os.O_EXCL,b'%d\n'%n*9000)
    put('old %03d'%n,os.O_APPEND,b'more\n')
    os.rename('name %03d'%n,'renamed %03d'%n)
    os.remove('away %03d'%n)
    os.fsync(here)
    print(n,flush=True)
)";

std::string numbered(const char* what, int n) {
    return what + QByteArray::number(n).rightJustified(3, '0').toStdString();
}

std::string madeContent(int n) {
    std::string out;
    for (int i = 0; i < 9000; ++i) {
        out += std::to_string(n) + "\n";
    }
    return out;
}

std::string oldContent(const std::string& name) {
    return name + " is its own content\n";
}

// Numbers that were said before the end came: whole lines only.
int stepsIn(const QByteArray& said) {
    int steps = 0;
    for (const auto& line : said.left(said.lastIndexOf('\n') + 1).split('\n')) {
        steps += line == QByteArray::number(steps) ? 1 : 0;
    }
    return steps;
}

} // namespace

class TestMachineKills : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    // In this order: each goes on where the one before stopped, with nothing staged and the folder as it was.
    void guestdBegins();
    void guestdInWork();
    void guestdInReview();
    void guestdInApply();
    void guestdInUndo();
    void guestdAgainAndAgain();
    void guestdEnds() { endWorld(); }
    void qemuBegins();
    void qemuInWork();
    void qemuInReview();
    void qemuInApply();
    void qemuInUndo();
    void cleanupTestCase() { endWorld(); }

private:
    enum class Tail { Torn, Whole }; // what was not flushed may be there as far as it was written
    [[nodiscard]] fs::path work() const { return m_world->folder() / "work"; }
    void makeWorld(ChainWorld::Programs programs);
    void endWorld();
    void killGuestd();
    void killQemu();
    void guestdIsBack();
    void startsAgain();
    void writeAll();
    void writeUntil(std::function<void()> kill, const QByteArray& why);
    void compareWork(const Tree& is, int flushed, Tail tail);
    void allStaged(int flushed);
    void appliesAndUndoes(int flushed);
    void nothingStaged();
    void endsOrSays(QProcess& process);

    std::unique_ptr<ChainWorld> m_world;
    Tree m_before;        // the user's folder
    qint64 m_machine = 0; // QEMU's process
    QByteArray m_guestd;  // and guestd's in it
    int m_flushed = 0;    // steps of the writer that it said it had flushed
};

void TestMachineKills::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
}

void TestMachineKills::makeWorld(ChainWorld::Programs programs) {
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString(), programs);
    QVERIFY(m_world->prepare());
    for (int n = 0; n < kFiles; ++n) {
        for (const char* what : {"old ", "name ", "away "}) {
            const auto name = numbered(what, n);
            writeFile(work() / name, oldContent(name), n % 3 == 0 ? 0600 : 0644);
        }
    }
    writeFile(work() / "steady", "steady is never touched\n");
    agePast(work());
    m_before = treeOf(work());
    fs::create_directories(m_world->folder() / "notes");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("work"), "--share",
                             m_world->path("notes"), "--memory", "768"}),
            0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    m_machine = m_world->machinePid();
    QVERIFY(m_machine > 1);
}

void TestMachineKills::endWorld() {
    if (m_world) {
        const auto left = m_world->end();
        m_world.reset();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestMachineKills::killGuestd() {
    QCOMPARE(m_world->helper("kill carrel-guestd"), "1");
}

void TestMachineKills::killQemu() {
    QVERIFY(killHard(m_machine));
}

// Another guestd, in the same machine, and the shares are there for every command that runs: until then a
// command gets one clear line.
void TestMachineKills::guestdIsBack() {
    Ran ran;
    do {
        ran = m_world->shell("cat /workspace/work/steady && "
                             "cd /workspace/notes && echo here > here && cat here && rm here");
        if (ran.status != 0) {
            qInfo("%s", ran.err.trimmed().constData());
            QCOMPARE(ran.status, 125);
            QVERIFY2(ran.out.isEmpty() && ran.err.startsWith("carrel: ") && ran.err.count('\n') <= 2 &&
                         !ran.err.contains("/workspace"),
                     ran.all().constData());
        }
    } while (ran.status != 0);
    QCOMPARE(ran.out, "steady is never touched\nhere\n");
    const auto now = m_world->helper("pids carrel-guestd");
    QVERIFY2(now != m_guestd && now.toLongLong() > 1, now.constData());
    m_guestd = now;
    QCOMPARE(::kill(static_cast<pid_t>(m_machine), 0), 0);
}

void TestMachineKills::startsAgain() {
    const auto agent = [this] { return m_world->ask({"list"}).value("agents").toArray().first().toObject(); };
    QTRY_COMPARE_WITH_TIMEOUT(agent().value("state").toString(), "failed", kGuardMs);
    QVERIFY2(agent().value("reason").toString().startsWith("The machine ended by itself"),
             qPrintable(agent().value("reason").toString()));
    const auto refused = m_world->shell("echo up");
    QVERIFY2(refused.status == 125 && refused.err.contains("does not run") &&
                 refused.err.contains("carrel start kim"),
             refused.all().constData());
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    m_machine = m_world->machinePid();
    QCOMPARE(m_world->shell("echo up").out, "up\n");
}

// A verb that was under way when its machine or guestd went: it went on, or it says why not.
void TestMachineKills::endsOrSays(QProcess& process) {
    const auto ended = finish(process);
    qInfo("status %d %s", ended.status, ended.err.trimmed().constData());
    QVERIFY2(ended.status == 0 || (ended.status == 1 && ended.err.contains("carrel: ")),
             ended.all().constData());
}

void TestMachineKills::writeAll() {
    const auto ran = m_world->python(QByteArray(kWriter).replace("%FILES%", QByteArray::number(kFiles)));
    QSTATUS(ran, 0);
    QCOMPARE(stepsIn(ran.out), kFiles);
}

void TestMachineKills::writeUntil(std::function<void()> kill, const QByteArray& why) {
    auto writer = m_world->begin({"exec", kAgent, "--", "python3", "-c",
                                  QString::fromUtf8(kWriter).replace("%FILES%", QString::number(kFiles))});
    QByteArray seen;
    QSEES(*writer, StandardOutput, "\n" + QByteArray::number(kEnough - 1) + "\n");
    QDO(kill());
    const auto ended = finish(*writer);
    QCOMPARE(ended.status, 125); // it has ended, and the caller was told in a line
    QVERIFY2(ended.err.startsWith("carrel: ") && ended.err.contains(why), ended.all().constData());
    m_flushed = stepsIn(seen + ended.out);
    QVERIFY(m_flushed >= kEnough && m_flushed < kFiles);
    QSAME(treeOf(work()), m_before);
}

// Every file of the writer's is as its steps left it.
void TestMachineKills::compareWork(const Tree& is, int flushed, Tail tail) {
    Tree rest = is;
    const auto take = [&](const std::string& name) {
        const auto at = rest.find(name);
        const auto item = at == rest.end() ? Item{} : at->second;
        if (at != rest.end()) {
            rest.erase(at);
        }
        return item;
    };
    const auto isText = [&](const Item& item, unsigned mode, const std::string& whole, std::size_t least) {
        return item.type == 'f' && item.mode == mode && item.content.size() >= least &&
               whole.starts_with(item.content) &&
               (tail == Tail::Torn || item.content.size() == whole.size() || item.content.size() == least);
    };
    for (int n = 0; n < kFiles; ++n) {
        const bool sure = n < flushed;
        const auto which = "step " + std::to_string(n) + ": ";
        const auto made = take(numbered("made ", n));
        const auto whole = madeContent(n);
        const bool madeGood = isText(made, 0640, whole, sure || tail == Tail::Whole ? whole.size() : 0) ||
                              (!sure && made.type == '?');
        QVERIFY2(madeGood, (which + "made, " + std::to_string(made.content.size())).c_str());
        const auto oldName = numbered("old ", n);
        const auto old = take(oldName);
        const auto base = oldContent(oldName);
        const auto before = m_before.at(oldName);
        QVERIFY2(isText(old, before.mode, base + "more\n", base.size() + (sure ? 5 : 0)),
                 (which + "old: " + std::to_string(old.content.size()) + " bytes: " + old.content).c_str());
        const auto name = take(numbered("name ", n));
        const auto renamed = take(numbered("renamed ", n));
        const auto& its = m_before.at(numbered("name ", n));
        QVERIFY2((renamed == its && name.type == '?') || (!sure && name == its && renamed.type == '?'),
                 (which + "rename").c_str());
        const auto away = take(numbered("away ", n));
        QVERIFY2(away.type == '?' || (!sure && away == m_before.at(numbered("away ", n))),
                 (which + "removal").c_str());
    }
    QVERIFY(take("steady") == m_before.at("steady"));
    rest.erase(".");
    QVERIFY2(rest.empty(), rest.empty() ? "" : rest.begin()->first.c_str());
}

void TestMachineKills::allStaged(int flushed) {
    const auto staged = m_world->staged();
    for (int n = 0; n < flushed; ++n) {
        for (const auto& [what, kind] : {std::pair{"made ", "created"},
                                         {"old ", "modified"},
                                         {"renamed ", "renamed"},
                                         {"away ", "deleted"}}) {
            const auto at = staged.find("work/" + numbered(what, n));
            QVERIFY2(at != staged.end() && at->second == kind,
                     (numbered(what, n) + (at == staged.end() ? "" : " " + at->second)).c_str());
        }
    }
    QDO(compareWork(m_world->guestTree("/workspace/work"), flushed, Tail::Torn));
    QSAME(treeOf(work()), m_before);
}

void TestMachineKills::appliesAndUndoes(int flushed) {
    QSTATUS(m_world->carrel({"apply", kAgent, "--yes", "work"}), 0);
    QDO(compareWork(treeOf(work()), flushed, Tail::Torn));
    QDO(nothingStaged());
    QSTATUS(m_world->carrel({"undo", kAgent}), 0);
    QSAME(treeOf(work()), m_before);
    QTRY_VERIFY_WITH_TIMEOUT(
        difference(m_world->guestTree("/workspace/work"), m_before, FolderTimes::Ignore).empty(), kGuardMs);
    QDO(nothingStaged());
}

void TestMachineKills::nothingStaged() {
    for (const auto& [path, kind] : m_world->staged()) {
        QVERIFY2(!path.starts_with("work/"), (kind + " " + path).c_str());
    }
}

void TestMachineKills::guestdBegins() {
    QDO(makeWorld(ChainWorld::Programs::WithHelper));
    m_guestd = m_world->helper("pids carrel-guestd");
    QVERIFY2(m_guestd.toLongLong() > 1, m_guestd.constData());
}

void TestMachineKills::guestdInWork() {
    // Staged, listed and never flushed: it was handed over, and that is enough for guestd's end.
    QSTATUS(m_world->python(
                "import os\n"
                "for n in range(20): open('/workspace/notes/early %02d'%n,'w').write('%d\\n'%n*500)\n"),
            0);
    QCOMPARE(int(m_world->staged().size()), 20);
    // A program in the background goes with the rest.
    QSTATUS(m_world->shell("setsid sleep 987654 >/dev/null 2>&1 </dev/null & exit 0"), 0);
    const auto sleepers = [this] { return m_world->helper("pids sleep"); };
    QTRY_VERIFY_WITH_TIMEOUT(!sleepers().isEmpty(), kGuardMs); // its shell may be faster than it is
    QDO(writeUntil([this] { killGuestd(); }, "the command was ended"));
    QDO(guestdIsBack());
    QCOMPARE(sleepers(), "");
    QDO(allStaged(m_flushed));
    const auto staged = m_world->staged();
    for (int n = 0; n < 20; ++n) {
        const auto name = "early " + QByteArray::number(n).rightJustified(2, '0').toStdString();
        QVERIFY2(staged.contains("notes/" + name), name.c_str());
    }
    QDO(appliesAndUndoes(m_flushed));
    QSTATUS(m_world->carrel({"apply", kAgent, "--yes", "notes"}), 0);
    for (int n = 0; n < 20; ++n) {
        std::string wanted;
        for (int i = 0; i < 500; ++i) {
            wanted += std::to_string(n) + "\n";
        }
        const auto name = "early " + QByteArray::number(n).rightJustified(2, '0').toStdString();
        QVERIFY2(readFile(m_world->folder() / "notes" / name) == wanted, name.c_str());
    }
}

void TestMachineKills::guestdInReview() {
    QDO(writeAll());
    auto review = m_world->begin({"changes", kAgent});
    QByteArray seen;
    QSEES(*review, StandardOutput, "Copying what changed");
    QDO(killGuestd());
    QDO(endsOrSays(*review));
    QDO(guestdIsBack());
    QDO(allStaged(kFiles));
    QDO(appliesAndUndoes(kFiles));
}

void TestMachineKills::guestdInApply() {
    QDO(writeAll());
    auto apply = m_world->begin({"apply", kAgent, "--yes", "work"});
    QByteArray seen;
    QSEES(*apply, StandardOutput, "\n20 of ");
    QDO(killGuestd());
    QDO(endsOrSays(*apply));
    QDO(compareWork(treeOf(work()), 0, Tail::Whole));
    QDO(guestdIsBack());
    const auto again = m_world->carrel({"apply", kAgent, "--yes", "work"});
    QVERIFY2(again.status == 0 || again.err.contains("none of those paths"), again.all().constData());
    QDO(compareWork(treeOf(work()), kFiles, Tail::Whole));
    QDO(nothingStaged());
}

void TestMachineKills::guestdInUndo() {
    auto undo = m_world->begin({"undo", kAgent});
    QByteArray seen;
    QSEES(*undo, StandardOutput, "\n20 of ");
    QDO(killGuestd());
    const auto ended = finish(*undo);
    QSTATUS(ended, 0); // it needs no machine
    QSAME(treeOf(work()), m_before);
    QDO(guestdIsBack());
    QTRY_VERIFY_WITH_TIMEOUT(
        difference(m_world->guestTree("/workspace/work"), m_before, FolderTimes::Ignore).empty(), kGuardMs);
    QDO(nothingStaged());
}

// Also while folders are locked: programs make, rename and remove names, and the user edits in the same
// folder.
void TestMachineKills::guestdAgainAndAgain() {
    const QByteArray busy = "import os\n"
                            "for n in range(4):\n"
                            " if os.fork()==0: break\n"
                            "else: os._exit(0)\n"
                            "os.setsid()\n"
                            "null=os.open('/dev/null',os.O_RDWR)\n"
                            "for k in (0,1,2): os.dup2(null,k)\n"
                            "os.chdir('/workspace/notes')\n"
                            "while True:\n"
                            " for i in range(20): open('busy %d %d'%(n,i),'w').write('x'*10000)\n"
                            " os.listdir('.')\n"
                            " for i in range(20): os.rename('busy %d %d'%(n,i),'then %d %d'%(n,i))\n"
                            " for i in range(20): os.remove('then %d %d'%(n,i))\n";
    std::atomic<bool> over = false;
    std::thread user([&] {
        for (int n = 0; !over; ++n) {
            writeFile(m_world->folder() / "notes" / ("user " + std::to_string(n % 50)), std::to_string(n));
            std::error_code ignored;
            fs::remove(m_world->folder() / "notes" / ("user " + std::to_string((n + 25) % 50)), ignored);
            ::usleep(1000);
        }
    });
    const auto kills = [&] {
        for (int n = 0; n < 8; ++n) {
            QSTATUS(m_world->python(busy), 0);
            QSTATUS(m_world->shell("until ls /workspace/notes | grep -q busy; do :; done; sleep 0.5"), 0);
            QDO(killGuestd());
            QDO(guestdIsBack());
        }
    };
    kills();
    over = true;
    user.join();
    if (QTest::currentTestFailed()) {
        return;
    }
    QDO(writeAll());
    QDO(allStaged(kFiles));
    QDO(appliesAndUndoes(kFiles));
}

void TestMachineKills::qemuBegins() {
    QDO(makeWorld(ChainWorld::Programs::Built));
}

void TestMachineKills::qemuInWork() {
    QDO(writeUntil([this] { killQemu(); }, "machine"));
    QDO(startsAgain());
    QDO(allStaged(m_flushed));
    QDO(appliesAndUndoes(m_flushed));
}

void TestMachineKills::qemuInReview() {
    QDO(writeAll());
    auto review = m_world->begin({"changes", kAgent});
    QByteArray seen;
    QSEES(*review, StandardOutput, "Copying what changed");
    QDO(killQemu());
    QDO(endsOrSays(*review));
    QDO(startsAgain());
    QDO(allStaged(kFiles));
    QDO(appliesAndUndoes(kFiles));
}

void TestMachineKills::qemuInApply() {
    QDO(writeAll());
    auto apply = m_world->begin({"apply", kAgent, "--yes", "work"});
    QByteArray seen;
    QSEES(*apply, StandardOutput, "\n20 of ");
    QDO(killQemu());
    QDO(endsOrSays(*apply));
    QDO(compareWork(treeOf(work()), 0, Tail::Whole));
    QDO(startsAgain());
    const auto again = m_world->carrel({"apply", kAgent, "--yes", "work"});
    QVERIFY2(again.status == 0 || again.err.contains("none of those paths"), again.all().constData());
    QDO(compareWork(treeOf(work()), kFiles, Tail::Whole));
    QDO(nothingStaged());
}

void TestMachineKills::qemuInUndo() {
    auto undo = m_world->begin({"undo", kAgent});
    QByteArray seen;
    QSEES(*undo, StandardOutput, "\n20 of ");
    QDO(killQemu());
    const auto ended = finish(*undo);
    QSTATUS(ended, 0); // it needs no machine
    QSAME(treeOf(work()), m_before);
    QDO(startsAgain());
    QSAME(m_world->guestTree("/workspace/work"), m_before, FolderTimes::Ignore);
    QDO(nothingStaged());
}

QTEST_GUILESS_MAIN(TestMachineKills)
#include "test_machine_kills.moc"

// SPDX-License-Identifier: Apache-2.0
// The brake on a real machine: its processors stand still, whatever runs there, and all of it goes on as if nothing had been.
#include "app/api/home.h"
#include "hypervisor/libvirt/backend.h"
#include "tests/live/app/chain_checks.h"

#include <QDateTime>
#include <QDir>
#include <QTest>

#include <unistd.h>

using namespace carrel;
using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "ann";
constexpr qint64 kLongMs = 10'000; // a pause that a clock which is not set would be late by

// Counts until the host says go, and then a little further.
const QString kCount = "i=0; n=0; while [ $n -lt 20 ]; do i=$((i+1)); echo $i; sleep 0.05; "
                       "[ ! -e /workspace/work/go ] || n=$((n+1)); done; echo end";

} // namespace

class TestPause : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    // In this order, on one machine.
    void aCommandStandsStillAndGoesOn();
    void theClockIsRightAfterwards();
    void anEngineFindsItPaused();
    void stoppedWhilePausedItKeepsItsWork();

private:
    [[nodiscard]] fs::path work() const { return m_world->folder() / "work"; }
    [[nodiscard]] bool stands(hypervisor::MachineState wanted) const;
    [[nodiscard]] std::map<std::string, std::string> processors() const;
    [[nodiscard]] QString state() const {
        return m_world->ask({"list"}).value("agents").toArray().at(0).toObject().value("state").toString();
    }
    std::unique_ptr<ChainWorld> m_world;
};

// As the hypervisor has it.
bool TestPause::stands(hypervisor::MachineState wanted) const {
    const auto home = api::openHome(m_world->path("home").toStdString());
    const auto id = home ? hypervisor::HomeId::parse(home->id) : fail(home.error());
    auto backend = hypervisor::makeLibvirtBackend({.emulator = CARREL_BIN_DIR "/carrel-qemu"});
    const auto machines = id && backend ? (*backend)->adopt(*id) : fail(ErrorCode::NotFound, "");
    if (!machines || machines->size() != 1) {
        return false;
    }
    const auto state = machines->front()->state();
    return state && *state == wanted;
}

// The time that each of the machine's processors has run (proc_pid_stat(5), utime and stime of its thread).
std::map<std::string, std::string> TestPause::processors() const {
    std::map<std::string, std::string> out;
    const auto pid = m_world->machinePid();
    for (const auto& thread : QDir("/proc/" + QString::number(pid) + "/task").entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        const auto stat = QByteArray::fromStdString(processFile(pid, ("task/" + thread + "/stat").toUtf8().constData()));
        const auto name = stat.mid(stat.indexOf('(') + 1, stat.lastIndexOf(')') - stat.indexOf('(') - 1);
        const auto fields = stat.mid(stat.lastIndexOf(')') + 2).split(' ');
        if (name.startsWith("CPU ") && fields.size() > 12) {
            out[name.toStdString()] = (fields[11] + " " + fields[12]).toStdString();
        }
    }
    return out;
}

void TestPause::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    writeFile(work() / "plain.txt", "one\n");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("work"), "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestPause::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestPause::aCommandStandsStillAndGoesOn() {
    auto counting = m_world->begin({"exec", kAgent, "--", "sh", "-c", kCount});
    QByteArray seen;
    QSEES(*counting, StandardOutput, "\n3\n");
    QVERIFY(stands(hypervisor::MachineState::Running));
    auto ran = m_world->carrel({"pause", kAgent});
    QSTATUS(ran, 0);
    QCOMPARE(ran.out, "Agent ann is paused.\n");
    QVERIFY(stands(hypervisor::MachineState::Paused));
    const auto before = processors();
    QVERIFY(!before.empty());
    QCOMPARE(state(), QString("paused"));
    writeFile(work() / "go", ""); // after which it would soon be at its end
    ran = m_world->shell("true");
    QSTATUS(ran, 125);
    QCOMPARE(ran.err, "carrel: the agent ann is paused. Resume it with: carrel resume ann\n");
    for (const QStringList& verb : {QStringList{"changes", kAgent}, QStringList{"share", "add", kAgent, m_world->path("home")},
                                    QStringList{"start", kAgent}}) {
        ran = m_world->carrel(verb);
        QSTATUS(ran, 1);
    }
    QVERIFY(stands(hypervisor::MachineState::Paused));
    QVERIFY2(processors() == before, "a processor ran");
    QVERIFY(counting->state() == QProcess::Running);
    ran = m_world->carrel({"resume", kAgent});
    QSTATUS(ran, 0);
    QCOMPARE(ran.out, "Agent ann goes on.\n");
    QVERIFY(stands(hypervisor::MachineState::Running));
    const auto end = finish(*counting);
    QSTATUS(end, 0);
    seen += end.out;
    auto lines = seen.split('\n');
    QVERIFY2(seen.endsWith("\nend\n") && lines.size() > 20, seen.constData());
    lines.resize(lines.size() - 2);
    for (int i = 0; i < lines.size(); ++i) {
        QCOMPARE(lines[i], QByteArray::number(i + 1)); // none lost, and none twice
    }
    QCOMPARE(m_world->shell("cat /workspace/work/plain.txt").out, "one\n");
}

void TestPause::theClockIsRightAfterwards() {
    QSTATUS(m_world->carrel({"pause", "--all"}), 0);
    const auto began = QDateTime::currentMSecsSinceEpoch();
    while (QDateTime::currentMSecsSinceEpoch() - began < kLongMs) { // as long as is tried here
        ::usleep(100'000);
    }
    QSTATUS(m_world->carrel({"resume", "--all"}), 0);
    const auto before = QDateTime::currentMSecsSinceEpoch();
    const auto told = m_world->shell("date +%s%3N");
    const auto after = QDateTime::currentMSecsSinceEpoch();
    QSTATUS(told, 0);
    const auto there = told.out.trimmed().toLongLong();
    const auto words = QByteArray::number(there - before) + " ms after it was asked, of " + QByteArray::number(after - before);
    QVERIFY2(there > before - kLongMs / 2 && there < after + kLongMs / 2, words.constData());
}

void TestPause::anEngineFindsItPaused() {
    QSTATUS(m_world->carrel({"pause", kAgent}), 0);
    const auto before = processors();
    QSTATUS(m_world->carrel({"engine", "stop"}), 0);
    QTRY_COMPARE_WITH_TIMEOUT(state(), QString("paused"), kGuardMs); // when the old engine has gone, another one comes
    QVERIFY(stands(hypervisor::MachineState::Paused));
    QVERIFY2(processors() == before, "a processor ran");
    QSTATUS(m_world->shell("true"), 125);
    const auto ran = m_world->carrel({"resume", kAgent});
    QSTATUS(ran, 0);
    QVERIFY2(ran.out.endsWith("Agent ann goes on.\n"), ran.out.constData()); // after what it waited for
    QCOMPARE(state(), QString("ready"));
    QCOMPARE(m_world->shell("cat /workspace/work/plain.txt").out, "one\n");
}

// Not even what is written to no disk yet.
void TestPause::stoppedWhilePausedItKeepsItsWork() {
    QSTATUS(m_world->shell("echo precious > /workspace/work/precious.txt"), 0);
    QSTATUS(m_world->carrel({"pause", kAgent}), 0);
    const auto ran = m_world->carrel({"stop", kAgent});
    QSTATUS(ran, 0);
    QVERIFY2(!ran.out.contains("cutting the power"), ran.out.constData());
    QCOMPARE(state(), QString("stopped"));
    QSTATUS(m_world->carrel({"delete", kAgent}), 1); // I10: it was counted
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QCOMPARE(m_world->shell("cat /workspace/work/precious.txt").out, "precious\n");
    QVERIFY(m_world->staged().contains("work/precious.txt"));
}

QTEST_GUILESS_MAIN(TestPause)
#include "test_pause.moc"

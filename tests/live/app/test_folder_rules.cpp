// SPDX-License-Identifier: Apache-2.0
// Who decides on a folder, on one real machine: auto mode within its bounds, a watched list, the list of past
// applies, and the end of an agent's access while a program in its machine reads. The functions run in order
// and share the machine.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QTest>

#include <csignal>

using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "rita";
constexpr std::size_t kLongBytes = 4 * 1024 * 1024;

// Reads one file over and over, past the page cache, through one open descriptor; says what ends it, and what
// the name then gives.
const QByteArray kReader = R"(
import os
fd=os.open('/workspace/papers/long.bin',os.O_RDONLY)
turns=0
try:
    while True:
        os.lseek(fd,0,0)
        os.posix_fadvise(fd,0,0,os.POSIX_FADV_DONTNEED)
        while True:
            piece=os.read(fd,65536)
            if b'NEW' in piece: print('SERVED',flush=True)
            if not piece: break
        turns+=1
        if turns==2: print('reading',flush=True)
except OSError as e: print('ended',os.strerror(e.errno),flush=True)
try:
    with open('/workspace/papers/long.bin','rb') as f:
        print('SERVED' if f.read() else 'nothing',flush=True)
except OSError as e: print('name gives',os.strerror(e.errno),flush=True)
)";

} // namespace

class TestFolderRules : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();

    void autoSettlesNewAndOwnFiles();
    void autoLeavesTheRestForReview();
    void historyListsAndUndoesAnOlderOne();
    void watchShowsWhatIsStaged();
    void bothVersionsAreShownAndKept();
    void autoStopsAtItsBound();
    void aShareComesBackWhileTheOldOneIsListed();
    void revocationCutsAtOnceAndKeepsTheWork();

private:
    [[nodiscard]] fs::path work() const { return m_world->folder() / "work"; }
    [[nodiscard]] fs::path papers() const { return m_world->folder() / "papers"; }
    std::unique_ptr<ChainWorld> m_world;
};

void TestFolderRules::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    writeFile(work() / "mine.txt", "by the user\n");
    writeFile(work() / "to delete.txt", "by the user\n");
    writeFile(papers() / "long.bin", std::string(kLongBytes, 'o'));
    writeFile(papers() / "edit.txt", "by the user\n");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("papers"), "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"share", "add", kAgent, m_world->path("work"), "--mode", "auto"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestFolderRules::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestFolderRules::autoSettlesNewAndOwnFiles() {
    QSTATUS(m_world->shell("cd /workspace/work && mkdir new && echo one > new/a.txt && echo one > b.txt"), 0);
    QTRY_COMPARE_WITH_TIMEOUT(readFile(work() / "new" / "a.txt"), "one\n", kGuardMs);
    QTRY_COMPARE_WITH_TIMEOUT(readFile(work() / "b.txt"), "one\n", kGuardMs);
    QSTATUS(m_world->shell("cd /workspace/work && echo two >> b.txt"), 0);
    QTRY_COMPARE_WITH_TIMEOUT(readFile(work() / "b.txt"), "one\ntwo\n", kGuardMs);
    QSTATUS(m_world->shell("test \"$(cat /workspace/work/b.txt)\" = \"$(printf 'one\\ntwo')\""), 0);
    bool told = false;
    for (const auto& event : m_world->timeline({"--kind", "apply.decided"})) {
        const auto detail = event.value("detail").toObject();
        told = told || (detail.value("by") == "auto" && detail.value("rule") == "auto mode of work" &&
                        event.value("provenance") == "host");
    }
    QVERIFY(told);
}

void TestFolderRules::autoLeavesTheRestForReview() {
    QSTATUS(
        m_world->shell(
            "cd /workspace/work && echo by the agent >> mine.txt && rm 'to delete.txt' && mv new newer && "
            "printf '#!/bin/sh\\n' > run.sh && chmod 755 run.sh && ln -s b.txt link && echo x > .envrc"),
        0);
    QSTATUS(m_world->shell("echo fine > /workspace/work/fine.txt"), 0);
    QTRY_VERIFY_WITH_TIMEOUT(fs::exists(work() / "fine.txt"), kGuardMs);
    QCOMPARE(readFile(work() / "mine.txt"), "by the user\n");
    QVERIFY(fs::exists(work() / "to delete.txt") && fs::exists(work() / "new" / "a.txt"));
    for (const char* name : {"newer", "run.sh", "link", ".envrc"}) {
        QVERIFY2(!fs::exists(fs::symlink_status(work() / name)), name);
    }
    const std::map<std::string, std::string> waiting{
        {"work/mine.txt", "modified"}, {"work/to delete.txt", "deleted"},
        {"work/newer", "renamed"},     {"work/run.sh", "created"},
        {"work/link", "link"},         {"work/.envrc", "created"}};
    QVERIFY(m_world->staged() == waiting);
    QSTATUS(m_world->carrel({"discard", kAgent, "--yes"}), 0);
    QVERIFY(m_world->staged().empty());
}

void TestFolderRules::historyListsAndUndoesAnOlderOne() {
    const auto list = m_world->ask({"history", kAgent}).value("applies").toArray();
    QVERIFY(list.size() >= 3);
    const auto oldest = list.last().toObject();
    QCOMPARE(oldest.value("number").toInt(), 1);
    QCOMPARE(oldest.value("by").toString(), "auto");
    // b.txt was changed by a later one: it stays, and is named; the rest goes back.
    const auto undone = m_world->carrel({"undo", kAgent, "1"});
    QVERIFY2(undone.status == 1 || !fs::exists(work() / "b.txt"), undone.all().constData());
    if (fs::exists(work() / "b.txt")) {
        QVERIFY2(undone.out.contains("conflict: work/b.txt"), undone.all().constData());
        QCOMPARE(readFile(work() / "b.txt"), "one\ntwo\n");
    }
    const auto after = m_world->ask({"history", kAgent}).value("applies").toArray();
    QCOMPARE(after.first().toObject().value("undoes").toInt(), 1);
    QVERIFY(m_world->carrel({"history", kAgent}).out.contains("undo of 1"));
}

void TestFolderRules::watchShowsWhatIsStaged() {
    auto watch = m_world->begin({"changes", kAgent, "--watch"});
    QByteArray seen;
    QSEES(*watch, StandardOutput, "Nothing is staged.");
    QSTATUS(m_world->shell("echo watched > /workspace/papers/watched.txt"), 0);
    QSEES(*watch, StandardOutput, "papers/watched.txt");
    QSTATUS(m_world->shell("echo and longer >> /workspace/papers/watched.txt"), 0);
    QSEES(*watch, StandardOutput, "19 B of new content");
    QSTATUS(m_world->carrel({"stop", kAgent}), 0);
    QSEES(*watch, StandardOutput, "does not run");
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QSEES(*watch, StandardOutput, "papers/watched.txt");
    QCOMPARE(::kill(static_cast<pid_t>(watch->processId()), SIGINT), 0);
    const auto ended = finish(*watch);
    QSTATUS(ended, 0);
    QSTATUS(m_world->carrel({"discard", kAgent, "--yes"}), 0);
}

void TestFolderRules::bothVersionsAreShownAndKept() {
    writeFile(papers() / "both.txt", "one\ntwo\nthree\n");
    QSTATUS(m_world->shell("cd /workspace/papers && sed -i 's/two/two by the agent/' both.txt"), 0);
    QVERIFY(m_world->staged().contains("papers/both.txt")); // looked at while it was as both began
    writeFile(papers() / "both.txt", "one\ntwo by the user\nthree\n");
    const auto shown = m_world->carrel({"diff", kAgent, "papers/both.txt", "--three-way"});
    QSTATUS(shown, 0);
    QVERIFY2(shown.out.contains("|two\n<two by the user\n>two by the agent\n"), shown.all().constData());
    auto ran = m_world->carrel({"apply", kAgent, "papers/both.txt", "--yes"});
    QSTATUS(ran, 1);
    ran = m_world->carrel({"apply", kAgent, "papers/both.txt", "--yes", "--keep-both"});
    QSTATUS(ran, 0);
    QCOMPARE(readFile(papers() / "both.txt"), "one\ntwo by the user\nthree\n");
    QCOMPARE(readFile(papers() / "both (agent rita).txt"), "one\ntwo by the agent\nthree\n");
    QVERIFY(m_world->staged().empty());
    QSTATUS(m_world->shell(
                "cd /workspace/papers && grep -q user both.txt && grep -q agent 'both (agent rita).txt'"),
            0);
}

void TestFolderRules::autoStopsAtItsBound() {
    QSTATUS(m_world->shell("cd /workspace/work && for n in $(seq 100 219); do echo $n > made-$n; done"), 0);
    const auto made = [&] {
        return std::count_if(fs::directory_iterator(work()), fs::directory_iterator(),
                             [](const fs::directory_entry& each) {
                                 return each.path().filename().string().starts_with("made-");
                             });
    };
    const auto notes = [&] {
        const auto events = m_world->timeline({"--kind", "engine.note"});
        return std::count_if(events.begin(), events.end(), [](const QJsonObject& event) {
            return event.value("subject").toString().contains("reached its bound");
        });
    };
    // Nobody looks at the changes meanwhile: what somebody looks at is left alone.
    QTRY_COMPARE_WITH_TIMEOUT(notes(), 1, kGuardMs);
    QVERIFY(made() > 80 && made() <= 100);
    const auto waiting = m_world->staged();
    QCOMPARE(waiting.size() + static_cast<std::size_t>(made()), std::size_t{120});
    QVERIFY(m_world->carrel({"changes", kAgent}).out.contains("has reached its bound"));
    QSTATUS(m_world->carrel({"apply", kAgent, "--yes"}), 0); // the owner's word knows no such bound
    QCOMPARE(made(), 120);
}

// The guest looks through two large files for a list while the share is taken away and comes back, revoked.
void TestFolderRules::aShareComesBackWhileTheOldOneIsListed() {
    const auto large = m_world->folder() / "large";
    fs::create_directory(large);
    for (const char* name : {"one.bin", "two.bin"}) {
        writeFile(large / name, std::string(std::size_t{24} * 1024 * 1024, 'x'));
    }
    QSTATUS(m_world->carrel({"share", "add", kAgent, m_world->path("large")}), 0);
    QSTATUS(m_world->shell("cd /workspace/large && for f in *.bin; do printf y | dd of=$f conv=notrunc; done"), 0);
    auto list = m_world->begin({"changes", kAgent});
    QSTATUS(m_world->carrel({"share", "revoke", kAgent, "large"}), 0);
    (void)finish(*list); // it may have been cut off
    const auto waiting = m_world->staged();
    QCOMPARE(waiting.count("large/one.bin") + waiting.count("large/two.bin"), std::size_t{2});
    QVERIFY(m_world->shell("head -c 1 /workspace/large/one.bin; cat /proc/mounts | grep -c /workspace/large").out.contains("1"));
    QSTATUS(m_world->carrel({"apply", kAgent, "large", "--yes"}), 0);
    QCOMPARE(readFile(large / "one.bin").substr(0, 2), std::string("yx"));
    QSTATUS(m_world->carrel({"share", "remove", kAgent, "large"}), 0);
}

void TestFolderRules::revocationCutsAtOnceAndKeepsTheWork() {
    QSTATUS(m_world->shell("cd /workspace/papers && echo staged > staged.txt && echo more >> edit.txt"), 0);
    auto reader = m_world->begin({"exec", kAgent, "--", "python3", "-c", QString::fromUtf8(kReader)});
    QByteArray seen;
    QSEES(*reader, StandardOutput, "reading");
    QSTATUS(m_world->carrel({"share", "revoke", kAgent, "papers"}), 0);
    writeFile(papers() / "long.bin", "NEW" + std::string(kLongBytes, 'n'));
    const auto ended = finish(*reader);
    QSTATUS(ended, 0);
    QVERIFY2(!ended.out.contains("SERVED"), ended.all().constData());
    QVERIFY2(ended.out.contains("ended ") && ended.out.contains("name gives "), ended.all().constData());
    qInfo("%s", ended.out.constData());
    // The work is there for review, and can be applied.
    const std::map<std::string, std::string> waiting{{"papers/staged.txt", "created"},
                                                     {"papers/edit.txt", "modified"}};
    QVERIFY(m_world->staged() == waiting);
    QSTATUS(m_world->carrel({"share", "remove", kAgent, "papers"}), 1);
    // The machine may stop and start in between.
    QSTATUS(m_world->carrel({"stop", kAgent}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QVERIFY(m_world->staged() == waiting);
    QVERIFY(m_world->shell("cat /workspace/papers/long.bin").status != 0);
    QSTATUS(m_world->carrel({"apply", kAgent, "--yes"}), 0);
    QCOMPARE(readFile(papers() / "staged.txt"), "staged\n");
    QCOMPARE(readFile(papers() / "edit.txt"), "by the user\nmore\n");
    QVERIFY(m_world->staged().empty());
    QSTATUS(m_world->carrel({"share", "remove", kAgent, "papers"}), 0);
    bool told = false;
    for (const auto& event : m_world->timeline({"--kind", "share.changed"})) {
        told = told || event.value("detail").toObject().value("revoked").toBool();
    }
    QVERIFY(told);
}

QTEST_GUILESS_MAIN(TestFolderRules)
#include "test_folder_rules.moc"

// SPDX-License-Identifier: Apache-2.0
// What an agent asks for, on one real machine: carrel-ask inside waits, the owner answers by the command line, and the
// effect stands, or does not. The functions run in order and share the machine.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QTest>

using namespace carrel::live;
namespace fs = std::filesystem;

namespace {
const QString kAgent = "ada";
} // namespace

class TestAsking : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();

    void allowedIsApplied();
    void deniedIsNot();
    void whatIsOfHighRiskNeedsItsWord();
    void theAgentComesBackLater();
    void theAgentTakesItBack();
    void aRuleAnswersAtOnce();
    void theEngineIsKilledWhileItWaits();
    void aFolderIsGiven();
    void whatIsNotUnderstood();
    void theLogSaysItAll();

private:
    [[nodiscard]] fs::path papers() const { return m_world->folder() / "papers"; }
    // The command begins in the machine; what it asks for is there when this answers.
    std::unique_ptr<QProcess> asks(const QString& script, qint64& id) {
        const auto before = open();
        auto process = m_world->begin({"exec", kAgent, "--", "sh", "-c", script});
        const bool came = QTest::qWaitFor([&] { return open() != before; }, kGuardMs);
        id = came ? open().last().toObject().value("id").toInteger() : 0;
        return process;
    }
    [[nodiscard]] QJsonArray open() const { return m_world->ask({"approvals"}).value("approvals").toArray(); }
    [[nodiscard]] QString number(qint64 id) const { return QString::number(id); }
    std::unique_ptr<ChainWorld> m_world;
};

void TestAsking::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    writeFile(papers() / "letter.txt", "by the user\n");
    fs::create_directory(papers() / ".git");
    fs::create_directory(papers() / ".git/hooks");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("papers"), "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestAsking::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestAsking::allowedIsApplied() {
    qint64 id = 0;
    const auto asking = asks("cd /workspace/papers && echo by the agent >> letter.txt && echo new > new.txt && "
                             "carrel-ask apply letter.txt --reason 'the address was wrong'",
                             id);
    QVERIFY(id > 0);
    const auto shown = m_world->carrel({"show", number(id)});
    QSTATUS(shown, 0);
    QVERIFY2(shown.out.contains("the address was wrong") && shown.out.contains("+by the agent"), shown.all());
    QVERIFY2(!shown.out.contains("new.txt"), shown.all()); // only what it asks for
    QCOMPARE(readFile(papers() / "letter.txt"), "by the user\n");
    QSTATUS(m_world->carrel({"allow", number(id)}), 1); // a pipe is no word
    QSTATUS(m_world->carrel({"allow", number(id), "--yes"}), 0);
    const auto asked = finish(*asking);
    QVERIFY2(asked.status == 0, asked.all());
    QCOMPARE(readFile(papers() / "letter.txt"), "by the user\nby the agent\n");
    QVERIFY(!fs::exists(papers() / "new.txt"));
    QSTATUS(m_world->shell("grep -q 'by the agent' /workspace/papers/letter.txt"), 0);
    QSTATUS(m_world->carrel({"undo", kAgent}), 0); // as any apply
    QCOMPARE(readFile(papers() / "letter.txt"), "by the user\n");
}

void TestAsking::deniedIsNot() {
    qint64 id = 0;
    const auto asking = asks("cd /workspace/papers && carrel-ask apply new.txt --reason please", id);
    QVERIFY(id > 0);
    QSTATUS(m_world->carrel({"deny", number(id), "--yes"}), 0);
    const auto asked = finish(*asking);
    QVERIFY2(asked.status == 1, asked.all());
    QVERIFY(!fs::exists(papers() / "new.txt"));
    QSTATUS(m_world->shell("test -e /workspace/papers/new.txt"), 0); // its work is its own still
    const auto late = m_world->carrel({"allow", number(id), "--yes"});
    QVERIFY2(late.status != 0 && late.err.contains("was denied"), late.all());
}

void TestAsking::whatIsOfHighRiskNeedsItsWord() {
    qint64 id = 0;
    // A pause follows a denial; whoever is turned away tries again.
    const auto asking = asks("cd /workspace/papers && printf '#!/bin/sh\\n' > .git/hooks/pre-commit && chmod 755 .git/hooks/pre-commit && "
                             "while carrel-ask apply .git --reason hook; r=$?; test $r = 3; do sleep 1; done; exit $r",
                             id);
    QVERIFY(id > 0);
    const auto none = m_world->carrel({"allow", number(id), "--yes"});
    QVERIFY2(none.status != 0, none.all());
    const auto wrong = m_world->carrel({"allow", number(id), "--confirm", "yes"});
    QVERIFY2(wrong.status != 0, wrong.all());
    QVERIFY(!fs::exists(papers() / ".git/hooks/pre-commit"));
    QSTATUS(m_world->carrel({"allow", number(id), "--confirm", "pre-commit"}), 0);
    const auto asked = finish(*asking);
    QVERIFY2(asked.status == 0, asked.all());
    QVERIFY(fs::exists(papers() / ".git/hooks/pre-commit"));
}

void TestAsking::theAgentComesBackLater() {
    QSTATUS(m_world->shell("cd /workspace/papers && carrel-ask apply new.txt --reason later --no-wait"), 75);
    QCOMPARE(open().size(), 1);
    const auto id = open().at(0).toObject().value("id").toInteger();
    QSTATUS(m_world->shell("carrel-ask why " + number(id)), 75); // not answered yet
    QSTATUS(m_world->carrel({"allow", number(id), "--yes"}), 0);
    QSTATUS(m_world->shell("carrel-ask wait " + number(id)), 0);
    QCOMPARE(readFile(papers() / "new.txt"), "new\n");
}

void TestAsking::theAgentTakesItBack() {
    const auto ran = m_world->shell("cd /workspace/papers && echo x > back.txt && n=$(carrel-ask apply back.txt --no-wait --reason x); "
                                    "test $? = 75 && carrel-ask withdraw $n && carrel-ask why $n");
    QSTATUS(ran, 3);
    QVERIFY(open().isEmpty() && !fs::exists(papers() / "back.txt"));
    QSTATUS(m_world->carrel({"discard", kAgent, "papers/back.txt", "--yes"}), 0);
}

void TestAsking::aRuleAnswersAtOnce() {
    QSTATUS(m_world->carrel({"rules", "add", "--allow", "--action", "apply", "--field", "folder=" + m_world->path("papers"), "--field",
                             "path=drafts", "--field", "path=drafts/**", "--yes"}),
            0);
    QSTATUS(m_world->shell("cd /workspace/papers && mkdir drafts && echo d > drafts/d.txt && carrel-ask apply drafts/d.txt --reason draft"), 0);
    QCOMPARE(readFile(papers() / "drafts/d.txt"), "d\n");
    QVERIFY(open().isEmpty());
    const auto test = m_world->carrel({"rules", "test", "--action", "apply", "--agent", kAgent, "--field", "folder=" + m_world->path("papers"),
                                       "--field", "path=drafts/e", "--field", "change=created"});
    QVERIFY2(test.status == 0 && test.out.contains("allow"), test.all());
    // Another that denies wins.
    QSTATUS(m_world->carrel({"rules", "add", "--deny", "--action", "apply", "--field", "path=drafts/secret*", "--yes"}), 0);
    QSTATUS(m_world->shell("cd /workspace/papers && echo s > drafts/secret && carrel-ask apply drafts/secret --reason s"), 1);
    QVERIFY(!fs::exists(papers() / "drafts/secret"));
}

void TestAsking::theEngineIsKilledWhileItWaits() {
    qint64 id = 0;
    const auto asking = asks("cd /workspace/papers && echo k > killed.txt && "
                             "carrel-ask apply killed.txt --reason k; r=$?; test $r = 69 || exit $r; "
                             "for i in 1 2 3 4 5 6 7 8 9; do sleep 1; carrel-ask wait $(carrel-ask why | cut -d' ' -f1 | sort -n | tail -1); r=$?; "
                             "test $r = 69 || exit $r; done",
                             id);
    QVERIFY(id > 0);
    QVERIFY(killHard(m_world->enginePid()));
    QCOMPARE(open().size(), 1); // of the next engine
    QCOMPARE(open().at(0).toObject().value("id").toInteger(), id);
    QSTATUS(m_world->carrel({"allow", number(id), "--yes"}), 0);
    QTRY_COMPARE_WITH_TIMEOUT(readFile(papers() / "killed.txt"), "k\n", kGuardMs);
    (void)finish(*asking); // its connection ended with the engine
    QSTATUS(m_world->shell("carrel-ask why " + number(id) + " | grep -q 'was allowed'"), 0);
}

void TestAsking::aFolderIsGiven() {
    writeFile(m_world->folder() / "more" / "mine.txt", "mine\n");
    qint64 id = 0;
    const auto asking = asks("carrel-ask folder --reason 'the pictures'", id);
    QVERIFY(id > 0);
    QVERIFY(m_world->carrel({"allow", number(id), "--yes"}).status != 0); // which one?
    QSTATUS(m_world->carrel({"allow", number(id), "--folder", m_world->path("more"), "--yes"}), 0);
    const auto asked = finish(*asking);
    QVERIFY2(asked.status == 0 && asked.all().contains("/workspace/more"), asked.all());
    QSTATUS(m_world->shell("grep -q mine /workspace/more/mine.txt"), 0);
}

void TestAsking::whatIsNotUnderstood() {
    QSTATUS(m_world->shell("carrel-ask apply"), 64);
    QSTATUS(m_world->shell("carrel-ask fly --reason x"), 64);
    QSTATUS(m_world->shell("carrel-ask wait 4711"), 64);
    QSTATUS(m_world->shell("cd /tmp && carrel-ask apply x --reason y"), 64);
    const auto none = m_world->shell("cd /workspace/papers && carrel-ask apply nothing-there --reason x");
    QVERIFY2(none.status != 0 && none.status != 64, none.all());
}

void TestAsking::theLogSaysItAll() {
    std::map<QString, int> kinds;
    for (const auto& event : m_world->timeline({"--kind", "approval", "--kind", "rule"})) {
        ++kinds[event.value("kind").toString()];
        QCOMPARE(event.value("provenance").toString(), QString("host"));
    }
    QVERIFY(kinds["approval.asked"] >= 6 && kinds["approval.decided"] >= 6 && kinds["approval.effect"] >= 5);
    QCOMPARE(kinds["rule.added"], 2);
    QCOMPARE(kinds["rule.answered"], 2);
    const auto stats = m_world->carrel({"approvals", "stats"});
    QSTATUS(stats, 0);
}

QTEST_GUILESS_MAIN(TestAsking)
#include "test_asking.moc"

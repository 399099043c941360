// SPDX-License-Identifier: Apache-2.0
// The list of past applies, and undo of any of them.
#include "tests/app/agents/played_guest.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;

namespace {

std::string contentOf(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

Result<ActionReport> applyAll(AgentWorld& w) {
    auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    if (!frozen) {
        return fail(frozen.error());
    }
    return within(60s, "apply", [&] { return w.agent->apply(frozen->id, {}, quiet); });
}

} // namespace

class TestAgentHistory : public QObject {
    Q_OBJECT
private slots:
    void listsWhatWasDone();
    void undoesAnOlderOneBesideANewer();
    void undoOfAnOlderOneLeavesWhatWasChangedAgain();
    void undoGoesOnWithAFileThatWasInUse();
    void undoGoesOnWithAFolderThatWasAway();
    void undoesInAFolderThatWasSharedAgain();
    void finishesInAFolderThatWasSharedAgain();
    void aNewFolderAtTheSamePathIsAnotherOne();
    void knowsTheFolderOnADeviceOfAnotherNumber_data();
    void knowsTheFolderOnADeviceOfAnotherNumber();
};

void TestAgentHistory::listsWhatWasDone() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    QVERIFY(w.agent->history({}, 10).empty());
    guest.write("a", "one\n");
    guest.write("b", "two\n");
    const auto first = applyAll(w);
    QVERIFY2(first && first->number == 1U, first ? "" : first.error().text().c_str());
    guest.write("c", "three\n");
    QVERIFY(applyAll(w).has_value());
    QVERIFY(w.agent->undo(1, quiet).has_value());
    const auto check = [&] {
        const auto past = w.agent->history({}, 10);
        QCOMPARE(past.size(), std::size_t{3});
        QCOMPARE(past.at(0).apply.number, std::uint64_t{3});
        QCOMPARE(past.at(0).apply.undoes, std::uint64_t{1});
        QCOMPARE(past.at(0).apply.facts.done, std::uint64_t{2});
        QCOMPARE(past.at(1).apply.facts.first, std::string("papers/c"));
        QCOMPARE(past.at(1).undoneBy, std::uint64_t{0});
        QCOMPARE(past.at(2).undoneBy, std::uint64_t{3});
        QCOMPARE(past.at(2).apply.facts.by, std::string("owner"));
        QVERIFY(past.at(2).apply.facts.atMs > 1'500'000'000'000);
        QCOMPARE(past.at(2).shares, std::vector<std::string>{"papers"});
        const auto older = w.agent->history(3, 1);
        QVERIFY(older.size() == 1 && older.at(0).apply.number == 2);
    };
    check();
    const auto again = w.agent->undo(1, quiet);
    QVERIFY(!again && again.error().code == ErrorCode::Refused);
    QVERIFY2(again.error().hint.find("carrel undo ann 3") != std::string::npos, again.error().hint.c_str());
    w.restartEngine();
    check();
}

void TestAgentHistory::undoesAnOlderOneBesideANewer() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::ofstream(w.share() / "old") << "mine\n";
    guest.write("old", "the agent's\n");
    QVERIFY(applyAll(w).has_value());
    guest.write("new", "new\n");
    QVERIFY(applyAll(w).has_value());
    const auto undone = w.agent->undo(1, quiet);
    QVERIFY2(undone && undone->items.size() == 1, undone ? "" : undone.error().text().c_str());
    QCOMPARE(undone->items.at(0).outcome, std::string("done"));
    QCOMPARE(contentOf(w.share() / "old"), std::string("mine\n"));
    QCOMPARE(contentOf(w.share() / "new"), std::string("new\n"));
}

// What was changed again since, by a later apply or by the user, stays; the rest goes back, and each is
// named.
void TestAgentHistory::undoOfAnOlderOneLeavesWhatWasChangedAgain() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    for (const char* name : {"again", "mine", "rest"}) {
        std::ofstream(w.share() / name) << "before\n";
        guest.write(name, "first\n");
    }
    QVERIFY(applyAll(w).has_value());
    guest.write("again", "second\n");
    QVERIFY(applyAll(w).has_value());
    std::ofstream(w.share() / "mine") << "by the user\n";
    const auto undone = w.agent->undo(1, quiet);
    QVERIFY2(undone && undone->items.size() == 3, undone ? "" : undone.error().text().c_str());
    for (const auto& item : undone->items) {
        const bool rest = item.path.text() == "rest";
        QVERIFY2(item.outcome == (rest ? "done" : "conflict"), item.path.text().c_str());
        QVERIFY(rest || !item.reason.empty());
    }
    QCOMPARE(contentOf(w.share() / "again"), std::string("second\n"));
    QCOMPARE(contentOf(w.share() / "mine"), std::string("by the user\n"));
    QCOMPARE(contentOf(w.share() / "rest"), std::string("before\n"));
    const auto past = w.agent->history({}, 1);
    QCOMPARE(past.at(0).apply.facts.done, std::uint64_t{1});
    QCOMPARE(past.at(0).apply.facts.open, std::uint64_t{2});
    const auto again = w.agent->undo(1, quiet);
    QVERIFY2(!again && again.error().message.find("changed again") != std::string::npos,
             again ? "" : again.error().text().c_str());
}

// What could not be undone at once can be asked for again.
void TestAgentHistory::undoGoesOnWithAFileThatWasInUse() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    for (const char* name : {"busy", "rest"}) {
        std::ofstream(w.share() / name) << "before\n";
        guest.write(name, "first\n");
    }
    QVERIFY(applyAll(w).has_value());
    {
        const std::ofstream editor(w.share() / "busy", std::ios::app);
        const auto undone = w.agent->undo(1, quiet);
        QVERIFY2(undone && undone->number == 2U, undone ? "" : undone.error().text().c_str());
        QCOMPARE(contentOf(w.share() / "busy"), std::string("first\n"));
        QCOMPARE(contentOf(w.share() / "rest"), std::string("before\n"));
        const auto still = w.agent->undo(1, quiet);
        QVERIFY2(!still && still.error().message.find("papers/busy") != std::string::npos,
                 still ? "" : still.error().text().c_str());
    }
    const auto undone = w.agent->undo(1, quiet);
    QVERIFY2(undone && undone->number == 3U, undone ? "" : undone.error().text().c_str());
    QCOMPARE(undone->items.size(), std::size_t{1});
    QCOMPARE(contentOf(w.share() / "busy"), std::string("before\n"));
    const auto again = w.agent->undo(1, quiet);
    QVERIFY2(!again && again.error().message.ends_with("undone already, by undo 2"),
             again ? "" : again.error().text().c_str());
    QVERIFY(w.agent->undo(2, quiet).has_value()); // and then the apply stands in part
    QCOMPARE(contentOf(w.share() / "rest"), std::string("first\n"));
    QVERIFY(w.agent->undo(1, quiet).has_value());
    QCOMPARE(contentOf(w.share() / "rest"), std::string("before\n"));
}

void TestAgentHistory::undoGoesOnWithAFolderThatWasAway() {
    AgentWorld w(true);
    const auto second = w.folder / "second";
    QVERIFY(std::filesystem::create_directory(second));
    QVERIFY(w.agent->addShare({second.string(), ShareMode::Review}).has_value());
    QVERIFY(w.start());
    PlayedGuest guest(w); // says the same of both
    guest.write("new", "the agent's\n");
    QVERIFY(applyAll(w).has_value());
    QVERIFY(std::filesystem::exists(w.share() / "new") && std::filesystem::exists(second / "new"));
    std::filesystem::rename(second, w.folder / "away");
    const auto undone = w.agent->undo(1, quiet);
    QVERIFY2(undone && undone->number == 2U, undone ? "" : undone.error().text().c_str());
    QVERIFY(!std::filesystem::exists(w.share() / "new"));
    QVERIFY(!w.agent->undo(1, quiet)); // it is away still
    std::filesystem::rename(w.folder / "away", second);
    const auto rest = w.agent->undo(1, quiet);
    QVERIFY2(rest && rest->number == 3U, rest ? "" : rest.error().text().c_str());
    QVERIFY(!std::filesystem::exists(second / "new"));
}

// "Share the folder again before undoing" is true, over a restart too.
void TestAgentHistory::undoesInAFolderThatWasSharedAgain() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::ofstream(w.share() / "old") << "mine\n";
    guest.write("old", "the agent's\n");
    QVERIFY(applyAll(w).has_value());
    QVERIFY(w.agent->removeShare("papers", Agent::Staged::Discard));
    const auto gone = w.agent->undo(1, quiet);
    QVERIFY2(!gone && gone.error().hint.starts_with("Share the folder again"), gone ? "" : gone.error().text().c_str());
    QCOMPARE(w.agent->history({}, 1).at(0).shares, std::vector<std::string>{"(no longer shared)"});
    QVERIFY(std::filesystem::create_directory(w.folder / "other"));
    QVERIFY(w.agent->addShare({(w.folder / "other").string(), ShareMode::Review}).has_value());
    QVERIFY(!w.agent->undo(1, quiet)); // in that one nothing was applied
    QVERIFY(w.agent->addShare({w.share().string(), ShareMode::Review}).has_value());
    QCOMPARE(w.agent->history({}, 1).at(0).shares, std::vector<std::string>{"papers"});
    const auto undone = w.agent->undo(1, quiet);
    QVERIFY2(undone && undone->number == 2U, undone ? "" : undone.error().text().c_str());
    QCOMPARE(undone->items.at(0).share, std::string("papers"));
    QCOMPARE(contentOf(w.share() / "old"), std::string("mine\n"));
    QVERIFY(w.agent->removeShare("papers", Agent::Staged::Discard));
    QVERIFY(w.agent->addShare({w.share().string(), ShareMode::Review}).has_value());
    w.restartEngine();
    const auto back = w.agent->undo(2, quiet);
    QVERIFY2(back.has_value(), back ? "" : back.error().text().c_str());
    QCOMPARE(contentOf(w.share() / "old"), std::string("the agent's\n"));
}

// What an interruption left is finished there at the next start.
void TestAgentHistory::finishesInAFolderThatWasSharedAgain() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("new", "the agent's\n");
    QVERIFY(applyAll(w).has_value());
    const auto journals = w.services.agentsFolder / w.agent->id() / "review" / "applies";
    const auto log = std::filesystem::directory_iterator(journals)->path() / "log";
    const auto whole = contentOf(log);
    const auto end = whole.rfind('\n', whole.size() - 2) + 1;
    QVERIFY(whole.find("end", end) != std::string::npos);
    std::filesystem::resize_file(log, end); // as a crash before the last line leaves it
    QVERIFY(w.agent->removeShare("papers", Agent::Staged::Discard));
    QVERIFY(w.agent->addShare({w.share().string(), ShareMode::Review}).has_value());
    w.restartEngine();
    QVERIFY(contentOf(log).find("end", end) != std::string::npos);
    QVERIFY(w.agent->undo(1, quiet).has_value());
    QVERIFY(!std::filesystem::exists(w.share() / "new"));
}

void TestAgentHistory::aNewFolderAtTheSamePathIsAnotherOne() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("new", "the agent's\n");
    QVERIFY(applyAll(w).has_value());
    QVERIFY(w.agent->removeShare("papers", Agent::Staged::Discard));
    std::filesystem::rename(w.share(), w.folder / "moved");
    QVERIFY(std::filesystem::create_directory(w.share()));
    std::ofstream(w.share() / "new") << "the agent's\n";
    QVERIFY(w.agent->addShare({w.share().string(), ShareMode::Review}).has_value());
    QVERIFY(!w.agent->undo(1, quiet));
    QVERIFY(std::filesystem::exists(w.share() / "new"));
}

void TestAgentHistory::knowsTheFolderOnADeviceOfAnotherNumber_data() {
    QTest::addColumn<int>("inodeOff");
    QTest::addColumn<int>("bornOff");
    QTest::addColumn<bool>("known");
    QTest::newRow("another device") << 0 << 0 << true; // after a reboot
    QTest::newRow("another birth") << 0 << 1 << false; // another disk, whose top folder has the same inode
    QTest::newRow("another folder") << 1 << 0 << false;
}

void TestAgentHistory::knowsTheFolderOnADeviceOfAnotherNumber() {
    QFETCH(int, inodeOff);
    QFETCH(int, bornOff);
    QFETCH(bool, known);
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("new", "the agent's\n");
    QVERIFY(applyAll(w).has_value());
    const auto file = w.services.agentsFolder / w.agent->id() / "agent.json";
    auto record = agents::load(file);
    QVERIFY(record && record->shares.at(0).bornNs != 0);
    record->shares.at(0).device += 1;
    record->shares.at(0).inode += static_cast<std::uint64_t>(inodeOff);
    record->shares.at(0).bornNs += bornOff;
    QVERIFY(save(*record, file));
    w.restartEngine();
    const auto undone = w.agent->undo(1, quiet);
    QVERIFY2(undone.has_value() == known, undone ? "" : undone.error().text().c_str());
    QCOMPARE(std::filesystem::exists(w.share() / "new"), !known);
}

QTEST_GUILESS_MAIN(TestAgentHistory)
#include "test_agent_history.moc"

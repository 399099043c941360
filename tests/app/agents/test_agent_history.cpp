// SPDX-License-Identifier: Apache-2.0
// The list of past applies, and undo of any of them.
#include "tests/app/agents/played_guest.h"

#include <QScopeGuard>
#include <QTest>

#include <unistd.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;

namespace {

Result<ActionReport> applyAll(AgentWorld& w) {
    auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    if (!frozen) {
        return fail(frozen.error());
    }
    return within(60s, "apply", [&] { return w.agent->apply(frozen->id, {}, quiet); });
}

// As if a crash had come before the last of an apply's lines and before it had its number. `lines` stay.
void forgetEndOf(const AgentWorld& w, std::size_t lines) {
    const auto folder = w.services.agentsFolder / w.agent->id();
    for (const auto& apply : std::filesystem::directory_iterator(folder / "review/applies")) {
        std::string kept;
        std::istringstream text(contentOf(apply.path() / "log"));
        for (std::string line; lines > 0 && std::getline(text, line); --lines) {
            kept += line + "\n";
        }
        std::ofstream(apply.path() / "log") << kept;
    }
    std::filesystem::remove(folder / "reviews.json");
}

} // namespace

class TestAgentHistory : public QObject {
    Q_OBJECT
private slots:
    void listsWhatWasDone();
    void undoesAnOlderOneBesideANewer();
    void undoOfAnOlderOneLeavesWhatWasChangedAgain();
    void whatCannotBeSettledIsToldAndWaits();
    void whatIsSettledLaterHasItsNumberAtOnce_data();
    void whatIsSettledLaterHasItsNumberAtOnce();
    void undoGoesOnWithAFileThatWasInUse();
    void undoGoesOnWithAFolderThatWasAway();
    void undoesInAFolderThatWasSharedAgain();
    void finishesInAFolderThatWasSharedAgain();
    void whatWasGivenUpIsNotFinished_data();
    void whatWasGivenUpIsNotFinished();
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

// One folder of the share is locked at the start: the agent is there all the same, says what is the matter, and changes
// nothing more in that share until it is settled.
void TestAgentHistory::whatCannotBeSettledIsToldAndWaits() {
    if (::geteuid() == 0) {
        QSKIP("root may enter any folder");
    }
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::filesystem::create_directory(w.share() / "locked");
    guest.write("locked/a", "one\n");
    QVERIFY(applyAll(w).has_value());
    forgetEndOf(w, 2); // begun, and complete beside its name
    const auto unlock = qScopeGuard([&] { ::chmod((w.share() / "locked").c_str(), 0755); });
    ::chmod((w.share() / "locked").c_str(), 0);
    w.restartEngine();
    QVERIFY(w.agent->history({}, 10).empty());
    activity::Query query;
    query.kinds = {activity::EventKind::ApplyDone};
    const auto events = w.agent->log().query(query);
    QVERIFY(events && events->size() == 2);
    const auto& detail = events->back().event.detail;
    QVERIFY(!detail.at("recovered").as_bool());
    QCOMPARE(std::string(detail.at("share").as_string()), std::string("papers"));
    QVERIFY(detail.at("error").as_string().find("interrupted") != std::string::npos);
    QVERIFY(detail.at("hint").as_string().find("start Carrel again") != std::string::npos);
    guest.write("b", "two\n");
    auto applied = applyAll(w);
    QVERIFY2(applied && applied->items.size() == 1, applied ? "" : applied.error().text().c_str());
    QCOMPARE(applied->items.at(0).outcome, std::string("failed"));
    QVERIFY2(applied->items.at(0).reason.find("interrupted") != std::string::npos, applied->items.at(0).reason.c_str());
    ::chmod((w.share() / "locked").c_str(), 0755);
    applied = applyAll(w);
    QVERIFY(applied && applied->items.at(0).outcome == "done");
    QCOMPARE(w.agent->history({}, 10).size(), std::size_t{2});
}

void TestAgentHistory::whatIsSettledLaterHasItsNumberAtOnce_data() {
    QTest::addColumn<QString>("by");
    for (const char* by : {"apply", "discard", "undo"}) {
        QTest::newRow(by) << by;
    }
}

// What a start could not settle, since the share was away, the next decision settles: before anything new.
void TestAgentHistory::whatIsSettledLaterHasItsNumberAtOnce() {
    QFETCH(QString, by);
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    QVERIFY(applyAll(w).has_value());
    forgetEndOf(w, 2);
    const auto away = w.folder / "away";
    std::filesystem::rename(w.share(), away);
    w.restartEngine();
    std::filesystem::rename(away, w.share());
    QVERIFY(w.agent->history({}, 10).empty());
    guest.write("b", "two\n");
    if (by == "undo") {
        const auto undone = w.agent->undo({}, quiet);
        QVERIFY2(undone && undone->undone == 1U, undone ? "" : undone.error().text().c_str());
        QVERIFY(!std::filesystem::exists(w.share() / "a"));
    } else {
        const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
        QVERIFY2(frozen, frozen ? "" : frozen.error().text().c_str());
        const auto done = by == "apply" ? w.agent->apply(frozen->id, {}, quiet) : w.agent->discard(frozen->id, {}, quiet);
        QVERIFY2(done, done ? "" : done.error().text().c_str());
    }
    const auto past = w.agent->history({}, 10);
    QCOMPARE(past.size(), std::size_t{by == "discard" ? 1U : 2U});
    QCOMPARE(past.back().apply.number, std::uint64_t{1});
    QCOMPARE(past.back().apply.facts.first, std::string("papers/a"));
    if (by != "undo") {
        QVERIFY(w.agent->undo(1, quiet).has_value());
        QVERIFY(!std::filesystem::exists(w.share() / "a"));
    }
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

void TestAgentHistory::whatWasGivenUpIsNotFinished_data() {
    QTest::addColumn<bool>("removed");
    QTest::newRow("discarded while the folder is away") << false;
    QTest::newRow("removed with the share") << true;
}

// An apply is interrupted after its first file, and what is left is given up: no later start does it all the same.
void TestAgentHistory::whatWasGivenUpIsNotFinished() {
    QFETCH(bool, removed);
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    guest.write("b", "two\n");
    const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY(frozen && w.agent->apply(frozen->id, {}, quiet));
    // As if it had never come to b.
    const auto journals = w.services.agentsFolder / w.agent->id() / "review" / "applies";
    const auto log = std::filesystem::directory_iterator(journals)->path() / "log";
    std::filesystem::resize_file(log, 0);
    std::filesystem::remove(w.share() / "a");
    std::filesystem::remove(w.share() / "b");
    const auto away = w.folder / "away";
    std::filesystem::rename(w.share(), away);
    w.restartEngine();
    guest.write("a", "one\n");
    guest.write("b", "two\n");
    if (removed) {
        QVERIFY(w.agent->removeShare("papers", Agent::Staged::Discard));
        std::filesystem::rename(away, w.share());
        QVERIFY(w.agent->addShare({w.share().string(), ShareMode::Review}).has_value());
    } else {
        const auto refused = w.agent->discard(frozen->id, {}, quiet);
        QVERIFY2(!refused && refused.error().code == ErrorCode::Unavailable, refused ? "" : refused.error().text().c_str());
        std::filesystem::rename(away, w.share());
        const auto discarded = w.agent->discard(frozen->id, {}, quiet);
        QVERIFY2(discarded, discarded ? "" : discarded.error().text().c_str());
    }
    w.restartEngine();
    QVERIFY(std::filesystem::is_empty(w.share()));
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
    QTest::addColumn<int>("deviceOff");
    QTest::addColumn<int>("inodeOff");
    QTest::addColumn<int>("bornOff");
    QTest::addColumn<bool>("known");
    QTest::newRow("another device") << 1 << 0 << 0 << true; // after a reboot
    QTest::newRow("another birth") << 1 << 0 << 1 << false; // another disk, whose top folder has the same inode
    QTest::newRow("another birth, same device") << 0 << 0 << 1 << false; // and plugged in where the first one was
    QTest::newRow("another folder") << 1 << 1 << 0 << false;
}

void TestAgentHistory::knowsTheFolderOnADeviceOfAnotherNumber() {
    QFETCH(int, deviceOff);
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
    record->shares.at(0).device += static_cast<std::uint64_t>(deviceOff);
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

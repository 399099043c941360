// SPDX-License-Identifier: Apache-2.0
// Shares of mode auto: what settles by itself, what waits, and the bounds, with a guest that the test plays
// and that may claim what it likes.
#include "tests/app/agents/played_guest.h"

#include <QTest>

#include <condition_variable>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int kGuardMs = 60'000;

std::size_t filesIn(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Looks of auto mode at what is staged, from now on: four in the quiet time, then the one that settles; twice
// that.
bool looked(AgentWorld& w, unsigned times = 10) {
    const auto before = w.clerks.count("changes.list");
    return QTest::qWaitFor([&] { return w.clerks.count("changes.list") >= before + times; }, kGuardMs);
}

std::vector<activity::Recorded> eventsOf(AgentWorld& w, activity::EventKind kind) {
    activity::Query query;
    query.kinds = {kind};
    return w.agent->log().query(query).value();
}

// Nothing waits, and each decision has its end in the log: that comes after what the guest is told.
bool settled(AgentWorld& w, const PlayedGuest& guest) {
    return QTest::qWaitFor(
        [&] {
            return guest.staged().empty() && eventsOf(w, activity::EventKind::ApplyDecided).size() ==
                                                 eventsOf(w, activity::EventKind::ApplyDone).size();
        },
        kGuardMs);
}

std::string by(const activity::Recorded& event) {
    return std::string(event.event.detail.at("by").as_string());
}

files::FrozenEntry newFile(const std::string& path) {
    files::FrozenEntry entry;
    entry.path = SharePath::parse(path).value();
    entry.contentChanged = true;
    entry.wanted.kind = files::NodeKind::File;
    entry.wanted.mode = 0644;
    entry.wanted.content = files::Sha256::of("new");
    return entry;
}

ChangeEntry claimOf(const std::string& path, std::uint64_t size) {
    ChangeEntry claim;
    claim.path = SharePath::parse(path).value();
    claim.size = size;
    claim.contentChanged = true;
    claim.mode = 0644;
    return claim;
}

} // namespace

class TestAutoMode : public QObject {
    Q_OBJECT
private slots:
    void newAndOwnFilesSettleAndUndo();
    void everythingElseWaits();
    void aFileThatTheUserChangedIsTheUsers();
    void boundHoldsOverARestart();
    void aReviewIsLeftAlone();
    void aGuestThatSendsNothingKeepsNobodyWaiting();
    void reviewModeWaits();
    void boundsOfOneHour();
    void renamedFoldersAreLookedUp();
    void settlingCountsAsLooking();
    void whatTheRuleCovers_data();
    void whatTheRuleCovers();
    void nothingBelowAFolderThatWaits();
    void whatIsDeniedWaits();
    void troubleSettlesNothing();
};

void TestAutoMode::newAndOwnFilesSettleAndUndo() {
    AgentWorld w(true, ShareMode::Auto);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    guest.makeFolder("d");
    guest.write("d/x", "deep\n");
    QVERIFY(settled(w, guest));
    QCOMPARE(contentOf(w.share() / "a"), std::string("one\n"));
    QCOMPARE(contentOf(w.share() / "d" / "x"), std::string("deep\n"));
    guest.write("a", "two\n"); // its own
    QVERIFY(settled(w, guest));
    QCOMPARE(contentOf(w.share() / "a"), std::string("two\n"));
    // I5, I9: who decided, and by what rule, before what it did.
    const auto decided = eventsOf(w, activity::EventKind::ApplyDecided);
    const auto done = eventsOf(w, activity::EventKind::ApplyDone);
    // One apply for each time the guest came to rest: two, or more where this computer was slow between two writes.
    QVERIFY(decided.size() >= 2 && done.size() == decided.size());
    QVERIFY(decided.at(0).seq < done.at(0).seq);
    QCOMPARE(by(decided.at(0)), std::string("auto"));
    QVERIFY(decided.at(0).event.provenance == activity::Provenance::Host);
    QVERIFY(decided.at(0).event.detail.at("rule").as_string() == "auto mode of papers");
    const auto past = w.agent->history({}, 10);
    QCOMPARE(past.size(), decided.size());
    std::uint64_t changes = 0;
    for (const auto& one : past) {
        QVERIFY(one.apply.facts.by == kByAuto);
        changes += one.apply.facts.done;
    }
    QCOMPARE(changes, std::uint64_t{4}); // a, d, d/x; then a again
    // I4
    QVERIFY(w.agent->undo(past.at(0).apply.number, quiet));
    QCOMPARE(contentOf(w.share() / "a"), std::string("one\n"));
    for (std::size_t i = 1; i < past.size(); ++i) {
        QVERIFY(w.agent->undo(past.at(i).apply.number, quiet));
    }
    QCOMPARE(filesIn(w.share()), std::size_t{0});
}

void TestAutoMode::everythingElseWaits() {
    AgentWorld w(true, ShareMode::Auto);
    for (const char* name : {"mine", "gone", "moved", "run", "taken", "mode"}) {
        std::ofstream(w.share() / name) << "by the user\n";
    }
    std::ofstream(w.share() / ".env") << "token\n";
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("mine", "by the agent\n");
    guest.remove("gone");
    guest.write("program", "#!/bin/sh\n", 0755);
    guest.write("script", "#!/bin/sh\n");
    guest.write(".envrc", "run me\n");
    guest.write("HEAD", "ref: refs/heads/main\n"); // with objects, refs and a config the folder is a repository
    guest.write("config", "[core]\nfsmonitor = run me\n");
    guest.write(".env", "token of the agent\n");
    auto renamed = guest.over("moved");
    renamed.kind = ChangeKind::Renamed;
    renamed.from = renamed.path;
    renamed.path = SharePath::parse("moved away").value();
    guest.stage(renamed, {});
    auto mode = guest.over("mode");
    mode.kind = ChangeKind::Mode;
    mode.mode = 0755;
    guest.stage(mode, {});
    ChangeEntry link;
    link.path = SharePath::parse("link").value();
    link.kind = ChangeKind::Link;
    link.type = EntryType::Symlink;
    link.linkTarget = "mine";
    guest.stage(link, {});
    // It says that nothing was there.
    auto forged = claimOf("taken", 5);
    forged.kind = ChangeKind::Created;
    guest.stage(forged, "taken");
    const auto waiting = guest.staged();
    QCOMPARE(waiting.size(), std::size_t{12});
    guest.write("fine", "fine\n"); // so that there is something to wait for
    QTRY_VERIFY_WITH_TIMEOUT(fs::exists(w.share() / "fine"), kGuardMs);
    QVERIFY(looked(w));
    QCOMPARE(guest.staged(), waiting);
    for (const char* name : {"mine", "gone", "moved", "run", "taken", "mode"}) {
        QCOMPARE(contentOf(w.share() / name), std::string("by the user\n"));
    }
    QCOMPARE(contentOf(w.share() / ".env"), std::string("token\n"));
    QVERIFY((fs::status(w.share() / "mode").permissions() & fs::perms::owner_exec) == fs::perms::none);
    QCOMPARE(filesIn(w.share()), std::size_t{8});
    QCOMPARE(eventsOf(w, activity::EventKind::ApplyDecided).size(), std::size_t{1});
}

void TestAutoMode::aFileThatTheUserChangedIsTheUsers() {
    AgentWorld w(true, ShareMode::Auto);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "by the agent\n");
    guest.write("b", "by the agent\n");
    QVERIFY(settled(w, guest));
    std::ofstream(w.share() / "a") << "by the user\n";
    guest.write("a", "again\n"); // against what the user wrote: no conflict, yet not its own
    guest.write("b", "again\n");
    QTRY_COMPARE_WITH_TIMEOUT(contentOf(w.share() / "b"), std::string("again\n"), kGuardMs);
    QVERIFY(looked(w));
    QCOMPARE(contentOf(w.share() / "a"), std::string("by the user\n"));
    QCOMPARE(guest.staged(), std::vector<std::string>{"a"});
    // What an undo put back is not the agent's either: the user wanted it back.
    const auto edit = w.agent->history({}, 1).at(0).apply.number;
    QVERIFY(w.agent->undo(edit, quiet));
    guest.write("b", "and again\n");
    guest.write("c", "new\n");
    QTRY_VERIFY_WITH_TIMEOUT(fs::exists(w.share() / "c"), kGuardMs);
    QVERIFY(looked(w));
    QCOMPARE(contentOf(w.share() / "b"), std::string("by the agent\n"));
}

void TestAutoMode::boundHoldsOverARestart() {
    AgentWorld w(true, ShareMode::Auto);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    for (int n = 0; n < 130; ++n) {
        guest.write("n" + std::to_string(1000 + n), "x");
    }
    QTRY_VERIFY_WITH_TIMEOUT(filesIn(w.share()) >= kAutoFiles, kGuardMs);
    QVERIFY(looked(w));
    const auto check = [&] {
        QCOMPARE(filesIn(w.share()), std::size_t{kAutoFiles});
        QCOMPARE(guest.staged().size(), std::size_t{30});
        const auto full = w.agent->autoFull();
        QVERIFY(full.size() == 1 && full.at(0).share == "papers" && full.at(0).untilMs > 1'500'000'000'000);
    };
    check();
    const auto notes = [&] {
        const auto all = eventsOf(w, activity::EventKind::EngineNote);
        return std::count_if(all.begin(), all.end(), [](const activity::Recorded& each) {
            return each.event.subject.find("bound") != std::string::npos;
        });
    };
    QCOMPARE(notes(), 1);
    guest.write("one more", "x");
    QVERIFY(looked(w));
    QCOMPARE(notes(), 1); // once
    guest.remove("one more");
    w.restartEngine();
    QVERIFY(looked(w, 12));
    QCOMPARE(filesIn(w.share()), std::size_t{kAutoFiles});
}

// What somebody is about to decide on is still valid when they do.
void TestAutoMode::aReviewIsLeftAlone() {
    AgentWorld w(true, ShareMode::Auto);
    std::ofstream(w.share() / "mine") << "by the user\n";
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("mine", "by the agent\n");
    QVERIFY(looked(w));
    guest.write("new", "new\n");
    const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY2(frozen && frozen->sets.at(0).entries.size() == 2, frozen ? "" : frozen.error().text().c_str());
    QTest::qWait(5 * w.kAutoQuiet.count()); // five times what it would wait
    QVERIFY(!fs::exists(w.share() / "new"));
    const auto applied = w.agent->apply(frozen->id, {{"papers/mine"}}, quiet);
    QVERIFY2(applied && applied->items.at(0).outcome == "done",
             applied ? "" : applied.error().text().c_str());
    struct stat info {};
    QCOMPARE(::stat((w.share() / "mine").c_str(), &info), 0);
    const auto left = guest.left("mine"); // the base of what the agent does next
    QVERIFY(left && left->contains("version"));
    QCOMPARE(left->at("version").at("inode").to_number<std::uint64_t>(), std::uint64_t{info.st_ino});
    QTRY_VERIFY_WITH_TIMEOUT(fs::exists(w.share() / "new"), kGuardMs); // decided: it goes on
}

// It says what has changed and does not send it: whoever wants the agent gets it all the same, without stopping it.
void TestAutoMode::aGuestThatSendsNothingKeepsNobodyWaiting() {
    AgentWorld w(true, ShareMode::Auto);
    w.services.patience.autoAnswer = 1s;
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::mutex mutex;
    std::condition_variable asked;
    bool waits = false;
    bool ends = false;
    guest.beforeContent([&] {
        std::unique_lock lock(mutex);
        waits = true;
        asked.notify_all();
        asked.wait(lock, [&] { return ends; });
    });
    guest.write("a", "one\n");
    {
        std::unique_lock lock(mutex);
        QVERIFY(asked.wait_for(lock, std::chrono::milliseconds(kGuardMs), [&] { return waits; }));
    }
    const auto changed = within(60s, "another verb", [&] { return w.agent->setShareMode("papers", ShareMode::Review); });
    {
        const std::lock_guard lock(mutex);
        ends = true;
        asked.notify_all();
    }
    QVERIFY2(changed, changed ? "" : changed.error().text().c_str());
    QCOMPARE(filesIn(w.share()), std::size_t{0});
    QCOMPARE(guest.staged(), std::vector<std::string>{"a"});
}

void TestAutoMode::reviewModeWaits() {
    AgentWorld w(true, ShareMode::Review);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    QTest::qWait(5 * w.kAutoQuiet.count());
    QVERIFY(!fs::exists(w.share() / "a"));
    const auto refused = w.agent->setShareMode("papers", ShareMode::ReadOnly);
    QVERIFY(!refused && refused.error().code == ErrorCode::Refused); // it would be lost
    QVERIFY(w.agent->setShareMode("papers", ShareMode::Auto));
    QTRY_VERIFY_WITH_TIMEOUT(fs::exists(w.share() / "a"), kGuardMs);
    QVERIFY(w.agent->setShareMode("papers", ShareMode::Review));
    QCOMPARE(eventsOf(w, activity::EventKind::ShareChanged).size(), std::size_t{2});
}

void TestAutoMode::boundsOfOneHour() {
    QTemporaryDir folder;
    const auto own = OwnFiles::open(folder.filePath("own").toStdString());
    QVERIFY(own);
    std::vector<ChangeEntry> claims{claimOf("a", kAutoBytes - 10), claimOf("b", 11), claimOf("c", 10)};
    auto pick = pickForAuto(claims, 1, *own, {});
    QCOMPARE(pick.claims.size(), std::size_t{2});
    QVERIFY(pick.claims.at(1).path.text() == "c" && pick.full == 1);
    pick = pickForAuto(claims, 1, *own, {kAutoFiles - 1, 0, kAutoBytes - 100, 1});
    QVERIFY(pick.claims.size() == 1 && pick.claims.at(0).path.text() == "b" && pick.full == 2);
    pick = pickForAuto(claims, 1, *own, {kAutoFiles + 7, 0, 2 * kAutoBytes, 1}); // more than there may be
    QVERIFY(pick.claims.empty() && pick.full == 3);
    auto inner = claimOf("d", 0);
    inner.type = EntryType::Directory;
    pick = pickForAuto({inner, claimOf("d/x", 1)}, 1, *own, {0, kAutoFolders, 0, 1});
    QVERIFY(pick.claims.empty() && pick.full == 2); // nor what is in it
}

// A guest that renames many folders and claims many files must not keep the host busy, and the agent from being stopped.
void TestAutoMode::renamedFoldersAreLookedUp() {
    constexpr std::size_t kEach = 2000;
    QTemporaryDir folder;
    const auto own = OwnFiles::open(folder.filePath("own").toStdString());
    QVERIFY(own);
    std::vector<ChangeEntry> claims;
    for (std::size_t n = 0; n < kEach; ++n) {
        auto renamed = claimOf("new" + std::to_string(n), 0);
        renamed.kind = ChangeKind::Renamed;
        renamed.type = EntryType::Directory;
        renamed.from = SharePath::parse("old" + std::to_string(n)).value();
        claims.push_back(renamed);
    }
    for (std::size_t n = 0; n < kEach; ++n) {
        claims.push_back(claimOf("x" + std::to_string(n), 1));
    }
    claims.push_back(claimOf("new7/sub/x", 1));
    claims.push_back(claimOf("old7/sub/x", 1));
    claims.push_back(claimOf("old7", 1));
    const auto pick = pickForAuto(claims, 1, *own, {});
    QCOMPARE(pick.claims.size(), std::size_t{kAutoFiles});
    QCOMPARE(pick.full, kEach - kAutoFiles);
    QVERIFY2(pick.compared <= claims.size() * 16, std::to_string(pick.compared).c_str()); // 2^12 names
}

// What the last look took, all of it, is at most a twentieth of the time until the next: never too early, however slow this
// computer is.
void TestAutoMode::settlingCountsAsLooking() {
    constexpr auto kCopying = 100ms;
    AgentWorld w(true, ShareMode::Auto);
    w.services.patience.autoShare = Patience().autoShare;
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::mutex mutex;
    std::vector<std::chrono::steady_clock::time_point> looks; // after the copy
    bool copied = false;
    guest.beforeList([&] {
        const std::lock_guard lock(mutex);
        if (copied) {
            looks.push_back(std::chrono::steady_clock::now());
        }
    });
    guest.beforeContent([&] {
        QTest::qSleep(kCopying.count());
        const std::lock_guard lock(mutex);
        copied = true;
    });
    guest.write("a", "one\n");
    QVERIFY(QTest::qWaitFor(
        [&] {
            const std::lock_guard lock(mutex);
            return looks.size() >= 2; // the one that ends the settling, and the next
        },
        kGuardMs));
    const std::lock_guard lock(mutex);
    QVERIFY(looks.at(1) - looks.at(0) >= Patience().autoShare * kCopying);
}

void TestAutoMode::whatTheRuleCovers_data() {
    QTest::addColumn<QString>("change");
    QTest::addColumn<bool>("covered");
    QTest::newRow("a new file") << "" << true;
    QTest::newRow("a program") << "program" << false;
    QTest::newRow("of high risk") << "risk" << false;
    QTest::newRow("in conflict") << "conflict" << false;
    QTest::newRow("a link") << "link" << false;
    QTest::newRow("over something") << "base" << false;
    QTest::newRow("a deletion") << "deleted" << false;
    QTest::newRow("a rename") << "renamed" << false;
    QTest::newRow("an edit of its own") << "own" << true;
    QTest::newRow("an edit of its own, with a mode") << "own mode" << false;
    QTest::newRow("an edit of another's") << "other" << false;
    QTest::newRow("an edit of its own in another share") << "share" << false;
}

void TestAutoMode::whatTheRuleCovers() {
    QFETCH(QString, change);
    QFETCH(bool, covered);
    QTemporaryDir folder;
    auto own = OwnFiles::open(folder.filePath("own").toStdString());
    QVERIFY(own);
    auto entry = newFile("a");
    std::uint32_t share = 1;
    if (change.startsWith("own") || change == "other" || change == "share") {
        files::FrozenSet before;
        before.entries.push_back(entry);
        files::ApplyReport report;
        report.entries.push_back({entry.path, 0, files::Outcome::Applied, {}});
        QVERIFY(own->applied(1, before, report));
        own = OwnFiles::open(folder.filePath("own").toStdString()); // it is remembered
        QVERIFY(own);
        entry.kind = ChangeKind::Modified;
        entry.base = entry.wanted;
        entry.wanted.content = files::Sha256::of("edited");
        entry.wanted.mode = change == "own mode" ? 0600 : 0644;
        if (change == "other") {
            entry.base.content = files::Sha256::of("by the user");
        }
        share = change == "share" ? 2 : 1;
    } else if (change == "program") {
        entry.wanted.mode = 0755;
    } else if (change == "risk") {
        entry.risk = files::Risk::High;
    } else if (change == "conflict") {
        entry.conflict = files::ConflictKind::Refused;
    } else if (change == "link") {
        entry.wanted.kind = files::NodeKind::Symlink;
    } else if (change == "base") {
        entry.base = entry.wanted;
    } else if (change == "deleted") {
        entry.kind = ChangeKind::Deleted;
        entry.wanted = {};
    } else if (change == "renamed") {
        entry.kind = ChangeKind::Renamed;
        entry.from = SharePath::parse("b").value();
    }
    files::FrozenSet set;
    set.entries.push_back(entry);
    QCOMPARE(!coveredByAuto(set, share, *own).empty(), covered);
}

void TestAutoMode::nothingBelowAFolderThatWaits() {
    QTemporaryDir folder;
    const auto own = OwnFiles::open(folder.filePath("own").toStdString());
    QVERIFY(own);
    auto risky = newFile(".git");
    risky.type = EntryType::Directory;
    risky.wanted.kind = files::NodeKind::Directory;
    risky.risk = files::Risk::High;
    files::FrozenSet set;
    set.entries = {risky, newFile(".git/objects"), newFile("x")};
    const auto covered = coveredByAuto(set, 1, *own);
    QVERIFY(covered.size() == 1 && covered.at(0)->path.text() == "x");
}

// The owner's rules are asked about each thing; with a folder that waits, what is in it does.
void TestAutoMode::whatIsDeniedWaits() {
    AgentWorld w(true, ShareMode::Auto);
    std::mutex mutex;
    std::vector<std::string> asked;
    std::string askedBy;
    w.services.maySettle = [&](const std::string& agent, const std::string& session, const ShareRecord& share,
                               const files::FrozenEntry& entry) {
        const std::lock_guard lock(mutex);
        askedBy = agent + " " + session;
        asked.push_back(share.name + "/" + entry.path.text());
        const bool denied = entry.path.text() == "secret" || entry.path.text() == "d/no";
        return denied ? MaySettle::Waits : MaySettle::Yes;
    };
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.makeFolder("d");
    guest.write("d/no", "no\n");
    guest.write("d/yes", "yes\n");
    guest.makeFolder("secret");
    guest.write("secret/x", "no\n");
    guest.write("zebra", "yes\n");
    QTRY_VERIFY_WITH_TIMEOUT(fs::exists(w.share() / "zebra"), kGuardMs);
    QVERIFY(looked(w));
    QVERIFY(fs::exists(w.share() / "d/yes") && !fs::exists(w.share() / "d/no") && !fs::exists(w.share() / "secret"));
    QCOMPARE(guest.staged(), (std::vector<std::string>{"d/no", "secret", "secret/x"}));
    // What waits counts against no bound.
    std::uint64_t files = 0;
    for (const auto& each : eventsOf(w, activity::EventKind::ApplyDecided)) {
        files += each.event.detail.at("files").to_number<std::uint64_t>();
    }
    QCOMPARE(files, std::uint64_t{2});
    // It can be reviewed, and the owner's own word goes above.
    const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY(frozen && frozen->sets.at(0).entries.size() == 3);
    const std::lock_guard lock(mutex);
    QCOMPARE(askedBy, w.agent->id() + " " + w.agent->session());
    QVERIFY(std::count(asked.begin(), asked.end(), "papers/d/no") >= 1);
}

// A rules' file that something has changed: any of it could be denied.
void TestAutoMode::troubleSettlesNothing() {
    AgentWorld w(true, ShareMode::Auto);
    std::atomic<bool> trouble = true;
    w.services.maySettle = [&](const std::string&, const std::string&, const ShareRecord&, const files::FrozenEntry& entry) {
        return trouble && entry.path.text() == "b" ? MaySettle::Nothing : MaySettle::Yes; // it comes in the middle
    };
    QVERIFY(w.start());
    PlayedGuest guest(w);
    for (const char* name : {"a", "b", "c"}) {
        guest.write(name, "x");
    }
    QVERIFY(looked(w));
    QVERIFY(filesIn(w.share()) == 0 && guest.staged().size() == 3);
    QVERIFY(eventsOf(w, activity::EventKind::ApplyDecided).empty());
    trouble = false;
    guest.write("c", "y");
    QVERIFY(settled(w, guest));
    QCOMPARE(filesIn(w.share()), std::size_t{3});
}

QTEST_GUILESS_MAIN(TestAutoMode)
#include "test_auto_mode.moc"

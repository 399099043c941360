// SPDX-License-Identifier: Apache-2.0
// What a journal writes it can read again, or it does not write it; and damage is not taken for a crash.
#include "tests/app/files/files_world.h"

#include "app/files/journal.h"
#include "app/files/node_json.h"

#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

std::string logOf(const World& w, const std::string& id) {
    return w.data + "/applies/" + id + "/log";
}

// One bit in the first line.
void damage(const std::string& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    char byte = 0;
    if (::pread(fd.get(), &byte, 1, 30) != 1 || (byte ^= 1, ::pwrite(fd.get(), &byte, 1, 30)) != 1) {
        qFatal("cannot damage %s", file.c_str());
    }
}

} // namespace

class TestJournal : public QObject {
    Q_OBJECT
private slots:
    void anyReasonCanBeReadAgain() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString();
        for (const std::string& reason : {std::string("plain"), std::string("\xff\xfe"), std::string(5000, 'x')}) {
            const auto id = nextJournalId(at).value();
            Plan plan;
            plan.id = id;
            plan.entries.resize(1);
            plan.entries[0].path = path("f");
            {
                auto journal = Journal::create(at, plan, nullptr);
                QVERIFY(journal && journal->outcome(0, Outcome::Failed, reason) && journal->end());
            }
            auto again = Journal::load(at, id, nullptr, Journal::Repair::No);
            QVERIFY2(again, again ? "" : again.error().text().c_str());
            QVERIFY(again->ended() && again->entries()[0].outcome == Outcome::Failed);
            QCOMPARE(again->entries()[0].reason == "plain", reason == "plain");
        }
    }

    // An apply whose plan nobody could read any more could be neither finished nor taken back.
    void aPlanThatCannotBeReadAgainIsNotBegun() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString();
        Plan plan;
        plan.id = nextJournalId(at).value();
        plan.entries.resize(1);
        plan.entries[0].path = path(std::string(200, 'f'));
        const auto refused = Journal::create(at, plan, nullptr, 300);
        QVERIFY(!refused && refused.error().code == ErrorCode::LimitExceeded);
        QVERIFY(!fs::exists(at + "/" + plan.id));
        QVERIFY(Journal::create(at, plan, nullptr));
    }

    void moreAttributesThanALineHolds() {
        NodeState state;
        state.kind = NodeKind::Directory;
        for (std::size_t i = 0; i < kMaxAttributes; ++i) {
            state.xattrs["user." + std::to_string(i)] = "v";
        }
        QVERIFY(fitsJournal(state.xattrs) && nodeFrom(nodeToJson(state)));
        state.xattrs["user.more"] = "v";
        QVERIFY(!fitsJournal(state.xattrs) && !nodeFrom(nodeToJson(state)));
        state.xattrs = {{"user.large", std::string(kMaxAttributeBytes, 'x')}};
        QVERIFY(!fitsJournal(state.xattrs));
    }

    // An ended apply is never taken for an unfinished one, and looking at it changes nothing of it. The others can still
    // be taken back; content is not given up while nobody knows what it is for.
    void aDamagedLineIsNoTornOne() {
        World w;
        writeFile(w.at("f"), "as it was\n");
        writeFile(w.at("g"), "as it was\n");
        const auto before = snapshot(w.share, Times::All);
        w.content(ChangeKind::Modified, "f", "agent\n");
        std::string first;
        {
            auto review = w.review();
            auto set = w.freeze(*review);
            auto applied = review->apply(w.root.get(), set->id, everything(*set));
            QVERIFY(applied && applied->complete() && review->undo(w.root.get(), applied->id));
            first = applied->id;
            w.claims.clear();
            w.content(ChangeKind::Modified, "g", "agent\n");
            set = w.freeze(*review);
            QVERIFY(review->apply(w.root.get(), set->id, everything(*set)));
        }
        const auto log = slurp(logOf(w, first));
        damage(logOf(w, first));
        const auto after = snapshot(w.share, Times::All);
        auto review = w.review();
        QVERIFY(review->recover(w.opener()));
        QVERIFY(same(snapshot(w.share, Times::All), after));
        auto applies = review->applies();
        QVERIFY(applies);
        QCOMPARE(slurp(logOf(w, first)).size(), log.size());
        QVERIFY(review->undo(w.root.get(), first).error().code == ErrorCode::Malformed);
        QVERIFY(!review->collect());
        auto undone = review->undo(w.root.get(), applies->back().id);
        QVERIFY(undone && undone->complete());
        QVERIFY(same(snapshot(w.share, Times::All), before));
    }

    // It is made before the plan: without it nothing can be known of the apply, and no other one has to wait for that.
    void withoutItsLogItIsDamaged() {
        World w;
        w.content(ChangeKind::Created, "f", "agent\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(applied && applied->complete());
        fs::remove(logOf(w, applied->id));
        auto reports = review->recover(w.opener());
        QVERIFY(reports && reports->size() == 1 && reports->front().unsettled);
        w.claims.clear();
        w.content(ChangeKind::Created, "g", "agent\n");
        set = w.freeze(*review);
        auto again = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY2(again && again->complete(), again ? "" : again.error().text().c_str());
        QVERIFY(review->undo(w.root.get(), applied->id).error().code == ErrorCode::Malformed);
    }

    void onlyWhoGoesOnRepairs() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString();
        const auto id = nextJournalId(at).value();
        Plan plan;
        plan.id = id;
        plan.entries.resize(1);
        plan.entries[0].path = path("f");
        QVERIFY(Journal::create(at, plan, nullptr)->outcome(0, Outcome::Applied, ""));
        const std::string log = at + "/" + id + "/log";
        const auto whole = slurp(log);
        std::ofstream(log, std::ios::app) << "0123456789abcdef {\"t\":";
        for (const auto repair : {Journal::Repair::No, Journal::Repair::Yes}) {
            auto again = Journal::load(at, id, nullptr, repair);
            QVERIFY(again && again->entries()[0].outcome == Outcome::Applied);
            QCOMPARE(slurp(log) == whole, repair == Journal::Repair::Yes);
        }
    }
};

QTEST_GUILESS_MAIN(TestJournal)
#include "test_journal.moc"

// SPDX-License-Identifier: Apache-2.0
// A file that the user changed while the agent worked on it: three versions to look at, or two said to be
// two; both kept on request, and nothing ever overwritten.
#include "app/agents/beside_name.h"
#include "tests/app/agents/played_guest.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const std::string kBase = "one\ntwo\nthree\n";
const std::string kYours = "one\ntwo by the user\nthree\n";
const std::string kTheirs = "one\ntwo by the agent\nthree\nfour\n";

// The file as it was is edited by the agent, then by the user.
OpenedReview conflicting(AgentWorld& w, PlayedGuest& guest, bool seenBefore) {
    std::ofstream(w.share() / "a.txt") << kBase;
    guest.write("a.txt", kTheirs);
    guest.nameBase("a.txt", kBase);
    if (seenBefore && !w.agent->freeze(quiet, {})) {
        qFatal("the first look");
    }
    std::ofstream(w.share() / "a.txt") << kYours;
    auto frozen = w.agent->freeze(quiet, {});
    if (!frozen || frozen->sets.at(0).entries.empty()) {
        qFatal("%s", frozen ? "no entry" : frozen.error().text().c_str());
    }
    return *frozen;
}

} // namespace

class TestBothChanged : public QObject {
    Q_OBJECT
private slots:
    void threeVersionsWhereTheBaseWasSeen();
    void threeVersionsByItsStamps();
    void twoVersionsWhereItWasNot();
    void aGuestChoosesNoBase();
    void bothAreKept();
    void nothingIsOverwrittenBeside();
    void nameBesideIsAName();
};

void TestBothChanged::threeVersionsWhereTheBaseWasSeen() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    const auto review = conflicting(w, guest, true);
    const auto views = review.select({});
    const auto three = w.agent->threeWay(views.at(0), w.agent->claimedBases(review, {}));
    QVERIFY2(three && *three, three ? "none" : three.error().text().c_str());
    QVERIFY2((*three)->baseKnown, (*three)->whyNot.c_str());
    QCOMPARE((*three)->both, std::uint64_t{1});
    QCOMPARE((*three)->listing,
             std::string("@@ 2,1: both changed it @@\n one\n|two\n<two by the user\n>two by the agent\n"
                         " three\n@@ 3,0: only the agent changed it @@\n>four\n"));
}

// A program that writes a new file over the old one tells no hash of what it replaced.
void TestBothChanged::threeVersionsByItsStamps() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::ofstream(w.share() / "a.txt") << kBase;
    guest.write("a.txt", kTheirs);
    QVERIFY(w.agent->freeze(quiet, {}));
    std::ofstream(w.share() / "a.txt") << kYours;
    const auto review = w.agent->freeze(quiet, {});
    QVERIFY(review && !review->id.empty());
    const auto views = review->select({});
    const auto three = w.agent->threeWay(views.at(0), w.agent->claimedBases(*review, {}));
    QVERIFY(three && *three && (*three)->baseKnown);
    QVERIFY((*three)->listing.find("|two\n<two by the user\n") != std::string::npos);
}

void TestBothChanged::twoVersionsWhereItWasNot() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    const auto review = conflicting(w, guest, false);
    const auto views = review.select({});
    auto three = w.agent->threeWay(views.at(0), w.agent->claimedBases(review, {}));
    QVERIFY(three && *three && !(*three)->baseKnown && !(*three)->whyNot.empty());
    QVERIFY((*three)->listing.find("-two by the user\n+two by the agent\n") != std::string::npos);
    QVERIFY(w.stop()); // nobody says what the base was
    three = w.agent->threeWay(views.at(0), w.agent->claimedBases(review, {}));
    QVERIFY(three && *three && !(*three)->baseKnown);
}

// Content that Carrel holds, but of another file, is not shown as what this one was.
void TestBothChanged::aGuestChoosesNoBase() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("other", "a lie\n");
    QVERIFY(w.agent->freeze(quiet, {}));
    const auto review = conflicting(w, guest, true);
    guest.nameBase("a.txt", "a lie\n");
    guest.forgetStamps("a.txt");
    const auto views = review.select({{"papers/a.txt"}});
    const auto three = w.agent->threeWay(views.at(0), w.agent->claimedBases(review, {}));
    QVERIFY(three && *three && !(*three)->baseKnown);
}

void TestBothChanged::bothAreKept() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    const auto review = conflicting(w, guest, false);
    const auto plain = w.agent->apply(review.id, {}, quiet);
    QVERIFY(plain && plain->items.at(0).outcome == "conflict");
    QCOMPARE(contentOf(w.share() / "a.txt"), kYours);
    const auto kept = w.agent->apply(review.id, {}, quiet, Agent::IfBoth::KeepBoth);
    QVERIFY2(kept && kept->items.size() == 1, kept ? "" : kept.error().text().c_str());
    QVERIFY2(kept->items.at(0).outcome == "done", kept->items.at(0).reason.c_str());
    QCOMPARE(contentOf(w.share() / "a.txt"), kYours);
    QCOMPARE(contentOf(w.share() / "a (agent ann).txt"), kTheirs); // I12
    QVERIFY(guest.staged().empty());
    // It is an apply like any other.
    const auto undone = w.agent->undo(kept->number, quiet);
    QVERIFY(undone && undone->items.at(0).outcome == "done");
    QVERIFY(!fs::exists(w.share() / "a (agent ann).txt"));
    QCOMPARE(contentOf(w.share() / "a.txt"), kYours);
}

void TestBothChanged::nothingIsOverwrittenBeside() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::ofstream(w.share() / "a (agent ann).txt") << "the user's too\n";
    const auto review = conflicting(w, guest, false);
    const auto kept = w.agent->apply(review.id, {}, quiet, Agent::IfBoth::KeepBoth);
    QVERIFY(kept && kept->items.at(0).outcome == "done");
    QCOMPARE(contentOf(w.share() / "a (agent ann).txt"), std::string("the user's too\n"));
    QCOMPARE(contentOf(w.share() / "a (agent ann 2).txt"), kTheirs);
    QCOMPARE(contentOf(w.share() / "a.txt"), kYours);
}

void TestBothChanged::nameBesideIsAName() {
    QCOMPARE(nameBeside("report.md", "ann", 1), std::string("report (agent ann).md"));
    QCOMPARE(nameBeside("a.tar.gz", "ann", 2), std::string("a.tar (agent ann 2).gz"));
    QCOMPARE(nameBeside(".profile", "ann", 1), std::string(".profile (agent ann)"));
    QCOMPARE(nameBeside("none", "ann", 1), std::string("none (agent ann)"));
    std::string longest;
    while (longest.size() < kMaxNameBytes - 1) {
        longest += "\xc3\xa9";
    }
    const auto fits = nameBeside(longest + "x", "ann", 1);
    QVERIFY(fits.size() <= kMaxNameBytes && isUtf8(fits) && fits.ends_with(" (agent ann)"));
    const std::string bytes(kMaxNameBytes, '\xff');
    QVERIFY(nameBeside(bytes, "ann", 1).size() <= kMaxNameBytes);
}

QTEST_GUILESS_MAIN(TestBothChanged)
#include "test_both_changed.moc"

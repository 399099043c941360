// SPDX-License-Identifier: Apache-2.0
// What the queue of approvals is told by an agent: what became of an apply that was allowed, over a kill at any place; and
// that what somebody is asked about stays.
#include "tests/app/agents/played_guest.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

Warrant allowedBy(std::uint64_t approval) {
    Warrant warrant;
    warrant.approval = approval;
    return warrant;
}

OpenedReview looked(AgentWorld& w, Agent::Look look = Agent::Look::Ask) {
    auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}, look); });
    if (!frozen || frozen->id.empty()) {
        qFatal("%s", frozen ? "nothing is staged" : frozen.error().text().c_str());
    }
    return std::move(*frozen);
}

fs::path stores(const AgentWorld& w) {
    return w.services.agentsFolder / w.agent->id();
}

// The disk as it was when `kept` was copied from it: as a kill at that moment leaves it.
void comeBackFrom(AgentWorld& w, const fs::path& kept) {
    const auto at = stores(w);
    w.agent->leave();
    w.agent.reset();
    fs::remove_all(at);
    fs::rename(kept, at);
    auto loaded = Agent::load(w.services, at);
    if (!loaded) {
        qFatal("%s", loaded.error().text().c_str());
    }
    w.agent = *loaded;
}

} // namespace

class TestAgentApproved : public QObject {
    Q_OBJECT
private slots:
    void doneAndNeverBegun();
    void killedBetweenTwoShares();
    void killedAfterAnOlderOneWasSettled();
    void killedBeforeItHadItsNumber();
    void nothingMadeIsNotDone();
    void aWatcherPushesOutNothing();
    void keepingWaitsForNobody();
    void theOwnersOwnWordIsTold();
};

void TestAgentApproved::doneAndNeverBegun() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    const auto review = looked(w);
    QVERIFY(w.agent->appliedBy(7) == Agent::ApplyStood::NeverBegan);
    QVERIFY(w.agent->apply(review.id, {}, quiet, Agent::IfBoth::Conflict, allowedBy(7)));
    QVERIFY(w.agent->appliedBy(7) == Agent::ApplyStood::Finished && w.agent->appliedBy(8) == Agent::ApplyStood::NeverBegan);
}

// Of two folders one has what was allowed: that is not done, and it cannot be asked for again as it was.
void TestAgentApproved::killedBetweenTwoShares() {
    AgentWorld w(true);
    const auto other = w.folder / "letters";
    fs::create_directory(other);
    QVERIFY(w.agent->addShare({other.string(), ShareMode::Review}));
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    const auto review = looked(w);
    QCOMPARE(review.sets.size(), std::size_t{2});
    const auto kept = w.folder / "kept";
    std::atomic<bool> taken = false;
    w.clerks.on("changes.settle", [&](const json::object&) { // the first folder is done
        if (!taken.exchange(true)) {
            fs::copy(stores(w), kept, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        }
        return json::object{{"kept", json::array{}}};
    });
    QVERIFY(w.agent->apply(review.id, {}, quiet, Agent::IfBoth::Conflict, allowedBy(7)));
    QVERIFY(taken && fs::exists(w.share() / "a") && fs::exists(other / "a"));
    QVERIFY(w.agent->appliedBy(7) == Agent::ApplyStood::Finished);
    fs::remove(other / "a");
    comeBackFrom(w, kept);
    QVERIFY(fs::exists(w.share() / "a") && !fs::exists(other / "a"));
    const auto stood = w.agent->appliedBy(7);
    QVERIFY2(stood == Agent::ApplyStood::Partly, stood ? "told as done, or as never begun" : stood.error().text().c_str());
}

// An older apply, interrupted in a folder that was away, gets its number with the start: the one that was foreseen for what
// was decided right before the kill.
void TestAgentApproved::killedAfterAnOlderOneWasSettled() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("older", "one\n");
    const auto older = looked(w);
    QVERIFY(w.agent->apply(older.id, {}, quiet));
    fs::remove(stores(w) / "reviews.json"); // as if the kill had come before it was numbered
    guest.write("newer", "two\n");
    QVERIFY(w.agent->log().append({.kind = activity::EventKind::ApplyDecided,
                                   .provenance = activity::Provenance::Host,
                                   .subject = std::string(64, 'b'),
                                   .detail = {{"by", "owner"},
                                              {"approval", 7},
                                              {"number", 1},
                                              {"sets", json::array{std::string(64, 'c')}}}}));
    w.restartEngine();
    QCOMPARE(w.agent->history({}, 10).at(0).apply.number, std::uint64_t{1});
    const auto stood = w.agent->appliedBy(7);
    QVERIFY2(stood == Agent::ApplyStood::NeverBegan, stood ? "told as done" : stood.error().text().c_str());
}

void TestAgentApproved::killedBeforeItHadItsNumber() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    const auto review = looked(w);
    const auto kept = w.folder / "kept";
    std::atomic<bool> taken = false;
    w.clerks.on("changes.settle", [&](const json::object&) {
        if (!taken.exchange(true)) {
            fs::copy(stores(w), kept, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        }
        return json::object{{"kept", json::array{}}};
    });
    auto warrant = allowedBy(7);
    warrant.by = kByRule;
    QVERIFY(w.agent->apply(review.id, {}, quiet, Agent::IfBoth::Conflict, warrant));
    comeBackFrom(w, kept);
    QVERIFY(w.agent->appliedBy(7) == Agent::ApplyStood::Finished);
    const auto past = w.agent->history({}, 10);
    QCOMPARE(past.size(), std::size_t{1});
    QCOMPARE(past.at(0).apply.facts.by, std::string(kByRule)); // not the owner, who was not asked
}

void TestAgentApproved::nothingMadeIsNotDone() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    const auto review = looked(w);
    std::ofstream(w.share() / "a") << "by the user\n";
    const auto report = w.agent->apply(review.id, {}, quiet, Agent::IfBoth::Conflict, allowedBy(7));
    QVERIFY(report && report->made() == 0 && report->items.size() == 1);
    QVERIFY(w.agent->appliedBy(7) == Agent::ApplyStood::Partly);
}

// A review that somebody is asked about, listed by a watcher after a restart: the next list does not push it out.
void TestAgentApproved::aWatcherPushesOutNothing() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    const auto asked = looked(w);
    w.agent->keepReview(asked.id);
    w.restartEngine();
    w.agent->keepReview(asked.id);
    QCOMPARE(looked(w, Agent::Look::Watch).id, asked.id);
    guest.write("b", "two\n");
    const auto second = looked(w, Agent::Look::Watch);
    QVERIFY(second.id != asked.id && w.agent->openReview(asked.id));
    // One that is kept only after it was listed stays, too; the watcher's others go on making room.
    w.agent->keepReview(second.id);
    guest.write("b", "three\n");
    const auto third = looked(w, Agent::Look::Watch);
    guest.write("b", "four\n");
    (void)looked(w, Agent::Look::Watch);
    QVERIFY(w.agent->openReview(asked.id) && w.agent->openReview(second.id) && !w.agent->openReview(third.id));
}

// A guest that lets a review wait keeps nobody else's time.
void TestAgentApproved::keepingWaitsForNobody() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::promise<void> goOn;
    std::promise<void> listing;
    std::atomic<bool> first = true;
    guest.beforeList([&] {
        if (first.exchange(false)) {
            listing.set_value();
            goOn.get_future().wait();
        }
    });
    guest.write("a", "one\n");
    auto frozen = std::async(std::launch::async, [&] { return w.agent->freeze(quiet, {}); });
    listing.get_future().wait();
    auto kept = std::async(std::launch::async, [&] {
        w.agent->keepReview("one");
        w.agent->letGoOfReview("one");
    });
    const bool waited = kept.wait_for(60s) != std::future_status::ready;
    goOn.set_value();
    kept.wait();
    QVERIFY(frozen.get());
    QVERIFY2(!waited, "it waits for what the guest does");
}

// Who is asked about a review need not be asked any more: the owner has applied or discarded it.
void TestAgentApproved::theOwnersOwnWordIsTold() {
    AgentWorld w(true);
    std::vector<std::string> told;
    w.services.ownerDecided = [&](const std::string& agent, const std::string& review) {
        QCOMPARE(agent, w.agent->id());
        told.push_back(review);
        QVERIFY(w.agent->history({}, 1).size() < 2); // takes the agent's turn
    };
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("a", "one\n");
    guest.write("b", "one\n");
    const auto review = looked(w);
    const auto verb = [&](auto call) { return within(60s, "a verb", call); };
    QVERIFY(verb([&] { return w.agent->apply(review.id, {{"papers/a"}}, quiet); }));
    QVERIFY(told.empty()); // the rest still waits
    QVERIFY(verb([&] { return w.agent->apply(review.id, {}, quiet, Agent::IfBoth::Conflict, allowedBy(7)); }));
    auto byRule = Warrant{};
    byRule.by = kByRule;
    QVERIFY(verb([&] { return w.agent->apply(review.id, {}, quiet, Agent::IfBoth::Conflict, byRule); }));
    QVERIFY(told.empty());
    QVERIFY(verb([&] { return w.agent->apply(review.id, {}, quiet); }));
    QVERIFY(verb([&] { return w.agent->discard(review.id, {}, quiet); }));
    QVERIFY(!verb([&] { return w.agent->discard("none", {}, quiet); }));
    QVERIFY((told == std::vector<std::string>{review.id, review.id}));
}

QTEST_GUILESS_MAIN(TestAgentApproved)
#include "test_agent_approved.moc"

// SPDX-License-Identifier: Apache-2.0
// A folder that the agent's machine cannot mount: its log there is damaged, its disk full. It holds up no other, and whoever
// looks is told.
#include "tests/app/agents/played_guest.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::uint32_t kFails = 2; // papers is the first share

json::object failed(const char* why) {
    return {{"shares", {{{"share", kFails}, {"why", why}}}}};
}

std::size_t notes(AgentWorld& w, const std::string& subject) {
    activity::Query query;
    query.kinds = {activity::EventKind::EngineNote};
    const auto events = w.agent->log().query(query);
    return events ? static_cast<std::size_t>(std::count_if(events->begin(), events->end(), [&](const auto& each) {
        return each.event.subject.find(subject) != std::string::npos && each.event.provenance == activity::Provenance::Guest;
    })) : 0;
}

bool troubled(AgentWorld& w, std::size_t share) {
    return w.agent->describeShares().at(share).as_object().contains("trouble");
}

} // namespace

class TestSharesFailed : public QObject {
    Q_OBJECT
private slots:
    void othersAreReviewed();
    void anotherClerkTellsAnew();
    void whatMakesNoSenseIsLeft();
};

void TestSharesFailed::othersAreReviewed() {
    AgentWorld w(true);
    fs::create_directory(w.folder / "photos");
    QVERIFY(w.agent->addShare({(w.folder / "photos").string()}));
    QVERIFY(w.start());
    PlayedGuest guest(w);
    guest.write("letter", "of the agent\n");
    // As guestd answers for a share that it does not have.
    std::atomic<bool> mounted = false;
    w.clerks.on("changes.list", [&](const json::object& params) -> StandInClerks::Answer {
        if (params.at("share") == json::value(kFails)) {
            return mounted ? StandInClerks::Answer(json::object{{"entries", json::array{}}, {"next", nullptr}, {"staged", 0}})
                           : fail(ErrorCode::NotFound, "the machine has no share of that id");
        }
        return guest.list(params);
    });
    w.clerks.tell("shares.failed", failed("its log is damaged"));
    QTRY_VERIFY_WITH_TIMEOUT(troubled(w, 1), 60'000);
    QVERIFY(!troubled(w, 0));
    QCOMPARE(notes(w, "not in the agent's machine"), std::size_t{1});

    auto review = w.agent->freeze(quiet, {});
    QVERIFY2(review, review ? "" : review.error().text().c_str());
    QCOMPARE(review->select({}).size(), std::size_t{1});
    QCOMPARE(review->notListed.size(), std::size_t{1});
    QCOMPARE(review->notListed.at(0).share, std::string("photos"));
    QCOMPARE(review->notListed.at(0).why, std::string("its log is damaged"));
    const auto watched = within(std::chrono::seconds(60), "watching", [&] { return w.agent->waitStaged("", {}); });
    QVERIFY(watched);
    // Whether something is lost with it nobody knows.
    const auto removed = w.agent->removeShare("photos", Agent::Staged::Refuse);
    QVERIFY(!removed);

    mounted = true;
    w.clerks.tell("shares.failed", {{"shares", json::array{}}});
    QTRY_VERIFY_WITH_TIMEOUT(!troubled(w, 1), 60'000);
    QCOMPARE(notes(w, "is in the agent's machine"), std::size_t{1});
    review = w.agent->freeze(quiet, {});
    QVERIFY(review && review->notListed.empty());
    // One that is mounted and cannot be listed is no such share.
    mounted = false;
    QVERIFY(!w.agent->freeze(quiet, {}));
    mounted = true;
    QVERIFY(w.stop().value_or(false));
}

void TestSharesFailed::anotherClerkTellsAnew() {
    AgentWorld w(true);
    fs::create_directory(w.folder / "photos");
    QVERIFY(w.agent->addShare({(w.folder / "photos").string()}));
    QVERIFY(w.start());
    w.clerks.tell("shares.failed", failed("the disk is full"));
    QTRY_VERIFY_WITH_TIMEOUT(troubled(w, 1), 60'000);
    fs::create_directory(w.folder / "more");
    QVERIFY(w.agent->addShare({(w.folder / "more").string()})); // which takes another clerk
    QVERIFY(!troubled(w, 1));
    w.clerks.tell("shares.failed", failed("the disk is full"));
    QTRY_VERIFY_WITH_TIMEOUT(troubled(w, 1), 60'000);
    QVERIFY(w.stop().value_or(false));
    QVERIFY(!troubled(w, 1)); // of a machine that is off nothing is known
}

void TestSharesFailed::whatMakesNoSenseIsLeft() {
    AgentWorld w(true);
    QVERIFY(w.start());
    w.clerks.tell("shares.failed", {{"shares", {1, 2}}});
    w.clerks.tell("shares.failed", {{"shares", {{{"share", 1}, {"why", std::string(1000, 'x')}}}}});
    w.clerks.tell("shares.failed", {{"shares", {{{"share", 77}, {"why", "of none"}}}}});
    w.clerks.tell("notice", {{"text", "the last word"}});
    QTRY_COMPARE_WITH_TIMEOUT(([&] {
        activity::Query query;
        query.kinds = {activity::EventKind::EngineNote};
        const auto events = w.agent->log().query(query);
        return events && !events->empty() && events->back().event.subject == "the last word";
    }()), true, 60'000);
    QVERIFY(!troubled(w, 0));
    QCOMPARE(notes(w, "not in the agent's machine"), std::size_t{0});
    QVERIFY(w.stop().value_or(false));
}

QTEST_GUILESS_MAIN(TestSharesFailed)
#include "test_shares_failed.moc"

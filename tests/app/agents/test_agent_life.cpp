// SPDX-License-Identifier: Apache-2.0
// An agent's life where its machine or its guest does what it should not: dies, does not answer, lists
// changes without end.
#include "tests/app/agents/played_guest.h"

#include <QTest>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sys/resource.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

json::object created(const std::string& name) {
    ChangeEntry entry;
    entry.path = SharePath::parse(name).value();
    entry.type = EntryType::Directory;
    entry.mode = 0755;
    entry.generation = 1;
    return toJson(entry);
}

json::object page(json::array entries, json::value next) {
    return {{"entries", std::move(entries)}, {"next", std::move(next)}, {"staged", 1}};
}

// No file can grow any more.
class FullDisk {
public:
    FullDisk() {
        (void)std::signal(SIGXFSZ, SIG_IGN);
        (void)::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit none{0, m_before.rlim_max};
        (void)::setrlimit(RLIMIT_FSIZE, &none);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() { (void)::setrlimit(RLIMIT_FSIZE, &m_before); }

private:
    rlimit m_before{};
};

std::vector<activity::Recorded> eventsOf(AgentWorld& w, activity::EventKind kind) {
    activity::Query query;
    query.kinds = {kind};
    auto found = w.agent->log().query(query);
    return found ? std::move(*found) : std::vector<activity::Recorded>();
}

} // namespace

class TestAgentLife : public QObject {
    Q_OBJECT
private slots:
    void startsAgainAfterItsMachineDied();
    void startsAgainAfterItsMachineDiedUnderAVerb();
    void slowGuestIsLeftAloneAndComesBack();
    void livelyGuestHoldsUpNoEngine();
    void whatWasShownIsOverWithItsEngine();
    void whatTheGuestSaysOfItselfIsItsWord();
    void slowGuestIsReachedByStart();
    void slowGuestIsStopped();
    void slowGuestIsNotDeletedWithItsWork();
    void folderIsTakenFromASlowGuest();
    void reviewIsAppliedBesideASlowGuest();
    void machineThatEndedIsNotTakenOver();
    void listInCirclesIsRefused_data();
    void listInCirclesIsRefused();
    void listWithoutEndIsCutOff();
    void reportOfHiddenNamesIsRefused();
    void followerOutlivesTheAgent();
    void whatOnlyTakesAwayNeedsNoRoom();
    void revokingWaitsForNoGuest();
    void noMoreIsReadThanCanBeWrittenDown();
    void anEmptyReviewLeavesNoContentBehind();
};

// The one who looked after the dead machine is still there when the next start comes, and wants the lock to
// go.
void TestAgentLife::startsAgainAfterItsMachineDied() {
    AgentWorld w;
    for (int round = 0; round < 3; ++round) {
        const auto started = w.start();
        QVERIFY2(started && *started, started ? "" : started.error().text().c_str());
        QVERIFY(w.world->end(w.machineId(), hypervisor::ExitReason::Crashed));
        w.clerks.tell("channel.closed", {{"name", "control"}});
        QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Failed, 60'000);
    }
    QVERIFY(w.start());
    QVERIFY(w.stop().value_or(false));
    QVERIFY(w.agent->state() == AgentState::Stopped);
}

// The same while a verb waits for an answer that never comes.
void TestAgentLife::startsAgainAfterItsMachineDiedUnderAVerb() {
    AgentWorld w(true);
    QVERIFY(w.start());
    std::atomic<bool> asked = false;
    w.clerks.on("changes.list", [&](const json::object&) -> StandInClerks::Answer {
        asked = true;
        return std::nullopt;
    });
    auto frozen = std::async(std::launch::async, [&] { return w.agent->freeze(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(asked, 60'000);
    // The verb is called off, not waited for; the power is cut.
    w.clerks.on("power.off", [](const json::object&) -> StandInClerks::Answer {
        return fail(ErrorCode::Unavailable, "it does not answer");
    });
    w.services.patience.stopping = 1s;
    QVERIFY(w.stop().value_or(false));
    QVERIFY(frozen.wait_for(60s) == std::future_status::ready);
    const auto result = frozen.get();
    QVERIFY(!result && result.error().code == ErrorCode::Cancelled);
    w.clerks.on("changes.list", [](const json::object&) { return page({}, nullptr); });
    QVERIFY(w.start());
}

// The engine restarts, and the guest does not answer in time. What runs there is the user's: nothing is
// ended.
void TestAgentLife::slowGuestIsLeftAloneAndComesBack() {
    AgentWorld w;
    QVERIFY(w.start());
    std::atomic<bool> slow = true;
    w.clerks.on("hello", [&](const json::object&) -> StandInClerks::Answer {
        if (slow) {
            return std::nullopt;
        }
        return json::object{};
    });
    w.services.patience.takeOver = 1s;
    w.restartEngine(); // ends, though nobody answers
    QVERIFY(w.agent->state() == AgentState::Failed);
    QVERIFY2(w.reason().find("goes on") != std::string::npos, w.reason().c_str());
    QVERIFY(w.world->specOf(w.machineId())); // it lives
    UniqueFd socket;
    QVERIFY(!w.agent->exec({{"argv", json::array{"true"}}}, socket));
    // Later, by itself. The clerk that was asked first keeps its silence, as a guest does that lost the
    // question.
    slow = false;
    w.clerks.dropAll();
    QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Ready, 60'000);
    QVERIFY(w.reason().empty());
    QVERIFY(w.world->specOf(w.machineId()));
    QVERIFY(w.stop().value_or(false));
}

// One that shows signs of life for ever, and never answers: a start would wait for it, taking over does not.
void TestAgentLife::livelyGuestHoldsUpNoEngine() {
    AgentWorld w;
    QVERIFY(w.start());
    w.clerks.on("hello", [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    w.services.patience.takeOver = 1s;
    const std::jthread lively([&](std::stop_token stop) {
        while (!stop.stop_requested()) {
            w.clerks.tell("console.activity", {});
            std::this_thread::sleep_for(100ms);
        }
    });
    w.restartEngine(); // or it hangs
    QVERIFY(w.agent->state() == AgentState::Failed);
    QVERIFY(w.world->specOf(w.machineId()));
}

// I9: why its greeting fails only the machine can say, so it is not told as what the host saw.
void TestAgentLife::whatTheGuestSaysOfItselfIsItsWord() {
    AgentWorld w;
    QVERIFY(w.start());
    activity::Query query;
    query.kinds = {activity::EventKind::EngineNote};
    const auto said = [&](activity::Provenance by) {
        const auto events = w.agent->log().query(query);
        return events ? std::count_if(events->begin(), events->end(), [&](const auto& each) {
            const auto all = each.event.subject + json::serialize(each.event.detail);
            return each.event.provenance == by && all.find("the keys were stolen") != std::string::npos;
        }) : 0;
    };
    w.clerks.tell("broken", {{"why", "the keys were stolen"}});
    QTRY_VERIFY_WITH_TIMEOUT(said(activity::Provenance::Guest) == 1, 60'000);
    QCOMPARE(said(activity::Provenance::Host), 0);
    QVERIFY(w.stop().value_or(false));
}

void TestAgentLife::slowGuestIsReachedByStart() {
    AgentWorld w;
    QVERIFY(w.start());
    w.clerks.on("hello", [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    w.services.patience.takeOver = 1s;
    w.restartEngine();
    const auto again = w.start();
    QVERIFY(!again && again.error().code == ErrorCode::Expired);
    QVERIFY2(again.error().hint.find("carrel stop ann") != std::string::npos, again.error().hint.c_str());
    QVERIFY(w.agent->state() == AgentState::Failed);
    QVERIFY(w.world->specOf(w.machineId()));
    w.clerks.on("hello", [](const json::object&) { return json::object{}; });
    const auto reached = w.start();
    QVERIFY2(reached && *reached, reached ? "" : reached.error().text().c_str());
    // Known although this engine did not start it.
    QCOMPARE(w.agent->describe().at("accelerator").as_string(), json::string("hardware"));
    QVERIFY(w.agent->state() == AgentState::Ready);
    QVERIFY(!w.start().value_or(true)); // it runs
}

void TestAgentLife::slowGuestIsStopped() {
    AgentWorld w;
    QVERIFY(w.start());
    w.clerks.on("hello", [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    w.clerks.on("power.off", [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    w.services.patience.stopping = 1s;
    w.services.patience.takeOver = 1s;
    w.restartEngine();
    QVERIFY(w.stop().value_or(false));
    QVERIFY(w.agent->state() == AgentState::Stopped);
    QVERIFY(!w.world->specOf(w.machineId()));
    w.clerks.on("hello", [](const json::object&) { return json::object{}; });
    QVERIFY(w.start().value_or(false)); // a new life
}

void TestAgentLife::slowGuestIsNotDeletedWithItsWork() {
    AgentWorld w(true);
    QVERIFY(w.start());
    w.clerks.on("hello", [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    w.services.patience.takeOver = 1s;
    w.restartEngine();
    const auto removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, quiet); });
    QVERIFY(!removed && removed.error().code == ErrorCode::Refused);
    QVERIFY(w.world->specOf(w.machineId()));
}

// The share ends now, whatever the guest does: the next clerk has only what is shared then.
void TestAgentLife::folderIsTakenFromASlowGuest() {
    AgentWorld w(true);
    QVERIFY(w.start());
    w.clerks.on("hello", [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    w.services.patience.takeOver = 1s;
    w.restartEngine();
    std::atomic<std::size_t> shares = 99;
    w.clerks.on("prepare", [&](const json::object& params) {
        shares = params.at("shares").as_array().size();
        return json::object{{"landlock_abi", 1}, {"seccomp", true}};
    });
    const auto removed =
        within(60s, "share remove", [&] { return w.agent->removeShare("papers", Agent::Staged::Discard); });
    QVERIFY2(removed, removed ? "" : removed.error().text().c_str());
    QCOMPARE(shares.load(), std::size_t{0});
    QCOMPARE(w.clerks.count("share.revoke"), 1U);
}

// What was frozen is on the host; the guest is told when it is there again.
void TestAgentLife::reviewIsAppliedBesideASlowGuest() {
    AgentWorld w(true);
    QVERIFY(w.start());
    w.clerks.on("changes.list", [](const json::object&) { return page({created("made")}, nullptr); });
    const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY2(frozen && !frozen->id.empty(), frozen ? "" : frozen.error().text().c_str());
    for (const char* method : {"hello", "changes.list", "changes.settle"}) {
        w.clerks.on(method, [](const json::object&) -> StandInClerks::Answer { return std::nullopt; });
    }
    w.services.patience.takeOver = 1s;
    w.restartEngine();
    const auto applied = within(60s, "apply", [&] { return w.agent->apply(frozen->id, {}, quiet); });
    QVERIFY2(applied && applied->items.size() == 1, applied ? "" : applied.error().text().c_str());
    QCOMPARE(applied->items.at(0).outcome, std::string("done"));
    QVERIFY(std::filesystem::is_directory(w.share() / "made"));
    const auto undone = within(60s, "undo", [&] { return w.agent->undo({}, quiet); });
    QVERIFY(undone && undone->items.at(0).outcome == "done");
}

void TestAgentLife::machineThatEndedIsNotTakenOver() {
    AgentWorld w;
    QVERIFY(w.start());
    w.clerks.on("hello", [&](const json::object&) -> StandInClerks::Answer {
        (void)w.world->end(w.machineId(), hypervisor::ExitReason::Crashed).has_value();
        return std::nullopt;
    });
    w.restartEngine();
    QVERIFY(w.agent->state() == AgentState::Failed);
    QVERIFY2(w.reason().find("ended") != std::string::npos, w.reason().c_str());
    w.clerks.on("hello", [](const json::object&) { return json::object{}; });
    QVERIFY(w.start().value_or(false));
}

void TestAgentLife::listInCirclesIsRefused_data() {
    QTest::addColumn<int>("way");
    QTest::newRow("back to the beginning") << 0;
    QTest::newRow("the same page again") << 1;
    QTest::newRow("names that grow, and nothing else") << 2;
}

void TestAgentLife::listInCirclesIsRefused() {
    QFETCH(int, way);
    AgentWorld w(true);
    QVERIFY(w.start());
    w.clerks.on("changes.list", [way](const json::object& params) {
        const auto* after = params.if_contains("after");
        const std::string from = after == nullptr ? "" : std::string(after->as_string());
        switch (way) {
        case 0:
            return page({created("b")}, from.empty() ? "b" : "");
        case 1:
            return page({created("b")}, "b");
        default:
            return page({}, json::string(from + "a"));
        }
    });
    const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY(!frozen);
    QVERIFY2(frozen.error().code == ErrorCode::Malformed, frozen.error().text().c_str());
    QVERIFY(w.agent->state() == AgentState::Ready); // and it is none the worse
}

// Every page comes in time and brings something new.
void TestAgentLife::listWithoutEndIsCutOff() {
    AgentWorld w(true);
    QVERIFY(w.start());
    std::atomic<std::uint64_t> number = 0;
    w.clerks.on("changes.list", [&](const json::object&) {
        std::this_thread::sleep_for(300ms); // of the second that one answer may take
        const std::string name = "n" + std::to_string(1'000'000 + number++);
        return page({created(name)}, json::string(name));
    });
    w.services.patience.stopping = 1s;
    QVERIFY(w.stop().value_or(false)); // or it hangs
    QVERIFY(number > 1);
    // Nobody has counted what waits for review, so it is not thrown away unasked.
    const auto removed = w.agent->remove(Agent::Staged::Refuse, quiet);
    QVERIFY(!removed && removed.error().code == ErrorCode::Refused);
}

// The engine's own list of names, from the report to the folder.
void TestAgentLife::reportOfHiddenNamesIsRefused() {
    AgentWorld w(true);
    std::filesystem::create_directory(w.share() / ".ssh");
    std::ofstream(w.share() / ".ssh" / "id_rsa") << "key";
    std::ofstream(w.share() / ".env") << "token";
    QVERIFY(w.start());
    ChangeEntry file;
    file.path = SharePath::parse("shown").value();
    file.from = SharePath::parse(".env").value();
    file.kind = ChangeKind::Renamed;
    file.mode = 0644;
    ChangeEntry folder = file;
    folder.path = SharePath::parse("shown-too").value();
    folder.from = SharePath::parse(".ssh").value();
    folder.type = EntryType::Directory;
    folder.mode = 0755;
    w.clerks.on("changes.list", [&](const json::object&) {
        return page({toJson(file), toJson(folder)}, nullptr);
    });
    const auto frozen = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY2(frozen, frozen ? "" : frozen.error().text().c_str());
    QCOMPARE(frozen->sets.size(), std::size_t{1});
    QCOMPARE(frozen->sets.at(0).entries.size(), std::size_t{2});
    for (const auto& entry : frozen->sets.at(0).entries) {
        QVERIFY(entry.conflict == files::ConflictKind::Refused);
    }
    const auto applied = within(60s, "apply", [&] { return w.agent->apply(frozen->id, {}, quiet); });
    QVERIFY2(applied, applied ? "" : applied.error().text().c_str());
    QCOMPARE(applied->items.size(), std::size_t{2});
    for (const auto& item : applied->items) {
        QVERIFY2(item.outcome == "conflict" || item.outcome == "refused", item.outcome.c_str());
    }
    QVERIFY(std::filesystem::exists(w.share() / ".ssh" / "id_rsa") &&
            std::filesystem::exists(w.share() / ".env"));
    QVERIFY(!std::filesystem::exists(w.share() / "shown") &&
            !std::filesystem::exists(w.share() / "shown-too"));
}

// timeline --follow holds the log while the agent is deleted, and reads on after it.
void TestAgentLife::followerOutlivesTheAgent() {
    AgentWorld w;
    QVERIFY(w.start());
    std::atomic<bool> reading = false;
    std::stop_source enough;
    auto following = std::async(std::launch::async, [&, held = w.agent] {
        activity::Query query;
        std::vector<activity::EventKind> seen;
        while (!enough.stop_requested()) {
            const auto events = held->log().query(query);
            if (!events) {
                return seen;
            }
            for (const auto& each : *events) {
                seen.push_back(each.event.kind);
                query.afterSeq = each.seq;
            }
            reading = true;
            (void)held->log().waitNewer(query.afterSeq, enough.get_token());
        }
        return seen;
    });
    QTRY_VERIFY_WITH_TIMEOUT(reading, 60'000);
    const auto removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, quiet); });
    QVERIFY2(removed, removed ? "" : removed.error().text().c_str());
    QVERIFY(!std::filesystem::exists(w.services.agentsFolder / w.agent->id()));
    // A look after it, too; its file is gone, its content is there for whoever holds it.
    QVERIFY(w.agent->log().query({}));
    enough.request_stop();
    QVERIFY(following.wait_for(60s) == std::future_status::ready);
    const auto seen = following.get();
    QVERIFY(!seen.empty() && seen.back() == activity::EventKind::AgentDeleted);
}

// A full disk, perhaps by the agent's doing, is no reason to let it run on or to leave it what it has.
// Somebody looks at a review, and the guest does not answer: it must not keep the folder meanwhile.
void TestAgentLife::revokingWaitsForNoGuest() {
    AgentWorld w(true);
    QVERIFY(w.start());
    std::atomic<bool> asked = false;
    w.clerks.on("changes.list", [&](const json::object&) -> StandInClerks::Answer {
        asked = true;
        return std::nullopt;
    });
    std::atomic<bool> cutWhileItWaits = false;
    auto frozen = std::async(std::launch::async, [&] { return w.agent->freeze(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(asked, 60'000);
    w.clerks.on("share.revoke", [&](const json::object&) {
        cutWhileItWaits = frozen.wait_for(0s) != std::future_status::ready;
        return json::object{};
    });
    const auto revoked = within(60s, "share revoke", [&] { return w.agent->revokeShare("papers"); });
    QVERIFY2(revoked, revoked ? "" : revoked.error().text().c_str());
    QVERIFY(cutWhileItWaits);
    QVERIFY(frozen.wait_for(60s) == std::future_status::ready);
    QVERIFY(!frozen.get());
    // Whoever asked before it was revoked does not take that back.
    QVERIFY(!w.agent->setShareMode("papers", ShareMode::ReadOnly));
    const auto stored = agents::load(w.services.agentsFolder / w.agent->id() / "agent.json");
    QVERIFY(stored && stored->shares.at(0).revoked);
    w.clerks.on("changes.list", [](const json::object&) { return page({}, nullptr); });
}

void TestAgentLife::whatOnlyTakesAwayNeedsNoRoom() {
    AgentWorld w(true);
    std::mutex mutex;
    std::string complaints;
    w.services.complain = [&](std::string_view line) {
        const std::lock_guard lock(mutex);
        complaints += std::string(line) + "\n";
    };
    std::atomic<int> revoked = 0;
    w.clerks.on("share.revoke", [&](const json::object&) {
        ++revoked;
        return json::object{};
    });
    QVERIFY(w.start());
    {
        const FullDisk full;
        const auto told = w.agent->revokeShare("papers");
        QVERIFY2(!told && told.error().text().find("is cut off") != std::string::npos, told ? "" : told.error().text().c_str());
        QCOMPARE(revoked.load(), 1);
        const auto stopped = w.stop();
        QVERIFY2(stopped && *stopped, stopped ? "" : stopped.error().text().c_str());
        QVERIFY(w.agent->state() == AgentState::Stopped);
        const std::lock_guard lock(mutex);
        QVERIFY2(complaints.find("activity log could not be written") != std::string::npos, complaints.c_str());
    }
    const auto again = w.agent->revokeShare("papers"); // and now it is written
    QVERIFY2(again, again ? "" : again.error().text().c_str());
    QVERIFY(!w.agent->revokeShare("papers"));
    QCOMPARE(eventsOf(w, activity::EventKind::ShareChanged).size(), std::size_t{1});
    const auto states = eventsOf(w, activity::EventKind::VmState);
    QVERIFY(std::any_of(states.begin(), states.end(), [](const activity::Recorded& each) {
        return each.event.subject == "stopping" && each.event.detail.contains("happened");
    }));
    w.restartEngine();
    QVERIFY(!w.agent->revokeShare("papers")); // it is still so
}

// It was killed, and wrote nothing of its end. The next one says so, once.
void TestAgentLife::whatWasShownIsOverWithItsEngine() {
    AgentWorld w;
    activity::Event opened;
    opened.kind = activity::EventKind::ForwardOpened;
    opened.subject = "8000";
    opened.detail = {{"number", 1}, {"host", "a.localhost"}, {"at", 40'000}, {"by", "owner"}};
    QVERIFY(w.agent->log().append(opened));
    for (int i = 0; i < 2; ++i) {
        w.restartEngine();
        const auto closed = eventsOf(w, activity::EventKind::ForwardClosed);
        QCOMPARE(closed.size(), std::size_t{1});
        QCOMPARE(closed[0].event.subject, std::string("8000"));
        QCOMPARE(closed[0].event.detail.at("why"), json::value("The engine ended"));
    }
}

// The log of what is read must not fill the disk, and nothing is read that is not in it: so beyond a bound nothing is handed
// out, and one event says how much.
void TestAgentLife::noMoreIsReadThanCanBeWrittenDown() {
    AgentWorld w(true);
    std::mutex mutex;
    std::map<std::int64_t, bool> answers;
    w.clerks.on("reads.recorded", [&](const json::object& params) {
        const std::lock_guard lock(mutex);
        answers[params.at("batch").to_number<std::int64_t>()] = params.at("recorded").as_bool();
        return json::object{};
    });
    w.services.mostReads = 3;
    QVERIFY(w.start());
    w.restartEngine();
    const auto read = [&](std::int64_t batch, int count) {
        json::array files;
        for (int i = 0; i < count; ++i) {
            files.push_back({{"share", 1}, {"path", "f" + std::to_string(i)}, {"size", 1}, {"mtime_ns", 1}});
        }
        w.clerks.tell("file.read", {{"batch", batch}, {"files", std::move(files)}});
    };
    // In one go: what comes back with time comes back by the second.
    read(1, 2);
    read(2, 200);
    read(3, 1);
    read(4, 300);
    QTRY_VERIFY_WITH_TIMEOUT(([&] {
        const std::lock_guard lock(mutex);
        return answers.size() == 4;
    }()), 30'000);
    QVERIFY(answers[1] && !answers[2] && answers[3] && !answers[4]);
    QCOMPARE(eventsOf(w, activity::EventKind::FileRead).size(), std::size_t{3});
    const auto notes = eventsOf(w, activity::EventKind::EngineNote);
    QCOMPARE(std::count_if(notes.begin(), notes.end(),
                           [](const activity::Recorded& each) { return each.event.detail.contains("refused"); }),
             std::ptrdiff_t{1});
    QVERIFY(w.stop());
    const ReadBudget::Clock::time_point at{};
    ReadBudget budget(5);
    QVERIFY(budget.take(5, at) && !budget.take(1, at) && !budget.take(2, at));
    QCOMPARE(budget.refusedToTell(at).value_or(0), std::uint64_t{3});
    QVERIFY(!budget.take(1, at) && !budget.refusedToTell(at + 59s));
    QVERIFY(budget.take(5, at + 1s) && !budget.take(1, at + 1s));
    QCOMPARE(budget.refusedToTell(at + 60s).value_or(0), std::uint64_t{2});
}

// What the folder has already was fetched to find that out.
void TestAgentLife::anEmptyReviewLeavesNoContentBehind() {
    AgentWorld w(true);
    QVERIFY(w.start());
    PlayedGuest guest(w);
    std::ofstream(w.share() / "f") << "the same\n";
    std::filesystem::permissions(w.share() / "f", std::filesystem::perms(0644));
    guest.write("f", "the same\n");
    const auto opened = w.agent->freeze(quiet, {});
    QVERIFY2(opened && opened->id.empty(), opened ? "" : opened.error().text().c_str());
    QVERIFY(w.clerks.count("content.copy") > 0);
    const std::filesystem::directory_iterator content(w.services.agentsFolder / w.agent->id() / "review/content");
    for (const auto& item : content) {
        QVERIFY2(!files::Sha256::parse(item.path().filename().string()), item.path().c_str());
    }
    QVERIFY(w.stop());
}

QTEST_GUILESS_MAIN(TestAgentLife)
#include "test_agent_life.moc"

// SPDX-License-Identifier: Apache-2.0
// Verbs that meet: one has its turn while another waits for it, and the guest chooses how long that takes.
#include "tests/app/agents/played_guest.h"

#include <QTest>

#include <algorithm>
#include <atomic>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

bool asleep(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    const auto name = line.rfind(')');
    return name != std::string::npos && name + 2 < line.size() && line[name + 2] == 'S';
}

template <class Condition> bool comesTrue(std::chrono::seconds patience, Condition condition) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= until) {
            return false;
        }
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

// A call that has to wait, and does so by now.
template <class Call> auto queued(Call call) {
    auto thread = std::make_shared<std::atomic<pid_t>>(0);
    auto done = std::async(std::launch::async, [thread, call = std::move(call)] {
        *thread = ::gettid();
        return call();
    });
    (void)comesTrue(60s, [&] {
        return done.wait_for(0s) == std::future_status::ready || (*thread != 0 && asleep(*thread));
    });
    return done;
}

template <class Future> auto answerOf(Future& future, const char* what) {
    if (future.wait_for(60s) != std::future_status::ready) {
        qFatal("%s hangs", what);
    }
    return future.get();
}

json::object confined() {
    return {{"landlock_abi", 1}, {"seccomp", true}};
}

StandInClerks::Answer never(const json::object&) {
    return std::nullopt;
}

// The one for the terminals comes before the first that serves folders.
constexpr unsigned kFirstClerk = 2, kNextClerk = 3, kLastClerk = 4;

std::string by(const std::string& method, unsigned clerk) {
    return method + " " + std::to_string(clerk);
}

// Of the one that serves folders.
std::optional<pid_t> pidOfClerk(AgentWorld& w) {
    activity::Query query;
    query.kinds = {activity::EventKind::ClerkState};
    const auto events = w.agent->log().query(query);
    if (!events || events->empty()) {
        return std::nullopt;
    }
    return static_cast<pid_t>(events->back().event.detail.at("pid").to_number<std::int64_t>());
}

// The next start stays where it looks at the image, until it is let go.
class HeldStart {
public:
    explicit HeldStart(AgentWorld& w) {
        w.services.bootFiles = [this, boot = w.services.bootFiles](const std::string& image, const auto& line) {
            m_there = true;
            (void)comesTrue(60s, [this] { return m_go.load(); });
            return boot(image, line);
        };
        m_started = std::async(std::launch::async, [&w] { return w.agent->start(quiet, {}); });
        (void)comesTrue(60s, [this] { return m_there.load(); });
    }
    Result<bool> letGo() {
        m_go = true;
        return answerOf(m_started, "start");
    }

private:
    std::atomic<bool> m_there = false, m_go = false;
    std::future<Result<bool>> m_started;
};

} // namespace

class TestAgentTurns : public QObject {
    Q_OBJECT
private slots:
    void stopEndsTheWaitForAGreeting();
    void stopIsNotHeldUpByWhoRevokes();
    void stopReachesAStartWithoutAMachine();
    void revokingNeedsNoGreeting();
    void removingNeedsNoGreeting();
    void noCommandKeepsWhoCouldOpenIt_data();
    void noCommandKeepsWhoCouldOpenIt();
    void commandsGoOnWithAnotherClerk();
    void revokedBetweenTwoClerks();
    void revokedBeforeTheFirstClerk();
    void revokedWhileItBoots();
    void calledOffIsDoneAllTheSame_data();
    void calledOffIsDoneAllTheSame();
    void whatIsDoneIsNotToldToHaveFailed();
    void whatWasStagedMeanwhileIsCounted_data();
    void whatWasStagedMeanwhileIsCounted();
    void whatIsStagedAfterTheCountIsKept_data();
    void whatIsStagedAfterTheCountIsKept();
    void whatIsStagedOnTheWayOutIsCounted_data();
    void whatIsStagedOnTheWayOutIsCounted();
    void whatNobodyCountedIsAskedFor();
    void whatRunsIsNotDeleted();
};

// A guest begins anew in the middle of a list, and does not say hello again.
void TestAgentTurns::stopEndsTheWaitForAGreeting() {
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    QVERIFY(w.start());
    std::atomic<bool> silent = false;
    std::atomic<bool> asked = false;
    w.clerks.on("changes.list", [&](const json::object&) -> StandInClerks::Answer {
        silent = true;
        return fail(ErrorCode::Unavailable, "the connection to the agent's machine began anew");
    });
    w.clerks.on("hello", [&](const json::object&) -> StandInClerks::Answer {
        if (!silent) {
            return json::object{};
        }
        asked = true;
        return std::nullopt;
    });
    auto frozen = std::async(std::launch::async, [&] { return w.agent->freeze(quiet, {}); });
    QTRY_VERIFY_WITH_TIMEOUT(asked, 60'000);
    QVERIFY(w.stop().value_or(false)); // or it hangs
    const auto result = answerOf(frozen, "changes");
    QVERIFY2(!result && result.error().code == ErrorCode::Cancelled, result ? "" : result.error().text().c_str());
    QVERIFY2(result.error().text().find("gave way") != std::string::npos, result.error().text().c_str());
}

// Both want whoever waits for the guest to let go. The one that gets its turn first does not take that back for the other.
void TestAgentTurns::stopIsNotHeldUpByWhoRevokes() {
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    fs::create_directory(w.folder / "more");
    QVERIFY(w.start());
    std::atomic<bool> held = false;
    std::atomic<bool> go = false;
    w.clerks.onEach("prepare", [&](unsigned clerk, const json::object&) -> StandInClerks::Answer {
        if (clerk == kNextClerk) {
            held = true;
            (void)comesTrue(60s, [&] { return go.load(); });
        }
        return confined();
    });
    w.clerks.on("changes.list", never);
    auto added = std::async(std::launch::async, [&] { return w.agent->addShare({(w.folder / "more").string()}); });
    QTRY_VERIFY_WITH_TIMEOUT(held, 60'000);
    auto revoked = queued([&] { return w.agent->revokeShare("papers"); });
    auto frozen = queued([&] { return w.agent->freeze(quiet, {}); });
    auto stopped = queued([&] { return w.agent->stop(quiet); });
    go = true;
    QVERIFY(answerOf(stopped, "stop").value_or(false));
    QVERIFY(!answerOf(frozen, "changes"));
    QVERIFY(answerOf(revoked, "share revoke"));
    (void)answerOf(added, "share add").has_value();
    QVERIFY(w.agent->state() == AgentState::Stopped);
}

void TestAgentTurns::stopReachesAStartWithoutAMachine() {
    AgentWorld w;
    w.clerks.on("hello", never);
    HeldStart start(w);
    auto stopped = queued([&] { return w.agent->stop(quiet); });
    const auto started = start.letGo();
    QVERIFY2(!started && started.error().code == ErrorCode::Cancelled, started ? "" : started.error().text().c_str());
    QVERIFY(answerOf(stopped, "stop"));
    QVERIFY(!w.world->specOf(w.machineId()));
}

// It is done when the clerk that could open the folder is gone.
void TestAgentTurns::revokingNeedsNoGreeting() {
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    QVERIFY(w.start());
    w.clerks.on("hello", never);
    std::atomic<bool> readOnly = false;
    w.clerks.on("prepare", [&](const json::object& params) {
        readOnly = params.at("shares").as_array().at(0).at("mode") == "read-only";
        return confined();
    });
    const auto revoked = within(60s, "share revoke", [&] { return w.agent->revokeShare("papers"); });
    QVERIFY2(revoked, revoked ? "" : revoked.error().text().c_str());
    QVERIFY(readOnly);
    QVERIFY(w.stop().value_or(false));
}

void TestAgentTurns::removingNeedsNoGreeting() {
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    QVERIFY(w.start());
    w.clerks.on("hello", never);
    const auto removed = within(60s, "share remove", [&] { return w.agent->removeShare("papers", Agent::Staged::Discard); });
    QVERIFY2(removed, removed ? "" : removed.error().text().c_str());
    QVERIFY(w.agent->describeShares().empty());
}

void TestAgentTurns::noCommandKeepsWhoCouldOpenIt_data() {
    QTest::addColumn<bool>("remove");
    QTest::newRow("revoked") << false;
    QTest::newRow("removed") << true;
}

// A clerk that answers well may be in a guest's hand all the same, and its jail lets it open the folder as long as it lives. A
// command that runs is no reason to let it live; nor does the command have to end.
void TestAgentTurns::noCommandKeepsWhoCouldOpenIt() {
    QFETCH(bool, remove);
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    QVERIFY(w.start());
    UniqueFd caller;
    const auto session = within(60s, "exec", [&] { return w.agent->exec({{"argv", {"sleep", "1000"}}}, caller); });
    QVERIFY2(session, session ? "" : session.error().text().c_str());
    const auto first = pidOfClerk(w);
    QVERIFY(first && ::kill(*first, 0) == 0);
    const auto done = within(60s, "the verb", [&]() -> Status {
        if (remove) {
            return w.agent->removeShare("papers", Agent::Staged::Refuse);
        }
        auto revoked = w.agent->revokeShare("papers");
        return revoked ? Status{} : fail(revoked.error());
    });
    QVERIFY2(done, done ? "" : done.error().text().c_str());
    QVERIFY2(::kill(*first, 0) != 0, "who could open the folder still runs");
    pollfd ended{caller.get(), POLLIN, 0};
    QVERIFY2(::poll(&ended, 1, 0) == 0, "the command was ended");
    QVERIFY(w.stop().value_or(false));
}

// Each of the two may break, and the other is none the worse for it.
void TestAgentTurns::commandsGoOnWithAnotherClerk() {
    AgentWorld w(true);
    QVERIFY(w.start());
    std::atomic<unsigned> runsIt = 0;
    w.clerks.onEach("exec", [&](unsigned clerk, const json::object&) {
        runsIt = clerk;
        return json::object{};
    });
    UniqueFd caller;
    const auto exec = [&] {
        return within(60s, "exec", [&] { return w.agent->exec({{"argv", {"true"}}}, caller); }).has_value();
    };
    QVERIFY(exec());
    const unsigned first = runsIt;
    QVERIFY(first != kFirstClerk);
    w.clerks.drop(kFirstClerk);
    QTRY_COMPARE_WITH_TIMEOUT(w.clerks.count("attach"), 3U, 60'000); // there is another one
    QVERIFY(exec());
    QCOMPARE(runsIt.load(), first);
    w.clerks.drop(first);
    QVERIFY(comesTrue(60s, [&] { return exec() && runsIt != first; }));
    QCOMPARE(w.clerks.count("attach"), 4U);
    QVERIFY(w.stop().value_or(false));
}

// The next clerk was chosen when the folder was still shared. It serves not one byte of it.
void TestAgentTurns::revokedBetweenTwoClerks() {
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    fs::create_directory(w.folder / "more");
    QVERIFY(w.start());
    std::mutex mutex;
    std::vector<std::string> seen;
    const auto at = [&](const std::string& what) {
        const std::lock_guard lock(mutex);
        return std::find(seen.begin(), seen.end(), what) - seen.begin();
    };
    const auto came = [&](const std::string& what) {
        const auto where = at(what);
        const std::lock_guard lock(mutex);
        return where < static_cast<std::ptrdiff_t>(seen.size());
    };
    for (const std::string method : {"share.revoke", "attach"}) {
        w.clerks.onEach(method, [&, method](unsigned clerk, const json::object&) {
            const std::lock_guard lock(mutex);
            seen.push_back(by(method, clerk));
            return json::object{};
        });
    }
    std::future<Result<json::object>> revoked;
    w.clerks.onEach("prepare", [&](unsigned clerk, const json::object&) {
        if (clerk == kNextClerk) {
            auto asked = queued([&] { return w.agent->revokeShare("papers"); }); // cut by now, and waiting for its turn
            const std::lock_guard lock(mutex);
            revoked = std::move(asked);
        }
        return confined();
    });
    // Called off: the share is there, and nobody has waited for the guest to see it.
    (void)within(60s, "share add", [&] { return w.agent->addShare({(w.folder / "more").string()}); }).has_value();
    auto asked = [&] {
        const std::lock_guard lock(mutex);
        return std::move(revoked);
    }();
    const auto done = answerOf(asked, "share revoke");
    QVERIFY2(done, done ? "" : done.error().text().c_str());
    QVERIFY(came(by("attach", kNextClerk)) && came(by("attach", kLastClerk)));
    QVERIFY2(came(by("share.revoke", kNextClerk)) && at(by("share.revoke", kNextClerk)) < at(by("attach", kNextClerk)),
             "the next clerk serves it");
    QVERIFY(!came(by("share.revoke", kLastClerk))); // it has an empty folder in its place, and what is staged over it
    QCOMPARE(w.agent->describeShares().size(), std::size_t{2});
    QVERIFY(w.stop().value_or(false));
}

void TestAgentTurns::revokedBeforeTheFirstClerk() {
    AgentWorld w(true);
    std::atomic<bool> served = false;
    w.clerks.on("prepare", [&](const json::object& params) {
        for (const auto& share : params.at("shares").as_array()) {
            served = served || share.at("mode") != "read-only";
        }
        return confined();
    });
    HeldStart start(w);
    auto revoked = queued([&] { return w.agent->revokeShare("papers"); });
    const auto started = start.letGo();
    QVERIFY2(started, started ? "" : started.error().text().c_str());
    const auto done = answerOf(revoked, "share revoke");
    QVERIFY2(done, done ? "" : done.error().text().c_str());
    QVERIFY(!served);
    QVERIFY(w.stop().value_or(false));
}

// The start goes on, with a clerk that cannot open the folder: a guest that draws its start out keeps no other.
void TestAgentTurns::revokedWhileItBoots() {
    AgentWorld w(true);
    w.services.patience.stopping = 1s;
    std::atomic<bool> go = false;
    w.clerks.onEach("hello", [&](unsigned clerk, const json::object&) -> StandInClerks::Answer {
        if (clerk == kFirstClerk || !comesTrue(60s, [&] { return go.load(); })) {
            return std::nullopt;
        }
        return json::object{};
    });
    auto started = std::async(std::launch::async, [&] { return w.agent->start(quiet, {}); });
    QTRY_COMPARE_WITH_TIMEOUT(w.clerks.count("hello"), 1U, 60'000);
    const auto first = pidOfClerk(w);
    QVERIFY(first && ::kill(*first, 0) == 0);
    auto revoked = std::async(std::launch::async, [&] { return w.agent->revokeShare("papers"); });
    QVERIFY2(comesTrue(60s, [&] { return w.clerks.count("hello") == 2; }), "no other clerk took its place");
    QVERIFY(::kill(*first, 0) != 0);
    // A guest can draw out its start; what was taken from it is written down meanwhile.
    const auto kept = load(w.services.agentsFolder / w.agent->id() / "agent.json");
    QVERIFY(kept && kept->shares.at(0).revoked);
    activity::Query query;
    query.kinds = {activity::EventKind::ShareChanged};
    QCOMPARE(w.agent->log().query(query)->size(), std::size_t{1});
    go = true;
    const auto up = answerOf(started, "start");
    QVERIFY2(up, up ? "" : up.error().text().c_str());
    const auto done = answerOf(revoked, "share revoke");
    QCOMPARE(w.agent->log().query(query)->size(), std::size_t{1});
    QVERIFY2(done, done ? "" : done.error().text().c_str());
    QVERIFY(w.agent->describeShares().at(0).at("revoked").as_bool());
    QVERIFY(w.stop().value_or(false));
}

void TestAgentTurns::calledOffIsDoneAllTheSame_data() {
    QTest::addColumn<bool>("add");
    QTest::newRow("share add") << true;
    QTest::newRow("share mode") << false;
}

// What is written down is done. That nobody has waited for the guest to see it is no failure.
void TestAgentTurns::calledOffIsDoneAllTheSame() {
    QFETCH(bool, add);
    AgentWorld w(true, ShareMode::ReadOnly);
    w.services.patience.stopping = 1s;
    fs::create_directory(w.folder / "more");
    fs::create_directory(w.folder / "third");
    QVERIFY(w.start());
    QVERIFY(w.agent->addShare({(w.folder / "more").string()}));
    const auto greeted = w.clerks.count("hello");
    w.clerks.on("hello", never);
    auto verb = std::async(std::launch::async, [&] {
        return add ? w.agent->addShare({(w.folder / "third").string()}) : w.agent->setShareMode("papers", ShareMode::Review);
    });
    QTRY_VERIFY_WITH_TIMEOUT(w.clerks.count("hello") > greeted, 60'000);
    auto revoked = std::async(std::launch::async, [&] { return w.agent->revokeShare("more"); });
    const auto done = answerOf(verb, "the verb");
    QVERIFY2(done, done ? "" : done.error().text().c_str());
    QCOMPARE(done->at("name"), json::value(add ? "third" : "papers"));
    QVERIFY(answerOf(revoked, "share revoke"));
    QVERIFY(w.stop().value_or(false));
}

// No clerk can be put at the door for now. What is written down is not undone by that, and it is said how things stand.
void TestAgentTurns::whatIsDoneIsNotToldToHaveFailed() {
    AgentWorld w(true);
    fs::create_directory(w.folder / "more");
    fs::create_directory(w.folder / "third");
    QVERIFY(w.start());
    QVERIFY(w.agent->addShare({(w.folder / "more").string()}));
    w.clerks.on("prepare", [](const json::object&) -> StandInClerks::Answer {
        return fail(ErrorCode::LimitExceeded, "there is no memory left");
    });
    const auto added = within(60s, "share add", [&] { return w.agent->addShare({(w.folder / "third").string(), ShareMode::ReadOnly}); });
    QVERIFY2(!added && added.error().text().find("The folder is shared") == 0, added ? "" : added.error().text().c_str());
    QCOMPARE(w.agent->describeShares().size(), std::size_t{3});
    const auto mode = within(60s, "share mode", [&] { return w.agent->setShareMode("third", ShareMode::Review); });
    QVERIFY2(!mode && mode.error().text().find("is written down") != std::string::npos, mode ? "" : mode.error().text().c_str());
    // No clerk at all can open the folder: that is what these two are for.
    const auto revoked = within(60s, "share revoke", [&] { return w.agent->revokeShare("papers"); });
    QVERIFY2(revoked, revoked ? "" : revoked.error().text().c_str());
    const auto removed = within(60s, "share remove", [&] { return w.agent->removeShare("more", Agent::Staged::Discard); });
    QVERIFY2(removed, removed ? "" : removed.error().text().c_str());
    w.clerks.on("prepare", {});
    QVERIFY(w.stop().value_or(false));
}

void TestAgentTurns::whatWasStagedMeanwhileIsCounted_data() {
    QTest::addColumn<bool>("remove");
    QTest::newRow("the share is removed") << true;
    QTest::newRow("or takes no more work") << false;
}

// Nothing was staged when the verb was asked for, but is when its turn comes.
void TestAgentTurns::whatWasStagedMeanwhileIsCounted() {
    QFETCH(bool, remove);
    AgentWorld w(true);
    PlayedGuest guest(w);
    guest.write("work", "of an hour\n");
    HeldStart start(w);
    auto verb = queued([&]() -> Status {
        if (remove) {
            return w.agent->removeShare("papers", Agent::Staged::Refuse);
        }
        auto changed = w.agent->setShareMode("papers", ShareMode::ReadOnly);
        return changed ? Status{} : fail(changed.error());
    });
    QVERIFY(start.letGo().value_or(false));
    const auto done = answerOf(verb, "the verb");
    QVERIFY2(!done && done.error().code == ErrorCode::Refused, done ? "it is out of reach" : done.error().text().c_str());
    QVERIFY2(done.error().text().find("1 change waits") != std::string::npos, done.error().text().c_str());
    const auto opened = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY(opened && !opened->id.empty());
    QVERIFY(w.stop().value_or(false));
}

void TestAgentTurns::whatIsStagedAfterTheCountIsKept_data() {
    whatWasStagedMeanwhileIsCounted_data();
}

// The guest has said that nothing waits, and a program there writes a file in that moment. It can as long as the machine has
// the folder to work in.
void TestAgentTurns::whatIsStagedAfterTheCountIsKept() {
    QFETCH(bool, remove);
    AgentWorld w(true);
    std::mutex mutex;
    std::string mode;
    w.clerks.on("prepare", [&](const json::object& params) {
        for (const auto& share : params.at("shares").as_array()) {
            const std::lock_guard lock(mutex);
            mode = std::string(share.at("mode").as_string());
        }
        return confined();
    });
    const auto modeNow = [&] {
        const std::lock_guard lock(mutex);
        return mode;
    };
    PlayedGuest guest(w);
    QVERIFY(w.start());
    std::atomic<bool> once = false;
    guest.afterList([&] {
        if (modeNow() == "review" && !once.exchange(true)) {
            guest.write("work", "of a moment\n");
        }
    });
    const auto verb = [&]() -> Status {
        if (remove) {
            return w.agent->removeShare("papers", Agent::Staged::Refuse);
        }
        auto changed = w.agent->setShareMode("papers", ShareMode::ReadOnly);
        return changed ? Status{} : fail(changed.error());
    };
    const auto done = within(60s, "the verb", verb);
    QVERIFY2(!done && done.error().code == ErrorCode::Refused, done ? "it is out of reach" : done.error().text().c_str());
    QVERIFY2(done.error().text().find("1 change waits") != std::string::npos, done.error().text().c_str());
    QCOMPARE(modeNow(), std::string("review")); // as if nobody had asked
    QCOMPARE(w.agent->describeShares().size(), std::size_t{1});
    QVERIFY(w.agent->describeShares().at(0).at("mode") == "review");
    const auto opened = within(60s, "changes", [&] { return w.agent->freeze(quiet, {}); });
    QVERIFY(opened && !opened->id.empty());
    QVERIFY(within(60s, "discard", [&] { return w.agent->discard(opened->id, {}, quiet); }));
    const auto again = within(60s, "the verb", verb);
    QVERIFY2(again, again ? "" : again.error().text().c_str());
    QVERIFY(w.stop().value_or(false));
}

void TestAgentTurns::whatIsStagedOnTheWayOutIsCounted_data() {
    QTest::addColumn<bool>("stopped");
    QTest::newRow("deleted while it runs") << false;
    QTest::newRow("stopped, then deleted") << true;
}

// A program that is told to end saves its work first.
void TestAgentTurns::whatIsStagedOnTheWayOutIsCounted() {
    QFETCH(bool, stopped);
    AgentWorld w(true);
    QVERIFY(w.start());
    w.stagedAtEnd = 1; // of which no list knew
    if (stopped) {
        QVERIFY(w.stop().value_or(false));
    }
    const auto removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, quiet); });
    QVERIFY2(!removed && removed.error().code == ErrorCode::Refused, removed ? "it is lost" : removed.error().text().c_str());
    QVERIFY2(removed.error().text().find("1 change waits") != std::string::npos, removed.error().text().c_str());
    QVERIFY(w.agent->state() == AgentState::Stopped);
    QVERIFY(within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Discard, quiet); }));
}

// A machine that ends by itself, or does not say what is staged at its end, may have staged something since the last count.
void TestAgentTurns::whatNobodyCountedIsAskedFor() {
    AgentWorld w(true);
    QVERIFY(w.start());
    w.clerks.on("power.off", [&](const json::object&) {
        (void)w.world->end(w.machineId(), hypervisor::ExitReason::GuestShutdown).has_value();
        return json::object{};
    });
    QVERIFY(w.stop().value_or(false));
    auto removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, quiet); });
    QVERIFY2(!removed && removed.error().code == ErrorCode::Refused, removed ? "" : removed.error().text().c_str());
    QVERIFY(w.start());
    QVERIFY(w.world->end(w.machineId(), hypervisor::ExitReason::GuestShutdown).has_value());
    QTRY_VERIFY_WITH_TIMEOUT(w.agent->state() == AgentState::Stopped, 60'000);
    removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, quiet); });
    QVERIFY2(!removed && removed.error().code == ErrorCode::Refused, removed ? "" : removed.error().text().c_str());
}

// Somebody starts it while it is being stopped to be deleted. Who deletes gives way to whoever can run.
void TestAgentTurns::whatRunsIsNotDeleted() {
    AgentWorld w(true);
    QVERIFY(w.start());
    std::future<Result<bool>> started;
    const auto progress = [&](std::string_view step, std::string_view) {
        sched_param none{};
        if (step == "power-off") {
            cpu_set_t here;
            CPU_ZERO(&here);
            CPU_SET(static_cast<unsigned>(::sched_getcpu()), &here);
            (void)::sched_setaffinity(0, sizeof here, &here);
            started = queued([&] { return w.agent->start(quiet, {}); });
            (void)::sched_setscheduler(0, SCHED_IDLE, &none);
        } else if (step == "delete") {
            (void)::sched_setscheduler(0, SCHED_OTHER, &none);
        }
    };
    const auto removed = within(60s, "delete", [&] { return w.agent->remove(Agent::Staged::Refuse, progress); });
    const auto again = answerOf(started, "start");
    const bool runs = w.world->specOf(w.machineId()).has_value();
    QVERIFY2(!removed || !runs, "it was deleted beneath a running machine");
    QVERIFY2(removed, removed ? "" : removed.error().text().c_str()); // it had its turn
    QVERIFY(!again);
    QVERIFY(!fs::exists(w.services.agentsFolder / w.agent->id()));
}

QTEST_GUILESS_MAIN(TestAgentTurns)
#include "test_agent_turns.moc"

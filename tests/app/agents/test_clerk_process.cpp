// SPDX-License-Identifier: Apache-2.0
// The engine's end of a clerk that misbehaves: one that does not read, one that does not end, one that is let
// go while it tells something. None of them may hold up the engine, or be used after it is gone.
#include "app/agents/clerk_process.h"
#include "app/agents/door.h"
#include "hypervisor/fake/fake_backend.h"
#include "tests/app/agents/agent_world.h"

#include <QTest>

#include <atomic>
#include <condition_variable>
#include <signal.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;

namespace {

// Something that happens once, and is waited for. The long patience only ends a test that hangs.
class Flag {
public:
    void set() {
        const std::lock_guard lock(m_mutex);
        m_set = true;
        m_changed.notify_all();
    }
    bool wait(std::chrono::milliseconds patience = 60s) {
        std::unique_lock lock(m_mutex);
        return m_changed.wait_for(lock, patience, [this] { return m_set; });
    }

private:
    std::mutex m_mutex;
    std::condition_variable m_changed;
    bool m_set = false;
};

ClerkProcess::Events events(std::function<void(const std::string&)> gone = {}) {
    return {[](const std::string&, const boost::json::object&) {},
            [gone](const std::string& how) {
                if (gone) {
                    gone(how);
                }
            }};
}

} // namespace

class TestClerkProcess : public QObject {
    Q_OBJECT
private slots:
    void answersAreReadWhileTheLinkIsFull();
    void oneThatDoesNotEndIsEnded();
    void closedDoorIsQuiet();
    void leftWhileAnotherHoldsIt();
    void lastOwnerIsACallOfItsOwn();
};

// The clerk does not read on before its answers are read, and so the engine, with more to say than the link
// holds, must go on reading.
void TestClerkProcess::answersAreReadWhileTheLinkIsFull() {
    constexpr std::uint64_t kRequests = 64;
    StandInHouse house;
    auto process = ClerkProcess::start(house.program(), events());
    QVERIFY2(process, process ? "" : process.error().text().c_str());
    auto clerk = house.take();
    QVERIFY(clerk);
    std::mutex mutex;
    std::vector<std::future<ClerkProcess::Answer>> answers;
    answers.reserve(kRequests); // they stay where they are while one is waited for
    std::atomic<unsigned> sent = 0;
    std::thread sending([&] {
        for (std::uint64_t i = 0; i < kRequests; ++i) {
            auto answer = (*process)->send("fill", {{"bytes", std::string(100'000, 'x')}});
            const std::lock_guard lock(mutex);
            answers.push_back(std::move(answer));
            ++sent;
        }
    });
    // Nobody reads, so it comes to a stand in the middle of a send. Looked for by its standing still: where
    // that were taken too early, this test would only see less.
    for (unsigned before = UINT_MAX; before != sent || before == 0;) {
        before = sent;
        QTest::qWait(500);
    }
    QVERIFY(sent < kRequests);
    for (std::uint64_t id = 1; id <= sent; ++id) {
        clerk->answer(id, boost::json::object{{"of", id}});
    }
    for (std::uint64_t i = 0; i < sent; ++i) {
        std::future<ClerkProcess::Answer>* answer = nullptr;
        {
            const std::lock_guard lock(mutex);
            answer = &answers.at(i);
        }
        // Far longer than it takes, and shorter than a send is given before it fails.
        QVERIFY2(answer->wait_for(10s) == std::future_status::ready,
                 "the answer is not read while the link is full");
    }
    for (std::uint64_t id = sent + 1; id <= kRequests; ++id) { // now it reads
        while (const auto request = clerk->next()) {
            if (request->id == id) {
                clerk->answer(id, boost::json::object{});
                break;
            }
        }
    }
    sending.join();
    for (auto& answer : answers) {
        QVERIFY(answer.valid() && answer.wait_for(60s) == std::future_status::ready);
    }
    clerk->end();
}

// Whoever lets go of a clerk waits for its reader, and that for the process: a broken one is killed.
void TestClerkProcess::oneThatDoesNotEndIsEnded() {
    StandInHouse house;
    Flag gone;
    std::string how;
    auto process = ClerkProcess::start(house.program(), events([&](const std::string& why) {
                                           how = why;
                                           gone.set();
                                       }));
    QVERIFY(process);
    const pid_t pid = (*process)->pid();
    auto clerk = house.take();
    QVERIFY(clerk);
    clerk->stay();
    auto answer = (*process)->send("hello", {});
    (*process)->end();
    if (!gone.wait()) {
        (void)::kill(pid, SIGKILL); // else this test hangs where the engine would
        QFAIL("the engine waits for a clerk that does not end");
    }
    QVERIFY2(how.find("signal 9") != std::string::npos, how.c_str());
    QVERIFY(::kill(pid, 0) != 0 && errno == ESRCH); // and waited for: no zombie
    QVERIFY(answer.wait_for(0s) == std::future_status::ready &&
            answer.get().error().code == ErrorCode::Unavailable);
    QVERIFY(!(*process)->alive());
}

// Letting go of a clerk while it tells something waits until that is over: what the reader uses goes after
// it.
void TestClerkProcess::closedDoorIsQuiet() {
    AgentWorld w; // for its machine
    QVERIFY(w.start());
    auto machines = w.backend->adopt(w.home);
    QVERIFY(machines && machines->size() == 1);
    StandInHouse house;
    const auto nodes = w.folder / "nodes";
    std::filesystem::create_directory(nodes);
    Flag inside;
    Flag closed;
    std::atomic<bool> closedUnderIt = false;
    auto door =
        std::make_unique<Door>(*machines->front(), Door::Setup{"0123", "ann", house.program(), nodes, {}},
                               Door::Events{[&](const std::string& method, const boost::json::object&) {
                                                if (method == "notice") {
                                                    inside.set();
                                                    closedUnderIt = closed.wait(1s);
                                                }
                                            },
                                            [](const boost::json::object&) -> Status { return {}; },
                                            [](const std::string&) {}, [] {}});
    const auto serve = [&] { // one of the two, whichever comes first
        auto clerk = house.take();
        while (auto request = clerk ? clerk->next() : std::nullopt) {
            clerk->answer(*request->id, request->method == "prepare"
                                            ? boost::json::object{{"landlock_abi", 1}, {"seccomp", true}}
                                            : boost::json::object{});
            if (request->method == "attach") {
                clerk->tell("notice", {});
            }
        }
        if (clerk) {
            clerk->end();
        }
    };
    std::thread serving(serve);
    std::thread servingToo(serve);
    const auto renewed = door->renew({});
    QVERIFY2(renewed, renewed ? "" : renewed.error().text().c_str());
    QVERIFY(inside.wait());
    door->close();
    closed.set();
    QVERIFY2(!closedUnderIt, "the clerk was let go while a call of its own was under way");
    door.reset();
    serving.join();
    servingToo.join();
}

// Somebody who answers it holds it for a moment longer. No call comes after it was left, all the same.
void TestClerkProcess::leftWhileAnotherHoldsIt() {
    StandInHouse house;
    std::atomic<int> gone = 0;
    auto process = ClerkProcess::start(house.program(), {[](const std::string&, const boost::json::object&) {}, [&](const std::string&) { ++gone; }});
    QVERIFY(process);
    auto clerk = house.take();
    QVERIFY(clerk);
    const auto another = *process;
    auto answer = another->send("hello", {});
    std::thread serving([&] {
        while (clerk->next()) {
        }
        clerk->end();
    });
    (*process)->leave();
    QCOMPARE(gone.load(), 1); // by then
    QVERIFY(!another->alive());
    QVERIFY(answer.wait_for(0s) == std::future_status::ready && !answer.get());
    process = fail(ErrorCode::Internal, "");
    QVERIFY(!another->send("hello", {}).get());
    serving.join();
}

// The last one who knows an agent may be a call of its clerk's: then everything goes from within that call.
void TestClerkProcess::lastOwnerIsACallOfItsOwn() {
    StandInHouse house;
    std::shared_ptr<ClerkProcess> process;
    Flag known;
    Flag over;
    auto started = ClerkProcess::start(house.program(), {[&](const std::string&, const boost::json::object&) {
                                                             (void)known.wait();
                                                             auto* flag =
                                                                 &over; // what the call has goes with it
                                                             process.reset();
                                                             flag->set();
                                                         },
                                                         [](const std::string&) {}});
    QVERIFY(started);
    const pid_t pid = (*started)->pid();
    process = std::move(*started);
    started = fail(ErrorCode::Internal, "handed on");
    known.set();
    auto clerk = house.take();
    QVERIFY(clerk);
    clerk->tell("first", {});
    clerk->tell("second", {}); // nobody is there to read it
    QVERIFY(!clerk->next());   // the link is closed
    clerk->end();
    QVERIFY(over.wait());
    QVERIFY(::kill(pid, 0) != 0 && errno == ESRCH); // and the process was waited for
}

QTEST_GUILESS_MAIN(TestClerkProcess)
#include "test_clerk_process.moc"

// SPDX-License-Identifier: Apache-2.0
// Look-ups that nobody can call back hold up whoever waits only so long, and never more than so many of them.
#include "app/egress/resolver.h"

#include <QTest>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

using namespace carrel;
using namespace carrel::egress;
using namespace std::chrono_literals;

namespace {

HostName name(const std::string& text) {
    return HostName::parse(text).value();
}

// Servers that say nothing until they are let.
struct Servers {
    std::mutex mutex;
    std::condition_variable news;
    bool answer = false;
    std::atomic<int> asked = 0, under = 0, most = 0;

    Addresses lookUp() {
        ++asked;
        const int now = ++under;
        int before = most;
        while (now > before && !most.compare_exchange_weak(before, now)) {
        }
        std::unique_lock lock(mutex);
        news.wait(lock, [this] { return answer; });
        --under;
        return std::vector{Address::parse("192.0.2.1").value()};
    }
    void let() {
        const std::lock_guard lock(mutex);
        answer = true;
        news.notify_all();
    }
};

struct World {
    std::shared_ptr<Servers> servers = std::make_shared<Servers>(); // the threads that nobody waits for have it, too
    std::optional<SystemResolver> resolver;
    explicit World(std::chrono::milliseconds patience = 1h, std::size_t most = 2, std::size_t waiting = 4) {
        resolver.emplace(SystemResolver::Setup{[servers = servers](const HostName&) { return servers->lookUp(); }, patience, most, waiting});
    }
    ~World() { servers->let(); }
    std::future<Addresses> ask(std::stop_token stop = {}) {
        auto promise = std::make_shared<std::promise<Addresses>>();
        auto out = promise->get_future();
        resolver->resolve(name("example.org"), std::move(stop), [promise](Addresses addresses) { promise->set_value(std::move(addresses)); });
        return out;
    }
};

} // namespace

class TestResolver : public QObject {
    Q_OBJECT
private slots:
    void theHostsOwn() {
        const auto found = lookUpByHost(name("localhost"));
        QVERIFY(found);
        QVERIFY(std::any_of(found->begin(), found->end(), [](const Address& each) { return each.text() == "127.0.0.1" || each.text() == "::1"; }));
        QVERIFY(!lookUpByHost(name("nothing.invalid")));
    }
    void anAnswer() {
        World w;
        auto asked = w.ask();
        w.servers->let();
        QVERIFY(asked.get().value().front().text() == "192.0.2.1");
    }
    void noMoreAtOnceThanThat() {
        World w;
        std::vector<std::future<Addresses>> all;
        for (int i = 0; i < 4; ++i) {
            all.push_back(w.ask());
        }
        QVERIFY(w.ask().get().error().code == ErrorCode::LimitExceeded);
        QTRY_COMPARE_WITH_TIMEOUT(w.servers->asked.load(), 2, 60'000);
        w.servers->let();
        for (auto& each : all) {
            QVERIFY(each.get());
        }
        QCOMPARE(w.servers->most.load(), 2);
        QCOMPARE(w.servers->asked.load(), 4);
    }
    void whoWaitsTooLongIsTold() {
        World w(50ms);
        QVERIFY(w.ask().get().error().code == ErrorCode::Expired);
    }
    // Those whose servers say nothing take no more than their number of threads, and the others are told in time.
    void stuckOnesBound() {
        World w(50ms, 1);
        QVERIFY(w.ask().get().error().code == ErrorCode::Expired);
        QVERIFY(w.ask().get().error().code == ErrorCode::Expired); // it never began
        QCOMPARE(w.servers->asked.load(), 1);
    }
    void calledOff() {
        World w;
        std::stop_source stop;
        auto asked = w.ask(stop.get_token());
        stop.request_stop();
        QVERIFY(asked.get().error().code == ErrorCode::Cancelled);
        QVERIFY(w.ask(stop.get_token()).get().error().code == ErrorCode::Cancelled);
    }
    void itsEndAnswersAll() {
        World w;
        auto asked = w.ask();
        w.resolver.reset(); // waits for no server
        QVERIFY(asked.get().error().code == ErrorCode::Cancelled);
    }
};

QTEST_GUILESS_MAIN(TestResolver)
#include "test_resolver.moc"

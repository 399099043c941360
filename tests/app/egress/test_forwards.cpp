// SPDX-License-Identifier: Apache-2.0
// Ports of this computer that lead to an agent's machine: on the owner's word, written down first, for this user alone, and over as
// soon as what allowed it is. The sockets are real; the clerk is the test's.
#include "app/egress/clerk_words.h"
#include "app/egress/forwards.h"
#include "app/egress/forwards_left.h"
#include "app/egress/peer_owner.h"
#include "tests/app/egress/egress_world.h"

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
using activity::EventKind;
namespace json = boost::json;

namespace {

struct World {
    policy::test::SharedClock clock;
    LockedRules rules{clock};
    policy::Grants grants{rules, clock};
    std::mutex mutex;
    std::vector<activity::Event> events;
    bool full = false;      // the log
    bool strangers = false; // whoever connects is another user's
    std::function<void()> deciding; // while it is written down
    std::shared_ptr<ToldClerk> clerk = std::make_shared<ToldClerk>();
    std::shared_ptr<Forwards> forwards;

    World() {
        const auto keep = [this](activity::Event event) {
            const std::lock_guard lock(mutex);
            events.push_back(std::move(event));
        };
        Forwards::Setup setup{"ann", "s1", &rules, &grants, keep,
                              [this, keep](activity::Event event) -> Status {
                                  if (deciding) {
                                      deciding();
                                  }
                                  if (full) {
                                      return fail(ErrorCode::Io, "the disk is full");
                                  }
                                  keep(std::move(event));
                                  return {};
                              },
                              {}};
        if (strangersMatter()) {
            setup.mayIn = [this](int) { return !strangers; };
        }
        forwards = Forwards::make(std::move(setup));
        forwards->attach(1, clerk);
    }
    ~World() { forwards->stop(); }
    [[nodiscard]] static bool& strangersMatter() {
        static bool matter = false;
        return matter;
    }
    policy::Rule rule(policy::Effect effect, const std::string& port) {
        policy::Rule out;
        out.effect = effect;
        out.action = policy::Action::Forward;
        out.fields["port"] = {port};
        return rules.add(out).value();
    }
    [[nodiscard]] std::vector<std::string> logged() {
        const std::lock_guard lock(mutex);
        std::vector<std::string> out;
        for (const auto& each : events) {
            out.emplace_back(std::string(toString(each.kind)) + " " + each.subject);
        }
        return out;
    }
    [[nodiscard]] json::object first() { // what it says of it
        const std::lock_guard lock(mutex);
        return events.at(0).detail;
    }
    [[nodiscard]] std::uint64_t sum(const char* what) {
        const std::lock_guard lock(mutex);
        std::uint64_t out = 0;
        for (const auto& each : events) {
            const auto* value = each.kind == EventKind::ForwardTraffic ? each.detail.if_contains(what) : nullptr;
            out += value == nullptr ? 0 : value->to_number<std::uint64_t>();
        }
        return out;
    }
    // What the clerk was handed, in order; empty: not that many yet.
    UniqueFd handed(std::size_t which = 0) const {
        const std::lock_guard lock(clerk->mutex);
        for (auto& each : clerk->all) {
            if (each.method == "forward.connected" && which-- == 0) {
                return std::move(each.fd);
            }
        }
        return {};
    }
    [[nodiscard]] json::object told(std::size_t which = 0) const {
        const std::lock_guard lock(clerk->mutex);
        return clerk->all.size() > which ? clerk->all[which].params : json::object{};
    }
};

UniqueFd connectTo(std::uint16_t port, const std::string& address = "127.0.0.1") {
    const auto at = Address::parse(address).value();
    sockaddr_storage raw{};
    const auto size = at.put(raw, port);
    UniqueFd out(::socket(at.isV4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&raw), size) != 0) {
        out.reset();
    }
    return out;
}

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

} // namespace

class TestForwards : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { World::strangersMatter() = false; }

    void whoConnectsIsHandedToTheClerk() {
        World w;
        const auto made = w.forwards->open({8000});
        QVERIFY(made.has_value());
        QVERIFY(made->host.size() == 32 + std::string(".localhost").size() && made->host.ends_with(".localhost"));
        QCOMPARE(made->url(), "http://" + made->host + ":" + std::to_string(made->at) + "/");
        const auto browser = connectTo(made->at);
        QVERIFY(browser);
        TRY(w.clerk->count("forward.connected") == 1);
        QCOMPARE(json::serialize(w.told()), json::serialize(json::object{{"number", 1}, {"port", 8000}, {"host", made->host}, {"at", made->at}}));
        const auto ours = w.handed();
        send(browser, "question");
        QCOMPARE(take(ours, 8), std::string("question"));
        send(ours, "answer");
        QCOMPARE(take(browser, 6), std::string("answer"));
        const auto now = w.forwards->list();
        QVERIFY(now.size() == 1 && now[0].open == 1 && now[0].begun == 1);
        QTRY_COMPARE_WITH_TIMEOUT(w.forwards->list()[0].bytes.sent, std::uint64_t{6}, 60'000);
        w.forwards->closed(1, 1);
        QVERIFY(isOver(browser)); // though the clerk keeps its descriptor
        const auto then = w.forwards->list();
        QVERIFY(then[0].open == 0 && then[0].bytes.sent >= 6 && then[0].bytes.sent <= 7 && then[0].bytes.received == 8); // whatever the clerk says
        const auto second = w.forwards->open({8000}); // the same once more: another name, and another port
        QVERIFY(second && second->host != made->host && second->at != made->at && second->number == 2);
    }

    void writtenDownBeforeItListens() { // I5
        World w;
        std::optional<bool> there;
        w.deciding = [&] { there = w.forwards->list().empty() && w.logged().empty(); };
        const auto made = w.forwards->open({8000});
        QVERIFY(made && there && *there);
        QCOMPARE(w.logged(), std::vector<std::string>{"forward.opened 8000"});
        QCOMPARE(json::serialize(w.first()), json::serialize(json::object{{"number", 1}, {"host", made->host}, {"at", made->at}, {"by", "owner"}}));
        w.full = true;
        const auto none = w.forwards->open({8001});
        QVERIFY(!none && none.error().code == ErrorCode::Io);
        QCOMPARE(w.forwards->list().size(), std::size_t{1});
    }

    // The engine was killed: of what its log left open nothing is open any more.
    void whatACrashLeftOpen() {
        const QTemporaryDir dir;
        const auto log = activity::ActivityLog::open(dir.filePath("log").toStdString()).value();
        const auto note = [&](EventKind kind, const std::string& port, const char* host, json::object more = {}) {
            activity::Event event;
            event.kind = kind;
            event.subject = port;
            event.detail = {{"number", 1}, {"host", host}, {"at", 40'000}};
            event.detail.insert(more.begin(), more.end());
            QVERIFY(log->append(event));
        };
        QVERIFY(forwardsLeftOpen(*log)->empty());
        note(EventKind::ForwardOpened, "8000", "a.localhost", {{"by", "owner"}});
        note(EventKind::ForwardOpened, "8001", "b.localhost", {{"by", "owner"}, {"until", "2026-03-01T12:00:00.000Z"}});
        note(EventKind::ForwardClosed, "8000", "a.localhost", {{"why", "The owner closed it"}});
        note(EventKind::ForwardOpened, "8000", "c.localhost", {{"by", "owner"}}); // of an engine that counts anew
        auto left = forwardsLeftOpen(*log).value();
        QCOMPARE(left.size(), std::size_t{2});
        QVERIFY(left[0].kind == EventKind::ForwardClosed && left[0].provenance == activity::Provenance::Host && left[0].subject == "8001" && left[0].timeNs == 0);
        QCOMPARE(json::value(left[0].detail), (json::value{{"number", 1}, {"host", "b.localhost"}, {"at", 40'000}, {"why", "The engine ended"}}));
        QCOMPARE(left[1].detail.at("host"), json::value("c.localhost"));
        for (auto& each : left) {
            QVERIFY(log->append(std::move(each)));
        }
        QVERIFY(forwardsLeftOpen(*log)->empty()); // once is enough
    }

    void whatARuleDenies() {
        World w;
        const auto rule = w.rule(policy::Effect::Deny, "8000");
        const auto none = w.forwards->open({8000});
        QVERIFY(!none && none.error().code == ErrorCode::Refused && none.error().message.find("Rule " + std::to_string(rule.id)) != std::string::npos);
        QVERIFY(w.logged().empty() && w.forwards->list().empty());
        // One that is made later ends what goes on.
        const auto made = w.forwards->open({8001});
        const auto browser = connectTo(made->at);
        TRY(w.clerk->count("forward.connected") == 1);
        const auto ours = w.handed();
        (void)w.rule(policy::Effect::Deny, "8001");
        w.grants.recheck();
        QVERIFY(isReset(browser));
        QVERIFY(isOver(ours));
        QVERIFY(!connectTo(made->at));
        QVERIFY(w.forwards->list().empty());
        TRY(w.clerk->count("forward.cut") == 1);
        QCOMPARE(w.logged().back(), std::string("forward.closed 8001"));
        QVERIFY(w.forwards->waitEnded(made->number, {}).value().find("rule denies") != std::string::npos);
        // And one that is made while it is decided comes first.
        w.deciding = [&] { (void)w.rule(policy::Effect::Deny, "8002"); };
        QVERIFY(!w.forwards->open({8002}));
        QVERIFY(w.forwards->list().empty());
        QCOMPARE(w.logged().back(), std::string("forward.closed 8002"));
    }

    void troubleWithTheRulesIsNo() {
        World w;
        const auto made = w.forwards->open({8000});
        {
            const std::lock_guard lock(w.rules.mutex);
            w.rules.inner.trouble = Error{ErrorCode::Refused, "the file of rules was changed", {}, 0, {}};
        }
        QVERIFY(!w.forwards->open({8001}));
        w.grants.recheck();
        QVERIFY(w.forwards->list().empty() && !connectTo(made->at));
    }

    void theOwnerCloses() {
        World w;
        const auto made = w.forwards->open({8000});
        const auto other = w.forwards->open({8001});
        const auto browser = connectTo(made->at);
        TRY(w.clerk->count("forward.connected") == 1);
        QVERIFY(w.forwards->close(made->number, "The owner closed it"));
        QVERIFY(isReset(browser));
        QVERIFY(!connectTo(made->at) && connectTo(other->at));
        QVERIFY(w.forwards->close(made->number, "").error().code == ErrorCode::NotFound);
        QCOMPARE(w.forwards->waitEnded(made->number, {}).value(), std::string("The owner closed it"));
        QVERIFY(w.forwards->waitEnded(99, {}).error().code == ErrorCode::NotFound);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(w.forwards->waitEnded(other->number, stop.get_token()).error().code == ErrorCode::Cancelled);
        QVERIFY(w.grants.list().size() == 1);
    }

    void itEndsWithTheSession() {
        World w;
        const auto made = w.forwards->open({8000});
        const auto browser = connectTo(made->at);
        TRY(w.clerk->count("forward.connected") == 1);
        w.forwards->stop();
        QVERIFY(isReset(browser));
        QVERIFY(!connectTo(made->at) && w.grants.list().empty());
        QVERIFY(w.forwards->open({8001}).error().code == ErrorCode::Unavailable);
    }

    void itEndsWithItsTime() {
        World w;
        const auto made = w.forwards->open({8000, w.clock.now().wallMs + 1000});
        QVERIFY(connectTo(made->at));
        w.grants.recheck();
        QVERIFY(w.first().contains("until") && connectTo(made->at));
        w.clock.turned += 2000;
        w.grants.recheck();
        QVERIFY(!connectTo(made->at));
    }

    // A clerk that goes takes its connections; the next one gets those that come then. In between nobody is let in.
    void aClerkGoesAndComes() {
        World w;
        const auto made = w.forwards->open({8000});
        const auto first = connectTo(made->at);
        TRY(w.clerk->count("forward.connected") == 1);
        w.forwards->detach(1);
        QVERIFY(isReset(first));
        QVERIFY(isOver(connectTo(made->at)));
        const auto next = std::make_shared<ToldClerk>();
        w.forwards->attach(2, next);
        const auto second = connectTo(made->at);
        TRY(next->count("forward.connected") == 1);
        w.forwards->detach(1); // of the one before: nothing
        w.forwards->closed(1, 2);
        QCOMPARE(w.forwards->list()[0].open, std::size_t{1});
    }

    void aClerkThatBreaksTheForm() {
        World w;
        QVERIFY(!netWordFrom("forward.open", {}));
        QVERIFY(!netWordFrom("forward.closed", {{"number", 1}}));
        QVERIFY(!netWordFrom("forward.closed", {{"number", 1}, {"sent", 0}, {"received", 0}, {"how", std::string(65, 'x')}}));
        QVERIFY(netWordFrom("forward.closed", {{"number", 1}, {"sent", 0}, {"received", 0}, {"how", "cut"}}));
        w.forwards->closed(1, 1); // over already
    }

    void anotherUserIsNotLetIn() {
        World::strangersMatter() = true;
        World w;
        w.strangers = true;
        const auto made = w.forwards->open({8000});
        const auto stranger = connectTo(made->at);
        QVERIFY(isOver(stranger));
        TRY(w.forwards->list()[0].refused == 1);
        QVERIFY(w.clerk->count("forward.connected") == 0 && w.forwards->list()[0].begun == 0);
        TRY(w.sum("refused") == 1);
    }
    void whoseAConnectionIs() {
        Listener there;
        const auto client = connectTo(there.port());
        const auto ours = there.accept();
        QVERIFY(ownerOfPeer(ours.get()) == std::optional(::geteuid()));
        QVERIFY(ownerOfPeer(client.get()) == std::optional(::geteuid()));
        QVERIFY(!ownerOfPeer(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)).get()));
        QVERIFY(!ownerOfPeer(-1));
    }

    void nobodyStandsBesideIt() {
        World w;
        const auto made = w.forwards->open({8000});
        QVERIFY(!Listener("127.0.0.1", made->at).good());
        QVERIFY(!Listener("0.0.0.0", made->at).good());
        if (Listener("::1").good()) {
            QVERIFY(!Listener("::1", made->at).good()); // where browsers look, too
            QVERIFY(!connectTo(made->at, "::1"));       // and find nobody
        }
        QVERIFY(!connectTo(made->at, "127.0.0.2"));
    }

    void soMuchAtOnce() {
        World w;
        std::vector<Forward> all;
        for (std::size_t i = 0; i < kMaxForwards; ++i) {
            all.push_back(w.forwards->open({static_cast<std::uint16_t>(8000 + i)}).value());
        }
        QVERIFY(w.forwards->open({9000}).error().code == ErrorCode::LimitExceeded);
        std::vector<UniqueFd> browsers;
        for (std::size_t i = 0; i < kMaxForwardConnections; ++i) {
            browsers.push_back(connectTo(all[0].at));
        }
        TRY(w.clerk->count("forward.connected") == kMaxForwardConnections);
        QVERIFY(isOver(connectTo(all[0].at)));
        TRY(w.forwards->list()[0].refused == 1);
        const auto other = connectTo(all[1].at); // another one has room of its own
        TRY(w.clerk->count("forward.connected") == kMaxForwardConnections + 1);
        w.forwards->closeAll("the brake");
        QVERIFY(w.forwards->list().empty() && w.grants.list().empty());
        QCOMPARE(w.sum("begun"), std::uint64_t{kMaxForwardConnections + 1});
        QCOMPARE(w.sum("ended"), std::uint64_t{kMaxForwardConnections + 1});
    }

    void whatIsNoPort() {
        World w;
        QVERIFY(!w.forwards->open({0}));
        QVERIFY(w.logged().empty());
    }

    void theMeaningFitsAQuestion() {
        QVERIFY(forwardMeaning().size() <= policy::kMaxReasonBytes);
        QVERIFY(check(forwardRequest("ann", "s1", 8000)));
        QVERIFY(forwardRequest("ann", "s1", 8000).risk == policy::Risk::High);
    }
};

QTEST_GUILESS_MAIN(TestForwards)
#include "test_forwards.moc"

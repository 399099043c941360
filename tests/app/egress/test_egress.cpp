// SPDX-License-Identifier: Apache-2.0
// What is connected to, and what is not: by the mode and by rules, over real sockets. (By a person: test_egress_asks.cpp.)
#include "tests/app/egress/egress_world.h"

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
using policy::Effect;
namespace json = boost::json;

class TestEgress : public QObject {
    Q_OBJECT
private slots:
    void aRuleLeadsToAConnectedSocket() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(7));
        TRY_OF(w, 7, "connected raw");
        const auto ours = w.clerk->socket(7);
        const auto other = w.there.accept();
        send(ours, "hello");
        QCOMPARE(take(other, 5), std::string("hello"));
        send(other, "you there");
        QCOMPARE(take(ours, 9), std::string("you there"));
        const auto live = w.egress->live();
        QCOMPARE(live.size(), std::size_t{1});
        QVERIFY(live[0].number == 1 && live[0].to.text() == w.thereText() && live[0].at == w.there.endpoint());
        QTRY_COMPARE_WITH_TIMEOUT(w.egress->live().at(0).bytes.sent, std::uint64_t{5}, 60'000);
        QCOMPARE(w.egress->live().at(0).bytes.received, std::uint64_t{9});
        QVERIFY(w.close(7, 5, 9));
        QVERIFY(w.egress->live().empty() && w.grants.list().empty());
        w.egress->stop();
        QCOMPARE(w.sum(w.thereText(), "open", "begun"), std::uint64_t{1});
        QCOMPARE(w.sum(w.thereText(), "open", "ended"), std::uint64_t{1});
        QCOMPARE(w.sum(w.thereText(), "open", "sent"), std::uint64_t{5});
        QCOMPARE(w.sum(w.thereText(), "open", "received"), std::uint64_t{9});
    }
    // The clerk's word of how much it was is believed only upwards.
    void aClerkCannotHideWhatWasSent() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto ours = w.clerk->socket(1);
        const auto other = w.there.accept();
        send(ours, std::string(5000, 'x'));
        QCOMPARE(take(other, 5000).size(), std::size_t{5000});
        QTRY_COMPARE_WITH_TIMEOUT(w.egress->live().at(0).bytes.sent, std::uint64_t{5000}, 60'000);
        QVERIFY(w.close(1, 0, 0));
        w.egress->stop();
        QCOMPARE(w.sum(w.thereText(), "open", "sent"), std::uint64_t{5000});
    }
    void aClerkCannotGoOnWithWhatItSaysIsClosed() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto kept = w.clerk->socket(1);
        const auto other = w.there.accept();
        send(kept, "the last");
        QVERIFY(w.close(1, 8, 0));
        QCOMPARE(take(other, 100), std::string("the last")); // what was sent arrives
        QVERIFY(isOver(kept));
    }
    void offlineNothingIsLookedAt() {
        EgressWorld w(NetMode::Offline);
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused offline");
        QCOMPARE(w.resolver->count(), std::size_t{0});
        QVERIFY(!w.there.hasOne());
        QTRY_VERIFY_WITH_TIMEOUT(w.clerk->count("net.mode") == 1, 60'000);
        QVERIFY(w.clerk->all.front().params.at("offline").as_bool());
    }
    // No name is looked up that is not allowed: a query is a way to tell something.
    void allowlistDeniesWhatNoRuleSays() {
        EgressWorld w;
        w.rule(Effect::Allow, "*.here.example");
        QVERIFY(w.openThere(1) && w.openThere(2, "secret.evil.example"));
        TRY_BEGINS(w, 1, "refused denied: no rule");
        TRY_BEGINS(w, 2, "refused denied: no rule");
        QCOMPARE(w.resolver->count(), std::size_t{0});
        QVERIFY(w.queue.list(true).empty()); // nobody is asked
    }
    void denyWins() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        w.rule(Effect::Deny, "*.example", w.there.port());
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused denied: A rule of the owner's denies it");
        QCOMPARE(w.resolver->count(), std::size_t{0});
    }
    void troubleWithTheRulesIsNo() {
        EgressWorld w;
        w.rules.inner.trouble = Error{ErrorCode::Malformed, "tampered", {}, 0, nullptr};
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused denied: Nothing is allowed now");
    }
    // Each kind of address that is not of the internet, by a name that is allowed, and by itself.
    void specialAddresses_data() {
        QTest::addColumn<QString>("address");
        for (const char* each : {"127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1",
                                 "64:ff9b::7f00:1", "fd00::1", "fe80::1", "2002:7f00:1::", "::127.0.0.1", "255.255.255.255", "224.0.0.1"}) {
            QTest::newRow(each) << QString(each);
        }
    }
    void specialAddresses() {
        QFETCH(QString, address);
        EgressWorld w;
        w.resolver->names["bad.example"] = {{address.toStdString()}};
        w.rule(Effect::Allow, "bad.example");
        w.rule(Effect::Allow, address.toStdString()); // not of high risk: a rule for everything there is none for that
        QVERIFY(w.openThere(1, "bad.example") && w.openThere(2, address.toStdString()));
        TRY_BEGINS(w, 1, "refused denied");
        TRY_BEGINS(w, 2, "refused denied");
        QVERIFY(!w.there.hasOne());
    }
    // The other spellings of an address are not connected to, whatever rule names them.
    void neverByAnotherSpelling() {
        EgressWorld w;
        w.rule(Effect::Allow, "bad.example");
        for (const char* each : {"::ffff:127.0.0.1", "0.0.0.0", "::"}) {
            w.rule(Effect::Allow, each, w.there.port(), true);
            w.resolver->names["bad.example"] = {{each}};
            QVERIFY(w.openThere(1, "bad.example") && w.openThere(2, each));
            TRY_BEGINS(w, 1, "refused denied");
            TRY_BEGINS(w, 2, "refused denied");
            w.clerk->all.clear();
        }
        QVERIFY(!w.there.hasOne());
    }
    void namedByItsVeryAddressAndPort() {
        EgressWorld w;
        w.nameLoopback("127.0.0.2");
        w.rule(Effect::Allow, "here.example");
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused denied: the name leads to an address of this computer itself, which no rule names");
        w.rule(Effect::Allow, "127.0.0.1", static_cast<std::uint16_t>(w.there.port() - 1), true);
        QVERIFY(w.openThere(2));
        TRY_BEGINS(w, 2, "refused denied");
        w.nameLoopback();
        QVERIFY(w.openThere(3));
        TRY_OF(w, 3, "connected raw");
        QVERIFY(w.openThere(4, "127.0.0.1"));
        TRY_OF(w, 4, "connected raw");
    }
    // DNS rebinding: the address that was judged is the one that is connected to; the name is asked once.
    void theNameIsAskedOnceForEachConnection() {
        EgressWorld w;
        w.rule(Effect::Allow, "rebind.example");
        w.nameLoopback("127.0.0.2");
        Listener second("127.0.0.2", w.there.port());
        QVERIFY(second.good());
        w.resolver->names["rebind.example"] = {{"127.0.0.2"}, {"127.0.0.1"}};
        QVERIFY(w.openThere(1, "rebind.example"));
        TRY_OF(w, 1, "connected raw");
        QCOMPARE(w.resolver->count(), std::size_t{1});
        QVERIFY(second.hasOne() && !w.there.hasOne());
        QVERIFY(w.openThere(2, "rebind.example")); // it leads elsewhere by now
        TRY_BEGINS(w, 2, "refused denied");
        QCOMPARE(w.resolver->count(), std::size_t{2});
        QVERIFY(!w.there.hasOne());
    }
    // Of several addresses a private one is passed over, and one that a rule denies.
    void whatIsDeniedIsPassedOver() {
        EgressWorld w;
        w.rule(Effect::Allow, "many.example");
        w.nameLoopback("127.0.0.2");
        w.nameLoopback("127.0.0.1");
        w.rule(Effect::Deny, "127.0.0.1");
        w.resolver->names["many.example"] = {{"10.9.9.9", "127.0.0.1", "127.0.0.2"}};
        Listener second("127.0.0.2", w.there.port());
        QVERIFY(w.openThere(1, "many.example"));
        TRY_OF(w, 1, "connected raw");
        QVERIFY(second.hasOne() && !w.there.hasOne());
    }
    void thisComputersOwnAddress() {
        EgressWorld w;
        w.own = {{Address::parse("1.1.1.1").value(), 24}};
        w.rule(Effect::Allow, "1.1.1.1");
        w.rule(Effect::Allow, "self.example");
        w.resolver->names["self.example"] = {{"1.1.1.1"}};
        QVERIFY(w.openThere(1, "1.1.1.1") && w.openThere(2, "self.example"));
        TRY_BEGINS(w, 1, "refused denied");
        TRY_BEGINS(w, 2, "refused denied: the name leads to an address of this computer itself");
    }
    void oddSpellingsAreNoDestination() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        std::uint64_t number = 0;
        for (const char* each : {"HERE.example", "here.example.", "127.1", "0x7f000001", "2130706433", "[127.0.0.1]", "", "hère.example"}) {
            QVERIFY(w.openThere(++number, each)); // the machine's doing: its clerk goes on
            TRY_BEGINS(w, number, "refused denied");
        }
        QVERIFY(w.open(100, "here.example", 0));
        TRY_BEGINS(w, 100, "refused denied");
    }
    void whatBecomesOfIt() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.rule(Effect::Allow, "nowhere.example");
        const auto closed = freePort();
        w.rule(Effect::Allow, "127.0.0.1", closed, true);
        QVERIFY(w.openThere(1, "nowhere.example") && w.open(2, "here.example", closed));
        TRY_BEGINS(w, 1, "refused unresolved");
        TRY_BEGINS(w, 2, "refused refused");
        QVERIFY(w.grants.list().empty());
        QTRY_COMPARE_WITH_TIMEOUT(w.sum("here.example:" + std::to_string(closed), "refused", "begun"), std::uint64_t{1}, 60'000);
    }
    void howItIsTreated() {
        // Over a proxy, since nobody may listen at these ports.
        Listener proxy;
        EgressWorld w(NetMode::Allowlist, ProxySettings::from([&](const std::string& name) -> std::optional<std::string> {
                          return name == "ALL_PROXY" ? std::optional("http://127.0.0.1:" + std::to_string(proxy.port())) : std::nullopt;
                      }));
        w.rule(Effect::Allow, "here.example");
        std::uint64_t number = 0;
        for (const auto& [port, treat] : std::map<std::uint16_t, std::string>{{80, "http"}, {443, "tls"}, {22, "raw"}}) {
            QVERIFY(w.open(++number, "here.example", port));
            const auto at = proxy.accept();
            send(at, "HTTP/1.1 200 ok\r\n\r\n");
            TRY_OF(w, number, "connected " + treat);
        }
        QCOMPARE(w.resolver->count(), std::size_t{0}); // the proxy does that
        for (const auto& live : w.egress->live()) {
            QVERIFY(!live.at);
        }
        w.egress->stop();
        const std::lock_guard lock(w.eventsMutex);
        QVERIFY(std::all_of(w.events.begin(), w.events.end(), [](const auto& each) { return each.detail.contains("address"); }));
    }
    void behindAProxyOnlyNames() {
        EgressWorld w(NetMode::Allowlist, ProxySettings::from([](const std::string& name) -> std::optional<std::string> {
                          return name == "ALL_PROXY" ? std::optional<std::string>("http://127.0.0.1:1") : std::nullopt;
                      }));
        w.rule(Effect::Allow, "1.1.1.1");
        QVERIFY(w.openThere(1, "1.1.1.1"));
        TRY_BEGINS(w, 1, "refused unreachable");
    }
    void aProxyThatCannotBeFollowed() {
        EgressWorld w(NetMode::Allowlist, fail(ErrorCode::InvalidArgument, "the setting HTTP_PROXY cannot be followed"));
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused unreachable: the setting HTTP_PROXY");
        QVERIFY(!w.there.hasOne());
    }
    // Invariant I5: what cannot be written down does not happen; and a rule does not write a row for each connection.
    void theDecisionIsWrittenFirst() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        w.sink.fill(true);
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused denied: it cannot be written down");
        QCOMPARE(w.resolver->count(), std::size_t{0});
        w.sink.fill(false);
        for (std::uint64_t number = 2; number < 22; ++number) {
            QVERIFY(w.openThere(number));
            TRY_OF(w, number, "connected raw");
        }
        QCOMPARE(w.sink.count("rule.answered"), std::size_t{2}); // the name, and its address
    }
    void aRuleThatEndsCuts() {
        EgressWorld w;
        const auto name = w.rule(Effect::Allow, "here.example");
        const auto address = w.nameLoopback();
        for (const auto& gone : {name, address}) {
            const auto number = gone.id;
            QVERIFY(w.openThere(number));
            TRY_OF(w, number, "connected raw");
            const auto ours = w.clerk->socket(number); // a clerk that lets go of nothing
            const auto other = w.there.accept();
            w.rules.remove(gone.id);
            w.grants.recheck();
            QVERIFY(isReset(other) && isReset(ours)); // at once, and whoever has it
            TRY_OF(w, number, "cut The rule that allowed it has ended");
            QVERIFY(w.egress->live().empty() && w.grants.list().empty());
            QVERIFY(w.rules.add(gone));
        }
    }
    void aRuleThatDeniesCuts() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto other = w.there.accept();
        w.rule(Effect::Deny, "here.example");
        w.grants.recheck();
        QVERIFY(isOver(other));
    }
    void theOwnerCutsOne() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(!w.egress->cut(1));
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto first = w.there.accept();
        QVERIFY(w.openThere(2));
        TRY_OF(w, 2, "connected raw");
        const auto second = w.there.accept();
        const auto kept = w.clerk->socket(1);
        send(kept, "sent");
        QCOMPARE(take(first, 4), std::string("sent"));
        QTRY_COMPARE_WITH_TIMEOUT(w.egress->live().at(0).bytes.sent, std::uint64_t{4}, 60'000);
        const auto was = w.egress->cut(1);
        QVERIFY(was && was->number == 1 && was->to.text() == w.thereText() && was->bytes.sent == 4 && was->rule != 0);
        QVERIFY(isOver(first)); // before this returned, and whatever the clerk does with its descriptor
        TRY_OF(w, 1, "cut the owner cut it");
        // The other one goes on.
        QVERIFY(w.egress->live().size() == 1 && w.egress->live().at(0).number == 2);
        send(second, "on");
        QCOMPARE(take(w.clerk->socket(2), 2), std::string("on"));
        // Twice, and one that has never been.
        QVERIFY(w.egress->cut(1).error().code == ErrorCode::NotFound && w.egress->cut(77).error().code == ErrorCode::NotFound);
        w.egress->stop();
        QCOMPARE(w.sum(w.thereText(), "open", "ended"), std::uint64_t{2});
        QCOMPARE(w.sum(w.thereText(), "open", "sent"), std::uint64_t{4});
        QVERIFY(w.grants.list().empty());
    }
    // One that is not open yet is none of the list, and is left alone.
    void whatIsNotOpenIsNotCut() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        w.resolver->hold = true;
        QVERIFY(w.openThere(1));
        QTRY_COMPARE_WITH_TIMEOUT(w.resolver->count(), std::size_t{1}, 60'000);
        const auto cut = w.egress->cut(1);
        QVERIFY(!cut && cut.error().code == ErrorCode::NotFound);
        w.resolver->held.front()(std::vector{Address::parse("127.0.0.1").value()});
        TRY_OF(w, 1, "connected raw");
        QVERIFY(w.egress->cut(1));
    }
    void theModeCuts() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto other = w.there.accept();
        w.egress->setMode(NetMode::Ask); // takes nothing away
        QCOMPARE(w.egress->live().size(), std::size_t{1});
        w.egress->setMode(NetMode::Offline);
        QVERIFY(isOver(other));
        TRY_BEGINS(w, 1, "cut");
        QVERIFY(w.openThere(2));
        TRY_BEGINS(w, 2, "refused offline");
        w.egress->setMode(NetMode::Allowlist);
        QVERIFY(w.openThere(3));
        TRY_OF(w, 3, "connected raw");
        QCOMPARE(w.clerk->count("net.mode"), std::size_t{4});
    }
    void aSessionThatEndsCuts() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto other = w.there.accept();
        w.grants.endSession("ann", "s1");
        QVERIFY(isOver(other));
    }
    // What was to be connected when it was taken away is not handed out.
    void aRuleThatEndsMeanwhile() {
        EgressWorld w;
        const auto name = w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        w.resolver->hold = true;
        QVERIFY(w.openThere(1) && w.openThere(2));
        QTRY_COMPARE_WITH_TIMEOUT(w.resolver->count(), std::size_t{2}, 60'000);
        w.rules.remove(name.id);
        w.resolver->held.at(0)(std::vector{Address::parse("127.0.0.1").value()});
        TRY_BEGINS(w, 1, "refused denied: The rule that allowed it has ended");
        QVERIFY(w.rules.add(name));
        w.egress->setMode(NetMode::Offline);
        TRY_BEGINS(w, 2, "refused offline");
        w.resolver->held.at(1)(std::vector{Address::parse("127.0.0.1").value()});
        QVERIFY(w.openThere(3));
        TRY_BEGINS(w, 3, "refused offline");
        QVERIFY(w.clerk->count("net.connected") == 0);
    }
    void whoAskedHasGone() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        w.resolver->hold = true;
        QVERIFY(w.openThere(1));
        QTRY_COMPARE_WITH_TIMEOUT(w.resolver->count(), std::size_t{1}, 60'000);
        QCOMPARE(w.egress->waiting(), std::size_t{1});
        QVERIFY(w.close(1));
        w.resolver->held.at(0)(std::vector{Address::parse("127.0.0.1").value()});
        w.resolver->hold = false;
        QVERIFY(w.openThere(2));
        TRY_OF(w, 2, "connected raw");
        QCOMPARE(w.of(1), std::string());
        QCOMPARE(w.grants.list().size(), std::size_t{3}); // of the second: its name, its address, and that no rule denies that
    }
    void aClerkThatGoesTakesItsConnections() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        const auto other = w.there.accept();
        w.egress->detach(w.at); // and whoever has got hold of its descriptors
        QVERIFY(isOver(other) && w.egress->live().empty() && w.grants.list().empty());
        QVERIFY(w.openThere(2)); // late, and nobody's
        const auto next = std::make_shared<ToldClerk>();
        w.at = w.egress->attach(next);
        QVERIFY(w.openThere(1)); // its own numbers
        QTRY_COMPARE_WITH_TIMEOUT(next->of(1), std::string("connected raw"), 60'000);
        QCOMPARE(next->of(2), std::string());
    }
    void aBrokenClerkIsToldSo() {
        EgressWorld w;
        const auto bad = [&](const std::string& method, const json::object& params) { return !w.egress->told(w.at, method, params); };
        QVERIFY(bad("net.open", {}));
        QVERIFY(bad("net.open", {{"number", 1}, {"host", "a.example"}}));
        QVERIFY(bad("net.open", {{"number", -1}, {"host", "a.example"}, {"port", 1}}));
        QVERIFY(bad("net.open", {{"number", 1}, {"host", "a.example"}, {"port", 65536}}));
        QVERIFY(bad("net.open", {{"number", 1}, {"host", std::string(300, 'a')}, {"port", 1}}));
        QVERIFY(bad("net.open", {{"number", 1}, {"host", "a.example"}, {"port", 1}, {"allow", true}}));
        QVERIFY(bad("net.open", {{"number", 1}, {"host", "a.example"}, {"port", 1}, {"method", "GET"}, {"path", "/"}})); // nobody looks at that here
        QVERIFY(bad("net.closed", {{"number", 1}}));
        QVERIFY(bad("net.cut", {{"number", 1}}));
        w.resolver->hold = true;
        w.rule(Effect::Allow, "a.example");
        QVERIFY(w.open(5, "a.example", 1));
        QVERIFY(!w.open(5, "a.example", 1)); // twice
        QVERIFY(w.close(99)); // cut meanwhile, perhaps
    }
    // A flood is bounded in what waits, and ends with what can be counted.
    void tooMuchAtOnce() {
        EgressWorld w;
        w.rule(Effect::Allow, "here.example");
        w.resolver->hold = true;
        for (std::uint64_t number = 1; number <= kMaxWaiting; ++number) {
            QVERIFY(w.openThere(number));
        }
        QTRY_COMPARE_WITH_TIMEOUT(w.resolver->count(), kMaxWaiting, 60'000);
        QVERIFY(w.openThere(1000));
        TRY_BEGINS(w, 1000, "refused limit");
        QCOMPARE(w.egress->waiting(), kMaxWaiting);
        QVERIFY(w.close(1));
        QVERIFY(w.openThere(1001));
        QTRY_COMPARE_WITH_TIMEOUT(w.resolver->count(), kMaxWaiting + 1, 60'000);
    }
    // A wildcard lets a machine think of new names for ever, and each is a decision that has to be written down.
    void newNamesByTheThousand() {
        EgressWorld w;
        w.rule(Effect::Allow, "*.many.example");
        std::uint64_t number = 0;
        for (std::size_t i = 0; i < kMaxNewDecisions + 50; ++i) {
            QVERIFY(w.openThere(++number, "n" + std::to_string(i) + ".many.example"));
            if (i % 50 == 49) { // no more at once than may wait
                TRY_BEGINS(w, number, "refused");
            }
        }
        TRY_BEGINS(w, number, "refused limit");
        QCOMPARE(w.sink.count("rule.answered"), kMaxNewDecisions);
        w.egress->stop();
        const std::lock_guard lock(w.eventsMutex);
        QVERIFY2(w.events.size() <= 2 * (kMaxTrafficKeys + 10), std::to_string(w.events.size()).c_str());
    }
};

QTEST_GUILESS_MAIN(TestEgress)
#include "test_egress.moc"

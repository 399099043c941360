// SPDX-License-Identifier: Apache-2.0
// What goes on because it was allowed ends with what allowed it.
#include "app/policy/grants.h"
#include "tests/app/policy/approval_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::World;

namespace {

struct Going {
    World w;
    Grants grants{w.rules, w.clock};
    std::vector<std::string> cut;

    Rule rule(Effect effect, const std::string& host) {
        Rule out;
        out.effect = effect;
        out.action = Action::Network;
        out.fields["host"] = {host};
        return *w.rules.add(out);
    }
    Result<std::uint64_t> begin(const std::string& host, std::uint64_t approval = 0, std::optional<std::int64_t> untilMs = {}) {
        Grant grant;
        grant.agent = "ann";
        grant.session = "s1";
        grant.items = World::connect(host).items;
        grant.approval = approval;
        grant.untilMs = untilMs;
        return grants.add(grant, [this, host](const Grant& ended, const std::string& why) {
            cut.push_back(host + ": " + why);
            (void)grants.list(); // may ask
            (void)ended;
        });
    }
    void end(std::uint64_t id) {
        std::erase_if(w.rules.rules, [&](const Rule& each) { return each.id == id; });
        grants.recheck();
    }
};

} // namespace

class TestGrants : public QObject {
    Q_OBJECT
private slots:
    void itEndsWithItsRule() {
        Going g;
        const auto one = g.rule(Effect::Allow, "example.org");
        const auto wide = g.rule(Effect::Allow, "*.example.org");
        QVERIFY(g.begin("example.org") && g.begin("www.example.org") && !g.begin("other.org"));
        QCOMPARE(g.grants.list().at(0).rule, one.id);
        g.end(one.id);
        QCOMPARE(g.cut, std::vector<std::string>{"example.org: The rule that allowed it has ended"});
        g.end(wide.id);
        QCOMPARE(g.cut.size(), std::size_t{2});
        QVERIFY(g.grants.list().empty());
    }

    void anotherRuleKeepsIt() {
        Going g;
        const auto one = g.rule(Effect::Allow, "example.org");
        const auto two = g.rule(Effect::Allow, "example.org");
        QVERIFY(g.begin("example.org"));
        g.end(one.id);
        QVERIFY(g.cut.empty() && g.grants.list().at(0).rule == two.id);
        g.end(two.id);
        QCOMPARE(g.cut.size(), std::size_t{1});
    }

    void aDenyCutsEverything() {
        Going g;
        (void)g.rule(Effect::Allow, "example.org");
        QVERIFY(g.begin("example.org") && g.begin("once.org", 7));
        g.grants.recheck();
        QVERIFY(g.cut.empty()); // what a person allowed needs no rule
        (void)g.rule(Effect::Deny, "example.org");
        (void)g.rule(Effect::Deny, "once.org");
        g.grants.recheck();
        QCOMPARE(g.cut.size(), std::size_t{2});
        QVERIFY(!g.begin("once.org", 7)); // and nothing begins against it
    }

    void whatIsOnlyNotToBeDenied() { // an address, where the name is what was allowed
        Going g;
        Grant address;
        address.agent = "ann";
        address.items = World::connect("203.0.113.7").items;
        address.unlessDenied = true;
        QVERIFY(g.grants.add(address, [&](const Grant&, const std::string& why) { g.cut.push_back(why); }));
        const auto other = g.rule(Effect::Allow, "203.0.113.7");
        g.grants.recheck();
        g.end(other.id);
        QVERIFY(g.cut.empty());
        g.rule(Effect::Deny, "203.0.113.7");
        g.grants.recheck();
        QCOMPARE(g.cut, std::vector<std::string>{"A rule denies it by now"});
        QVERIFY(!g.grants.add(address, [](const Grant&, const std::string&) {}));
    }

    void itsTimeIsOver() {
        Going g;
        const auto until = g.w.clock.at.wallMs + 60'000;
        QVERIFY(g.begin("a.org", 7, until) && g.begin("b.org", 8));
        g.w.clock.turn(59'999);
        g.w.clock.at.wallMs -= 3'600'000;
        g.grants.recheck();
        QVERIFY(g.cut.empty());
        g.w.clock.turn(1);
        g.grants.recheck();
        QCOMPARE(g.cut, std::vector<std::string>{"a.org: The time that it was allowed for is over"});
        QVERIFY(!g.begin("a.org", 7, g.w.clock.at.wallMs));
    }

    void troubleWithTheRules() {
        Going g;
        QVERIFY(g.begin("a.org", 7));
        g.w.rules.trouble = Error{ErrorCode::Refused, "tampered", {}, 0, nullptr};
        g.grants.recheck();
        QCOMPARE(g.cut.size(), std::size_t{1});
        QVERIFY(!g.begin("a.org", 7));
    }

    void ofItsOwn() {
        Going g;
        const auto id = g.begin("a.org", 7);
        QVERIFY(id && g.begin("b.org", 8));
        g.grants.remove(*id);
        g.grants.endSession("bob", "s1");
        g.grants.endSession("ann", "s2");
        QVERIFY(g.cut.empty());
        g.grants.endSession("ann", "s1");
        QCOMPARE(g.cut, std::vector<std::string>{"b.org: The agent's session has ended"});
    }
};

QTEST_GUILESS_MAIN(TestGrants)
#include "test_grants.moc"

// SPDX-License-Identifier: Apache-2.0
// What a request goes through, one case each; over random sequences: test_approval_random.cpp, restarts:
// test_approval_restart.cpp.
#include "tests/app/policy/approval_world.h"

#include <QTest>

#include <thread>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::World;
using Kind = Submitted::Kind;

namespace {

bool says(const Error& error, const char* what) {
    return error.text().find(what) != std::string::npos;
}

} // namespace

class TestApprovalQueue : public QObject {
    Q_OBJECT
private slots:
    void onceIsAllowedOnce() {
        World w;
        const auto asked = w.queue->submit(World::connect("example.org"));
        QVERIFY(asked && asked->kind == Kind::Waiting && asked->id == 1);
        QVERIFY(!w.queue->begin(1));
        const auto decided = w.queue->decide(w.on(1, Effect::Allow));
        QVERIFY(decided && decided->approval.state == ApprovalState::Allowed && !decided->ruleTrouble);
        QCOMPARE(kindOf(w.sink.rows.back()), std::string_view("approval.decided"));
        QVERIFY(w.queue->begin(1));
        QVERIFY(!w.queue->begin(1));
        w.queue->finished(1, EffectState::Done, "");
        QVERIFY(w.queue->find(1)->effect == EffectState::Done);
        QVERIFY(w.rules.rules.empty());
        QVERIFY(w.queue->submit(World::connect("example.org"))->kind == Kind::Waiting);
        QVERIFY2(w.sink.bad.empty(), w.sink.bad.c_str());
    }

    void rulesAnswerWithoutAsking() {
        World w;
        Rule rule;
        rule.effect = Effect::Allow;
        rule.action = Action::Network;
        rule.fields["host"] = {"example.org"};
        QVERIFY(w.rules.add(rule));
        rule.effect = Effect::Deny;
        rule.fields["host"] = {"bad.org"};
        QVERIFY(w.rules.add(rule));
        const auto allowed = w.queue->submit(World::connect("example.org"));
        QVERIFY(allowed && allowed->kind == Kind::Allowed && allowed->id == 0 && allowed->rule->id == 1);
        QCOMPARE(w.sink.count("rule.answered"), std::size_t{1});
        QVERIFY(w.queue->submit(World::connect("bad.org"))->kind == Kind::Denied);
        QVERIFY(w.queue->list(true).empty());
        // What cannot be written down is not allowed; what is denied stays denied.
        w.sink.full = true;
        QVERIFY(!w.queue->submit(World::connect("example.org")));
        QVERIFY(w.queue->submit(World::connect("bad.org"))->kind == Kind::Denied);
        QVERIFY(!w.queue->submit(World::connect("third.org")));
    }

    void troubleWithTheRulesDenies() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        w.rules.trouble = Error{ErrorCode::Refused, "the file was changed", "Look at it", 0, nullptr};
        const auto denied = w.queue->submit(World::connect("other.org"));
        QVERIFY(denied && denied->kind == Kind::Denied && denied->trouble && says(*denied->trouble, "changed"));
        w.queue->reconsider("ann");
        const auto refused = w.queue->decide(w.on(id, Effect::Allow));
        QVERIFY(!refused && says(refused.error(), "changed"));
        QVERIFY(w.state(id) == ApprovalState::Open); // and is to be decided on when it is over
        w.rules.trouble.reset();
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
    }

    void aRuleIsMadeByTheScope_data() {
        QTest::addColumn<int>("scope");
        QTest::addColumn<bool>("sameSession");
        QTest::addColumn<bool>("nextSession");
        QTest::addColumn<bool>("otherAgent");
        QTest::newRow("session") << static_cast<int>(Scope::Session) << true << false << false;
        QTest::newRow("agent") << static_cast<int>(Scope::Agent) << true << true << false;
        QTest::newRow("everywhere") << static_cast<int>(Scope::Everywhere) << true << true << true;
    }
    void aRuleIsMadeByTheScope() {
        QFETCH(int, scope);
        World w;
        const auto id = w.opened(World::connect("example.org"));
        const auto shown = w.queue->ruleOf(w.on(id, Effect::Allow, static_cast<Scope>(scope)));
        const auto decided = w.queue->decide(w.on(id, Effect::Allow, static_cast<Scope>(scope)));
        QVERIFY(decided && decided->approval.decision->ruleId == 1);
        auto kept = w.rules.rules.at(0);
        kept.id = 0;
        QVERIFY(shown && *shown && **shown == kept); // what was shown is what is kept
        auto next = World::connect("example.org");
        QTEST(w.queue->submit(next)->kind == Kind::Allowed, "sameSession");
        next.session = next.items[0].session = "s2";
        QTEST(w.queue->submit(next)->kind == Kind::Allowed, "nextSession");
        QTEST(w.queue->submit(World::connect("example.org", "bob"))->kind == Kind::Allowed, "otherAgent");
        QVERIFY(w.queue->submit(World::connect("other.org", "cay"))->kind == Kind::Waiting);
        QVERIFY(w.queue->sessionEnded("ann", "s1"));
        QCOMPARE(w.rules.rules.empty(), static_cast<Scope>(scope) == Scope::Session);
    }

    void anEditedRuleIsTheOneThatCounts() {
        World w;
        const auto id = w.opened(World::connect("www.example.org"));
        auto wanted = w.on(id, Effect::Allow, Scope::Agent);
        wanted.rule = w.queue->find(id)->question.cover;
        wanted.rule->fields = {{"host", {"*.example.org"}}};
        wanted.rule->agent = "somebody else"; // the scope says whose it is
        wanted.lasting = std::chrono::hours(2);
        QVERIFY(w.queue->decide(wanted));
        QCOMPARE(w.rules.rules.at(0).agent, std::string("ann"));
        QVERIFY(w.queue->submit(World::connect("api.example.org"))->kind == Kind::Allowed);
        w.clock.turn(2 * 3'600'000);
        QVERIFY(w.queue->submit(World::connect("api.example.org"))->kind == Kind::Waiting);
        wanted.id = w.opened(World::connect("ftp.example.org"));
        wanted.digest = w.queue->find(wanted.id)->question.evidence.digest;
        wanted.rule->action = Action::Forward;
        QVERIFY(!w.queue->decide(wanted));
        wanted.rule->action = Action::Network;
        wanted.rule->fields = {{"host", {"*"}}};
        QVERIFY(!w.queue->decide(wanted));
        QVERIFY(w.state(wanted.id) == ApprovalState::Open);
    }

    void aRuleSettlesWhatIsOpen() {
        World w;
        const auto ann = w.opened(World::connect("example.org"));
        const auto bob = w.opened(World::connect("example.org", "bob"));
        const auto cay = w.opened(World::connect("other.org", "cay"));
        QVERIFY(w.queue->decide(w.on(ann, Effect::Deny, Scope::Everywhere)));
        w.queue->reconsider("bob");
        w.queue->reconsider("cay");
        QVERIFY(w.state(bob) == ApprovalState::Denied);
        QCOMPARE(w.queue->find(bob)->decision->by, std::string("rule 1"));
        QVERIFY(w.state(cay) == ApprovalState::Open);
    }

    // Nobody has looked at what a rule allowed: without the rule it is not allowed.
    void theRuleThatAllowedItGoes() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        Rule allow;
        allow.effect = Effect::Allow;
        allow.action = Action::Network;
        QVERIFY(w.rules.add(allow));
        w.queue->reconsider("ann");
        QVERIFY(w.state(id) == ApprovalState::Allowed);
        const auto rules = std::exchange(w.rules.rules, {});
        QVERIFY(w.queue->begin(id).error().code == ErrorCode::Refused);
        w.rules.rules = rules;
        QVERIFY(w.queue->begin(id));
        QVERIFY(w.queue->begin(id).error().code == ErrorCode::AlreadyExists);
    }

    // Also where nobody has looked at the time yet.
    void aLateYesIsNone() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        w.clock.turn(120'000);
        const auto late = w.queue->decide(w.on(id, Effect::Allow));
        QVERIFY(!late && late.error().code == ErrorCode::Expired);
        QVERIFY(!w.queue->begin(id));
        (void)w.queue->tick();
        QVERIFY(w.state(id) == ApprovalState::Expired);
    }

    // A row of the log has to hold it, and to be read again.
    void aRuleTooLongForTheLog() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        for (const auto effect : {Effect::Allow, Effect::Deny}) {
            auto wanted = w.on(id, effect, Scope::Everywhere);
            wanted.rule = Rule{};
            wanted.rule->action = Action::Network;
            for (int i = 0; i < 1000; ++i) {
                wanted.rule->fields["host"].push_back("a-host-with-a-long-name-" + std::to_string(i) + ".example.org");
            }
            QVERIFY(w.queue->decide(wanted).error().code == ErrorCode::LimitExceeded);
        }
        QVERIFY(w.state(id) == ApprovalState::Open && w.rules.rules.empty());
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
    }

    // Whoever shows what waits has to take it away.
    void itsAgentIsDeleted() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        const auto bob = w.opened(World::connect("example.org", "bob"));
        w.heard.states.clear();
        w.queue->forget("ann");
        QVERIFY(w.heard.states == (std::vector{std::pair(id, ApprovalState::Cancelled)}));
        QVERIFY(!w.queue->find(id) && w.state(bob) == ApprovalState::Open);
    }

    // Deny rules always win, also over the owner's own yes, until they are taken away.
    void aDenyMadeMeanwhileWins() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        Rule deny;
        deny.effect = Effect::Deny;
        deny.action = Action::Network;
        const auto other = w.opened(World::connect("other.org"));
        QVERIFY(w.queue->decide(w.on(other, Effect::Allow)));
        QVERIFY(w.rules.add(deny));
        const auto refused = w.queue->decide(w.on(id, Effect::Allow));
        QVERIFY(!refused && says(refused.error(), "Rule 1 denies it") && !refused.error().hint.empty());
        QVERIFY(w.state(id) == ApprovalState::Denied);
        QVERIFY(!w.queue->begin(other)); // allowed before, and not begun yet
    }

    void likeRequestsBecomeOne() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        for (int i = 0; i < 4; ++i) {
            QCOMPARE(w.opened(World::connect("example.org")), id);
        }
        QCOMPARE(w.queue->find(id)->asked, std::uint64_t{5});
        QCOMPARE(w.sink.count("approval.repeated"), std::size_t{2}); // at two and four
        // Two more came after the owner had looked: five are allowed.
        const auto wanted = w.on(id, Effect::Allow);
        QCOMPARE(w.opened(World::connect("example.org")), id);
        QCOMPARE(w.opened(World::connect("example.org")), id);
        QVERIFY(w.queue->decide(wanted));
        int begun = 0;
        for (int i = 0; i < 7; ++i) {
            begun += w.queue->begin(id) ? 1 : 0;
        }
        QCOMPARE(begun, 5);
    }

    void changedSinceItWasLookedAt() {
        World w;
        const auto id = w.opened(w.apply("one"));
        const auto looked = w.on(id, Effect::Allow);
        auto denies = w.on(id, Effect::Deny, Scope::Agent);
        QVERIFY(w.queue->submit(w.apply("two"))->kind == Kind::TurnedAway); // a moment ago
        w.clock.turn(2000);
        QCOMPARE(w.opened(w.apply("two", {"a.txt", "b.txt"})), id);
        const auto refused = w.queue->decide(looked);
        QVERIFY(!refused && refused.error().code == ErrorCode::Conflict && says(refused.error(), "changed"));
        QVERIFY(!w.queue->decide(denies)); // its rule would be about something else
        QVERIFY(w.state(id) == ApprovalState::Open);
        QCOMPARE(w.queue->find(id)->revision, std::uint64_t{2});
        denies.scope = Scope::Once; // gives nothing away
        QVERIFY(w.queue->decide(denies));
        QVERIFY(w.state(id) == ApprovalState::Denied);
    }

    // The same bytes, and by now a way to the host: not what was looked at.
    void theSameContentAtAnotherRisk() {
        World w;
        auto ask = w.apply("one");
        const auto id = w.opened(ask);
        auto looked = w.on(id, Effect::Allow);
        looked.revision = 1;
        w.clock.turn(2000);
        ask.claim = "please"; // other words are no change
        QCOMPARE(w.opened(ask), id);
        QCOMPARE(w.queue->find(id)->revision, std::uint64_t{1});
        ask.items[0].risk = Risk::High;
        ask.riskReason = "It is run by the shell";
        QCOMPARE(w.opened(ask), id);
        QVERIFY(w.queue->find(id)->revision == 2 && w.queue->find(id)->question.risk == Risk::High);
        QVERIFY(w.queue->decide(looked).error().code == ErrorCode::Conflict);
        looked.revision = 2;
        QVERIFY(w.queue->decide(looked));
    }

    void goneSinceItWasAsked() {
        World w;
        QVERIFY(w.queue->decide(w.on(99, Effect::Allow)).error().code == ErrorCode::NotFound);
        const auto id = w.opened(w.apply("one"));
        w.folders.there.clear();
        const auto refused = w.queue->decide(w.on(id, Effect::Allow));
        QVERIFY(!refused && refused.error().code == ErrorCode::NotFound);
        QVERIFY(w.queue->find(id)->ended == std::optional(EndReason::Gone));
        const auto again = w.queue->decide(w.on(id, Effect::Allow));
        QVERIFY(!again && again.error().code == ErrorCode::Cancelled && says(again.error(), "no longer there"));
    }

    void twoDecideAtOnce() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        std::array<std::optional<Result<Decided>>, 8> answers;
        {
            std::vector<std::jthread> owners;
            for (std::size_t i = 0; i < answers.size(); ++i) {
                owners.emplace_back([&, i] {
                    answers.at(i) = w.queue->decide(w.on(id, i % 2 == 0 ? Effect::Allow : Effect::Deny, Scope::Once,
                                                         "owner " + std::to_string(i)));
                });
            }
        }
        std::size_t won = 0;
        const auto by = w.queue->find(id)->decision->by;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            const auto& answer = *answers.at(i);
            if (answer) {
                ++won;
                QCOMPARE(by, "owner " + std::to_string(i));
            } else {
                QVERIFY(answer.error().code == ErrorCode::Conflict && says(answer.error(), ("by " + by).c_str()) &&
                        says(answer.error(), "2026-12-01"));
            }
        }
        QCOMPARE(won, std::size_t{1});
        QCOMPARE(w.sink.count("approval.decided"), std::size_t{1});
    }

    void nobodyAnswers() {
        World w;
        const auto net = w.opened(World::connect("example.org"));
        const auto staged = w.opened(w.apply("one"));
        w.clock.turn(119'999);
        QCOMPARE(w.queue->tick(), w.clock.at.steadyMs + 1);
        QVERIFY(w.state(net) == ApprovalState::Open);
        w.clock.turn(1);
        (void)w.queue->tick();
        QVERIFY(w.state(net) == ApprovalState::Expired);
        QVERIFY(w.state(staged) == ApprovalState::Open);
        const auto late = w.queue->decide(w.on(net, Effect::Allow));
        QVERIFY(!late && late.error().code == ErrorCode::Expired && says(Error{late.error()}, "nobody answered"));
        QVERIFY(!w.queue->begin(net));
        // No denial: the agent is not held off.
        QVERIFY(w.opened(World::connect("third.org")) != 0);
        QVERIFY(w.queue->reopen(net, "ada"));
        QVERIFY(!w.queue->reopen(net, "ada"));
        QVERIFY(w.queue->decide(w.on(net, Effect::Allow)));
        // Whoever asks for it again has it.
        const auto again = w.queue->submit(World::connect("example.org"));
        QVERIFY(again && again->kind == Kind::Allowed && again->id == net && w.queue->begin(net));
        QVERIFY(w.queue->submit(World::connect("example.org"))->kind == Kind::Waiting);
    }

    void aClockThatIsSet() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        w.clock.turn(60'000);
        w.clock.at.wallMs -= 86'400'000; // neither lengthens the countdown
        QCOMPARE(w.queue->find(id)->showUntilMs, w.clock.at.wallMs + 60'000);
        (void)w.queue->tick();
        QVERIFY(w.state(id) == ApprovalState::Open);
        w.clock.at.wallMs += 10 * 86'400'000LL; // nor ends it
        (void)w.queue->tick();
        QVERIFY(w.state(id) == ApprovalState::Open);
        w.clock.at.steadyMs += 60'000;
        (void)w.queue->tick();
        QVERIFY(w.state(id) == ApprovalState::Expired);
        QCOMPARE(std::get<record::Ended>(w.sink.rows.back().what).waitedMs, std::uint64_t{120'000});
    }

    void whoLooksHasTime() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        w.queue->hold(id);
        w.clock.turn(30 * 60'000);
        (void)w.queue->tick();
        QVERIFY(w.state(id) == ApprovalState::Open);
        w.clock.turn(30 * 60'000);
        (void)w.queue->tick();
        QVERIFY(w.state(id) == ApprovalState::Expired);
    }

    void allowedAndNeverFetched() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        w.clock.turn(10 * 60'000);
        QVERIFY(!w.queue->begin(id));
        (void)w.queue->tick();
        QVERIFY(w.queue->find(id)->effect == EffectState::NeverBegan);
        QVERIFY(w.queue->submit(World::connect("example.org"))->kind == Kind::Waiting);
    }

    void theAgentIsTold() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        QVERIFY(!w.queue->wait("bob", id, {}, std::chrono::milliseconds(0)));
        QVERIFY(w.queue->wait("ann", id, {}, std::chrono::milliseconds(1))->state == ApprovalState::Open);
        std::optional<Approval> seen;
        {
            const std::jthread waiter([&] { seen = w.queue->wait("ann", id, {}, std::chrono::hours(1)).value(); });
            QVERIFY(w.queue->decide(w.on(id, Effect::Deny)));
        }
        QVERIFY(seen->state == ApprovalState::Denied);
        w.clock.turn(kFirstPause.count() * 1000);
        const auto other = w.opened(World::connect("other.org"));
        std::jthread stopped([&](std::stop_token stop) { seen = w.queue->wait("ann", other, stop, std::chrono::hours(1)).value(); });
        stopped.request_stop();
        stopped.join();
        QVERIFY(seen->state == ApprovalState::Open);
        QVERIFY(w.queue->withdraw("ann", other) && !w.queue->withdraw("bob", other));
        QVERIFY(w.state(other) == ApprovalState::Cancelled);
    }

    void theSessionEnds() {
        World w;
        const auto net = w.opened(World::connect("example.org"));
        const auto staged = w.opened(w.apply("one"));
        QVERIFY(w.queue->sessionEnded("ann", "s1"));
        QVERIFY(w.queue->find(net)->ended == std::optional(EndReason::SessionOver));
        QVERIFY(w.state(staged) == ApprovalState::Open);
        const auto over = w.queue->decide(w.on(staged, Effect::Allow, Scope::Session));
        QVERIFY(!over && says(over.error(), "session"));
        QVERIFY(w.queue->decide(w.on(staged, Effect::Allow)));
    }

    void aFullDisk() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        const auto other = w.opened(World::connect("other.org", "bob"));
        w.sink.full = true;
        QVERIFY(!w.queue->decide(w.on(id, Effect::Allow)));
        QVERIFY(w.state(id) == ApprovalState::Open);
        QVERIFY(w.queue->decide(w.on(id, Effect::Deny))); // a no is a no
        QVERIFY(w.state(id) == ApprovalState::Denied);
        w.clock.turn(120'000);
        (void)w.queue->tick();
        QVERIFY(w.state(other) == ApprovalState::Expired);
        const auto rows = w.sink.rows.size();
        w.sink.full = false;
        (void)w.queue->tick();
        QCOMPARE(w.sink.rows.size(), rows + 2); // both, in their order
        QCOMPARE(w.sink.count("approval.decided"), std::size_t{1});
    }

    void aRuleThatCannotBeKept() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        w.rules.full = true;
        const auto decided = w.queue->decide(w.on(id, Effect::Allow, Scope::Agent));
        QVERIFY(decided && decided->ruleTrouble && decided->approval.state == ApprovalState::Allowed);
        QCOMPARE(std::get<record::RuleKept>(w.sink.rows.back().what).ruleId, std::uint64_t{0});
        QVERIFY(w.queue->begin(id));
    }
};

QTEST_GUILESS_MAIN(TestApprovalQueue)
#include "test_approval_queue.moc"

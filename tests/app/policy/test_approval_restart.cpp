// SPDX-License-Identifier: Apache-2.0
// The engine ends at any moment: what the log says is what the queue knows afterwards, and of each decision the log says
// whether its effect was finished or never began (invariant I5).
#include "tests/app/policy/approval_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::World;

class TestApprovalRestart : public QObject {
    Q_OBJECT
private slots:
    void whatWaitedStillWaits() {
        World w;
        const auto staged = w.opened(w.apply("one"));
        const auto net = w.opened(World::connect("example.org"));
        w.clock.turn(59 * 60'000);
        const auto before = *w.queue->find(staged);
        w.heard.states.clear();
        QVERIFY(w.restart().misfits.empty());
        // Whoever tells a person, and whoever keeps the evidence, has begun anew as well.
        QVERIFY(std::count(w.heard.states.begin(), w.heard.states.end(), std::pair(staged, ApprovalState::Open)) == 1);
        auto after = *w.queue->find(staged);
        QCOMPARE(after.showUntilMs, w.clock.at.wallMs + 3'600'000); // nobody could answer meanwhile
        after.showUntilMs = before.showUntilMs;
        QVERIFY(after == before);
        QVERIFY(w.queue->find(net)->ended == EndReason::EngineEnded); // whoever waited has gone
        QVERIFY(w.queue->decide(w.on(staged, Effect::Allow)));
        QVERIFY(w.opened(World::connect("example.org")) == net + 1); // a number is never given again
    }

    void killedBetweenDecisionAndEffect_data() {
        QTest::addColumn<bool>("begun");
        QTest::addColumn<bool>("finished");
        QTest::addColumn<bool>("known");
        QTest::newRow("never began") << false << false << true;
        QTest::newRow("began, and rolled back") << true << false << true;
        QTest::newRow("began, and finished") << true << true << true;
        QTest::newRow("nobody can tell yet") << true << false << false;
    }
    void killedBetweenDecisionAndEffect() {
        QFETCH(bool, begun);
        QFETCH(bool, finished);
        QFETCH(bool, known);
        World w;
        const auto id = w.opened(w.apply("one"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        QVERIFY(!begun || w.queue->begin(id));
        if (finished) {
            w.effects.finished.insert(id);
        }
        if (!known) {
            w.effects.unknown.insert(id);
        }
        const auto recovered = w.restart();
        QVERIFY(recovered.misfits.empty());
        const auto of = *w.queue->find(id);
        if (!known) {
            QVERIFY(of.effect == EffectState::Unsettled && recovered.unsettled.size() == 1);
            QVERIFY(!w.queue->begin(id));
            const auto rows = w.sink.rows.size();
            QVERIFY(w.restart().unsettled.size() == 1 && w.sink.rows.size() == rows); // said once
            w.queue->finished(id, EffectState::Done, "");
            QVERIFY(w.queue->find(id)->effect == EffectState::Done);
        } else if (finished) {
            QVERIFY(of.state == ApprovalState::Allowed && of.effect == EffectState::Done);
            QVERIFY(!w.queue->begin(id)); // never twice
        } else { // a person is asked once more; nothing begins by itself
            QVERIFY(of.state == ApprovalState::Open && recovered.reopened.size() == 1);
            QVERIFY(!w.queue->begin(id));
            QCOMPARE(kindOf(w.sink.rows.at(w.sink.rows.size() - 2)), std::string_view("approval.effect"));
            QVERIFY(w.queue->decide(w.on(id, Effect::Allow)) && w.queue->begin(id));
        }
        const auto rows = w.sink.rows.size();
        w.queue->finished(id, EffectState::Done, "");
        QVERIFY(w.restart().misfits.empty() && w.sink.rows.size() <= rows + 1);
    }

    void killedBetweenDecisionAndRule_data() {
        QTest::addColumn<bool>("there");
        QTest::addColumn<bool>("deny");
        QTest::newRow("the rule was kept") << true << false;
        QTest::newRow("it was not") << false << false;
        QTest::newRow("the denial was kept") << true << true;
        QTest::newRow("the denial was not") << false << true;
    }
    void killedBetweenDecisionAndRule() {
        QFETCH(bool, there);
        QFETCH(bool, deny);
        World w;
        const auto id = w.opened(World::connect("example.org"));
        w.sink.room = 1; // the decision; no more is written
        QVERIFY(w.queue->decide(w.on(id, deny ? Effect::Deny : Effect::Allow, Scope::Agent)));
        QCOMPARE(w.sink.count("rule.kept"), std::size_t{0});
        w.sink.room = SIZE_MAX;
        if (!there) {
            w.rules.rules.clear();
        }
        const auto recovered = w.restart();
        QCOMPARE(w.sink.count("rule.kept"), std::size_t{1});
        QCOMPARE(w.queue->find(id)->decision->ruleId != 0, there || deny);
        // Told, not made anew from a log that nothing seals; but for a denial, which gives nothing away.
        QCOMPARE(recovered.rulesLost.size(), std::size_t(there || deny ? 0 : 1));
        QVERIFY(w.rules.rules.size() == (there || deny ? 1U : 0U));
        QVERIFY(w.restart().rulesLost.empty() && w.sink.count("rule.kept") == 1);
    }

    void theRecordOfANoGotLost() {
        World w;
        const auto id = w.opened(w.apply("one"));
        w.sink.full = true;
        QVERIFY(w.queue->decide(w.on(id, Effect::Deny)));
        w.sink.full = false;
        (void)w.restart();
        QVERIFY(w.state(id) == ApprovalState::Open); // asked again; nothing was allowed
    }

    void thePauseIsNotEndedByIt() {
        World w;
        for (int i = 0; i < 3; ++i) { // 10, 20, 40 seconds
            QVERIFY(w.queue->decide(w.on(w.opened(World::connect("h" + std::to_string(i) + ".org")), Effect::Deny)));
            w.clock.turn(i < 2 ? 20'000 : 0);
        }
        w.clock.at.wallMs -= 86'400'000; // a clock that was set back meanwhile helps nobody
        (void)w.restart();
        w.clock.turn(39'999);
        QVERIFY(w.queue->submit(World::connect("example.org"))->kind == Submitted::Kind::TurnedAway);
        w.clock.turn(1);
        QVERIFY(w.queue->submit(World::connect("example.org"))->kind == Submitted::Kind::Waiting);
    }

    void rowsThatDoNotFitChangeNothing() {
        World w;
        const auto id = w.opened(w.apply("one"));
        const auto other = w.opened(World::connect("example.org", "bob"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Deny)));
        const auto asked = w.sink.rows.at(0);
        auto allow = w.sink.rows.at(2);
        auto& facts = std::get<record::Decided>(allow.what).facts;
        facts.effect = Effect::Allow;
        facts.uses = 1;
        w.sink.rows.push_back(allow); // after it was denied
        auto foreign = allow;
        foreign.id = other; // of another agent
        w.sink.rows.push_back(foreign);
        auto unknown = allow;
        unknown.id = 99;
        w.sink.rows.push_back(unknown);
        w.sink.rows.push_back(asked); // its number is taken
        QCOMPARE(w.restart("s1", {"ann", "bob"}).misfits.size(), std::size_t{4});
        QVERIFY(w.state(id) == ApprovalState::Denied);
    }

    void noRowIsWrittenThatDoesNotFit() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)) && w.queue->begin(id));
        const auto rows = w.sink.rows.size();
        w.queue->finished(id, EffectState::None, ""); // says nothing
        QCOMPARE(w.sink.rows.size(), rows);
    }

    // A row that allows something else than what was asked allows nothing.
    void aRowAboutOtherContent() {
        World w;
        const auto id = w.opened(w.apply("one"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        std::get<record::Decided>(w.sink.rows.back().what).digest = files::Sha256::of(std::string_view("other"));
        QCOMPARE(w.restart().misfits.size(), std::size_t{1});
        QVERIFY(w.state(id) == ApprovalState::Open);
    }

    void closedOnesAreFew() {
        World w;
        for (int i = 0; i < 150; ++i) {
            const auto id = w.opened(World::connect("h" + std::to_string(i) + ".org"));
            QVERIFY(id != 0 && w.queue->withdraw("ann", id));
            w.clock.turn(10'000);
        }
        const auto live = w.queue->list(true);
        QCOMPARE(live.size(), std::size_t{kMaxClosed});
        (void)w.restart();
        auto again = w.queue->list(true);
        QVERIFY(again == live);
        w.queue->forget("ann");
        QVERIFY(w.queue->list(true).empty());
    }
};

QTEST_GUILESS_MAIN(TestApprovalRestart)
#include "test_approval_restart.moc"

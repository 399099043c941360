// SPDX-License-Identifier: Apache-2.0
// A request for a server to be shown in the owner's browser: a person says yes to it, each time, and no rule does.
#include "app/policy/approval_words.h"
#include "tests/app/policy/approval_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::World;
using Kind = Submitted::Kind;

namespace {

Ask asked(const char* port = "8000") {
    auto item = World::item(Action::Forward, {{"port", port}});
    item.risk = Risk::High;
    auto ask = World::connect("x");
    ask.action = Action::Forward;
    ask.about = std::string("port ") + port;
    ask.items = {item};
    ask.evidence = {files::Sha256::of(port), "forward"};
    return ask;
}

Rule ruleOf(Effect effect) {
    Rule rule;
    rule.id = 1;
    rule.effect = effect;
    rule.action = Action::Forward;
    rule.high = effect == Effect::Allow;
    return rule;
}

} // namespace

class TestForwardAsked : public QObject {
    Q_OBJECT
private slots:
    void noRuleSaysYes() {
        World w;
        w.rules.rules = {ruleOf(Effect::Allow)};
        const auto id = w.opened(asked());
        QVERIFY(w.queue->find(id)->question.risk == Risk::High && !w.queue->find(id)->question.cover);
        w.queue->reconsider("ann"); // nor one that is made while it waits
        QVERIFY(w.queue->find(id)->state == ApprovalState::Open);
        auto wanted = w.on(id, Effect::Allow, Scope::Agent);
        QVERIFY(w.queue->decide(wanted).error().code == ErrorCode::Refused);
        wanted.rule = ruleOf(Effect::Allow);
        QVERIFY(w.queue->decide(wanted).error().code == ErrorCode::Refused);
        QVERIFY(w.queue->find(id)->state == ApprovalState::Open);
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        QCOMPARE(w.queue->find(id)->decision->uses, std::uint64_t{1});
    }
    void oneThatDeniesCounts() {
        World w;
        const auto id = w.opened(asked());
        w.rules.rules = {ruleOf(Effect::Allow), ruleOf(Effect::Deny)};
        QVERIFY(!w.queue->decide(w.on(id, Effect::Allow)));
        w.queue->reconsider("ann");
        QVERIFY(w.queue->find(id)->state == ApprovalState::Denied);
        QVERIFY(w.queue->submit(asked("8001"))->kind == Kind::Denied);
    }
    // The owner may say no for good; that is a rule, made with the answer.
    void noForGood() {
        World w;
        const auto id = w.opened(asked());
        auto wanted = w.on(id, Effect::Deny, Scope::Agent);
        wanted.rule = ruleOf(Effect::Deny);
        QVERIFY(w.queue->decide(wanted));
        QCOMPARE(w.rules.rules.size(), std::size_t{1});
    }
    void eachTimeAnew() {
        World w;
        const auto id = w.opened(asked());
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)) && w.queue->begin(id));
        w.queue->finished(id, EffectState::Done, "what listens at port 8000 of the machine is shown");
        QCOMPARE(toldAgent(*w.queue->find(id)), std::string("It was allowed: what listens at port 8000 of the machine is shown"));
        QVERIFY(!w.queue->begin(id)); // once
        QVERIFY(w.opened(asked()) != id);
    }
};

QTEST_GUILESS_MAIN(TestForwardAsked)
#include "test_forward_asked.moc"

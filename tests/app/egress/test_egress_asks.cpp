// SPDX-License-Identifier: Apache-2.0
// Mode ask: what no rule speaks of waits for a person, one question for each destination.
#include "tests/app/egress/egress_world.h"

#include <array>
#include <functional>
#include <set>
#include <utility>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
using policy::Approval;
using policy::ApprovalState;
using policy::Effect;
using policy::Scope;

namespace {

struct Asking : EgressWorld {
    Asking()
        : EgressWorld(NetMode::Ask) {}
    std::function<void()> whileTheRuleIsKept; // once
    void changed(const Approval& approval, std::uint64_t number) override {
        EgressWorld::changed(approval, number);
        if (approval.state == ApprovalState::Allowed && approval.decision && approval.decision->rule && approval.decision->ruleId == 0 && whileTheRuleIsKept) {
            std::exchange(whileTheRuleIsKept, nullptr)();
        }
    }
    // The one that is open, when there is one.
    [[nodiscard]] std::optional<Approval> asked() {
        const auto all = queue.list(false);
        return all.size() == 1 ? std::optional(all.front()) : std::nullopt;
    }
    Result<policy::Decided> answer(const Approval& of, Effect effect, Scope scope = Scope::Once,
                                   std::optional<std::chrono::milliseconds> lasting = {}) {
        policy::DecisionWanted wanted;
        wanted.id = of.id;
        wanted.effect = effect;
        wanted.scope = scope;
        wanted.lasting = lasting;
        wanted.digest = of.question.evidence.digest;
        wanted.revision = of.revision;
        wanted.asked = of.asked;
        wanted.by = "ada";
        return queue.decide(wanted);
    }
};

#define TRY_ASKED(world) QTRY_VERIFY_WITH_TIMEOUT((world).asked(), 60'000)

} // namespace

class TestEgressAsks : public QObject {
    Q_OBJECT
private slots:
    void allowedOnce() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        const auto asked = *w.asked();
        QVERIFY(asked.action == policy::Action::Network && asked.question.risk == policy::Risk::Routine && asked.session == "s1");
        QCOMPARE(asked.question.items.front().fields.at("host"), std::string("here.example"));
        QVERIFY(asked.question.cover);
        QCOMPARE(asked.question.cover->fields.at("port"), std::vector{std::to_string(w.there.port())});
        QCOMPARE(w.resolver->count(), std::size_t{0}); // not before it is allowed
        QVERIFY(w.answer(asked, Effect::Allow));
        TRY_OF(w, 1, "connected raw");
        QTRY_VERIFY_WITH_TIMEOUT(w.queue.find(asked.id)->effect == policy::EffectState::Done, 60'000);
        QCOMPARE(w.egress->live().at(0).approval, asked.id);
        QVERIFY(w.openThere(2)); // that was once
        TRY_ASKED(w);
        QVERIFY(w.asked()->id != asked.id);
    }
    void denied() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        QVERIFY(w.answer(*w.asked(), Effect::Deny));
        TRY_OF(w, 1, "refused denied: It was denied");
        QVERIFY(w.openThere(2)); // an agent that asks again at once has to wait, unasked
        TRY_BEGINS(w, 2, "refused limit: The last request was denied");
        QCOMPARE(w.resolver->count(), std::size_t{0});
    }
    // Invariant I7: nobody's answer is a no, and another one than a denial.
    void expiredIsNotDenied() {
        Asking w;
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        w.clock.turned += std::chrono::milliseconds(policy::kPatience).count() + 1000;
        (void)w.queue.tick();
        TRY_BEGINS(w, 1, "refused expired: Nobody answered in time; it was not denied");
        QCOMPARE(w.sum(w.thereText(), "denied", "begun"), std::uint64_t{0});
        QTRY_COMPARE_WITH_TIMEOUT(w.sum(w.thereText(), "expired", "begun"), std::uint64_t{1}, 60'000);
    }
    void manyOfOneDestinationAreOneQuestion() {
        Asking w;
        w.nameLoopback();
        for (std::uint64_t number = 1; number <= 20; ++number) {
            QVERIFY(w.openThere(number));
        }
        QTRY_VERIFY_WITH_TIMEOUT(w.asked() && w.asked()->asked == 20, 60'000);
        QVERIFY(w.answer(*w.asked(), Effect::Allow));
        for (std::uint64_t number = 1; number <= 20; ++number) {
            TRY_OF(w, number, "connected raw");
        }
        QCOMPARE(w.queue.list(true).size(), std::size_t{1});
    }
    // Who joined after the person looked is no part of what was allowed.
    void aHundredAreNotOne() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        const auto seen = *w.asked();
        QVERIFY(w.openThere(2) && w.openThere(3));
        QTRY_VERIFY_WITH_TIMEOUT(w.asked()->asked == 3, 60'000);
        QVERIFY(w.answer(seen, Effect::Allow));
        QTRY_COMPARE_WITH_TIMEOUT(w.clerk->count("net.connected"), std::size_t{1}, 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(w.asked() && w.asked()->id != seen.id && w.asked()->asked == 2, 60'000);
    }
    // A decision for longer is a rule, and what goes on by it ends with it.
    void allowedForTheSessionEndsWithItsRule() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1) && w.openThere(2));
        QTRY_VERIFY_WITH_TIMEOUT(w.asked() && w.asked()->asked == 2, 60'000);
        const auto decided = w.answer(*w.asked(), Effect::Allow, Scope::Session);
        QVERIFY(decided && decided->approval.decision->ruleId != 0);
        TRY_OF(w, 1, "connected raw");
        TRY_OF(w, 2, "connected raw");
        QVERIFY(w.openThere(3));
        TRY_OF(w, 3, "connected raw");
        QCOMPARE(w.queue.list(true).size(), std::size_t{1});
        QVERIFY(w.queue.find(decided->approval.id)->effect == policy::EffectState::Done);
        for (const auto& each : w.egress->live()) {
            QVERIFY(each.approval == 0 && each.rule != 0);
        }
        w.rules.remove(decided->approval.decision->ruleId);
        w.grants.recheck();
        for (std::uint64_t number = 1; number <= 3; ++number) {
            TRY_OF(w, number, "cut The rule that allowed it has ended");
        }
    }
    // The rule cannot be kept: the decision stands for what it was taken on.
    // Between the answer and its rule, which takes a moment to be kept: by that rule it goes, and with it it ends.
    void whoeverJoinsBeforeTheRuleEndsWithIt() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        w.whileTheRuleIsKept = [&w] {
            QVERIFY(w.openThere(2));
            QVERIFY(w.open(3, "0.0.0.0", 1)); // whose turn comes after all that the second one had begun
            TRY_BEGINS(w, 3, "refused");
        };
        const auto decided = w.answer(*w.asked(), Effect::Allow, Scope::Agent);
        QVERIFY(decided && !w.whileTheRuleIsKept);
        TRY_OF(w, 1, "connected raw");
        TRY_OF(w, 2, "connected raw");
        const auto rule = w.egress->live().at(0).rule;
        QVERIFY(rule != 0 && w.egress->live().at(1).rule == rule);
        w.rules.remove(rule);
        w.grants.recheck();
        for (const std::uint64_t number : {1, 2}) {
            TRY_OF(w, number, "cut The rule that allowed it has ended");
        }
    }
    void aRuleThatCannotBeKept() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        {
            const std::lock_guard lock(w.rules.mutex);
            w.rules.inner.full = true;
        }
        const auto decided = w.answer(*w.asked(), Effect::Allow, Scope::Agent);
        QVERIFY(decided && decided->ruleTrouble);
        TRY_OF(w, 1, "connected raw");
    }
    void anEndTimeCuts() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        QVERIFY(w.answer(*w.asked(), Effect::Allow, Scope::Once, std::chrono::minutes(5)));
        TRY_OF(w, 1, "connected raw");
        w.clock.turned += std::chrono::milliseconds(std::chrono::minutes(6)).count();
        w.grants.recheck();
        TRY_BEGINS(w, 1, "cut The time that it was allowed for is over");
    }
    void aRuleThatComesAnswers() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        w.rule(Effect::Allow, "here.example");
        w.queue.reconsider("ann");
        TRY_OF(w, 1, "connected raw");
        QVERIFY(w.egress->live().at(0).rule != 0);
    }
    // An address of one's own is a question of its own, of high risk, that says where the name leads.
    void aPrivateAddressIsAskedApart() {
        Asking w;
        w.rule(Effect::Allow, "here.example");
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        const auto asked = *w.asked();
        QVERIFY(asked.question.risk == policy::Risk::High);
        QCOMPARE(asked.question.items.front().fields.at("host"), std::string("127.0.0.1"));
        QCOMPARE(asked.question.riskReason, std::string("here.example leads to 127.0.0.1, an address of this computer itself, and not of the internet"));
        QVERIFY(asked.question.cover && asked.question.cover->high);
        QVERIFY(!w.there.hasOne());
        QVERIFY(w.answer(asked, Effect::Allow, Scope::Agent));
        TRY_OF(w, 1, "connected raw");
        QVERIFY(w.openThere(2));
        TRY_OF(w, 2, "connected raw");
        QVERIFY(w.queue.list(false).empty());
    }
    void namesOfOneAddressAreOneQuestion() { // a package manager's mirrors, at an address of the user's own network
        Asking w;
        const std::array<std::string, 3> names{"here.example", "mirror.example", "security.example"};
        for (const auto& name : names) {
            w.rule(Effect::Allow, name);
            w.resolver->names[name] = {{"127.0.0.1"}};
        }
        for (std::uint64_t number = 0; number < names.size(); ++number) {
            QVERIFY(w.openThere(number + 1, names.at(number)));
            QTRY_VERIFY_WITH_TIMEOUT(w.asked() && w.asked()->asked == number + 1, 60'000);
        }
        QCOMPARE(w.asked()->revision, std::uint64_t{1});
        QVERIFY(w.asked()->question.riskReason.starts_with("here.example leads to"));
        QVERIFY(w.answer(*w.asked(), Effect::Deny));
        for (std::uint64_t number = 1; number <= names.size(); ++number) {
            TRY_OF(w, number, "refused denied: It was denied");
        }
    }
    void anAddressByItself() {
        Asking w;
        QVERIFY(w.openThere(1, "127.0.0.1"));
        TRY_ASKED(w);
        QVERIFY(w.asked()->question.risk == policy::Risk::High && !w.asked()->question.riskReason.empty());
        QVERIFY(w.openThere(2, "0.0.0.0"));
        TRY_BEGINS(w, 2, "refused denied"); // nobody is asked what nobody may allow
        QVERIFY(w.answer(*w.asked(), Effect::Allow));
        TRY_OF(w, 1, "connected raw");
    }
    void aFloodOfDestinations() {
        Asking w;
        for (std::uint64_t number = 1; number <= 100; ++number) {
            QVERIFY(w.openThere(number, "n" + std::to_string(number) + ".example"));
        }
        TRY_BEGINS(w, 100, "refused limit");
        QCOMPARE(w.queue.list(false).size(), policy::kMaxOpen);
        QVERIFY(w.queue.turnedAway().empty()); // they wait, and nobody was told that they were too many
        QCOMPARE(w.egress->waiting(), policy::kMaxOpen + kMaxInLine);
    }
    void theNextIsAskedWhenOneIsAnswered() {
        Asking w;
        w.nameLoopback();
        constexpr std::uint64_t kAll = policy::kMaxOpen + 3;
        for (std::uint64_t number = 1; number <= kAll; ++number) {
            const auto name = "n" + std::to_string(number) + ".example";
            w.resolver->names[name] = {{"127.0.0.1"}};
            QVERIFY(w.openThere(number, name));
        }
        std::set<std::uint64_t> answered;
        for (std::uint64_t number = 1; number <= kAll; ++number) { // in the order in which they came
            QTRY_VERIFY_WITH_TIMEOUT(w.queue.list(false).size() == std::min<std::size_t>(policy::kMaxOpen, kAll - answered.size()), 60'000);
            const auto first = w.queue.list(false).front();
            QCOMPARE(first.question.items.front().fields.at("host"), "n" + std::to_string(number) + ".example");
            QVERIFY(answered.insert(first.id).second && w.answer(first, Effect::Allow));
            TRY_OF(w, number, "connected raw");
        }
        QVERIFY(w.queue.turnedAway().empty());
    }
    void aRuleTakesSomebodyOutOfTheLine() {
        Asking w;
        w.nameLoopback();
        for (std::uint64_t number = 1; number <= policy::kMaxOpen; ++number) {
            QVERIFY(w.openThere(number, "n" + std::to_string(number) + ".example"));
        }
        QTRY_VERIFY_WITH_TIMEOUT(w.queue.list(false).size() == policy::kMaxOpen, 60'000);
        QVERIFY(w.openThere(90) && w.openThere(91, "never.example"));
        QVERIFY(w.open(92, "0.0.0.0", 1)); // whose turn comes after theirs
        TRY_BEGINS(w, 92, "refused");
        QVERIFY(w.of(90).empty() && w.of(91).empty());
        w.rule(Effect::Allow, "here.example");
        w.rule(Effect::Deny, "never.example");
        w.networks->rulesChanged();
        TRY_OF(w, 90, "connected raw");
        TRY_BEGINS(w, 91, "refused denied");
        QCOMPARE(w.queue.list(false).size(), policy::kMaxOpen);
    }
    void theModeEndsTheQuestion() {
        for (const auto mode : {NetMode::Offline, NetMode::Allowlist}) {
            Asking w;
            QVERIFY(w.openThere(1));
            TRY_ASKED(w);
            const auto id = w.asked()->id;
            w.egress->setMode(mode);
            TRY_BEGINS(w, 1, mode == NetMode::Offline ? "refused offline" : "refused denied");
            QVERIFY(w.queue.find(id)->state == ApprovalState::Cancelled);
        }
    }
    // In mode allowlist goes on only what rules allow.
    void allowlistCutsWhatAPersonAllowed() {
        Asking w;
        const auto named = w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        QVERIFY(w.answer(*w.asked(), Effect::Allow));
        QVERIFY(w.openThere(2, "127.0.0.1")); // by the rule
        TRY_OF(w, 1, "connected raw");
        TRY_OF(w, 2, "connected raw");
        w.egress->setMode(NetMode::Allowlist);
        TRY_BEGINS(w, 1, "cut");
        QCOMPARE(w.egress->live().size(), std::size_t{1});
        QCOMPARE(w.egress->live().at(0).rule, named.id);
    }
    void whoAskedHasGone() {
        Asking w;
        w.nameLoopback();
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        QVERIFY(w.close(1));
        // The question stays: an answer to it is good for the next try, which may come in ten minutes.
        const auto asked = w.asked();
        QVERIFY(asked && w.answer(*asked, Effect::Allow));
        QVERIFY(w.openThere(2));
        TRY_OF(w, 2, "connected raw");
        QCOMPARE(w.of(1), std::string());
    }
    void aSessionThatEnds() {
        Asking w;
        QVERIFY(w.openThere(1));
        TRY_ASKED(w);
        QVERIFY(w.queue.sessionEnded("ann", "s1"));
        TRY_BEGINS(w, 1, "refused closed");
    }
};

QTEST_GUILESS_MAIN(TestEgressAsks)
#include "test_egress_asks.moc"

// SPDX-License-Identifier: Apache-2.0
// A request for a folder that the owner chooses with the answer: it names none, so no rule can say yes to it, and what was
// allowed is done before whoever waits is told.
#include "app/policy/approval_words.h"
#include "tests/app/policy/approval_world.h"

#include <QTest>

#include <thread>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::World;
using Kind = Submitted::Kind;

namespace {

Request asked(const char* folder = nullptr, const char* mode = "review") {
    auto item = World::item(Action::Folder, {{"mode", mode}});
    if (folder != nullptr) {
        item.fields.emplace("folder", folder);
    }
    return item;
}

Ask askOf(World& w, const Request& item) {
    auto ask = World::connect("x");
    ask.action = Action::Folder;
    ask.about = "folder";
    ask.items = {item};
    ask.evidence.reference = "folder";
    w.folders.there["folder"] = ask.items;
    return ask;
}

Rule ruleOf(Effect effect, std::map<std::string, std::vector<std::string>, std::less<>> fields = {}) {
    Rule rule;
    rule.id = 1;
    rule.effect = effect;
    rule.action = Action::Folder;
    rule.fields = std::move(fields);
    return rule;
}

} // namespace

class TestFolderAsked : public QObject {
    Q_OBJECT
private slots:
    void itsForm() {
        QVERIFY(check(asked()) && check(asked("/home/ada")));
        auto none = asked();
        none.fields.erase("mode");
        QVERIFY(!check(none) && !check(asked("home")) && !check(asked(nullptr, "write")));
    }

    void noRuleAllowsWhatIsStillToBeChosen() {
        const std::vector<Rule> wide{ruleOf(Effect::Allow), ruleOf(Effect::Allow, {{"folder", {"/"}}}),
                                     ruleOf(Effect::Allow, {{"mode", {"review", "read-only", "auto"}}})};
        for (auto rule : wide) {
            rule.high = true;
            QVERIFY(check(rule) && !matches(rule, asked(), 0) && matches(rule, asked("/home/ada"), 0));
        }
        const auto item = asked();
        QVERIFY(decide(wide, item, 0).answer == Answer::Ask);
        QVERIFY(!coveringRule({&item, 1}));
    }

    // One that denies folders of some name is asked when one is chosen; one that denies any, or that mode, at once.
    void whatDenies() {
        QVERIFY(matches(ruleOf(Effect::Deny), asked(), 0));
        QVERIFY(matches(ruleOf(Effect::Deny, {{"mode", {"review"}}}), asked(), 0));
        QVERIFY(!matches(ruleOf(Effect::Deny, {{"mode", {"auto"}}}), asked(), 0));
        const auto secret = ruleOf(Effect::Deny, {{"folder", {"/home/ada/secret"}}});
        QVERIFY(!matches(secret, asked(), 0) && matches(secret, asked("/home/ada/secret/x"), 0));
        World w;
        w.rules.rules = {ruleOf(Effect::Deny)};
        QVERIFY(w.queue->submit(askOf(w, asked()))->kind == Kind::Denied);
        w.rules.rules = {secret};
        QVERIFY(w.queue->submit(askOf(w, asked()))->kind == Kind::Waiting);
    }

    void onceOnly() {
        World w;
        const auto id = w.opened(askOf(w, asked()));
        for (const auto scope : {Scope::Session, Scope::Agent, Scope::Everywhere}) {
            QVERIFY(w.queue->decide(w.on(id, Effect::Allow, scope)).error().code == ErrorCode::Refused);
        }
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
    }

    void inWords() {
        World w;
        const auto id = w.opened(askOf(w, asked()));
        QVERIFY(isToBeChosen(*w.queue->find(id)));
        QCOMPARE(describe(*w.queue->find(id), "desk"),
                 std::string("The agent desk asks to be given a folder of your choice, mode review"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)) && w.queue->begin(id));
        w.queue->finished(id, EffectState::Done, "the folder is at /workspace/papers");
        QCOMPARE(toldAgent(*w.queue->find(id)), std::string("It was allowed: the folder is at /workspace/papers"));
        World v;
        const auto named = v.opened(askOf(v, asked("/home/ada")));
        QVERIFY(!isToBeChosen(*v.queue->find(named)));
    }

    void toldWhenItIsDone() {
        World w;
        const auto id = w.opened(askOf(w, asked()));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        using Until = ApprovalQueue::Until;
        QVERIFY(w.queue->wait("ann", id, {}, std::chrono::hours(1))->effect == EffectState::None);
        QVERIFY(w.queue->wait("ann", id, {}, std::chrono::milliseconds(1), Until::Done)->effect == EffectState::None);
        std::optional<Approval> seen;
        {
            const std::jthread waiter([&] { seen = w.queue->wait("ann", id, {}, std::chrono::hours(1), Until::Done).value(); });
            QVERIFY(w.queue->begin(id));
            w.queue->finished(id, EffectState::Done, "");
        }
        QVERIFY(seen->effect == EffectState::Done);
    }

    void afterARestartInItsOwnWords() {
        World w;
        const auto id = w.opened(askOf(w, asked()));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow)));
        w.effects.finished.insert(id);
        w.effects.found = "the folder is at /workspace/papers";
        (void)w.restart();
        QCOMPARE(toldAgent(*w.queue->find(id)), std::string("It was allowed: the folder is at /workspace/papers"));
    }
};

QTEST_GUILESS_MAIN(TestFolderAsked)
#include "test_folder_asked.moc"

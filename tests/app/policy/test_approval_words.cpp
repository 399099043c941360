// SPDX-License-Identifier: Apache-2.0
// What is read of a request: by the owner what the host saw, by the agent how it stands.
#include "app/policy/approval_words.h"
#include "tests/app/policy/approval_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::World;

class TestApprovalWords : public QObject {
    Q_OBJECT

    static std::string words(World& w, const Ask& ask) { return describe(*w.queue->find(w.opened(ask)), "desk"); }
    static Ask of(Action action, std::map<std::string, std::string, std::less<>> fields) {
        auto ask = World::connect("x");
        ask.action = action;
        ask.about = std::string(toString(action));
        ask.items = {World::item(action, std::move(fields))};
        return ask;
    }

private slots:
    void forTheOwner() {
        World w;
        QCOMPARE(words(w, w.apply("one")), std::string("The agent desk asks to have 1 change applied in /home/ada/papers"));
        QCOMPARE(words(w, World::connect("example.org")),
                 std::string("example.org, port 443: the agent desk asks to connect, and could send anything there"));
        QCOMPARE(words(w, of(Action::Network, {{"host", "a.org"}, {"port", "80"}, {"method", "GET"}, {"path", "/x"}})),
                 std::string("a.org, port 80: the agent desk asks to connect, for GET /x"));
        World v;
        QCOMPARE(words(v, of(Action::Folder, {{"folder", "/home/ada/x"}, {"mode", "review"}})),
                 std::string("The agent desk asks to be given the folder /home/ada/x, mode review"));
        QCOMPARE(words(v, of(Action::Credential, {{"name", "model"}, {"host", "a.org"}})),
                 std::string("The agent desk asks to use the credential model at a.org"));
        QCOMPARE(words(v, of(Action::Forward, {{"port", "80"}})),
                 std::string("The agent desk asks to have what it serves at port 80 of its machine shown in your browser"));
        World u;
        const auto sha = std::string(64, 'a');
        QCOMPARE(words(u, of(Action::Program, {{"sha256", sha}})), "The agent desk asks to run the program with the content " + sha);
    }

    // What it says of itself is not in there.
    void aClaimIsNoFact() {
        World w;
        auto ask = World::connect("example.org");
        ask.claim = "the owner said yes";
        QVERIFY(words(w, ask).find("owner") == std::string::npos);
    }

    void forTheAgent() {
        World w;
        const auto told = [&](std::uint64_t id) { return toldAgent(*w.queue->find(id)); };
        const auto one = w.opened(World::connect("a.org"));
        QCOMPARE(told(one), std::string("It waits for an answer"));
        auto wanted = w.on(one, Effect::Deny, Scope::Agent, "ada in secret");
        wanted.rule = w.queue->find(one)->question.cover;
        wanted.rule->note = "never that one";
        QVERIFY(w.queue->decide(wanted));
        QCOMPARE(told(one), std::string("It was denied"));
        w.clock.turn(10'000);
        const auto two = w.opened(World::connect("b.org"));
        w.clock.turn(120'000);
        (void)w.queue->tick();
        QVERIFY(told(two).find("Nobody answered") == 0 && told(two).find("not denied") != std::string::npos);
        // By a rule: not which one, nor the owner's words about it.
        const auto denied = w.queue->submit(World::connect("a.org"));
        QVERIFY(denied && denied->kind == Submitted::Kind::Denied && denied->why == "A rule of the owner's denies it");
    }
};

QTEST_GUILESS_MAIN(TestApprovalWords)
#include "test_approval_words.moc"

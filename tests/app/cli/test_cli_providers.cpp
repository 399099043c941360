// SPDX-License-Identifier: Apache-2.0
// Model providers on the command line: what is shown before it is kept, and that a key comes in as any secret does.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliProviders : public QObject, protected CliTest {
    Q_OBJECT

    void answerWithoutKey() { m_engine->setAnswer("provider.add", json::value(example("provider.add", 1))); }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        prepareAll();
    }
    void init() { beginEngine(); }
    void cleanup() { endEngine(); }

    void verbsAskAndShow() {
        checkVerb({"provider", "list"}, "provider.list", "{}", "local   qwen3:8b           http://localhost:11434/v1  openai             none               clerk");
        checkVerb({"provider", "presets"}, "provider.presets", "{}", "Add one: carrel provider add NAME --preset PRESET");
        checkVerb({"provider", "test", "local"}, "provider.test", "{\"name\":\"local\"}", "wrong  Nobody listens there.");
        checkVerb({"provider", "test", "local"}, "provider.test", "{\"name\":\"local\"}", "No request was made: whether the model qwen3:8b is there");
        checkVerb({"provider", "remove", "local", "--force"}, "provider.remove", R"({"name":"local","force":true})", "Model provider local is gone.\nWithout a model now: clerk.\n");
        checkVerb({"provider", "use", "clerk", "local", "--yes"}, "provider.use", R"({"agent":"clerk","provider":"local"})", "Agent clerk uses qwen3:8b of local.\n");
        checkVerb({"provider", "use", "clerk", "local", "--yes"}, "provider.use", R"({"agent":"clerk","provider":"local"})",
                  "The agent clerk was offline. It reaches this from now on, and nothing else that no rule allows (allowlist).\n");
    }
    void noneYet() {
        m_engine->setAnswer("provider.list", json::value{{"providers", json::array{}}});
        const auto ran = run({"provider", "list"});
        QVERIFY2(ran.out.startsWith("No model yet. Add one: carrel provider add NAME --preset anthropic\n"), ran.out);
    }
    void aKeyFromStandardInput() {
        const auto ran = run({"provider", "add", "claude", "--preset", "anthropic", "--model", "m", "--window", "200000"}, "the key itself\n");
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY2(ran.out.contains("Its key goes to api.anthropic.com alone, as x-api-key: {}, and is kept in the keyring") &&
                     ran.out.contains("carrel provider use AGENT claude"),
                 ran.out);
        QCOMPARE(asked(), (QStringList{"provider.add", "secret.open", "provider.add"}));
        QVERIFY(json::parse(lastParams().toStdString()) ==
                (json::value{{"name", "claude"}, {"preset", "anthropic"}, {"model", "m"}, {"window", 200000}, {"key", true}, {"secret", 1}}));
        QCOMPARE(m_engine->takeSecret(), std::string("the key itself\n"));
        QVERIFY(!(ran.out + ran.err).contains("itself"));
    }
    // Shown before anything is typed; whoever changes his mind has kept nothing.
    void aKeyAtAPrompt() {
        const auto ran = type({"provider", "add", "claude", "--preset", "anthropic"}, {{"(it is not shown): ", "the key itself\r"}});
        QVERIFY2(ran.status == 0, ran.out);
        QVERIFY(ran.out.indexOf("Its key goes to api.anthropic.com alone") < ran.out.indexOf("(it is not shown)") && !ran.out.contains("itself"));
        QCOMPARE(m_engine->takeSecret(), std::string("the key itself"));
        (void)asked();
        const auto stopped = type({"provider", "add", "claude", "--preset", "anthropic"}, {{"(it is not shown): ", "\x03"}});
        QVERIFY2(stopped.status == 1 && stopped.out.contains("nothing was given"), stopped.out);
        QCOMPARE(asked(), QStringList{"provider.add"});
        QVERIFY(lastParams().contains("\"preview\":true"));
    }
    void withoutAKey() {
        answerWithoutKey();
        const QStringList add{"provider", "add", "local", "--api", "openai", "--url", "http://localhost:11434/v1", "--model", "qwen3:8b", "--no-key"};
        auto ran = run(add, "not read");
        QVERIFY2(ran.status == 0 && ran.out.contains("It gets no key.") && ran.out.contains("Agents that use it reach http://host.carrel.internal:11434/v1, this one port"), ran.out + ran.err);
        QCOMPARE(asked(), (QStringList{"provider.add", "provider.add"}));
        QVERIFY(json::parse(lastParams().toStdString()) ==
                (json::value{{"name", "local"}, {"api", "openai"}, {"url", "http://localhost:11434/v1"}, {"model", "qwen3:8b"}, {"key", false}}));
        ran = type(add, {{"Keep it?", "n\r"}});
        QVERIFY2(ran.status == 1 && ran.out.contains("no provider was kept"), ran.out);
        QCOMPARE(asked(), QStringList{"provider.add"});
        ran = type(add, {{"Keep it?", "y\r"}});
        QVERIFY2(ran.status == 0, ran.out);
        QCOMPARE(asked().size(), 2);
    }
    void aUseIsShownFirst() {
        auto ran = type({"provider", "use", "clerk", "local"}, {{"Do so?", "n\r"}});
        QVERIFY2(ran.status == 1 && ran.out.contains("the agent clerk may connect to host.carrel.internal, ") && ran.out.contains("| port 11434, also at high risk.") && ran.out.contains("The agent clerk is offline. It would reach this"), ran.out);
        QCOMPARE(asked(), QStringList{"provider.use"});
        QVERIFY(lastParams().contains("\"preview\":true"));
        ran = type({"provider", "use", "clerk", "local"}, {{"Do so?", "y\r"}});
        QVERIFY2(ran.status == 0 && ran.out.contains("By these rules, which count from now on:"), ran.out);
        QCOMPARE(asked(), (QStringList{"provider.use", "provider.use"}));
        const auto nobody = run({"provider", "use", "clerk", "local"});
        QVERIFY2(nobody.status == 1 && nobody.err.contains("there is no terminal to ask on"), nobody.err);
        QVERIFY(asked().isEmpty());
    }
    void noOtherWayIn() {
        QCOMPARE(run({"provider", "add"}).status, 2);
        QCOMPARE(run({"provider", "add", "x", "--api", "other"}).status, 2);
        QCOMPARE(run({"provider", "add", "x", "--window", "10"}).status, 2);
        QCOMPARE(run({"provider", "add", "x", "--preset", "anthropic", "--key", "the key"}).status, 2);
        QCOMPARE(run({"provider", "use", "clerk"}).status, 2);
        QVERIFY(asked().isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliProviders)
#include "test_cli_providers.moc"

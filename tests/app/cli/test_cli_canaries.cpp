// SPDX-License-Identifier: Apache-2.0
// Canaries on the command line.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliCanaries : public QObject, protected CliTest {
    Q_OBJECT
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
        checkVerb({"canary", "add", "bait", "--shape", "aws", "--agents", "desk,clerk"}, "canary.add",
                  R"({"name":"bait","shape":"aws","agents":["desk","clerk"]})", "Canary bait is:\n\n  AKIAABCDEFGHIJKLMNOP\n");
        checkVerb({"canary", "add", "diary", "--text", "nobody-writes-this"}, "canary.add", R"({"name":"diary","text":"nobody-writes-this"})", "Canary ");
        checkVerb({"canary", "list"}, "canary.list", "{}", "NAME  AGENTS  PLANTED              VARIABLE  ADDED");
        checkVerb({"canary", "list", "--texts"}, "canary.list", R"({"texts":true})", "TEXT");
        checkVerb({"canary", "remove", "bait"}, "canary.remove", R"({"name":"bait"})",
                  "Canary bait is looked for no more.\nIt may still be there: papers/accounts.txt\n");
        checkVerb({"canary", "plant", "bait", "--at", "papers/accounts.txt"}, "canary.plant", R"({"name":"bait","at":"papers/accounts.txt"})",
                  "Put this there: papers/accounts.txt. Carrel writes nothing into your folders.\n\n  AKIAABCDEFGHIJKLMNOP\n");
        checkVerb({"canary", "plant", "bait", "--env", "AWS_ACCESS_KEY_ID"}, "canary.plant", R"({"name":"bait","env":"AWS_ACCESS_KEY_ID"})", "Put this there");
    }
    // What is said of one is said of where it is looked for, too.
    void whereItIsLookedForIsSaid() {
        const auto ran = run({"canary", "add", "bait"});
        QVERIFY2(ran.status == 0 && ran.out.contains("It is looked for where requests are read") && ran.out.contains("What goes through unread may hold it"),
                 ran.out);
        QVERIFY(run({"canary", "list"}).out.contains("with --texts") && !run({"canary", "list"}).out.contains("AKIA"));
        m_engine->setAnswer("canary.list", json::value{{"canaries", json::array{}}});
        QCOMPARE(run({"canary", "list"}).out, QByteArray("There are no canaries. Add one: carrel canary add NAME\n"));
    }
    void whatIsNoCommand() {
        QCOMPARE(run({"canary"}).status, 2);
        QCOMPARE(run({"canary", "add"}).status, 2);
        QCOMPARE(run({"canary", "add", "bait", "--shape", "round"}).status, 2);
        QCOMPARE(run({"canary", "add", "bait", "--shape", "text", "--text", "nobody-writes-this"}).status, 2);
        QVERIFY(asked().isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliCanaries)
#include "test_cli_canaries.moc"

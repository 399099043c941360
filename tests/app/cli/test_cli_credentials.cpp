// SPDX-License-Identifier: Apache-2.0
// Credentials on the command line: the value comes from a prompt that shows nothing, or from standard input, and from nowhere else.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliCredentials : public QObject, protected CliTest {
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
        checkVerb({"credential", "list"}, "credential.list", "{}", "NAME     HOSTS            WRITTEN AS");
        checkVerb({"credential", "remove", "hosting"}, "credential.remove", "{\"name\":\"hosting\"}", "Credential hosting is gone.\n");
        checkVerb({"credential", "test", "hosting"}, "credential.test", "{\"name\":\"hosting\"}", "The value of hosting is in the keyring.\n");
        checkVerb({"credential", "lock"}, "credential.lock", "{}", "The file of credentials is locked.\n");
    }
    void theValueFromStandardInput() {
        const auto ran = run({"credential", "add", "hosting", "--host", "git.example.org,www.example.org", "--host", "api.example.org", "--basic", "ada",
                              "--methods", "GET,POST", "--paths", "/ada/*", "--agents", "clerk,desk", "--env", "GIT_TOKEN"},
                             "the value itself\n");
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY2(ran.out.contains("Credential hosting is kept in the keyring") && ran.out.contains("Basic, with the user ada"), ran.out);
        QCOMPARE(asked(), (QStringList{"secret.open", "credential.add"}));
        const json::value wanted{{"name", "hosting"},
                                 {"hosts", {"git.example.org", "www.example.org", "api.example.org"}},
                                 {"secret", 1},
                                 {"basic", "ada"},
                                 {"methods", {"GET", "POST"}},
                                 {"paths", json::array{"/ada/*"}},
                                 {"agents", {"clerk", "desk"}},
                                 {"env", "GIT_TOKEN"}};
        QVERIFY2(json::parse(lastParams().toStdString()) == wanted, lastParams());
        QCOMPARE(m_engine->takeSecret(), std::string("the value itself\n"));
        QVERIFY(!(ran.out + ran.err).contains("itself"));
    }
    void theValueAtAPrompt() {
        const auto ran = type({"credential", "add", "models", "--host", "api.example.org", "--header", "x-api-key", "--format", "{}"},
                              {{"(it is not shown): ", "the vv\x7f""alue itself\r"}});
        QVERIFY2(ran.status == 0, ran.out);
        QCOMPARE(m_engine->takeSecret(), std::string("the value itself"));
        QVERIFY2(!ran.out.contains("alue itself") && !ran.out.contains("the vv"), ran.out);
        QCOMPARE(asked().last(), QString("credential.add"));
        QVERIFY(lastParams().contains("\"header\":\"x-api-key\",\"format\":\"{}\""));
        // Whoever changes his mind has kept nothing.
        for (const char* no : {"half of it\x03", "\r", "\x04"}) {
            const auto stopped = type({"credential", "add", "models", "--host", "api.example.org"}, {{"(it is not shown): ", no}});
            QVERIFY2(stopped.status == 1 && stopped.out.contains("nothing was given"), stopped.out);
            QVERIFY(asked().isEmpty());
        }
    }
    void noOtherWayIn() {
        QCOMPARE(run({"credential", "add", "models", "the value", "--host", "api.example.org"}).status, 2);
        QCOMPARE(run({"credential", "add", "models", "--host", "api.example.org", "--value", "x"}).status, 2);
        QCOMPARE(run({"credential", "add", "models"}).status, 2);
        const auto none = run({"credential", "add", "models", "--host", "api.example.org"}, "");
        QVERIFY(none.status == 1 && none.err.contains("nothing was given"));
        QVERIFY(asked().isEmpty());
    }
    void aPassphrase() {
        auto ran = type({"credential", "unlock"}, {{"The passphrase of the credentials: ", "correct horse\r"}});
        QVERIFY2(ran.status == 0 && ran.out.contains("is open until the engine ends"), ran.out);
        QVERIFY(!ran.out.contains("horse"));
        QCOMPARE(asked(), (QStringList{"credential.lock", "secret.open", "credential.unlock"}));
        QCOMPARE(m_engine->takeSecret(), std::string("correct horse"));
        // A new one is typed twice.
        m_engine->setAnswer("credential.lock", json::value{{"sealed", "absent"}});
        ran = type({"credential", "unlock"}, {{"A new passphrase for the file of credentials: ", "correct horse\r"}, {"once more: ", "correct house\r"}});
        QVERIFY2(ran.status == 1 && ran.out.contains("not the same"), ran.out);
        QCOMPARE(asked(), QStringList{"credential.lock"});
        ran = type({"credential", "unlock"}, {{"A new passphrase for the file of credentials: ", "correct horse\r"}, {"once more: ", "correct horse\r"}});
        QVERIFY2(ran.status == 0, ran.out);
        QCOMPARE(m_engine->takeSecret(), std::string("correct horse"));
    }
};

QTEST_GUILESS_MAIN(TestCliCredentials)
#include "test_cli_credentials.moc"

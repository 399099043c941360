// SPDX-License-Identifier: Apache-2.0
// Forwards on the command line: what they mean is read before they are open, and they are as long as somebody wants them.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliForward : public QObject, protected CliTest {
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
        checkVerb({"forward", "clerk", "8000", "--background", "--yes"}, "forward.open", "{\"agent\":\"clerk\",\"port\":8000}",
                  "http://0123456789abcdef0123456789abcdef.localhost:40123/\n");
        checkVerb({"forward", "clerk", "8000", "--background", "--yes", "--for", "2h"}, "forward.open", "{\"agent\":\"clerk\",\"port\":8000,\"seconds\":7200}",
                  "carrel forward close clerk 1\n");
        checkVerb({"forward", "list", "clerk"}, "forward.list", "{\"agent\":\"clerk\"}", "ID  PORT  ADDRESS");
        checkVerb({"forward", "close", "clerk", "1"}, "forward.close", "{\"agent\":\"clerk\",\"number\":1}", "Closed.\n");
    }
    void readBeforeItIsOpened() {
        auto ran = type({"forward", "clerk", "8000", "--background"}, {{"Type 8000 to do so: ", "8000\r"}});
        QVERIFY2(ran.status == 0 && ran.out.contains("High risk") && ran.out.contains("http://0123456789abcdef"), ran.out);
        QCOMPARE(asked(), (QStringList{"forward.open", "forward.open"}));
        QVERIFY2(!lastParams().contains("preview"), lastParams());
        // A yes by habit is none.
        for (const char* no : {"y\r", "yes\r", "\r", "80\r", "\x04"}) {
            ran = type({"forward", "clerk", "8000"}, {{"Type 8000 to do so: ", no}});
            QVERIFY2(ran.status == 1 && ran.out.contains("nothing was opened"), ran.out);
            QCOMPARE(asked(), QStringList{"forward.open"});
            QVERIFY2(lastParams().contains("\"preview\":true"), lastParams());
        }
    }
    void nobodyToAsk() {
        const auto ran = run({"forward", "clerk", "8000"});
        QVERIFY2(ran.status == 1 && ran.err.contains("no terminal"), ran.err);
        QVERIFY(asked().isEmpty());
    }
    // It stays until Ctrl-C (TestForwardApp), or until something else ends it; and that is told.
    void heldOpen() {
        auto answer = m_engine->schemas().load("forward.open.json").at("examples").at(0).at("result");
        answer.as_object()["ended"] = "The agent was stopped, or Carrel itself";
        m_engine->setAnswer("forward.open", answer);
        auto ran = run({"forward", "clerk", "8000", "--yes"});
        QVERIFY2(ran.out.startsWith("http://0123456789abcdef0123456789abcdef.localhost:40123/\nUntil Ctrl-C.\n"), ran.out);
        QVERIFY2(ran.status == 1 && ran.err.contains("The agent was stopped"), ran.err);
        QCOMPARE(asked(), QStringList{"forward.open"});
        QVERIFY2(lastParams().contains("\"hold\":true"), lastParams());
        ran = run({"forward", "clerk", "8000", "--yes", "--json"});
        QCOMPARE(json::parse(ran.out.toStdString()).at("forward").at("port"), json::value(8000));
    }
    void whatIsNoForward() {
        for (const QStringList& words : {QStringList{"forward"}, {"forward", "clerk"}, {"forward", "clerk", "0"}, {"forward", "clerk", "65536"}, {"forward", "clerk", "http"},
                                         {"forward", "close", "clerk"}, {"forward", "list"}}) {
            QVERIFY2(run(words).status == 2, qPrintable(words.join(' ')));
        }
        const auto ran = run({"forward", "clerk", "8000", "--yes", "--for", "long"});
        QVERIFY2(ran.status == 1 && ran.err.contains("no length of time"), ran.err);
        QVERIFY(asked().isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliForward)
#include "test_cli_forward.moc"

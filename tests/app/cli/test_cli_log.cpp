// SPDX-License-Identifier: Apache-2.0
// Logs as evidence, on the command line: with an engine, and without one.
#include "app/activity/activity_log.h"
#include "tests/app/activity/log_of_tests.h"
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;
using carrel::activity::tests::LogOfTests;

class TestCliLog : public QObject, protected CliTest {
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

    void headsAreLinesToKeep() {
        const auto line = run({"log", "head", "clerk"}).out;
        QVERIFY2(line.startsWith("carrel-head-1 ") && line.endsWith("\n") && line.count('\n') == 1, line);
        const auto key = run({"log", "head", "clerk", "--key"}).out;
        QVERIFY2(key.startsWith("carrel-key-1 ") && key.count('\n') == 1, key);
    }
    void wordsAreLookedFor() {
        const auto ran = run({"log", "search", "clerk", "ls", "mon*", "--limit", "7"});
        QVERIFY2(ran.status == 0 && ran.out.contains("exec.started") && ran.out.count('\n') == 1, ran.out + ran.err);
        QCOMPARE(asked().last(), QString("log.search"));
        QCOMPARE(lastParams(), QByteArray(R"({"agent":"clerk","words":"ls mon*","limit":7})"));
        const auto lines = run({"log", "search", "clerk", "ls", "--json"}).out; // one event per line
        QVERIFY2(lines.startsWith("{\"seq\":1,") && lines.count('\n') == 1, lines);
        QCOMPARE(run({"log", "search", "clerk"}).status, 2);
        QCOMPARE(run({"log", "search", "clerk", "a", "--limit", "0"}).status, 2);
    }
    void limitsAreSet() {
        checkVerb({"log", "keep", "clerk"}, "log.keep", R"({"agent":"clerk"})", "The log of clerk is kept up to 500 MB.\nIt has events 1 to 4312, since ");
        checkVerb({"log", "keep", "clerk", "--size", "500MiB", "--age", "90d"}, "log.keep", R"({"agent":"clerk","bytes":524288000,"age_s":7776000})", "kept");
        checkVerb({"log", "keep", "clerk", "--size", "none", "--age", "none"}, "log.keep", R"({"agent":"clerk","bytes":0,"age_s":0})", "kept");
        QVERIFY(run({"log", "keep", "clerk", "--size", "much"}).err.contains("--size takes a number of bytes, or none"));
        QVERIFY(run({"log", "keep", "clerk", "--size", "0"}).err.contains("--size takes"));
        QVERIFY(run({"log", "keep", "clerk", "--age", "long"}).err.contains("--age takes a length of time, or none"));
    }

    void aCopyIsMade() {
        const LogOfTests log;
        m_engine->setAnswer("log.head", json::object{{"agent", "clerk"}, {"head", activity::textOf(log.last)}, {"key", activity::textOf(log.last.key)}, {"seq", 24},
                                                     {"time", "2026-03-01T12:00:00.000Z"}, {"file", log.file}});
        const auto copy = log.path("copy.db");
        auto ran = run({"log", "copy", "clerk", copy});
        QCOMPARE(ran.out, QByteArray("Copied, and signed up to event 24.\n"));
        QCOMPARE(asked().last(), QString("log.head"));
        QCOMPARE(run({"log", "verify", copy, "--head", QString::fromStdString(activity::textOf(log.last))}).status, 0);
        ran = run({"log", "copy", "clerk", copy});
        QVERIFY2(ran.status == 1 && ran.err.contains("there is already something at"), ran.err);
    }

    // With no engine that could be asked: somebody was given a copy.
    void aCopyIsVerifiedByItself() {
        endEngine();
        const LogOfTests log;
        const auto file = QString::fromStdString(log.file);
        const auto key = QString::fromStdString(activity::textOf(log.key->publicKey()));
        const auto head = QString::fromStdString(activity::textOf(log.last));
        auto ran = run({"log", "verify", file});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.startsWith("Events 1 to 24 are as they were written, and so are 2 pieces of recordings.\nSigned up to event 24 on "), ran.out);
        QVERIFY2(ran.out.contains("Whose key that is, you did not say"), ran.out);
        ran = run({"log", "verify", file, "--key", key});
        QVERIFY2(ran.status == 0 && ran.out.contains("by " + key.toUtf8()) && ran.out.contains("--head"), ran.out);
        {
            QFile kept(log.path("kept"));
            QVERIFY(kept.open(QIODevice::WriteOnly) && kept.write(head.toUtf8() + "\n") > 0);
        }
        ran = run({"log", "verify", file, "--key", key, "--head", log.path("kept")});
        QVERIFY2(ran.status == 0 && !ran.out.contains("--head"), ran.out + ran.err);
        ran = run({"log", "verify", file, "--head", head, "--json"});
        QVERIFY2(ran.status == 0 && ran.out.contains(R"("good":true)"), ran.out);

        QVERIFY(activity::tests::run(log.file, "UPDATE event SET subject = 'x' WHERE seq = 4"));
        ran = run({"log", "verify", file, "--head", head});
        QCOMPARE(ran.status, 1);
        QCOMPARE(ran.out, QByteArray("Events 1 to 3 are as they were written.\n"));
        QVERIFY2(ran.err.contains("event 4 of the activity log, or one before it, was changed"), ran.err);
        ran = run({"log", "verify", file, "--json"});
        QVERIFY2(ran.status == 1 && ran.out.contains(R"("wrong_seq":4)"), ran.out);

        QVERIFY(run({"log", "verify", file, "--key", "/nowhere"}).err.contains("carrel-key-1"));
        QVERIFY(run({"log", "verify", file, "--key", head}).err.contains("carrel-key-1"));
        QVERIFY(run({"log", "verify", log.path("none")}).err.contains("there is no file"));
    }
};

QTEST_GUILESS_MAIN(TestCliLog)
#include "test_cli_log.moc"

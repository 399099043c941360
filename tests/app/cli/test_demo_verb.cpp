// SPDX-License-Identifier: Apache-2.0
// The walk-through against a scripted engine: which requests it makes in which order, where it stops, whose
// agent it deletes.
#include "tests/app/cli/fake_engine.h"

#include <QDir>
#include <QProcess>
#include <QProcessEnvironment>
#include <QStandardPaths>
#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

#include <pty.h>
#include <sys/wait.h>
#include <utmp.h>

using namespace carrel;
using namespace carrel::test;

namespace {
const std::string kSchemas = CARREL_SOURCE_DIR "/app/api/schema";
const QString kProgram = qEnvironmentVariable("CARREL_TEST_PROGRAM", CARREL_BIN_DIR "/carrel");
const QStringList kUpToReview{"agent.list", "agent.create", "agent.start", "exec.open", "changes", "diff"};
struct Ran {
    int status = -1;
    QByteArray out;
    QByteArray err;
};
} // namespace

class TestDemoVerb : public QObject {
    Q_OBJECT
private:
    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<FakeEngine> m_engine;

    void prepare(QProcess& process) const {
        auto environment = QProcessEnvironment::systemEnvironment();
        environment.insert("ASAN_OPTIONS",
                           "detect_leaks=0"); // it looks for leaks with calls that are refused by then
        process.setProcessEnvironment(environment);
        process.setProgram(kProgram);
    }
    Ran run(const QStringList& arguments) const {
        QProcess process;
        prepare(process);
        process.setArguments(QStringList{"demo"} + arguments);
        process.start();
        process.closeWriteChannel();
        process.waitForFinished(60000);
        return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1,
                process.readAllStandardOutput(), process.readAllStandardError()};
    }
    QStringList verbs() {
        QStringList verbs;
        for (const auto& request : m_engine->takeRequests()) {
            const auto schema = m_engine->schemas().load(request.verb + ".json").as_object();
            const auto& params = schema.at("properties").as_object().at("params").as_object();
            const auto problem = m_engine->schemas().check(request.params, params);
            verbs << QString::fromStdString(request.verb + problem);
        }
        return verbs;
    }
    void haveDemoAgent(const std::string& id, const QString& dir) {
        auto agents = m_engine->schemas().load("agent.list.json").at("examples").at(0).at("result");
        auto& agent = agents.as_object().at("agents").as_array().at(0).as_object();
        agent["name"] = "demo";
        agent["id"] = id;
        agent.at("shares").as_array().at(0).as_object()["dir"] = dir.toStdString();
        m_engine->setAnswer("agent.list", agents);
    }
    QString beside(const QString& inside) const { return m_folder->filePath("home-demo/" + inside); }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        if (QStandardPaths::findExecutable("python3").isEmpty()) {
            QSKIP("there is no python3 on this computer, which makes the sample folder");
        }
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("TZ", "UTC");
    }
    void init() {
        m_folder = std::make_unique<QTemporaryDir>();
        qputenv("CARREL_HOME", m_folder->filePath("home").toUtf8());
        m_engine = std::make_unique<FakeEngine>(*api::openHome(), kSchemas);
        const json::object totals{{"done", 3}, {"conflicts", 0}, {"refused", 0}, {"failed", 0}, {"kept", 0}};
        m_engine->setAnswer("apply", json::value{{"apply", 4},
                                                 {"review", std::string(64, 'a')},
                                                 {"outcomes", json::array{}},
                                                 {"totals", totals}});
        m_engine->setAnswer(
            "undo",
            json::value{{"apply", 5}, {"undone", 4}, {"outcomes", json::array{}}, {"totals", totals}});
    }
    void cleanup() {
        m_engine.reset();
        m_folder.reset();
    }

    void stopsWhereNobodyCanBeAsked() {
        const auto ran = run({});
        QCOMPARE(ran.err, QByteArray());
        QCOMPARE(ran.status, 0);
        QCOMPARE(verbs(), kUpToReview);
        QVERIFY2(ran.out.contains("Nothing was applied") && ran.out.contains("carrel apply demo"), ran.out);
        // The worker went in through standard input, and what came back was shown.
        QVERIFY(ran.out.contains("def remove_duplicates("));
        QCOMPARE(QDir(beside("1/Expenses 2026 Q3")).exists("receipt final FINAL.txt"), true);
    }

    void appliesAndTakesBackWhenTold() {
        const auto ran = run({"--yes", "--undo"});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.contains("3 changes applied") && ran.out.contains("3 changes taken back"), ran.out);
        const auto requests = m_engine->takeRequests();
        QStringList all;
        for (const auto& request : requests) {
            all << QString::fromStdString(request.verb);
        }
        QCOMPARE(all, kUpToReview + QStringList({"apply", "timeline", "undo"}));
        QCOMPARE(requests[6].params.at("review").as_string(), json::string(64, 'a')); // what was shown (I12)
        QCOMPARE(json::serialize(requests[8].params.at("apply")), std::string("4"));  // this one, no other
    }

    void yesAloneDoesNotTakeBack() {
        QCOMPARE(run({"--yes"}).status, 0);
        QCOMPARE(verbs(), kUpToReview + QStringList({"apply", "timeline"}));
    }

    void printsOneObject_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::newRow("stopped") << QStringList{};
        QTest::newRow("undone") << QStringList{"--yes", "--undo"};
        QTest::newRow("cleaned") << QStringList{"--clean"};
    }
    void printsOneObject() {
        QFETCH(QStringList, arguments);
        const auto ran = run(arguments + QStringList{"--json"});
        QCOMPARE(ran.status, 0);
        QCOMPARE(ran.out.count('\n'), 1);
        const auto schema = m_engine->schemas().load("demo.json").as_object();
        const auto problem = m_engine->schemas().check(
            json::parse(ran.out.toStdString()), schema.at("properties").as_object().at("result").as_object());
        QVERIFY2(problem.empty(), problem.c_str());
    }

    void replacesItsOwnAgentOnly() {
        QCOMPARE(run({}).status, 0); // the scripted engine gives the id 0123456789abcdef
        (void)verbs();
        haveDemoAgent("0123456789abcdef", "/somewhere");
        QCOMPARE(run({}).status, 0);
        QCOMPARE(verbs().mid(0, 3), QStringList({"agent.list", "agent.delete", "agent.create"}));
        QVERIFY(QDir(beside("1/Expenses 2026 Q3")).exists()); // what an earlier run left stays
        QVERIFY(QDir(beside("2/Expenses 2026 Q3")).exists());

        haveDemoAgent("ffffffffffffffff", "/home/ada/papers");
        for (const QStringList& arguments : {QStringList{}, QStringList{"--clean"}}) {
            const auto refused = run(arguments);
            QCOMPARE(refused.status, 1);
            QVERIFY2(refused.err.contains("did not make") && refused.err.count('\n') == 1, refused.err);
            QCOMPARE(verbs(), QStringList("agent.list"));
        }
        QVERIFY(QDir(beside("1")).exists());

        // Cut short before the id was written: its folder tells.
        haveDemoAgent("eeeeeeeeeeeeeeee", beside("2/Expenses 2026 Q3"));
        QCOMPARE(run({"--clean"}).status, 0);
        QCOMPARE(verbs(), QStringList({"agent.list", "agent.delete"}));
        QVERIFY(!QDir(beside("")).exists());
    }

    void aFolderOfTheUsersIsNotTouched() {
        const QString mine = m_folder->filePath("mine");
        QVERIFY(QDir().mkpath(mine + "/work"));
        const auto refused = run({"--folder", mine});
        QCOMPARE(refused.status, 1);
        QVERIFY2(refused.err.contains("not new or empty"), refused.err);
        QCOMPARE(QDir(mine).entryList(QDir::NoDotAndDotDot | QDir::AllEntries), QStringList("work"));
        QCOMPARE(run({"--folder", mine + "/work"}).status, 0);
        QVERIFY(QDir(mine + "/work").exists("notes.txt"));
    }

    void aFolderThatHappensToHaveTheNameIsNotTouched() {
        QVERIFY(QDir().mkpath(beside("papers")));
        const auto refused = run({});
        QCOMPARE(refused.status, 1);
        QVERIFY2(refused.err.contains("no walk-through made it"), refused.err);
        QCOMPARE(run({"--clean"}).status, 0);
        QVERIFY(QDir(beside("papers")).exists());
    }

    void aConflictIsAFailure() {
        m_engine->setAnswer("apply",
                            m_engine->schemas().load("apply.json").at("examples").at(0).at("result"));
        const auto ran = run({"--yes", "--undo"});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.err.contains("1 change was not applied"), ran.err);
        QCOMPARE(verbs(), kUpToReview + QStringList("apply"));
    }

    void asksOnATerminalAndTheDefaultIsNo_data() {
        QTest::addColumn<QByteArray>("answer");
        QTest::addColumn<bool>("applied");
        QTest::newRow("return") << QByteArray("\n") << false;
        QTest::newRow("y is not enough for high risk") << QByteArray("y\n") << false;
        QTest::newRow("yes, then no undo") << QByteArray("yes\n\n") << true;
    }
    void asksOnATerminalAndTheDefaultIsNo() {
        QFETCH(QByteArray, answer);
        QFETCH(bool, applied);
        int master = -1;
        const pid_t child = ::forkpty(&master, nullptr, nullptr, nullptr);
        if (child == 0) {
            ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
            ::execl(kProgram.toLocal8Bit().constData(), "carrel", "demo", nullptr);
            ::_exit(99);
        }
        QCOMPARE(::write(master, answer.constData(), std::size_t(answer.size())), ssize_t(answer.size()));
        QByteArray seen;
        char buffer[4096];
        for (ssize_t got = 0; (got = ::read(master, buffer, sizeof buffer)) > 0;) {
            seen.append(buffer, int(got));
        }
        int status = 0;
        (void)::waitpid(child, &status, 0);
        ::close(master);
        QVERIFY2(WIFEXITED(status) && WEXITSTATUS(status) == 0, seen);
        QVERIFY2(seen.contains("[yes/N]"), seen);
        QCOMPARE(verbs().contains("apply"), applied);
        QCOMPARE(seen.contains("It stays."), applied);
    }
};

QTEST_GUILESS_MAIN(TestDemoVerb)
#include "test_demo_verb.moc"

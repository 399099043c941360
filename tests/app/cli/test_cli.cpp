// SPDX-License-Identifier: Apache-2.0
// The program itself against a scripted engine: what it asks (checked against the schemas), what it shows,
// how it ends.
#include "tests/app/cli/fake_engine.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

using namespace carrel;
using namespace carrel::test;

namespace {
const std::string kSchemas = CARREL_SOURCE_DIR "/app/api/schema";
const QString kProgram = CARREL_BIN_DIR "/carrel";
struct Ran {
    int status = -1;
    QByteArray out;
    QByteArray err;
};
} // namespace

class TestCli : public QObject {
    Q_OBJECT
private:
    QTemporaryDir m_folder;
    std::unique_ptr<FakeEngine> m_engine;

    void prepare(QProcess& process) const {
        auto environment = QProcessEnvironment::systemEnvironment();
        environment.insert("ASAN_OPTIONS",
                           "detect_leaks=0"); // it looks for leaks with calls that are refused by then
        process.setProcessEnvironment(environment);
        process.setProgram(kProgram);
    }
    Ran run(const QStringList& arguments, const QByteArray& input = {}) const {
        QProcess process;
        prepare(process);
        process.setArguments(arguments);
        process.start();
        process.write(input);
        process.closeWriteChannel();
        process.waitForFinished(60000);
        return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1,
                process.readAllStandardOutput(), process.readAllStandardError()};
    }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("CARREL_HOME", m_folder.filePath("home").toUtf8());
        qputenv("TZ", "UTC");
    }
    void init() { m_engine = std::make_unique<FakeEngine>(*api::openHome(), kSchemas); }
    void cleanup() { m_engine.reset(); }

    // What the look through a folder found when it was chosen, and not a word where it found nothing.
    void chosenFolderIsToldOf() {
        const auto schema = m_engine->schemas().load("share.add.json").as_object();
        const auto share = schema.at("examples").as_array().at(1).as_object().at("result").as_object().at("share");
        m_engine->setAnswer("share.add", boost::json::value{{"share", share}});
        auto ran = run({"share", "add", "clerk", "/tmp/a"});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.endsWith("(review).\n"
                                  "  At least 12 files in it only stand for what Nextcloud keeps elsewhere. The agent cannot "
                                  "read that,\n  and no change of it is applied. Make available offline in Nextcloud what the "
                                  "agent shall work on.\n"
                                  "  It is on a network or removable drive that does not report changes: the agent looks again "
                                  "every second.\n"),
                 ran.out.constData());
        auto made = m_engine->schemas().load("agent.create.json").as_object().at("examples").as_array().at(0)
                        .as_object().at("result").as_object();
        auto& shares = made.at("agent").as_object().at("shares").as_array();
        shares.push_back(share);
        shares.at(1).as_object()["placeholders"] =
            boost::json::array{boost::json::object{{"program", "own\x1b[2JCloud"}, {"files", 1}}};
        shares.at(1).as_object().erase("looked_in_part");
        m_engine->setAnswer("agent.create", made);
        ran = run({"create", "clerk", "--share", "/tmp/a"});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.contains("in its machine (review)\n  /home/ada/cloud is ") &&
                     ran.out.contains("\n  1 file in it only stands for what own") && !ran.out.contains('\x1b') &&
                     ran.out.endsWith("every second.\nStart it with: carrel start clerk\n"),
                 ran.out.constData());
    }

    void asksAndShows_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("verb");
        QTest::addColumn<QByteArray>("params");
        QTest::addColumn<QByteArray>("shown"); // a part of it
        QTest::addColumn<int>("status");
        const auto row = [](const QStringList& arguments, const QString& verb, const QByteArray& params,
                            const QByteArray& shown, int status = 0) {
            QTest::newRow(qPrintable(arguments.join(' '))) << arguments << verb << params << shown << status;
        };
        const QByteArray h(64, 'a');
        row({"doctor"}, "doctor", "{}", "what to do: Nothing");
        row({"doctor", "--fresh"}, "doctor", R"({"fresh":true})", "software emulation");
        row({"create", "clerk", "--share", "/tmp/a:read-only", "--share", "/tmp/b/", "--memory", "512",
             "--cpus", "1"},
            "agent.create",
            R"({"name":"clerk","shares":[{"dir":"/tmp/a","mode":"read-only"},{"dir":"/tmp/b","mode":"review"}],"memory_mib":512,"cpus":1})",
            "carrel start clerk");
        row({"create", "clerk"}, "agent.create", R"({"name":"clerk"})", "is made");
        row({"start", "clerk"}, "agent.start", R"({"agent":"clerk"})",
            "The kernel starts 25%\nAgent clerk is ready (3.4 s");
        row({"stop", "clerk"}, "agent.stop", R"({"agent":"clerk"})", "is stopped");
        row({"delete", "clerk", "--discard"}, "agent.delete", R"({"agent":"clerk","discard":true})",
            "is deleted");
        row({"list"}, "agent.list", "{}",
            "NAME   STATE  MEMORY    CPUS  NETWORK  SHARES\nclerk  ready  1024 MiB  2     offline  papers\n");
        row({"share", "add", "clerk", "/tmp/a"}, "share.add",
            R"({"dir":"/tmp/a","mode":"review","agent":"clerk"})", "/workspace/papers");
        row({"share", "add", "clerk", "/tmp/a", "--mode", "auto"}, "share.add",
            R"({"dir":"/tmp/a","mode":"auto","agent":"clerk"})", "/workspace/papers");
        row({"share", "mode", "clerk", "papers", "auto"}, "share.mode",
            R"({"agent":"clerk","share":"papers","mode":"auto"})", "in mode auto now");
        row({"share", "revoke", "clerk", "papers"}, "share.revoke", R"({"agent":"clerk","share":"papers"})",
            "2 changes wait for review still");
        row({"share", "remove", "clerk", "papers"}, "share.remove", R"({"agent":"clerk","share":"papers"})",
            "no more");
        row({"share", "list", "clerk"}, "share.list", R"({"agent":"clerk"})", "/home/ada/papers");
        row({"changes", "clerk"}, "changes", R"({"agent":"clerk"})", "! high risk: git runs this file");
        row({"changes", "clerk"}, "changes", R"({"agent":"clerk"})", "What is staged in photos cannot be listed now");
        row({"changes", "clerk", "--json"}, "changes", R"({"agent":"clerk"})", "auto_full");
        row({"diff", "clerk", "/workspace/papers/report.md"}, "diff",
            R"({"agent":"clerk","paths":[{"path":"papers/report.md"}],"documents":"wait"})", "\n-old\n+new\n");
        row({"diff", "clerk", "--no-wait"}, "diff", R"({"agent":"clerk"})", "\n-old\n+new\n");
        row({"diff", "clerk", "papers/report.md", "--three-way"}, "diff",
            R"({"agent":"clerk","paths":[{"path":"papers/report.md"}],"three_way":true,"documents":"wait"})",
            "@@ 1,1: both changed it @@\n|older\n<old\n>new\n");
        row({"apply", "clerk", "--review", h, "--keep-both"}, "apply",
            R"({"agent":"clerk","review":")" + h + R"(","keep_both":true})", "conflict: papers/a: the file changed", 1);
        row({"apply", "clerk", "--review", h}, "apply", R"({"agent":"clerk","review":")" + h + R"("})",
            "conflict: papers/a: the file changed", 1);
        row({"discard", "clerk", "papers/x", "--review", h}, "discard",
            R"({"agent":"clerk","paths":[{"path":"papers/x"}],"review":")" + h + R"("})",
            "1 change discarded.\n");
        row({"undo", "clerk"}, "undo", R"({"agent":"clerk"})", "1 change taken back, 1 not", 1);
        row({"undo", "clerk", "3"}, "undo", R"({"agent":"clerk","apply":3})", "taken back", 1);
        row({"history", "clerk"}, "history", R"({"agent":"clerk","limit":20})",
            "2       2026-03-01 12:10:00  undo of 1     2 changes, 1 not  papers/report.md and 1 more\n");
        row({"history", "clerk", "--limit", "3"}, "history", R"({"agent":"clerk","limit":3})",
            "apply (auto)  3 changes         papers/report.md and 2 more (undone by 2)\n");
        row({"timeline", "clerk", "--kind", "exec"}, "timeline", R"({"agent":"clerk","kinds":["exec"]})",
            "2026-03-01 12:00:00  exec.started     ls -l  session=1\n");
        row({"timeline", "clerk", "--since", "2026-03-01T12:00:00Z"}, "timeline",
            R"({"agent":"clerk","since_ms":1772366400000})", "exec.started");
        row({"timeline", "clerk", "--follow"}, "timeline", R"({"agent":"clerk","follow":true})",
            "exec.started");
        row({"image", "list"}, "image.list", "{}", "400.0 MB");
        row({"image", "build"}, "image.build", "{}", "is built");
        row({"image", "verify"}, "image.verify", "{}", "BAD   base.raw", 1);
        row({"image", "import", "/tmp/x.raw"}, "image.import", R"({"file":"/tmp/x.raw"})", "is there");
        row({"token", "create", "editor", "--agent", "clerk", "--agent", "two", "--for", "7d"}, "token.create",
            R"({"name":"editor","agents":["clerk","two"],"seconds":604800})",
            "Client editor may work with clerk until 2026-03-31 12:00:00.\nIts token, which is shown this once:\n\n    "
            "carrel_client_00");
        row({"token", "create", "editor", "--agent", "clerk"}, "token.create",
            R"({"name":"editor","agents":["clerk"],"seconds":2592000})", "/client/sock\n");
        row({"token", "list"}, "token.list", "{}",
            "CLIENT  AGENTS  ENDS                 LAST USED            NOW\n"
            "editor  clerk   2026-03-31 12:00:00  2026-03-02 09:30:00  1 connection\n");
        row({"token", "revoke", "editor"}, "token.revoke", R"({"name":"editor"})", "is let in no more");
        row({"net", "mode", "clerk", "ask"}, "net.mode", R"({"agent":"clerk","mode":"ask"})",
            "Agent clerk reaches what rules allow; you are asked about anything else (ask).\n");
        row({"net", "mode", "clerk"}, "net.mode", R"({"agent":"clerk"})", "(ask)");
        row({"net", "live", "clerk"}, "net.live", R"({"agent":"clerk"})",
            "1 connection waits for an answer, or for the other side.\n"
            "NO  HOST             ADDRESS      SENT   RECEIVED  AGE  BY      HELD TO THE HOST\n"
            "4   example.org:443  2001:db8::7  812 B  40.2 KB   2 s  rule 7  by its TLS name\n");
        row({"net", "cut", "clerk", "4"}, "net.cut", R"({"agent":"clerk","number":4})",
            "Cut: example.org:443, after 812 B sent and 40.2 KB received.\nRule 7 allows the agent to connect there anew.\n");
        row({"net", "presets"}, "net.presets", "{}", "Begin from one: carrel net allow NAME PRESET");
        row({"net", "allow", "clerk", "package-registries", "--yes"}, "net.allow",
            R"({"agent":"clerk","preset":"package-registries"})", "1 rule is kept");
        row({"engine", "info"}, "engine.info", "{}", "process 4711");
        row({"engine", "stop"}, "engine.stop", "{}", "ends");
    }
    void asksAndShows() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, verb);
        QFETCH(QByteArray, params);
        QFETCH(QByteArray, shown);
        QFETCH(int, status);
        const auto ran = run(arguments);
        QVERIFY2(ran.out.contains(shown), ran.out + ran.err);
        QCOMPARE(ran.status, status);
        QCOMPARE(ran.err.count('\n'), status == 0 ? 0 : 1); // one clear line
        auto requests = m_engine->takeRequests();
        QVERIFY(!requests.empty());
        QCOMPARE(QString::fromStdString(requests.back().verb), verb);
        QVERIFY2(json::value(requests.back().params) == json::parse(params.toStdString()),
                 json::serialize(requests.back().params).c_str());
        const auto schema = m_engine->schemas().load(verb.toStdString() + ".json").as_object();
        const auto& paramsSchema = schema.at("properties").as_object().at("params").as_object();
        const auto problem = m_engine->schemas().check(requests.back().params, paramsSchema);
        QVERIFY2(problem.empty(), problem.c_str());

        // The same with --json: exactly the result, which fits the schema.
        const auto machine = run(arguments + QStringList{"--json"});
        QCOMPARE(machine.status, status);
        const auto value = json::parse(machine.out.toStdString());
        if (verb == "timeline") {
            const auto event = m_engine->schemas().load("common.json").at("$defs").at("event").as_object();
            QVERIFY(m_engine->schemas().check(value, event).empty());
        } else {
            const auto& result = schema.at("properties").as_object().at("result").as_object();
            QVERIFY(m_engine->schemas().check(value, result).empty());
        }
    }

    // With a token it is a client, by the clients' socket, and never the owner.
    void aTokenMakesItAClient() {
        const auto token = QByteArray::fromStdString(FakeEngine::goodToken());
        const auto only = [&](const char* verb) {
            const auto requests = m_engine->takeRequests();
            return requests.size() == 1 && requests[0].client == "editor" && requests[0].verb == verb;
        };
        qputenv("CARREL_TOKEN", token);
        const auto unset = qScopeGuard([] {
            qunsetenv("CARREL_TOKEN");
            qunsetenv("CARREL_CLIENT_SOCKET");
        });
        QCOMPARE(run({"list"}).status, 0);
        QVERIFY(only("agent.list"));
        QCOMPARE(run({"exec", "clerk", "--", "both"}).out, QByteArray("to out\n"));
        QVERIFY(only("exec.open"));
        for (const QStringList& words : {QStringList{"apply", "clerk", "--review", QString(64, 'a')},
                                         QStringList{"undo", "clerk"}, QStringList{"stop", "clerk"},
                                         QStringList{"pause", "clerk"}, QStringList{"pause", "--all"}, QStringList{"resume", "clerk"},
                                         QStringList{"token", "create", "more", "--agent", "clerk"},
                                         QStringList{"engine", "stop"}}) {
            const auto ran = run(words);
            QCOMPARE(ran.status, 1);
            QCOMPARE(ran.err, QByteArray("carrel: a client may not do that: it is for the owner alone. Ask the person at this "
                                         "computer to do it, with the carrel command and without a token.\n"));
            QVERIFY(m_engine->takeRequests().empty());
        }
        qputenv("CARREL_CLIENT_SOCKET", QByteArray::fromStdString(api::clientSocketPath(*api::openHome())->native()));
        QCOMPARE(run({"list"}).status, 0);
        QVERIFY(only("agent.list"));
        // What is no token is an error, and no way to be the owner.
        for (const auto& wrong : {QByteArray(""), QByteArray("x"), token + "a", QByteArray(token).replace('a', 'b')}) {
            qputenv("CARREL_TOKEN", wrong);
            const auto ran = run({"list"});
            QCOMPARE(ran.status, 1);
            QCOMPARE(ran.err.count('\n'), 1);
            QVERIFY(m_engine->takeRequests().empty());
        }
        qunsetenv("CARREL_TOKEN"); // the socket alone says that it means to be a client
        QVERIFY(run({"list"}).err.contains("no token with it"));
        QVERIFY(m_engine->takeRequests().empty());
        qputenv("CARREL_TOKEN", token);
        qputenv("CARREL_CLIENT_SOCKET", "/nowhere/sock");
        const auto gone = run({"list"});
        QVERIFY2(gone.err.contains("the owner does"), gone.err.constData());
    }

    void aTokenFileIsItsOwners() {
        const auto path = m_folder.filePath("token");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QByteArray::fromStdString(FakeEngine::goodToken()) + "\n");
        file.close();
        QVERIFY(file.setPermissions(QFile::ReadOwner | QFile::WriteOwner));
        QCOMPARE(run({"--token-file", path, "exec", "clerk", "--", "both"}).out, QByteArray("to out\n"));
        QCOMPARE(run({"--token-file=" + path, "list"}).status, 0);
        auto requests = m_engine->takeRequests();
        QVERIFY(requests.size() == 2 && requests[0].client == "editor" && requests[1].client == "editor");
        QVERIFY(file.setPermissions(QFile::ReadOwner | QFile::ReadOther));
        QVERIFY(run({"--token-file", path, "list"}).err.contains("not yours alone"));
        QVERIFY(run({"--token-file", "/nowhere", "list"}).err.contains("cannot open"));
        QVERIFY(run({"--token-file", "/dev/null", "list"}).err.contains("not yours alone"));
        QCOMPARE(run({"--token-file"}).status, 2);
        QVERIFY(m_engine->takeRequests().empty());
    }

    void timesOfATokenAreRead() {
        for (const char* time : {"", "7", "d", "7w", "-1d", "1.5d", "99999999d"}) {
            const auto ran = run({"token", "create", "editor", "--agent", "clerk", QString("--for=") + time});
            QVERIFY2(ran.status == 1 || ran.status == 2, time);
            QVERIFY(m_engine->takeRequests().empty());
        }
    }

    void decisionsNeedAWord() {
        const auto refused = run({"apply", "clerk"});
        QCOMPARE(refused.status, 1);
        QVERIFY(refused.err.contains("--review"));
        QVERIFY(m_engine->takeRequests().empty()); // not even frozen
        const auto yes = run({"apply", "clerk", "papers", "--yes"});
        const auto requests = m_engine->takeRequests();
        QCOMPARE(requests.size(), std::size_t(2));
        QCOMPARE(requests[0].verb, std::string("changes"));
        QCOMPARE(requests[1].verb, std::string("apply"));
        QCOMPARE(requests[1].params.at("review").as_string(),
                 boost::json::string(64, 'a')); // what was frozen (I12)
        QCOMPARE(yes.status, 1);
    }

    void pagesBecomeOne() {
        const auto schema = m_engine->schemas().load("changes.json").as_object();
        auto page = schema.at("examples").at(0).at("result").as_object();
        auto empty = schema.at("examples").at(1).at("result");
        m_engine->setAnswer("changes", empty);
        QVERIFY(run({"changes", "clerk"}).out.contains("Nothing is staged"));
        empty.as_object()["left_out"] = boost::json::array{
            boost::json::object{{"share", "p"}, {"path", "p/scans.iso"}, {"reason", "it is too large"}}};
        m_engine->setAnswer("changes", empty);
        const auto left = run({"changes", "clerk"}).out;
        QVERIFY(left.contains("not in this review: p/scans.iso: it is too large"));
        QVERIFY(!left.contains("Nothing is staged"));
        QCOMPARE(run({"apply", "clerk", "--yes"}).status, 0);
    }

    // Where each version of a file is may be the end of it.
    void aReasonIsToldToItsEnd() {
        const auto schema = m_engine->schemas().load("undo.json").as_object();
        auto result = schema.at("examples").at(0).at("result");
        result.at("outcomes").at(1).at("reason") = std::string(2'000, 'x') + " is kept as papers/b";
        m_engine->setAnswer("undo", result);
        QVERIFY(run({"undo", "clerk"}).out.contains("is kept as papers/b\n"));
    }

    void permissionsAreShown_data() {
        QTest::addColumn<QByteArray>("kind");
        QTest::addColumn<QByteArray>("type");
        QTest::addColumn<QByteArray>("before");
        QTest::addColumn<QByteArray>("after");
        QTest::addColumn<QByteArray>("line"); // empty: none
        const auto row = [](const char* kind, const char* type, const char* before, const char* after, const char* line) {
            QTest::addRow("%s %s %s %s", kind, type, before, after)
                << QByteArray(kind) << QByteArray(type) << QByteArray(before) << QByteArray(after) << QByteArray(line);
        };
        row("modified", "file", "0600", "0644", "permissions 0600 → 0644: readable by everyone on this computer\n");
        row("mode", "file", "0644", "0664", "permissions 0644 → 0664: changeable by the accounts of its group\n");
        row("mode", "file", "0644", "0400",
            "permissions 0644 → 0400: no longer readable by everyone on this computer, no longer changeable by you\n");
        row("mode", "file", "0644", "0755",
            "permissions 0644 → 0755: runnable as a program by everyone on this computer, runnable as a program by you\n");
        row("mode", "file", "0640", "0604",
            "permissions 0640 → 0604: readable by everyone on this computer, no longer readable by the accounts of its "
            "group\n");
        row("mode", "directory", "0700", "0711", "permissions 0700 → 0711: open to be entered by everyone on this computer\n");
        row("modified", "file", "4755", "0755", "permissions 4755 → 0755: no longer with special marks");
        row("modified", "file", "0644", "0644", "");
        row("deleted", "file", "0644", "0000", "");
        row("created", "file", "", "0644", "");
        row("modified", "file", "06x0", "0644", "");
    }
    void permissionsAreShown() {
        QFETCH(QByteArray, kind);
        QFETCH(QByteArray, type);
        QFETCH(QByteArray, before);
        QFETCH(QByteArray, after);
        QFETCH(QByteArray, line);
        auto page = m_engine->schemas().load("changes.json").at("examples").at(0).at("result").as_object();
        auto change = page.at("changes").at(0).as_object();
        change["kind"] = kind.toStdString();
        change["type"] = type.toStdString();
        change["mode"] = after.toStdString();
        change.erase("old_mode");
        if (!before.isEmpty()) {
            change["old_mode"] = before.toStdString();
        }
        page["changes"] = json::array{change};
        page.at("totals").as_object()["changes"] = 1;
        m_engine->setAnswer("changes", page);
        auto diffed = m_engine->schemas().load("diff.json").at("examples").at(0).at("result").as_object();
        auto file = diffed.at("files").at(0).as_object();
        file["change"] = change;
        diffed["files"] = json::array{file};
        m_engine->setAnswer("diff", diffed);
        for (const auto* verb : {"changes", "diff"}) {
            const auto out = run({verb, "clerk"}).out;
            QVERIFY2(line.isEmpty() ? !out.contains("permissions") : out.contains("  " + line), out.constData());
        }
    }

    // The text of a document never stands there without saying what it is.
    void documentsSayWhatTheyAre() {
        auto answer = m_engine->schemas().load("diff.json").at("examples").at(1).at("result").as_object();
        m_engine->setAnswer("diff", answer);
        auto out = run({"diff", "clerk"}).out;
        QVERIFY2(out.contains("modified papers/offer.docx\n  (text taken from the document by an offline viewer; layout, pictures and "
                              "macros are not shown)\n@@ -1 +1 @@\n-The price is 100.\n+The price is 120.\n"),
                 out.constData());
        QVERIFY2(out.contains("created papers/scan.pdf\n  (its text cannot be shown: it is encrypted)\n"), out.constData());
        auto& file = answer.at("files").at(0).as_object();
        file.at("diff") = "";
        auto& document = file.at("change").at("document").as_object();
        document["same_text"] = document["cut"] = true;
        m_engine->setAnswer("diff", answer);
        out = run({"diff", "clerk"}).out;
        QVERIFY2(out.contains("! its text is the same; what differs is something that is not shown\n"), out.constData());
        QVERIFY2(out.contains("! it has more text than is compared here\n"), out.constData());
    }

    // Every change is a list; a stop between is said, and is no end.
    void watchShowsEachChange() {
        m_engine->setWaits({{{"mark", "one"}, {"running", true}},
                            {{"mark", "stopped"}, {"running", false}},
                            {{"mark", "two"}, {"running", true}}});
        const auto ran = run({"changes", "clerk", "--watch"});
        QCOMPARE(ran.status, 1); // the agent was deleted at last
        QCOMPARE(ran.out.count("papers/report.md\n"), 2);
        QVERIFY(ran.out.indexOf("does not run") > ran.out.indexOf("papers/report.md"));
        const auto asked = m_engine->takeRequests();
        QCOMPARE(asked.size(), std::size_t{6});
        QVERIFY(!asked.at(0).params.contains("mark"));
        QVERIFY(asked.at(1).verb == "changes" && asked.at(1).params.at("watching").as_bool());
        QVERIFY(asked.at(2).params.at("mark").as_string() == "one");
        QVERIFY(asked.at(3).params.at("mark").as_string() == "stopped");
    }
    void watchEndsCleanlyOnInterrupt() {
        m_engine->setWaits(std::deque<json::value>(50'000, json::value{{"mark", "m"}, {"running", true}}));
        QProcess process;
        prepare(process);
        process.setArguments({"changes", "clerk", "--watch", "--json"});
        process.start();
        QVERIFY(process.waitForStarted());
        QVERIFY(process.waitForReadyRead(60'000));
        QCOMPARE(::kill(static_cast<pid_t>(process.processId()), SIGINT), 0);
        QVERIFY(process.waitForFinished(60'000));
        QVERIFY(process.exitStatus() == QProcess::NormalExit);
        QCOMPARE(process.exitCode(), 0);
        QVERIFY(process.readAllStandardError().isEmpty());
    }
    void errorsAreOneLine() {
        m_engine->setAnswer("agent.list",
                            fail(ErrorCode::Refused, "the agent said \x1b]0;x\x07\nno", "Ask again."));
        const auto ran = run({"list"});
        QCOMPARE(ran.status, 1);
        QCOMPARE(ran.out, QByteArray());
        QCOMPARE(ran.err, QByteArray("carrel: the agent said \\x1b]0;x\\x07\\nno. Ask again.\n"));
    }

    void usage_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::newRow("none") << QStringList{} << 2;
        QTest::newRow("unknown verb") << QStringList{"frobnicate"} << 2;
        QTest::newRow("no name") << QStringList{"start"} << 2;
        QTest::newRow("unknown option") << QStringList{"list", "--all"} << 2;
        QTest::newRow("not a number") << QStringList{"create", "x", "--memory", "much"} << 2;
        QTest::newRow("exec json") << QStringList{"exec", "x", "--json", "--", "ls"} << 125;
        QTest::newRow("exec nothing") << QStringList{"exec", "x"} << 125;
        QTest::newRow("shell without terminal") << QStringList{"shell", "x"} << 125;
        QTest::newRow("help") << QStringList{"--help"} << 0;
        QTest::newRow("verb help") << QStringList{"apply", "--help"} << 0;
        QTest::newRow("version") << QStringList{"--version"} << 0;
        QTest::newRow("bad time") << QStringList{"timeline", "x", "--since", "yesterday"} << 1;
    }
    void usage() {
        QFETCH(QStringList, arguments);
        QFETCH(int, status);
        const auto ran = run(arguments);
        QCOMPARE(ran.status, status);
        QCOMPARE(ran.err.count('\n'), status == 0 ? 0 : 1);
        QCOMPARE(ran.out.isEmpty(), status != 0);
    }

    void execPassesThrough() {
        const auto both = run({"exec", "clerk", "--", "both", "--json", "-x"});
        QCOMPARE(both.status, 7);
        QCOMPARE(both.out, QByteArray("to out\n"));
        QCOMPARE(both.err, QByteArray("to err\n"));
        const auto requests = m_engine->takeRequests();
        QCOMPARE(json::serialize(requests.at(0).params.at("argv")), std::string(R"(["both","--json","-x"])"));
        const QByteArray much = QByteArray("line of input\n").repeated(60000);
        const auto cat = run({"exec", "clerk", "--", "cat"}, much);
        QCOMPARE(cat.status, 3);
        QVERIFY(cat.out == much);
        QCOMPARE(run({"exec", "clerk", "--", "big"}).out.size(), 64 * 65536);
        QCOMPARE(run({"exec", "clerk", "--", "killed"}).status, 128 + 15);
        // Raw where it is no terminal.
        QVERIFY(run({"exec", "clerk", "--", "nasty"}).out.contains("\x1b]52;c;AAAA\x07"));
    }
    void execFailsAsAgreed() {
        QCOMPARE(run({"exec", "clerk", "--", "notfound"}).status, 127);
        QCOMPARE(run({"exec", "clerk", "--", "cannot"}).status, 126);
        QCOMPARE(run({"exec", "clerk", "--", "garbage"}).status, 125);
        const auto lost = run({"exec", "clerk", "--", "lost"});
        QCOMPARE(lost.status, 125);
        QCOMPARE(lost.err.count('\n'), 1);
        m_engine->setAnswer("exec.open", fail(ErrorCode::NotFound, "there is no agent \"x\""));
        QCOMPARE(run({"exec", "x", "--", "both"}).status, 125);
    }
    void execForwardsSignals() {
        for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            QProcess process;
            prepare(process);
            process.setArguments({"exec", "clerk", "--", "signals"});
            process.start();
            QVERIFY(process.waitForReadyRead(60000));
            QCOMPARE(process.readLine(), QByteArray("ready\n"));
            ::kill(static_cast<pid_t>(process.processId()), number);
            QVERIFY(process.waitForFinished(60000));
            QCOMPARE(process.exitCode(), 0);
            QCOMPARE(process.readAllStandardOutput(),
                     QByteArray("signal " + QByteArray::number(number) + "\n"));
        }
    }

    void shellOwnsTheTerminalOnlyWhileItLasts() {
        winsize size{30, 90, 0, 0};
        int master = -1;
        int slave = -1;
        QCOMPARE(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
        termios before{};
        ::tcgetattr(slave, &before);
        const pid_t child = ::fork();
        if (child == 0) {
            ::login_tty(slave);
            ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
            ::execl(kProgram.toLocal8Bit().constData(), "carrel", "shell", "clerk", "--", "tty", nullptr);
            ::_exit(99);
        }
        QByteArray seen;
        const auto readUntil = [&](const QByteArray& text) {
            char buffer[4096];
            while (!seen.contains(text)) {
                const ssize_t got = ::read(master, buffer, sizeof buffer);
                if (got <= 0) {
                    return false;
                }
                seen.append(buffer, int(got));
            }
            return true;
        };
        QVERIFY2(readUntil("size 30x90"), seen);
        termios raw{};
        ::tcgetattr(slave, &raw);
        QVERIFY((raw.c_lflag & (ICANON | ECHO | ISIG)) == 0);
        QVERIFY2(readUntil("after"), seen);
        QVERIFY(!seen.contains("52;c"));
        QVERIFY(!seen.contains("\x1b[6n"));
        QVERIFY(seen.contains("\x1b[31mafter"));
        const winsize other{40, 100, 0, 0};
        ::ioctl(master, TIOCSWINSZ, &other); // the kernel sends WINCH
        QVERIFY2(readUntil("size 40x100"), seen);
        QCOMPARE(::write(master, "\x03typed", 6), ssize_t(6)); // Ctrl-C is the guest's
        QVERIFY2(readUntil("typed"), seen);
        ::kill(child, SIGTERM);
        QVERIFY2(readUntil("signal 15"), seen);
        int status = 0;
        (void)::waitpid(child, &status, 0);
        QCOMPARE(WEXITSTATUS(status), 0);
        termios after{};
        ::tcgetattr(slave, &after);
        QCOMPARE(after.c_lflag, before.c_lflag);
        QCOMPARE(after.c_iflag, before.c_iflag);
        QCOMPARE(after.c_oflag, before.c_oflag);
        ::close(slave);
        ::close(master);
    }

    void anEngineThatDoesNotStartIsExplained() {
        m_engine.reset();
        QTemporaryDir programs;
        const QString copy = programs.filePath("carrel");
        QVERIFY(QFile::copy(kProgram, copy));
        const auto runCopy = [&] {
            QProcess process;
            prepare(process);
            process.setProgram(copy);
            process.setArguments({"list"});
            process.start();
            process.waitForFinished(60000);
            return Ran{process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
        };
        auto missing = runCopy();
        QCOMPARE(missing.status, 1);
        QVERIFY2(missing.err.contains("carrel-engine"), missing.err);
        QFile engine(programs.filePath("carrel-engine"));
        QVERIFY(engine.open(QIODevice::WriteOnly));
        engine.write("#!/bin/sh\necho first\necho 'libvirt is not there' >&2\nexit 1\n");
        engine.close();
        engine.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
        auto failed = runCopy();
        QCOMPARE(failed.status, 1);
        QVERIFY2(failed.err.contains("libvirt is not there") && failed.err.contains("engine.log"),
                 failed.err);
        QCOMPARE(failed.err.count('\n'), 1);
    }
};

QTEST_GUILESS_MAIN(TestCli)
#include "test_cli.moc"

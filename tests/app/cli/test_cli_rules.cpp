// SPDX-License-Identifier: Apache-2.0
// The owner's rules on the command line: what they say is shown before they count.
#include "tests/app/cli/cli_test.h"

#include <QDateTime>

using namespace carrel;
using namespace carrel::test;

class TestCliRules : public QObject, protected CliTest {
    Q_OBJECT
private:
    void refused(const Ran& ran, const QStringList& verbs, const char* why, int status = 1) {
        QCOMPARE(ran.status, status);
        QVERIFY2((ran.err + ran.out).contains(why), ran.err + ran.out);
        QCOMPARE(asked(), verbs);
    }
    [[nodiscard]] QString file(const char* name, const QByteArray& content) const {
        QFile out(m_folder.filePath(name));
        return out.open(QIODevice::WriteOnly) && out.write(content) == content.size() ? out.fileName() : QString();
    }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        prepareAll();
    }
    void init() { beginEngine(); }
    void cleanup() { endEngine(); }

    void verbsAskAndShow_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("verb");
        QTest::addColumn<QByteArray>("params");
        QTest::addColumn<QByteArray>("shown");
        const auto row = [](const QStringList& arguments, const char* verb, const char* params, const char* shown) {
            QTest::newRow(qPrintable(arguments.join(' '))) << arguments << QString(verb) << QByteArray(params) << QByteArray(shown);
        };
        row({"rules", "list"}, "rule.list", "{}",
            "ID  DOES   RULE\n7   allow  Without asking, the agent clerk may have its changes applied (created or modified) to "
            "drafts/** in /home/ada/papers, unless the risk is high.\n");
        row({"rules", "show", "7"}, "rule.show", R"({"id":7})", "Rule 7:\n    | Without asking, the agent clerk may");
        row({"rules", "remove", "7"}, "rule.remove", R"({"id":7})", "Rule 7 counts no more. What went on only because of it is cut. It was:\n");
        row({"rules", "test", "--action", "network", "--agent", "clerk", "--field", "host=example.org", "--field", "port=443"}, "rule.test",
            R"({"agent":"clerk","action":"network","fields":{"host":"example.org","port":"443"}})", "You would be asked: no rule decides it.\n");
        row({"rules", "test", "--action", "apply", "--high"}, "rule.test", R"({"action":"apply","high":true})", "You would be asked");
        row({"rules", "add", "--deny", "--action", "network", "--field", "host=*.example.org", "--field", "host=example.org", "--note",
             "not there", "--yes"},
            "rule.add",
            R"({"rule":{"effect":"deny","action":"network","fields":{"host":["*.example.org","example.org"]},"note":"not there"}})",
            "Rule 7 is kept, and counts from now on:\n    | Without");
        row({"rules", "add", "--allow", "--action", "apply", "--agent", "clerk", "--field", "folder=/home/ada/papers/", "--field",
             "path=drafts/a=b", "--high", "--until", "2126-03-01T12:00:00Z", "--yes"},
            "rule.add",
            R"({"rule":{"effect":"allow","action":"apply","agent":"clerk","fields":{"folder":["/home/ada/papers"],"path":["drafts/a=b"]},)"
            R"("high":true,"until":"2126-03-01T12:00:00.000Z"}})",
            "Take it away with: carrel rules remove 7\n");
        row({"rules", "import", "--preset", "careful", "--yes"}, "rule.import", R"({"preset":"careful"})",
            "These rules are kept:\n  none: you are asked about everything\nThese are gone:\n  rule 7:\n    | Without asking");
        row({"rules", "export"}, "rule.export", "{}", "version = 1\nserial = 3\n");
        row({"rules", "presets"}, "rule.presets", "{}",
            "careful: Asks about everything.\nBegin from one: carrel rules import --preset NAME\n");
    }
    void verbsAskAndShow() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, verb);
        QFETCH(QByteArray, params);
        QFETCH(QByteArray, shown);
        checkVerb(arguments, verb, params, shown);
    }

    void aTestSaysWhy() {
        auto result = example("rule.test", 1);
        m_engine->setAnswer("rule.test", result);
        QVERIFY(run({"rules", "test", "--action", "apply"}).out.startsWith("It would be allowed without asking, by rule 7:\n    | Without"));
        result["answer"] = "deny";
        m_engine->setAnswer("rule.test", result);
        QVERIFY(run({"rules", "test", "--action", "apply"}).out.startsWith("It would be denied without asking, by rule 7:\n"));
        const json::object trouble{{"message", "The file is not as Carrel left it."}, {"remedy", "Begin anew"}};
        const QByteArray told = "The rules cannot be used, so everything is denied and nothing is asked: The file is not as Carrel left "
                                "it. Begin anew.\n";
        m_engine->setAnswer("rule.test", json::value{{"answer", "deny"}, {"trouble", trouble}});
        QCOMPARE(run({"rules", "test", "--action", "apply"}).out, "It would be denied. " + told);
        m_engine->setAnswer("rule.list", json::value{{"rules", json::array{}}, {"trouble", trouble}});
        QCOMPARE(run({"rules", "list"}).out, told);
        m_engine->setAnswer("rule.list", json::value{{"rules", json::array{}}});
        QVERIFY(run({"rules", "list"}).out.startsWith("There are no rules: you are asked about everything."));
    }

    void wrongWordsSendNothing() {
        const QStringList add{"rules", "add", "--yes", "--action", "apply"};
        for (const QStringList& usage : {QStringList{}, {"--allow", "--deny"}, {"--allow", "--action", "all"}}) {
            const auto ran = run(add + usage);
            refused(ran, {}, "carrel: ", 2);
            QCOMPARE(ran.err.count('\n'), 1);
        }
        for (const QStringList& wrong : {QStringList{"--field", "path"}, {"--field", "=x"}, {"--field", "Pa th=x"}, {"--field", "folder="},
                                         {"--field", "folder=~/papers"}, {"--field", "path=\xff"}, {"--for", "1w"}, {"--for", "0s"},
                                         {"--until", "2001-01-01"}, {"--until", "3d"}, {"--for", "1h", "--until", "2126-01-01"}}) {
            const auto ran = run(add + QStringList{"--allow"} + wrong);
            QVERIFY2(ran.status == 1 || wrong.last() == "path=\xff", ran.out + ran.err);
        }
        (void)m_engine->takeRequests();
        QCOMPARE(run({"rules", "test", "--action", "apply", "--field", "path=a", "--field", "path=b"}).status, 1);
        QCOMPARE(run({"rules"}).status, 2);
        QCOMPARE(run({"rules", "show"}).status, 2);
        refused(run({"rules", "import"}), {}, "FILE or --preset NAME", 2);
        refused(run({"rules", "import", "x", "--preset", "careful"}), {}, "carrel: ", 2);
        refused(run({"rules", "import", "/nowhere/rules.toml", "--yes"}), {}, "cannot open the file of rules");
    }

    // A rule is shown as it would stand before it counts; without a terminal that takes --yes.
    void addingIsShownAndAsked() {
        const QStringList add{"rules", "add", "--allow", "--action", "apply"};
        refused(run(add, "y\nyes\n"), {}, "no rule was kept: there is no terminal to ask on");
        for (const char* no : {"n\n", "\n", "\x04"}) {
            refused(type(add, {{"Keep it? [y/N] ", no}}), {"rule.preview"}, "no rule was kept");
        }
        const auto ran = type(add + QStringList{"--for", "1h"}, {{"Keep it? [y/N] ", "y\n"}});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.startsWith("This rule would be kept:\r\n    | Without asking") && ran.out.contains("    | [[rule]]\r\n"), ran.out);
        QCOMPARE(asked(), QStringList({"rule.preview", "rule.add"}));
        const auto until = json::parse(lastParams().toStdString()).at("rule").at("until").as_string();
        const auto left = QDateTime::currentDateTimeUtc().secsTo(QDateTime::fromString(until.c_str(), Qt::ISODateWithMs));
        QVERIFY2(left > 3600 - 300 && left <= 3600, until.c_str());
        // One that covers high risk takes more than a letter.
        for (const char* no : {"y\n", "\n", "YES\n"}) {
            refused(type(add + QStringList{"--high"}, {{"type yes to keep it: ", no}}), {"rule.preview"}, "no rule was kept");
        }
        QCOMPARE(type(add + QStringList{"--high"}, {{"type yes to keep it: ", "yes\n"}}).status, 0);
        QCOMPARE(asked(), QStringList({"rule.preview", "rule.add"}));
    }
    void importingIsShownAndAsked() {
        const auto name = file("rules.toml", "version = 1\n");
        refused(run({"rules", "import", name}), {}, "there is no terminal to ask on");
        refused(type({"rules", "import", name}, {{"[y/N] ", "n\n"}}), {"rule.import"}, "no rules were taken");
        QCOMPARE(type({"rules", "import", name}, {{"[y/N] ", "y\n"}}).status, 0);
        QCOMPARE(asked(), QStringList({"rule.import", "rule.import"}));
        QCOMPARE(lastParams(), QByteArray(R"({"toml":"version = 1\n"})")); // the first one had preview: refused() saw that fit
        refused(run({"rules", "import", "-"}, "version = 1\n"), {}, "nobody can be asked there");
        QCOMPARE(run({"rules", "import", "-", "--yes"}, "version = 2\n").status, 0);
        QCOMPARE(asked(), QStringList({"rule.import"}));
        QCOMPARE(lastParams(), QByteArray(R"({"toml":"version = 2\n"})"));
        refused(run({"rules", "import", file("long", QByteArray(1024 * 1024 + 1, '#')), "--yes"}), {}, "longer than rules can be");
        refused(run({"rules", "import", file("binary", "\xff\xfe"), "--yes"}), {}, "not UTF-8");
    }
    void theFirstImportOnlyPreviews() {
        (void)type({"rules", "import", "--preset", "careful"}, {{"[y/N] ", "n\n"}});
        QCOMPARE(asked(), QStringList({"rule.import"}));
        QCOMPARE(lastParams(), QByteArray(R"({"preset":"careful","preview":true})"));
    }
    void exportingOverwritesNothing() {
        const auto name = m_folder.filePath("out.toml");
        QCOMPARE(run({"rules", "export", name}).status, 0);
        QFile out(name);
        QVERIFY(out.open(QIODevice::ReadOnly));
        QVERIFY(out.readAll().startsWith("version = 1\nserial = 3\n"));
        QCOMPARE(out.permissions() & (QFile::ReadGroup | QFile::ReadOther | QFile::WriteGroup | QFile::WriteOther), QFile::Permissions());
        const auto again = run({"rules", "export", name});
        QCOMPARE(again.status, 1);
        QVERIFY(again.err.contains("there is a file of that name already"));
    }
};

QTEST_GUILESS_MAIN(TestCliRules)
#include "test_cli_rules.moc"

// SPDX-License-Identifier: Apache-2.0
// What agents ask, on the command line: the list and its watch, looking at one, and what it takes to decide.
#include "tests/app/cli/cli_test.h"

#include <QDateTime>
#include <QDir>

using namespace carrel;
using namespace carrel::test;

namespace {

const QByteArray kDigest(64, 'a');
const QByteArray kOther(64, 'b');
const QByteArray kDecision = R"({"id":12,"effect":"%1","scope":"%2","digest":")" + kDigest +
                             R"(","revision":1,"asked":1,"where":"command line"%3})";

QByteArray decision(const char* effect, const char* scope, const char* more = "") {
    return QByteArray(kDecision).replace("%1", effect).replace("%2", scope).replace("%3", more);
}

std::string ago(int seconds) {
    return QDateTime::currentDateTimeUtc().addSecs(-seconds).toString("yyyy-MM-ddThh:mm:ss.zzzZ").toStdString();
}

} // namespace

class TestCliApprovals : public QObject, protected CliTest {
    Q_OBJECT
private:
    // A request of no special risk in the place of the example, which is of high risk.
    void makeRoutine() {
        auto shown = example("approval.show");
        auto& approval = shown.at("approval").as_object();
        approval["risk"] = "routine";
        approval.erase("risk_reason");
        shown.erase("confirm");
        m_engine->setAnswer("approval.show", shown);
    }
    void setShown(const char* key, const json::value& value) {
        auto shown = example("approval.show");
        shown[key] = value;
        m_engine->setAnswer("approval.show", shown);
    }
    [[nodiscard]] bool decided(const QByteArray& params) {
        const auto verbs = asked();
        return !verbs.isEmpty() && verbs.last() == "approval.decide" && json::parse(lastParams().toStdString()) == json::parse(params.toStdString());
    }
    // Nothing was allowed or denied; these were asked before that was clear.
    void refused(const Ran& ran, const QStringList& verbs, const char* why) {
        QCOMPARE(ran.status, 1);
        QVERIFY2((ran.err + ran.out).contains(why), ran.err + ran.out);
        QCOMPARE(ran.err.count('\n'), 1);
        QCOMPARE(asked(), verbs);
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

    // An agent cannot name a folder of this computer: whoever allows it one does.
    void aFolderIsChosen() {
        makeRoutine();
        const auto dir = QDir::currentPath().toUtf8();
        auto ran = run({"allow", "12", "--yes", "--folder", "more/../papers", "--mode", "read-only"});
        QCOMPARE(ran.status, 0);
        QVERIFY2(decided(decision("allow", "once", (R"(,"folder":")" + dir + R"(/papers","mode":"read-only")").constData())), asked().join(' ').toUtf8());
        ran = run({"allow", "12", "--yes", "--mode", "all"});
        QVERIFY(ran.status != 0);
    }
    // Where it is shown, and how that ends.
    void aServerIsShown() {
        makeRoutine();
        auto decided = example("approval.decide");
        decided["forward"] = {{"number", 3}, {"port", 8000}, {"host", "0123.localhost"}, {"at", 40123}, {"url", "http://0123.localhost:40123/"},
                              {"open", 0}, {"connections", 0}, {"refused", 0}, {"sent", 0}, {"received", 0}, {"age_ms", 0}};
        m_engine->setAnswer("approval.decide", decided);
        const auto ran = run({"allow", "12", "--yes"});
        QVERIFY2(ran.status == 0 && ran.out.contains("http://0123.localhost:40123/\nEnd it with: carrel forward close clerk 3\n"), ran.out);
    }
    // Which one is missing is said before anything is read, asked or agreed to.
    void aFolderIsAskedForFirst() {
        auto shown = example("approval.show");
        auto& approval = shown.at("approval").as_object();
        approval["action"] = "folder";
        approval["can_be_rule"] = false;
        m_engine->setAnswer("approval.show", shown);
        for (const QStringList& more : {QStringList{}, {"--folder", "papers", "--scope", "agent"}}) {
            const auto ran = type(QStringList{"allow", "12"} + more, {});
            QCOMPARE(ran.status, 1);
            QVERIFY2(ran.out.contains("nothing was allowed") && ran.out.count('\n') == 1, ran.out);
            QCOMPARE(asked(), QStringList{"approval.show"});
        }
    }

    void verbsAskAndShow_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("verb");
        QTest::addColumn<QByteArray>("params");
        QTest::addColumn<QByteArray>("shown");
        const auto row = [](const QStringList& arguments, const char* verb, const char* params, const char* shown) {
            QTest::newRow(qPrintable(arguments.join(' '))) << arguments << QString(verb) << QByteArray(params) << QByteArray(shown);
        };
        row({"approvals"}, "approval.list", "{}", "  HIGH  ");
        row({"approvals"}, "approval.list", "{}",
            "The agent clerk asks too much, too soon: 4 more requests were cancelled without asking you, since 2026-03-01 12:00:00.\n");
        row({"approvals"}, "approval.list", "{}", "Look at one: carrel show 12. Then: carrel allow 12, or carrel deny 12\n");
        row({"approvals", "--agent", "clerk", "--all"}, "approval.list", R"({"agent":"clerk","closed":true})", "STATE");
        row({"approvals", "reopen", "12"}, "approval.reopen", R"({"id":12,"where":"command line"})",
            "Request 12 waits for you; unanswered, it expires at 2026-03-01 13:00:00.\n");
        row({"approvals", "stats"}, "approval.stats", "{}",
            "2026-03-01  clerk  -     4      3      2       2         9        1        1          0            1 min\n");
        row({"approvals", "stats", "--agent", "clerk", "--since", "2026-03-01T12:00:00Z"}, "approval.stats",
            R"({"agent":"clerk","since_ms":1772366400000})", "all                -     4");
    }
    void verbsAskAndShow() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, verb);
        QFETCH(QByteArray, params);
        QFETCH(QByteArray, shown);
        checkVerb(arguments, verb, params, shown);
    }

    void theListSaysHowLong() {
        auto list = example("approval.list");
        auto& approval = list.at("approvals").as_array().at(0).as_object();
        approval["asked_at"] = ago(4 * 60 + 5);
        approval["expires"] = ago(-56 * 60 - 30);
        list["turned_away"] = json::array{};
        list["rules_trouble"] = {{"message", "The rules' file is not as Carrel left it"}, {"remedy", "Look at it"}};
        m_engine->setAnswer("approval.list", list);
        QCOMPARE(run({"approvals"}).out,
                 QByteArray("The rules cannot be used, so everything is denied and nothing is asked: The rules' file is not as "
                            "Carrel left it. Look at it.\n"
                            "ID  AGENT  RISK  ASKED      EXPIRES    REQUEST\n"
                            "12  clerk  HIGH  4 min ago  in 56 min  The agent clerk asks to have 2 changes applied in /home/ada/papers\n"
                            "Look at one: carrel show 12. Then: carrel allow 12, or carrel deny 12\n"));
        list["approvals"] = json::array{};
        list.erase("rules_trouble");
        m_engine->setAnswer("approval.list", list);
        QCOMPARE(run({"approvals"}).out, QByteArray("Nothing waits for you.\n"));
        auto all = example("approval.list", 1);
        all["next"] = nullptr;
        m_engine->setAnswer("approval.list", all);
        QVERIFY(run({"approvals", "--all"}).out.contains("12  clerk  allowed  HIGH"));
    }
    void pagesBecomeOneList() {
        auto first = example("approval.list");
        auto second = first;
        first["next"] = 12;
        second.at("approvals").as_array().at(0).as_object()["id"] = 13;
        m_engine->setScript("approval.list", {first, second});
        const auto out = run({"approvals"}).out;
        QVERIFY2(out.contains("\n12  ") && out.contains("\n13  "), out);
        QCOMPARE(asked(), QStringList({"approval.list", "approval.list"}));
        QCOMPARE(lastParams(), QByteArray(R"({"after":12})"));
        first["approvals"] = json::array{}; // a page without end is an error, not a loop
        m_engine->setAnswer("approval.list", first);
        m_engine->setScript("approval.list", {example("approval.list", 1), first});
        QCOMPARE(run({"approvals"}).status, 1);
    }

    // On a pipe: a line for what is new or other than before; at a terminal the list again.
    void watchReacts() {
        auto before = example("approval.list");
        before["turned_away"] = json::array{};
        auto with = before;
        with.at("approvals").as_array().push_back(with.at("approvals").at(0));
        with.at("approvals").at(1).as_object()["id"] = 13;
        with.at("approvals").at(1).as_object()["words"] = "The agent clerk asks for something else";
        with["mark"] = 32;
        auto after = with;
        after.at("approvals").at(0).as_object()["state"] = "denied";
        after["rules_trouble"] = {{"message", "they are sealed by nobody"}};
        after["mark"] = 33;
        const auto script = [&] {
            m_engine->setScript("approval.list", {before, with, after});
            m_engine->setScript("approval.wait", {{{"mark", 32}}, {{"mark", 33}}});
        };
        script();
        const auto lines = run({"approvals", "--watch"});
        QCOMPARE(lines.status, 1); // the script is at its end
        const QByteArray words = "  HIGH  clerk  The agent clerk asks to have 2 changes applied in /home/ada/papers\n";
        QCOMPARE(lines.out, "12  open" + words + "13  open  HIGH  clerk  The agent clerk asks for something else\n" +
                                "The rules cannot be used, so everything is denied and nothing is asked: they are sealed by nobody.\n" +
                                "12  denied" + words);
        const auto verbs = asked();
        QCOMPARE(verbs.size(), 6);
        QCOMPARE(lastParams(), QByteArray(R"({"mark":33})"));
        script();
        const auto terminal = type({"approvals", "--watch"}, {});
        QCOMPARE(terminal.out.count("ID  AGENT"), 3);
        QVERIFY(terminal.out.contains("asks for something else"));
        script();
        const auto values = run({"approvals", "--watch", "--json"}).out;
        QCOMPARE(values.count('\n'), 3);
        QVERIFY(json::parse(values.left(values.indexOf('\n')).toStdString()) == json::value(before));
    }
    void watchEndsCleanlyOnInterrupt() {
        QProcess process; // the engine's example answers at once, always
        prepare(process, m_program);
        process.setArguments({"approvals", "--watch", "--json"});
        process.start();
        QVERIFY(process.waitForReadyRead(60'000));
        QCOMPARE(::kill(static_cast<pid_t>(process.processId()), SIGINT), 0);
        QVERIFY(process.waitForFinished(60'000));
        QVERIFY(process.exitStatus() == QProcess::NormalExit);
        QCOMPARE(process.exitCode(), 0);
        QVERIFY(process.readAllStandardError().isEmpty());
    }

    // All that is decided on, what the agent says set apart from what Carrel saw, and the rule that would cover it.
    void showTellsAll() {
        const auto ran = run({"show", "12"});
        QCOMPARE(ran.status, 0);
        QCOMPARE(asked(), QStringList({"approval.show", "changes", "diff"})); // nobody looks at a pipe: not counted as shown
        const QByteArray head = "Request 12 waits for you; unanswered, it expires at 2026-03-01 13:00:00.\n"
                                "It was asked at 2026-03-01 12:00:00.\n\n"
                                "  What Carrel saw:\n    | The agent clerk asks to have 2 changes applied in /home/ada/papers\n"
                                "  HIGH RISK:\n    | papers/.git/hooks/post-commit: git runs this file\n"
                                "  What the AGENT SAYS, its own word that nobody has checked:\n    | the report you asked for\n"
                                "\nThe changes:\nmodified";
        QVERIFY2(ran.out.startsWith(head), ran.out);
        QVERIFY2(ran.out.contains("\n-old\n+new\n+line\n"), ran.out);
        QVERIFY2(ran.out.endsWith("\nThe narrowest rule that would allow it without asking:\n"
                                  "    | Without asking, the agent clerk may have its changes applied (created or \n"
                                  "    | modified) to drafts/** in /home/ada/papers, unless the risk is high.\n"
                                  "  In the file of rules:\n    | [[rule]]\n    | id = 7\n    | effect = \"allow\"\n    | action = \"apply\"\n"
                                  "    | agent = \"0123456789abcdef\"\n    | folder = [ \"/home/ada/papers\" ]\n    | path = [ \"drafts/**\" ]\n"
                                  "    | change = [ \"created\", \"modified\" ]\n"
                                  "\nAnswer it: carrel allow 12, or carrel deny 12; with --scope session, agent or everywhere a rule is kept.\n"
                                  "It is of high risk: whoever allows it types this word: post-commit\n"),
                 ran.out.right(650));
        const auto machine = run({"show", "12", "--json"});
        QCOMPARE(asked(), QStringList({"approval.show"}));
        QVERIFY(json::parse(machine.out.toStdString()) == json::value(example("approval.show")));
    }
    // A person sees it, so it is counted and does not expire meanwhile.
    void showAtATerminalCounts() {
        auto held = example("approval.hold");
        held.at("approval").as_object()["expires"] = "2026-03-01T14:30:00.000Z";
        m_engine->setAnswer("approval.hold", held);
        const auto ran = type({"show", "12"}, {});
        QVERIFY2(ran.out.contains("it expires at 2026-03-01 14:30:00."), ran.out);
        QCOMPARE(asked(), QStringList({"approval.show", "approval.shown", "approval.hold", "changes", "diff"}));
    }
    void showOfWhatIsOver() {
        auto shown = example("approval.show");
        shown["approval"] = example("approval.list", 1).at("approvals").at(0);
        m_engine->setAnswer("approval.show", shown);
        auto ran = type({"show", "12"}, {});
        QCOMPARE(ran.status, 0);
        QCOMPARE(asked(), QStringList({"approval.show"}));
        QVERIFY2(ran.out.startsWith("Request 12 was allowed for this once, by the owner at the command line, at 2026-03-01 12:04:00.\r\n"),
                 ran.out);
        QVERIFY2(ran.out.contains("What became of it (done):\r\n    | 2 of 2 changes are made") &&
                     ran.out.contains("    | folder /home/ada/papers, path report.md, change modified\r\n") && !ran.out.contains("Answer it"),
                 ran.out);
        auto& approval = shown.at("approval").as_object();
        approval.erase("decision");
        approval["state"] = "expired";
        approval["ended"] = "no-answer";
        m_engine->setAnswer("approval.show", shown);
        QVERIFY(run({"show", "12"}).out.contains("nobody answered in time, which is no denial. Open it again: carrel approvals reopen 12."));
        m_engine->setAnswer("approval.show", fail(ErrorCode::NotFound, "There is no request 12, or it was long ago", "See: carrel approvals"));
        QCOMPARE(run({"show", "12"}).err, QByteArray("carrel: There is no request 12, or it was long ago. See: carrel approvals\n"));
    }

    // No terminal and no word: nothing is sent at all.
    void nothingIsSentWithoutAWord() {
        makeRoutine();
        for (const char* verb : {"allow", "deny"}) {
            refused(run({verb, "12"}), {}, "there is no terminal to ask on");
            refused(run({verb, "12", "--scope", "everywhere"}, "y\nyes\n"), {}, "there is no terminal to ask on");
            QCOMPARE(run({verb, "12", "--yes"}).status, 0);
            QVERIFY(decided(decision(verb, "once")));
        }
        refused(run({"allow", "12", "--confirm", "post-commit"}), {"approval.show"}, "no terminal"); // a word that it does not ask for
        refused(run({"allow", "12", "--yes", "--for", "soon"}), {}, "the time is not one that can be read");
        refused(run({"allow", "12", "--yes", "--for", "0s"}), {}, "the time is not one that can be read");
        QCOMPARE(run({"allow", "12", "--yes", "--scope", "always"}).status, 2);
        QCOMPARE(run({"allow"}).status, 2);
        QCOMPARE(asked(), QStringList());
    }
    // High risk: the word that the request names, and nothing less.
    void highRiskNeedsItsWord() {
        refused(run({"allow", "12", "--yes"}), {"approval.show"}, "is of high risk, and --yes is not enough for that");
        for (const char* word : {"yes", "post", "Post-commit", "post-commit.", "post -commit"}) {
            refused(run({"allow", "12", "--yes", "--confirm", word}), {"approval.show"}, "that is not the word");
        }
        QCOMPARE(run({"allow", "12", "--confirm", "post-commit"}).status, 0);
        QVERIFY(decided(decision("allow", "once")));
        QCOMPARE(run({"deny", "12", "--yes"}).status, 0); // a no needs no word
        QVERIFY(decided(decision("deny", "once")));
        for (const json::value& none : {json::value(nullptr), json::value(""), json::value("  ")}) {
            setShown("confirm", none);
            refused(run({"allow", "12", "--yes", "--confirm", ""}), {"approval.show"}, "the engine names no word");
            refused(run({"allow", "12", "--confirm", "  "}), {"approval.show"}, "the engine names no word");
        }
        auto shown = example("approval.show"); // a risk that this program knows nothing of is no small one
        shown.at("approval").as_object()["risk"] = "extreme";
        m_engine->setAnswer("approval.show", shown);
        refused(run({"allow", "12", "--yes"}), {"approval.show"}, "is of high risk");
    }

    void atATerminalItIsShownAndAsked() {
        makeRoutine();
        const QStringList seen{"approval.show", "approval.shown", "approval.hold", "changes", "diff"};
        for (const char* verb : {"allow", "deny"}) {
            for (const char* no : {"n\n", "\n", "maybe\n", "yess\n", "\x04"}) {
                const auto ran = type({verb, "12"}, {{"[y/N] ", no}});
                QCOMPARE(ran.status, 1);
                QVERIFY2(ran.out.contains("waits as before"), ran.out);
                QCOMPARE(asked(), seen);
            }
            const auto yes = type({verb, "12"}, {{"[y/N] ", "y\n"}});
            QVERIFY2(yes.status == 0 && yes.out.indexOf("What Carrel saw") < yes.out.indexOf("this once? [y/N]") &&
                         yes.out.indexOf("\n+new\r\n") < yes.out.indexOf("[y/N]"),
                     yes.out);
            QVERIFY(decided(decision(verb, "once")));
        }
        QCOMPARE(type({"allow", "12", "--yes"}, {}).status, 0); // the answer is given already
        QCOMPARE(asked(), QStringList({"approval.show", "approval.decide"}));
    }
    // What was typed before the question was there is no answer to it.
    void typingAheadIsNoAnswer() {
        makeRoutine();
        const auto ran = type({"allow", "12"}, {{"", "y\ny\n"}, {"[y/N] ", "n\n"}});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.out.contains("waits as before"), ran.out);
        QVERIFY(!asked().contains("approval.decide"));
    }
    void atATerminalHighRiskAsksForItsWord() {
        for (const QByteArray no : {"y\n", "yes\n", "\n", "post-commi\n", "POST-COMMIT\n", "\x04"}) {
            const auto ran = type({"allow", "12", "--yes"}, {{"type post-commit to allow it: ", no}}); // --yes is no word
            QCOMPARE(ran.status, 1);
            QVERIFY2(ran.out.contains("nothing was allowed"), ran.out);
            QVERIFY(!asked().contains("approval.decide"));
        }
        QCOMPARE(type({"allow", "12"}, {{"type post-commit to allow it: ", "post-commit\n"}}).status, 0);
        QVERIFY(decided(decision("allow", "once")));
        QCOMPARE(type({"deny", "12"}, {{"[y/N] ", "y\n"}}).status, 0);
        QVERIFY(decided(decision("deny", "once")));
    }
    void aScopeShowsItsRuleFirst() {
        makeRoutine();
        const auto ran = type({"allow", "12", "--scope", "agent", "--for", "8h"}, {{"and keep this rule, for 8h? [y/N] ", "y\n"}});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.contains("This rule would be kept:\r\n    | Without asking, the agent clerk may") && ran.out.contains("    | [[rule]]\r\n"),
                 ran.out);
        const auto verbs = asked();
        QCOMPARE(verbs.mid(5), QStringList({"approval.preview", "approval.decide"}));
        QCOMPARE(json::parse(lastParams().toStdString()), json::parse(decision("allow", "agent", R"(,"seconds":28800)").toStdString()));
        QCOMPARE(type({"deny", "12", "--scope", "everywhere"}, {{"[y/N] ", "n\n"}}).status, 1);
        QCOMPARE(asked().last(), QString("approval.preview"));
        m_engine->setAnswer("approval.preview", json::value{{"rule", nullptr}});
        QVERIFY(type({"allow", "12", "--scope", "session"}, {}).out.contains("does not say which rule would be kept"));
        QVERIFY(!asked().contains("approval.decide"));
        m_engine->setAnswer("approval.preview", fail(ErrorCode::Refused, "No rule can say what request 12 asks for", "Decide for once"));
        QVERIFY(type({"allow", "12", "--scope", "session"}, {}).out.contains("No rule can say"));
        QVERIFY(!asked().contains("approval.decide"));
    }
    // Nobody allows what could not be shown, or what is not what the request is about (I12).
    void whatCannotBeShownIsNotAllowed() {
        makeRoutine();
        auto other = example("changes");
        other["review"] = kOther.toStdString();
        m_engine->setAnswer("changes", other);
        auto ran = type({"allow", "12"}, {{"[y/N] ", "y\n"}});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.out.contains("are not those that the request is about"), ran.out);
        QVERIFY(!asked().contains("approval.decide"));
        m_engine->setAnswer("changes", fail(ErrorCode::NotFound, "there is no such review"));
        ran = type({"allow", "12"}, {{"[y/N] ", "y\n"}});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.out.contains("what request 12 would change cannot be shown: there is no such review"), ran.out);
        QVERIFY(!asked().contains("approval.decide"));
        QCOMPARE(type({"deny", "12"}, {{"[y/N] ", "y\n"}}).status, 0);
        QCOMPARE(run({"show", "12"}).status, 1);
    }
    void theDigestPinsWhatWasLookedAt() {
        makeRoutine();
        QCOMPARE(run({"allow", "12", "--yes", "--digest", kDigest}).status, 0);
        QVERIFY(decided(decision("allow", "once")));
        refused(run({"allow", "12", "--yes", "--digest", kOther}), {"approval.show"}, "request 12 has changed since it was looked at");
        refused(run({"deny", "12", "--yes", "--scope", "agent", "--digest", kOther}), {"approval.show"}, "has changed since");
        QCOMPARE(run({"deny", "12", "--yes", "--digest", kOther}).status, 0); // a no to this once gives nothing away
        QVERIFY(decided(decision("deny", "once").replace(kDigest, kOther)));
        refused(run({"allow", "12", "--yes", "--digest", "abc"}), {}, "not 64 hexadecimal digits");
    }
    void whoeverIsLateIsTold() {
        auto shown = example("approval.show");
        shown["approval"] = example("approval.list", 1).at("approvals").at(0);
        m_engine->setAnswer("approval.show", shown);
        refused(run({"deny", "12", "--yes"}), {"approval.show"},
                "carrel: Request 12 was allowed for this once, by the owner at the command line, at 2026-03-01 12:04:00. Nothing was "
                "changed. See: carrel show 12\n");
        makeRoutine();
        m_engine->setAnswer("approval.decide", fail(ErrorCode::Conflict, "Request 12 was denied already, by the owner at the desktop",
                                                    "Nothing was changed. See: carrel show 12"));
        refused(run({"allow", "12", "--yes"}), {"approval.show", "approval.decide"},
                "carrel: Request 12 was denied already, by the owner at the desktop. Nothing was changed. See: carrel show 12\n");
    }
    void whatWasDoneIsTold() {
        makeRoutine();
        auto ran = run({"allow", "12", "--yes"});
        QCOMPARE(ran.status, 0);
        QCOMPARE(ran.out, QByteArray("Request 12 was allowed for this once, by the owner at the command line, at 2026-03-01 12:04:00.\n"
                                     "1 change applied.\nTake it back with: carrel undo clerk 3\n"));
        QVERIFY(json::parse(run({"allow", "12", "--yes", "--json"}).out.toStdString()) == json::value(example("approval.decide")));
        auto partly = example("approval.decide");
        auto& applied = partly.at("applied").as_object();
        applied["outcomes"] = example("apply").at("outcomes");
        applied["totals"] = example("apply").at("totals");
        m_engine->setAnswer("approval.decide", partly);
        ran = run({"allow", "12", "--yes"});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.out.contains("conflict: papers/a: the file changed"), ran.out);
        QCOMPARE(ran.err.count('\n'), 1);
        auto troubled = example("approval.decide", 1);
        troubled["effect_trouble"] = "the drive is away";
        m_engine->setAnswer("approval.decide", troubled);
        ran = run({"allow", "12", "--yes"});
        QCOMPARE(ran.status, 1);
        QCOMPARE(ran.err, QByteArray("carrel: request 12 is allowed, and could not be done: the drive is away; the decision stands, but "
                                     "its rule could not be kept: the disk is full. See: carrel show 12.\n"));
        QVERIFY(ran.out.contains("denied for this agent from now on, until 2026-03-01 13:00:00, by "));
    }

    // The pager gets the text; one that fails, or is not there, hides nothing.
    void evidenceIsPaged() {
        makeRoutine();
        const auto file = m_folder.filePath("paged");
        const auto with = [&](const QString& pager, const Typed& typed) {
            return type({"allow", "12"}, typed, {{"TERM", "xterm"}, {"NO_COLOR", "1"}, {"PAGER", pager.toStdString()}});
        };
        auto ran = with("cat > '" + file + "'", {{"[y/N] ", "n\n"}});
        QFile paged(file);
        QVERIFY(paged.open(QIODevice::ReadOnly));
        const auto text = paged.readAll();
        QVERIFY2(text.startsWith("Request 12 waits") && text.contains("+new\n") && !ran.out.contains("What Carrel saw"), ran.out);
        for (const char* broken : {"no-such-pager-here", "cat > /dev/null; exit 3", "kill -9 $$"}) {
            ran = with(broken, {{"[y/N] ", "n\n"}});
            QVERIFY2(ran.out.contains("What Carrel saw") && ran.out.contains("+new\r\n"), ran.out);
        }
        ran = with("head -c 1 > /dev/null", {{"[y/N] ", "y\n"}}); // one that has seen enough
        QCOMPARE(ran.status, 0);
        QVERIFY(asked().contains("approval.decide"));
    }
};

QTEST_GUILESS_MAIN(TestCliApprovals)
#include "test_cli_approvals.moc"

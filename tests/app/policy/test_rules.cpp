// SPDX-License-Identifier: Apache-2.0
// What one rule matches, what it may be, and that it comes back from its text as it was.
#include "app/policy/rules_text.h"
#include "tests/app/policy/random_rules.h"

#include <QTest>

using namespace carrel::policy;
using carrel::policy::test::RandomRules;

namespace {

Rule with(Action action, const std::string& field, std::vector<std::string> values) {
    Rule out;
    out.id = 1;
    out.effect = Effect::Allow;
    out.action = action;
    out.fields[field] = std::move(values);
    return out;
}

std::string headed(const std::string& rules) {
    return "version = 1\nserial = 3\nnext_id = 10\n" + rules;
}
const std::string kRule = "[[rule]]\nid = 7\neffect = \"allow\"\naction = \"network\"\n";

} // namespace

class TestRules : public QObject {
    Q_OBJECT
private slots:
    void values_data() {
        QTest::addColumn<int>("kind");
        QTest::addColumn<std::string>("wanted");
        QTest::addColumn<std::string>("seen");
        QTest::addColumn<bool>("match");
        const auto row = [](FieldKind kind, const char* wanted, const char* seen, bool match) {
            QTest::addRow("%s: %s", wanted, seen) << static_cast<int>(kind) << std::string(wanted) << std::string(seen) << match;
        };
        row(FieldKind::Folder, "/home/ada/papers", "/home/ada/papers", true);
        row(FieldKind::Folder, "/home/ada/papers", "/home/ada/papers/sub", true);
        row(FieldKind::Folder, "/home/ada/papers", "/home/ada/papers2", false);
        row(FieldKind::Folder, "/home/ada/papers", "/home/ada", false);
        row(FieldKind::Folder, "/", "/home", true);
        row(FieldKind::PathPattern, "a.txt", "a.txt", true);
        row(FieldKind::PathPattern, "a.txt", "d/a.txt", false);
        row(FieldKind::PathPattern, "*.txt", "d/a.txt", false);
        row(FieldKind::PathPattern, "docs/*", "docs/a", true);
        row(FieldKind::PathPattern, "docs/*", "docs/d/a", false);
        row(FieldKind::PathPattern, "docs/**", "docs/d/a", true);
        row(FieldKind::PathPattern, "docs/**", "docs", false);
        row(FieldKind::PathPattern, "docs/**", "docs2/a", false);
        row(FieldKind::PathPattern, "**", "anything/at all", true);
        row(FieldKind::PathPattern, "a\\*", "a*", false); // a backslash is one
        row(FieldKind::PathPattern, "a\\*", "a\\b", true);
        row(FieldKind::Host, "example.org", "example.org", true);
        row(FieldKind::Host, "example.org", "www.example.org", false);
        row(FieldKind::Host, "*.example.org", "www.example.org", true);
        row(FieldKind::Host, "*.example.org", "a.b.example.org", true);
        row(FieldKind::Host, "*.example.org", "example.org", false);
        row(FieldKind::Host, "*.example.org", "badexample.org", false);
        row(FieldKind::Host, "*.example.org", ".example.org", false);
        row(FieldKind::PathPrefix, "/simple", "/simple", true);
        row(FieldKind::PathPrefix, "/simple", "/simple/x", true);
        row(FieldKind::PathPrefix, "/simple", "/simpler", false);
        row(FieldKind::PathPrefix, "/simple/", "/simple/x", true);
        row(FieldKind::PathPrefix, "/simple/", "/simple", false);
        row(FieldKind::PathPrefix, "/", "/anything", true);
        row(FieldKind::Method, "GET", "GET", true);
        row(FieldKind::Method, "GET", "get", false);
        row(FieldKind::Port, "80", "8080", false);
    }
    void values() {
        QFETCH(int, kind);
        QFETCH(std::string, wanted);
        QFETCH(std::string, seen);
        QTEST(matchesValue(static_cast<FieldKind>(kind), wanted, seen), "match");
    }

    void whatARuleCannotBe_data() {
        QTest::addColumn<int>("action");
        QTest::addColumn<std::string>("field");
        QTest::addColumn<std::string>("value");
        const auto row = [](Action action, const char* field, const std::string& value) {
            QTest::addRow("%s: %s", field, value.substr(0, 30).c_str()) << static_cast<int>(action) << std::string(field) << value;
        };
        row(Action::Apply, "host", "example.org"); // another action's
        row(Action::Apply, "folder", "papers");
        row(Action::Apply, "folder", "/srv/../etc");
        row(Action::Apply, "folder", "/srv//u");
        row(Action::Apply, "folder", "/home/ada/");
        row(Action::Apply, "path", "/etc");
        row(Action::Apply, "path", "../x");
        row(Action::Apply, "path", std::string("a\0b", 3));
        row(Action::Apply, "path", "caf\xe9");
        row(Action::Apply, "change", "anything");
        row(Action::Folder, "mode", "write");
        row(Action::Network, "host", "*");
        row(Action::Network, "host", "*.");
        row(Action::Network, "host", "exam*ple.org");
        row(Action::Network, "host", "Example.org"); // one spelling
        row(Action::Network, "host", "example.org.");
        row(Action::Network, "host", "b\xc3\xbc" "cher.example");
        row(Action::Network, "host", std::string(254, 'a'));
        row(Action::Network, "port", "0");
        row(Action::Network, "port", "65536");
        row(Action::Network, "port", "0443");
        row(Action::Network, "port", " 443");
        row(Action::Network, "method", "get");
        row(Action::Network, "path", "simple");
        row(Action::Network, "path", "/a/../b");
        row(Action::Network, "path", "**/a");
        row(Action::Network, "path", "/a?/*");
        row(Action::Network, "path", "/[ab]/*");
        row(Action::Network, "path", "/a**/b");
        row(Action::Credential, "name", "My key");
        row(Action::Program, "sha256", std::string(63, 'a'));
        row(Action::Program, "sha256", std::string(64, 'A'));
        row(Action::Network, "host", "");
    }
    void whatARuleCannotBe() {
        QFETCH(int, action);
        QFETCH(std::string, field);
        QFETCH(std::string, value);
        const auto checked = check(with(static_cast<Action>(action), field, {value}));
        QVERIFY(!checked && checked.error().code == carrel::ErrorCode::InvalidArgument && !checked.error().hint.empty());
        QVERIFY(!check(with(static_cast<Action>(action), field, {})));
    }

    void wordsThatAFileCannotKeep() {
        auto rule = with(Action::Network, "host", {"example.org"});
        QVERIFY(check(rule));
        for (auto* text : {&rule.note, &rule.agent, &rule.session}) {
            for (const auto& bad : {std::string("caf\xe9"), std::string("a\0b", 3), std::string(300, 'a')}) {
                *text = bad;
                QVERIFY(!check(rule));
            }
            *text = "a \x1b\x7f \xe2\x80\xae \"\"\" \\ \t\r\n b";
            QVERIFY(check(rule));
            const auto read = rulesFrom(headed(toToml(rule)));
            QVERIFY2(read && read->rules.at(0) == rule, read ? "" : read.error().text().c_str());
        }
    }

    // What is not of the internet is reached by its very name and port, whatever a rule covers beside it.
    void highRiskOfTheNetworkNamesWhere() {
        Request request;
        request.agent = "ann";
        request.action = Action::Network;
        request.risk = Risk::High;
        request.fields = {{"host", "10.0.0.1"}, {"port", "22"}};
        auto rule = with(Action::Network, "host", {"10.0.0.1"});
        rule.effect = Effect::Allow;
        rule.fields["port"] = {"22"};
        QVERIFY(check(rule) && !matches(rule, request, 0));
        rule.high = true;
        QVERIFY(check(rule) && matches(rule, request, 0));
        auto wide = rule;
        wide.fields.erase("port");
        QVERIFY(!check(wide) && !matches(wide, request, 0));
        wide = rule;
        wide.fields.erase("host");
        QVERIFY(!check(wide) && !matches(wide, request, 0));
        request.fields["host"] = "a.example.org";
        wide = rule;
        wide.fields["host"] = {"*.example.org"};
        QVERIFY(!check(wide) && !matches(wide, request, 0));
        request.risk = Risk::Routine;
        QVERIFY(matches(wide, request, 0));
    }

    void itComesBackFromItsText() {
        RandomRules random(3);
        for (int round = 0; round < 300; ++round) {
            RuleSet set;
            set.serial = static_cast<std::uint64_t>(round);
            for (std::size_t i = random.below(6); i > 0; --i) {
                set.rules.push_back(random.rule(set.nextId));
                set.nextId += 1 + random.below(3);
            }
            const auto read = rulesFrom(toToml(set));
            QVERIFY2(read, read ? "" : read.error().text().c_str());
            QVERIFY(*read == set);
        }
    }

    void strangeTextIsRefused_data() {
        QTest::addColumn<std::string>("text");
        QTest::addColumn<std::string>("says");
        const auto row = [](const char* name, const std::string& text, const char* says) {
            QTest::newRow(name) << text << std::string(says);
        };
        row("nothing", "", "version");
        row("no TOML", "version = ", "line 1");
        row("a newer version", "version = 2\nserial = 1\nnext_id = 1\n", "of version 2");
        row("a key at the top", headed("owner = \"me\"\n"), "owner");
        row("a key of a rule", headed(kRule + "hosts = [\"example.org\"]\n"), "line 8: nothing is known of \"hosts\"");
        row("a field of another action", headed(kRule + "sha256 = [\"" + std::string(64, 'a') + "\"]\n"), "sha256");
        row("no list", headed(kRule + "host = \"example.org\"\n"), "not a list");
        row("an empty list", headed(kRule + "host = []\n"), "0 values");
        row("a number in it", headed(kRule + "port = [443]\n"), "not text");
        row("no effect", headed("[[rule]]\nid = 7\naction = \"network\"\n"), "effect");
        row("another effect", headed("[[rule]]\nid = 7\neffect = \"ask\"\naction = \"network\"\n"), "effect");
        row("another action", headed("[[rule]]\nid = 7\neffect = \"deny\"\naction = \"fly\"\n"), "fly");
        row("a number given twice", headed(kRule + kRule), "number");
        row("a number yet to come", headed("[[rule]]\nid = 10\neffect = \"deny\"\naction = \"network\"\n"), "number");
        row("a local time", headed(kRule + "until = 2026-12-01T12:00:00\n"), "offset");
        row("a day that is none", headed(kRule + "until = 2026-02-30T12:00:00Z\n"), "");
        row("an agent of no name", headed(kRule + "agent = \"\"\n"), "agent is empty");
        row("a denial at high risk", headed("[[rule]]\nid = 7\neffect = \"deny\"\naction = \"network\"\nhigh = true\n"), "high risk");
        // What the parser has no sound answer to (toml_guard.h).
        row("a letter beyond ASCII", headed("\u02b3 = 1\n"), "line 4: there is a letter");
        row("one after a value", headed("x = 1 \u0416\n"), "letter");
        row("one after a string", headed("x = \"\" \u3001\n"), "letter");
        row("one after a string that has no end", headed("x = \"\n\u0416\n"), "line 4: there is a string without an end");
        row("one after an escaped quote", headed("x = \"\\\\\" \u0416 \"\n"), "letter");
        row("a byte order mark", "\ufeff" + headed(""), "letter");
        row("a table called by a sign", headed("[^_rule]]\n"), "line 4: there is a table");
        row("another table", headed("  [[rules]]\n"), "not called [[rule]]");
        row("a single one", headed("[rule]\n"), "not called [[rule]]");
        row("a table within a line", headed("rule = [{id = 1}]\n"), "line 4: there is something in a list");
        row("a time with something in it", headed(kRule + std::string("until = 2026-12-01T\0" "2:00:00Z\n", 29)), "line 8: there is a word");
        row("a number that is none", headed("x = 0x_\n"), "line 4: there is a word");
        row("a key in quotes", headed("\"x\" = 1\n"), "line 4: there is a string where");
        row("a list in a list", headed(kRule + "host = [\n[\"a.org\"]]\n"), "line 9: there is a list in");
        row("two on a line", headed("[[rule]][^]\n"), "");
        row("a string of several lines", headed(kRule + "note = \"\"\"\\\n \u0416\"\"\"\n"), "line 8: there is a string");
        row("a literal one", headed(kRule + "note = \'\'\'\n\u0416\'\'\'\n"), "several lines");
        row("a long note", headed(kRule + "note = \"" + std::string(300, 'a') + "\"\n"), "note");
    }
    void strangeTextIsRefused() {
        QFETCH(std::string, text);
        QFETCH(std::string, says);
        const auto read = rulesFrom(text);
        QVERIFY(!read);
        QVERIFY2(read.error().text().find(says) != std::string::npos, read.error().text().c_str());
        QVERIFY(!read.error().hint.empty());
    }

    void lettersOfAllTheWorld() {
        const auto read = rulesFrom(headed("# \u0416 \"\n" + kRule + "note = \"B\u00fccher \\\" \u0416\" # \u02b3\nhost = [ # [[\n \"a.org\",\n\t'b.org' ]\n"));
        QVERIFY2(read && read->rules.at(0).note == "B\u00fccher \" \u0416", read ? "" : read.error().text().c_str());
        auto rule = with(Action::Apply, "path", {"B\u00fccher/\u3001\u0416\n'\"\\.txt", "\t", "'", "''", "\"\"\""});
        rule.note = "\u0416\nsecond line";
        QVERIFY(check(rule));
        const auto again = rulesFrom(headed(toToml(rule)));
        QVERIFY2(again && again->rules.at(0) == rule, again ? "" : again.error().text().c_str());
    }

    void offsetsAreTheSameMoment() {
        const auto utc = rulesFrom(headed(kRule + "until = 2026-12-01T12:00:00Z\n"));
        const auto east = rulesFrom(headed(kRule + "until = 2026-12-01T13:30:00+01:30\n"));
        QVERIFY(utc && east && utc->rules.at(0).untilMs == east->rules.at(0).untilMs);
        QCOMPARE(*utc->rules.at(0).untilMs, std::int64_t{1'796'126'400'000});
    }

    void inPlainWords() {
        auto rule = with(Action::Network, "host", {"example.org", "*.example.net"});
        rule.fields["method"] = {"GET", "HEAD"};
        rule.agent = "id";
        rule.untilMs = 1'796'126'400'000;
        QCOMPARE(describe(rule, "desk"),
                 std::string("Without asking, the agent desk may connect to example.org or *.example.net, only with GET or "
                             "HEAD, unless the risk is high, until 2026-12-01 12:00:00 UTC."));
        rule = with(Action::Apply, "folder", {"/home/ada/papers"});
        rule.effect = Effect::Deny;
        rule.fields["change"] = {"deleted"};
        QCOMPARE(describe(rule, ""), std::string("Never, even when asked: any agent may not have its changes applied (deleted) "
                                                 "to anything in /home/ada/papers."));
    }
};

QTEST_GUILESS_MAIN(TestRules)
#include "test_rules.moc"

// SPDX-License-Identifier: Apache-2.0
// Invariant I11 on the command line: whatever stands in the texts that approvals and rules bring, no byte of it reaches a
// terminal that a terminal would obey or a person could not see, and no part of it stands where Carrel's own words stand.
#include "guest/protocol/share_path.h"
#include "tests/app/cli/cli_test.h"
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"

using namespace carrel;
using namespace carrel::test;

namespace {

// The answer with that text wherever text can be; what the program steers by stays.
json::value poisoned(const json::value& value, const std::string& text, const std::string& key = {}) {
    static const std::set<std::string> kKept{"review", "state", "risk", "effect", "answer", "digest", "asked_at", "expires", "path_b64"};
    if (key == "diff" || key == "listing") { // the engine's own: a mark before every line of the guest's
        return json::value("@@ -1 +1,2 @@\n+" + QString::fromStdString(text).replace("\n", "\n+").toStdString() + "\n");
    }
    if (value.is_string()) {
        return kKept.count(key) != 0 ? value : json::value(text);
    }
    if (value.is_array()) {
        json::array out;
        for (const auto& each : value.get_array()) {
            out.push_back(poisoned(each, text, key));
        }
        return out;
    }
    if (value.is_object()) {
        json::object out;
        for (const auto& [name, each] : value.get_object()) {
            out[name] = poisoned(each, text, std::string(name));
        }
        if (key == "things") {
            out[text] = text; // the name of a field
        }
        return out;
    }
    return value;
}

} // namespace

class TestCliNasty : public QObject, protected CliTest {
    Q_OBJECT
private:
    const QStringList m_verbs{"approval.list",   "approval.show", "approval.hold", "approval.preview", "approval.decide",
                              "approval.reopen", "approval.stats", "changes",       "diff",             "rule.list",
                              "rule.show",       "rule.test",     "rule.preview",  "rule.add",         "rule.remove",
                              "rule.import",     "rule.export",   "rule.presets"};

    void poison(const std::string& text) {
        for (const auto& verb : m_verbs) {
            const auto examples = m_engine->schemas().load(verb.toStdString() + ".json").at("examples").as_array();
            auto answer = poisoned(examples.at(0).at("result"), text).as_object();
            for (const auto& other : examples) { // with every field that an answer can have
                for (const auto& [name, value] : other.at("result").as_object()) {
                    if (!answer.contains(name)) {
                        answer[name] = poisoned(value, text);
                    }
                }
            }
            m_engine->setAnswer(verb.toStdString(), answer);
        }
        // Something that waits, with a word to be typed that is nasty, too; its things are kept.
        auto shown = poisoned(example("approval.show"), text).as_object();
        shown.at("approval").as_object()["effect"] = {{"state", "failed"}, {"words", text}};
        m_engine->setAnswer("approval.show", shown);
        auto list = poisoned(example("approval.list"), text).as_object();
        list["rules_trouble"] = {{"message", text}, {"remedy", text}};
        m_engine->setAnswer("approval.list", list);
        auto decided = poisoned(example("approval.decide"), text).as_object();
        decided["effect_trouble"] = text;
        decided["rule_trouble"] = text;
        m_engine->setAnswer("approval.decide", decided);
        auto rules = poisoned(example("rule.list"), text).as_object();
        rules.at("rules").as_array().at(0).as_object()["note"] = text;
        m_engine->setAnswer("rule.list", rules);
        auto rule = poisoned(example("rule.show"), text).as_object();
        rule.at("rule").as_object()["note"] = text;
        for (const char* verb : {"rule.show", "rule.remove", "rule.add", "rule.preview"}) {
            m_engine->setAnswer(verb, rule);
        }
        auto exported = QString::fromStdString(text).replace("\n", "\\n").toStdString(); // TOML's texts are of one line
        m_engine->setAnswer("rule.export", json::value{{"toml", "note = \"" + exported + "\"\n"}});
        auto test = poisoned(example("rule.test", 1), text).as_object();
        test["trouble"] = {{"message", text}, {"remedy", text}};
        m_engine->setAnswer("rule.test", test);
    }
    [[nodiscard]] static std::vector<QStringList> commands() {
        return {{"approvals"},
                {"approvals", "--all"},
                {"approvals", "stats"},
                {"approvals", "reopen", "12"},
                {"show", "12"},
                {"deny", "12", "--yes"},
                {"allow", "12", "--yes", "--confirm", "x"},
                {"rules", "list"},
                {"rules", "show", "7"},
                {"rules", "test", "--action", "apply"},
                {"rules", "add", "--deny", "--action", "apply", "--yes"},
                {"rules", "remove", "7"},
                {"rules", "import", "--preset", "careful", "--yes"},
                {"rules", "presets"}};
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

    void nothingNastyIsShown_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : allNastyTexts()) {
            if (isUtf8(text)) { // what is not comes as base64 only
                QTest::newRow(name) << QByteArray::fromStdString(text);
            }
        }
    }
    void nothingNastyIsShown() {
        QFETCH(QByteArray, text);
        poison(text.toStdString());
        for (const auto& command : commands()) {
            const auto ran = run(command);
            QVERIFY2(unfit(ran.out).isEmpty(), qPrintable(command.join(' ') + ": " + unfit(ran.out)));
            QVERIFY2(unfit(ran.err).isEmpty(), qPrintable(command.join(' ') + ": " + unfit(ran.err)));
            QVERIFY2(!(ran.out + ran.err).isEmpty(), qPrintable(command.join(' ')));
        }
        // Each once as an error's words.
        for (const auto& verb : m_verbs) {
            m_engine->setAnswer(verb.toStdString(), fail(ErrorCode::Refused, text.toStdString(), text.toStdString()));
        }
        for (const auto& command : commands()) {
            const auto ran = run(command);
            QVERIFY2(unfit(ran.err).isEmpty() && ran.err.count('\n') == 1, qPrintable(command.join(' ') + ": " + unfit(ran.err)));
        }
    }
    // The questions, where a person decides; and the watch.
    void nothingNastyIsAsked_data() { nothingNastyIsShown_data(); }
    void nothingNastyIsAsked() {
        QFETCH(QByteArray, text);
        poison(text.toStdString());
        const std::vector<std::pair<QStringList, Typed>> dialogues{
            {{"show", "12"}, {}},
            {{"allow", "12", "--scope", "agent"}, {{" to allow it: ", "\n"}}},
            {{"deny", "12", "--scope", "agent"}, {{"[y/N] ", "y\n"}}},
            {{"rules", "add", "--allow", "--high", "--action", "apply"}, {{" to keep it: ", "yes\n"}}},
            {{"rules", "import", "--preset", "careful"}, {{"[y/N] ", "y\n"}}},
            {{"rules", "export"}, {}}};
        for (const auto& [command, typed] : dialogues) {
            const auto ran = type(command, typed, {{"NO_COLOR", "1"}});
            QVERIFY2(unfit(ran.out, true).isEmpty(), qPrintable(command.join(' ') + ": " + unfit(ran.out, true)));
        }
        const auto list = poisoned(example("approval.list"), text.toStdString());
        m_engine->setScript("approval.list", {list, list});
        m_engine->setScript("approval.wait", {{{"mark", 32}}});
        const auto watched = run({"approvals", "--watch"});
        QVERIFY2(unfit(watched.out).isEmpty(), qPrintable(unfit(watched.out)));
    }
    // For programs, so the same text wherever it goes; but at a terminal nothing acts on it.
    void jsonAtATerminal_data() { nothingNastyIsShown_data(); }
    void jsonAtATerminal() {
        QFETCH(QByteArray, text);
        poison(text.toStdString());
        for (const QStringList& command : {QStringList{"approvals", "--json"}, {"show", "12", "--json"}, {"rules", "list", "--json"}}) {
            const auto piped = run(command);
            auto typed = type(command, {}).out.replace("\r\n", "\n");
            QVERIFY2(unfit(typed).isEmpty(), qPrintable(command.join(' ') + ": " + unfit(typed)));
            QVERIFY(std::all_of(typed.begin(), typed.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
            QVERIFY(json::parse(typed.toStdString()) == json::parse(piped.out.toStdString()));
        }
    }
    // Raw only where no terminal obeys it.
    void anExportIsRawOnAPipe() {
        auto answer = example("rule.export");
        answer["toml"] = "note = \"\xe2\x80\xae\"\n";
        m_engine->setAnswer("rule.export", answer);
        QCOMPARE(run({"rules", "export"}).out, QByteArray("note = \"\xe2\x80\xae\"\n"));
        QCOMPARE(type({"rules", "export"}, {}).out, QByteArray("note = \"\\u{202e}\"\r\n"));
    }
};

QTEST_GUILESS_MAIN(TestCliNasty)
#include "test_cli_nasty.moc"

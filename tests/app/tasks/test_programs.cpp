// SPDX-License-Identifier: Apache-2.0
// The agent programs that are known, the words that each is started with, and what installs one.
#include "app/tasks/program_template.h"
#include "app/tasks/programs.h"

#include <boost/json.hpp>

#include <QTest>

#include <algorithm>

using namespace carrel;
using namespace carrel::tasks;
namespace json = boost::json;

namespace {

using Environment = std::map<std::string, std::string>;

Environment model(const char* api, Environment more = {}) {
    more.insert({{"CARREL_MODEL_API", api}, {"CARREL_MODEL_URL", "https://models.example.org/v1"}, {"CARREL_MODEL", "large"}, {"CARREL_MODEL_KEY", "a-key"}});
    return more;
}

const std::string kOne = R"(version = 1
[[program]]
name = "carrel"
title = "T"
about = "A"
memory = 1
argv = ["a"]
[[program.speaks]]
api = "openai"
)";
const std::string kOther = R"([[program]]
name = "other"
title = "T"
about = "A"
memory = 1
argv = ["{dir}/a"]
[program.install]
version = "1.0"
[[program.install.package]]
name = "@a/b"
version = "1.0.0-beta.1"
integrity = "sha512-58P1ffLRXiAY4QeoABqUjqf6DEzm1ihpovvn9Ad+oOLbLiwK/rf88wruT9IATJ7AtNjmi8iA7pC8tN4o5y799Q=="
[[program.install.file]]
name = "settings.json"
text = "{}"
[[program.speaks]]
api = "gemini"
[program.speaks.json]
A = '{"b": 1}'
)";

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const auto at = text.find(what);
    if (at == std::string::npos) {
        qFatal("no %s to be replaced", what.c_str());
    }
    return text.replace(at, what.size(), by);
}

} // namespace

class TestPrograms : public QObject {
    Q_OBJECT
private slots:
    void allOfThemCanBeRead() {
        const auto& all = programs();
        QVERIFY2(all, all ? "" : all.error().text().c_str());
        QCOMPARE(all->front().name, std::string(kBuiltIn));
        for (const char* name : {"opencode", "qwen", "gemini", "claude"}) {
            const auto one = findProgram(name);
            QVERIFY2(one && one->install, name);
            for (const auto& each : one->install->packages) { // of the very program that argv starts, or of what that needs
                QVERIFY(each.integrity.starts_with("sha512-"));
            }
            const auto isItsOwn = [&](const std::string& word) { return word.find("{dir}/node_modules/") == 0; };
            QVERIFY2(isItsOwn(one->argv.front()), name);
        }
        QCOMPARE(findProgram("")->name, std::string(kBuiltIn));
        const auto none = findProgram("nobody");
        QVERIFY(!none && none.error().code == ErrorCode::NotFound && none.error().hint.find("opencode") != std::string::npos);
    }

    // Each is told of the model under all of its interfaces, and of no other.
    void eachIsToldOfTheModel() {
        for (const auto& program : programs().value()) {
            for (const char* api : {"anthropic", "openai", "gemini"}) {
                const auto brain = brainOf(program.name, "mine", model(api, {{"CARREL_MODEL_WINDOW", "32000"}}));
                const bool speaks = std::ranges::any_of(program.speaks, [&](const auto& each) { return each.first == api; });
                QCOMPARE(brain.has_value(), speaks);
                if (!speaks) {
                    QVERIFY(brain.error().code == ErrorCode::Unsupported);
                    QVERIFY(brain.error().text().find(program.title) != std::string::npos && brain.error().hint.find(program.speaks.front().first) != std::string::npos);
                    continue;
                }
                QCOMPARE(brain->program, program.name);
                QCOMPARE(brain->provider, std::string("mine"));
                std::string all;
                for (const auto& word : brain->argv) {
                    all += word + "\n";
                }
                for (const auto& [name, value] : brain->environment) {
                    all += name + "=" + value + "\n";
                }
                for (const char* said : {"https://models.example.org/v1", "large", "a-key"}) {
                    QVERIFY2(all.find(said) != std::string::npos, all.c_str());
                }
                for (const char* place : {"{url}", "{model}", "{key}", "{window}", "{dir}", "{provider}"}) {
                    QVERIFY2(all.find(place) == std::string::npos, all.c_str());
                }
            }
        }
        const auto wrong = brainOf("gemini", "mine", model("openai"));
        QVERIFY2(!wrong && wrong.error().hint.ends_with("carrel, opencode, qwen"), wrong.error().hint.c_str()); // who would
    }

    void theBuiltInOneGetsWhatThereIs() {
        const auto brain = brainOf("", "mine", model("anthropic", {{"CARREL_MODEL_KEY", ""}}));
        QVERIFY(brain);
        QCOMPARE(brain->argv, std::vector<std::string>{"/run/carrel/bin/carrel-agent"});
        QCOMPARE(brain->environment, (Environment{{"CARREL_MODEL_API", "anthropic"}, {"CARREL_MODEL_URL", "https://models.example.org/v1"}, {"CARREL_MODEL", "large"}, {"CARREL_MODEL_KEY", ""}}));
        QCOMPARE(brainOf("carrel", "mine", model("openai", {{"CARREL_MODEL_WINDOW", "32000"}}))->environment.at("CARREL_MODEL_WINDOW"), std::string("32000"));
    }

    // Whatever somebody called a model or a key.
    void whatIsPutInStaysWhatItIs() {
        const std::string strange = "a\"},{\"b\\\n{key}{url}";
        const auto brain = brainOf("opencode", strange, model("openai", {{"CARREL_MODEL", strange}}));
        QVERIFY(brain);
        const auto config = json::parse(brain->environment.at("OPENCODE_CONFIG_CONTENT"));
        QCOMPARE(config.as_object().size(), std::size_t(7));
        QCOMPARE(std::string(config.at("model").as_string()), "carrel/" + strange);
        const auto& models = config.at("provider").at("carrel").at("models").as_object();
        QVERIFY(models.size() == 1 && models.begin()->key() == strange);
        QCOMPARE(models.begin()->value().at("limit").at("context").to_number<int>(), 128'000); // nobody said
        const auto plain = brainOf("qwen", "mine", model("openai", {{"CARREL_MODEL", strange}, {"CARREL_MODEL_KEY", ""}}));
        QCOMPARE(plain->environment.at("OPENAI_MODEL"), strange);
        QCOMPARE(plain->environment.at("OPENAI_API_KEY"), std::string("none"));
    }

    void placesInTexts() {
        TemplateWords words{"U", "M", "{url}", "P", "D", {}};
        QCOMPARE(filled("{url}/{model}{key} {provider}{dir} {other} {", words).value(), std::string("U/M{url} PD {other} {"));
        QVERIFY(!filled("a {window}", words));
        const auto value = json::parse(R"({"{model}": ["{window}", "w {window}", 3, null, true], "k": {"a": "{key}"}})");
        QVERIFY(!filledJson(value, words)); // all of it is left out
        words.window = 12;
        QVERIFY(json::parse(filledJson(value, words).value()) == json::parse(R"({"M": [12, "w 12", 3, null, true], "k": {"a": "{url}"}})"));
    }

    void theListIsReadStrictly_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const std::string& text) { QTest::newRow(name) << QByteArray::fromStdString(text); };
        row("no TOML", "version = ");
        row("another version", replaced(kOne, "version = 1", "version = 2"));
        row("more", "more = 1\n" + kOne);
        row("none", "version = 1\n");
        row("another one first", replaced(kOne, "\"carrel\"", "\"other\""));
        row("the built-in one is installed", "version = 1\n" + replaced(kOther, "\"other\"", "\"carrel\""));
        row("twice", kOne + kOther + kOther);
        row("an unknown key", replaced(kOne, "about", "aboot"));
        row("a wrong kind", replaced(kOne, "memory = 1", "memory = \"1\""));
        row("no memory", replaced(kOne, "memory = 1", "memory = 0"));
        row("no command", replaced(kOne, "[\"a\"]", "[]"));
        row("a command that is no words", replaced(kOne, "[\"a\"]", "[1]"));
        row("a name with a slash", kOne + replaced(kOther, "\"other\"", "\"../other\""));
        row("an unknown interface", replaced(kOne, "openai", "oracle"));
        row("no interface", replaced(kOne, "[[program.speaks]]\napi = \"openai\"\n", ""));
        row("an interface twice", kOne + "[[program.speaks]]\napi = \"openai\"\n");
        row("no variable", kOne + "[program.speaks.environment]\nlower = \"a\"\n");
        row("a variable that is no text", kOne + "[program.speaks.environment]\nA = 1\n");
        row("no JSON", kOne + replaced(kOther, "{\"b\": 1}", "{\"b\": }"));
        row("a variable twice", kOne + kOther + "[program.speaks.environment]\nA = \"a\"\n");
        row("no package", kOne + replaced(kOther, "[[program.install.package]]", "[[program.install.packet]]"));
        row("a package elsewhere", kOne + replaced(kOther, "@a/b", "@a/.."));
        row("a package of a package", kOne + replaced(kOther, "@a/b", "a/b"));
        row("any version", kOne + replaced(kOther, "1.0.0-beta.1", "^1"));
        row("another checksum", kOne + replaced(kOther, "sha512-58", "sha1-58"));
        row("half a checksum", kOne + replaced(kOther, "Q==", "=="));
        row("a file elsewhere", kOne + replaced(kOther, "settings.json", "../settings.json"));
        row("an unknown key of a package", kOne + replaced(kOther, "integrity =", "run = \"a\"\nintegrity ="));
        row("an unknown key of the installation", kOne + replaced(kOther, "version = \"1.0\"", "version = \"1.0\"\nrun = \"a\""));
    }
    void theListIsReadStrictly() {
        QVERIFY(programsFrom(kOne)); // that would be right
        QVERIFY(programsFrom(kOne + kOther));
        QFETCH(QByteArray, text);
        const auto read = programsFrom(text.toStdString());
        QVERIFY(!read);
        QVERIFY(read.error().code == ErrorCode::Malformed);
    }

    // npm fetches what its lock file names, and holds it to the checksums there.
    void whatInstallsOne() {
        const auto all = programsFrom(kOne + kOther).value();
        const auto made = installationOf(all[1]);
        QCOMPARE(made.argv.size(), std::size_t(9));
        QVERIFY(made.argv[0] == "bash" && made.argv[1] == "-c" && made.argv[2] == made.script && made.argv[4] == "/opt/agents/other");
        QVERIFY(made.script.find("npm ci --ignore-scripts") != std::string::npos);
        const auto package = json::parse(made.argv[5]);
        const auto lock = json::parse(made.argv[6]);
        QVERIFY(package.at("dependencies") == json::parse(R"({"@a/b": "1.0.0-beta.1"})"));
        QVERIFY(lock.at("packages").at("").at("dependencies") == package.at("dependencies"));
        const auto& locked = lock.at("packages").at("node_modules/@a/b");
        QCOMPARE(std::string(locked.at("integrity").as_string()), all[1].install->packages[0].integrity);
        QCOMPARE(lock.at("packages").as_object().size(), std::size_t(2));
        QVERIFY(made.argv[7] == "settings.json" && made.argv[8] == "{}");
        std::size_t most = 0; // of one that a message to the clerk still takes
        for (const auto& each : programs().value()) {
            if (each.install) {
                std::size_t bytes = 0;
                for (const auto& word : installationOf(each).argv) {
                    bytes += word.size() + 1;
                }
                most = std::max(most, bytes);
            }
        }
        QVERIFY(most < 32 * 1024);
    }
};

QTEST_GUILESS_MAIN(TestPrograms)
#include "test_programs.moc"

// SPDX-License-Identifier: Apache-2.0
// What Carrel knows of providers, and what an agent gets that uses one.
#include "app/policy/decide.h"
#include "app/providers/access.h"
#include "app/providers/preset_texts.h"
#include "tests/app/egress/memory_store.h"

#include <QTest>

using namespace carrel;
using namespace carrel::providers;
using carrel::egress::test::BookWorld;
using carrel::egress::test::kValue;

namespace {

Provider provider(const std::string& url = "https://api.example.org/v1", relay::ModelApi api = relay::ModelApi::OpenAi, std::optional<std::string> credential = "work") {
    return {"work", api, ModelUrl::parse(url).value(), "large", 128000, std::move(credential), 1};
}

policy::Request connection(const std::string& agent, const std::string& host, const std::string& port, policy::Risk risk) {
    policy::Request out;
    out.agent = agent;
    out.action = policy::Action::Network;
    out.risk = risk;
    out.fields = {{"host", host}, {"port", port}};
    return out;
}

} // namespace

class TestProviderAccess : public QObject {
    Q_OBJECT
private slots:
    void whatIsKnownByItself() {
        const auto all = providerPresets();
        QVERIFY2(all, all ? "" : all.error().text().c_str());
        const std::map<std::string, std::pair<std::string, bool>> wanted{{"anthropic", {"https://api.anthropic.com", true}},
                                                                         {"openai", {"https://api.openai.com/v1", true}},
                                                                         {"gemini", {"https://generativelanguage.googleapis.com", true}},
                                                                         {"google", {"https://generativelanguage.googleapis.com/v1beta/openai", true}},
                                                                         {"ollama", {"http://localhost:11434/v1", false}},
                                                                         {"llama.cpp", {"http://localhost:8080/v1", false}},
                                                                         {"lm-studio", {"http://localhost:1234/v1", false}},
                                                                         {"vllm", {"http://localhost:8000/v1", false}}};
        QCOMPARE(all->presets.size(), wanted.size());
        for (const auto& each : all->presets) {
            QVERIFY2(wanted.contains(each.name), each.name.c_str());
            QCOMPARE(each.url.text(), wanted.at(each.name).first);
            QCOMPARE(each.needsKey, wanted.at(each.name).second);
            QCOMPARE(each.url.isOnThisComputer(), !each.needsKey);
            QVERIFY(each.model.has_value() == each.needsKey && !each.about.empty()); // what is on this computer has what was put there
        }
        QVERIFY(providerPreset("ollama") && providerPreset("nobody").error().hint.find("anthropic, openai") != std::string::npos);
    }
    void theFieldOfAKey() {
        const auto field = [](relay::ModelApi api) { return keyFieldOf(api)->header + ": " + keyFieldOf(api)->format; };
        QCOMPARE(field(relay::ModelApi::Anthropic), std::string("x-api-key: {}"));
        QCOMPARE(field(relay::ModelApi::OpenAi), std::string("Authorization: Bearer {}"));
        QCOMPARE(field(relay::ModelApi::Gemini), std::string("x-goog-api-key: {}"));
    }
    void strictlyRead_data() {
        QTest::addColumn<QString>("from");
        QTest::addColumn<QString>("to");
        const auto row = [](const char* name, const char* from, const char* to) { QTest::newRow(name) << from << to; };
        row("another version", "version = 1", "version = 2");
        row("a word too many", "key = false", "key = false\ncolour = 1");
        row("another kind", "key = false", "key = 1");
        row("an interface", "api = \"anthropic\"", "api = \"other\"");
        row("an address", "http://localhost:11434/v1", "localhost:11434");
        row("a key without TLS", "https://api.anthropic.com", "http://api.anthropic.com");
        row("a field twice", "name = \"gemini\"\nheader", "name = \"openai\"\nheader");
        row("no TOML", "[[preset]]", "[[preset]");
    }
    void strictlyRead() {
        QFETCH(QString, from);
        QFETCH(QString, to);
        auto text = QString::fromUtf8(providerPresetsText().data(), static_cast<qsizetype>(providerPresetsText().size()));
        QVERIFY(providerPresetsFrom(text.toStdString()));
        const auto at = text.indexOf(from);
        QVERIFY(at >= 0);
        text.replace(at, from.size(), to);
        const auto read = providerPresetsFrom(text.toStdString());
        QVERIFY(!read && read.error().code == (to.contains("http://api") ? ErrorCode::InvalidArgument : ErrorCode::Malformed));
    }
    void itsKeyGoesToItsHostAlone() {
        const auto key = credentialFor(provider("https://api.example.org:8443/v1", relay::ModelApi::Anthropic)).value();
        QVERIFY(key.name == "work" && key.hosts == std::vector<std::string>{"api.example.org"} && key.header == "x-api-key" && key.format == "{}");
        QVERIFY(key.agents.empty() && !key.variable && egress::check(key));
    }
    void theRulesLetItThereAndNowhereElse() {
        const auto rules = rulesFor(provider(), "ann");
        QCOMPARE(rules.size(), std::size_t{2});
        for (const auto& rule : rules) {
            QVERIFY(policy::check(rule) && isOfProvider(rule, provider()) && rule.agent == "ann" && !rule.high);
            QVERIFY(!isOfProvider(rule, provider("https://other.example.org"))); // nor one that the owner wrote:
            auto own = rule;
            own.note.clear();
            QVERIFY(!isOfProvider(own, provider()));
        }
        const auto answer = [&](const policy::Request& request) { return policy::decide(rules, request, 0).answer; };
        using policy::Risk;
        QVERIFY(answer(connection("ann", "api.example.org", "443", Risk::Routine)) == policy::Answer::Allow);
        QVERIFY(answer(connection("ann", "api.example.org", "80", Risk::Routine)) == policy::Answer::Ask);
        QVERIFY(answer(connection("ann", "www.api.example.org", "443", Risk::Routine)) == policy::Answer::Ask);
        QVERIFY(answer(connection("bob", "api.example.org", "443", Risk::Routine)) == policy::Answer::Ask);
        QVERIFY(answer(connection("ann", "api.example.org", "443", Risk::High)) == policy::Answer::Ask);
        policy::Request use;
        use.agent = "ann";
        use.action = policy::Action::Credential;
        use.fields = {{"name", "work"}, {"host", "api.example.org"}};
        QVERIFY(answer(use) == policy::Answer::Allow);
        use.fields["host"] = "other.example.org";
        QVERIFY(answer(use) == policy::Answer::Ask);
    }
    // What is not of the internet takes a rule of high risk, which names it.
    void onThisComputerAndOnesOwnNetwork() {
        for (const char* url : {"http://localhost:11434/v1", "http://192.168.1.5:11434"}) {
            const auto one = provider(url, relay::ModelApi::OpenAi, {});
            const auto rules = rulesFor(one, "ann");
            QVERIFY(rules.size() == 1 && rules[0].high && policy::check(rules[0]));
            const auto host = one.url.destination().hostText();
            QVERIFY(policy::decide(rules, connection("ann", host, "11434", policy::Risk::High), 0).answer == policy::Answer::Allow);
            QVERIFY(policy::decide(rules, connection("ann", host, "11435", policy::Risk::High), 0).answer == policy::Answer::Ask);
            QVERIFY(policy::decide(rules, connection("ann", "127.0.0.1", "11434", policy::Risk::High), 0).answer == policy::Answer::Ask);
        }
    }
    void whatItsProgramsAreTold() {
        using Environment = std::map<std::string, std::string>;
        BookWorld w;
        egress::AgentCredentials ann(*w.book, "ann", "ann", w.folder);
        const auto local = environmentFor(provider("http://[::1]:8080/v1", relay::ModelApi::OpenAi, {}), &ann).value();
        QCOMPARE(local, (Environment{{"CARREL_MODEL_API", "openai"},
                                     {"CARREL_MODEL_URL", "http://host.carrel.internal:8080/v1"},
                                     {"CARREL_MODEL", "large"},
                                     {"CARREL_MODEL_KEY", ""},
                                     {"CARREL_MODEL_WINDOW", "128000"}}));
        auto one = provider("https://api.example.org", relay::ModelApi::Anthropic);
        one.window.reset();
        QVERIFY(environmentFor(one, &ann).error().code == ErrorCode::NotFound); // its key is gone
        QVERIFY(environmentFor(one, nullptr).error().code == ErrorCode::NotFound);
        (void)w.add(credentialFor(one).value());
        const auto told = environmentFor(one, &ann).value();
        const auto placeholder = told.at("CARREL_MODEL_KEY");
        QVERIFY(placeholder.starts_with("sk-ant-") && placeholder.size() == std::string(kValue).size() && placeholder != kValue); // and never the key
        QCOMPARE(told, (Environment{{"CARREL_MODEL_API", "anthropic"}, {"CARREL_MODEL_URL", "https://api.example.org"}, {"CARREL_MODEL", "large"}, {"CARREL_MODEL_KEY", placeholder}}));
        QCOMPARE(environmentFor(one, &ann).value(), told); // the same each time
        // Another agent's is another one.
        std::filesystem::create_directory(w.folder / "bob");
        egress::AgentCredentials bob(*w.book, "bob", "bob", w.folder / "bob");
        QVERIFY(environmentFor(one, &bob)->at("CARREL_MODEL_KEY") != placeholder);
    }
};

QTEST_GUILESS_MAIN(TestProviderAccess)
#include "test_provider_access.moc"

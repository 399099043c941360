// SPDX-License-Identifier: Apache-2.0
// Model providers over a whole engine: what is kept, whom a use lets where, what a clerk is told of it, and how it ends.
#include "app/providers/access.h"
#include "app/relay/secret_pipe.h"
#include "tests/app/egress/egress_world.h"
#include "tests/app/engine/running_engine.h"

#include <QTest>

#include <sys/socket.h>

using namespace carrel;
using carrel::egress::test::Listener;
using carrel::egress::test::PlayedResolver;
using carrel::engine::Engine;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

constexpr const char* kKey = "sk-" "ant-0123456789abcdefABCDEF0123456789";
constexpr const char* kOwn = "host.carrel.internal";

Engine::Session session(const std::filesystem::path& roots) {
    Engine::Session out;
    out.resolver = [] {
        auto names = std::make_shared<PlayedResolver>();
        names->names["api.example.org"] = {{"127.0.0.1"}};
        return names;
    };
    out.sealing = egress::SealedFile::Cost{4, 1, 1};
    out.roots = [roots]() -> Result<UniqueFd> {
        UniqueFd fd(::open(roots.c_str(), O_RDONLY | O_CLOEXEC));
        return fd ? Result<UniqueFd>(std::move(fd)) : failErrno("reading the roots");
    };
    return out;
}

struct World {
    QTemporaryDir rootsFolder;
    std::mutex mutex;
    std::map<std::uint64_t, std::string> ends; // by connection: how it is treated, or why not
    std::vector<json::object> answers;
    std::vector<std::string> lastPiped;
    std::vector<UniqueFd> sockets;
    RunningEngine e;
    Listener there;

    World()
        : e({"ann", "bob"}, session(rootsFolder.filePath("roots").toStdString())) {
        std::ofstream(rootsFolder.filePath("roots").toStdString()) << "roots";
        for (const char* method : {"net.placeholders", "net.authority", "exec"}) {
            e.clerks.on(method, [](const json::object&) { return json::object{}; });
        }
        for (const char* method : {"net.refused", "net.cut"}) {
            e.clerks.on(method, [this](const json::object& params) {
                const std::lock_guard lock(mutex);
                ends[params.at("number").to_number<std::uint64_t>()] = params.at("text").as_string();
                return json::object{};
            });
        }
        e.clerks.on("net.answer", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            answers.push_back(params);
            return json::object{};
        });
        e.clerks.onPiped([this](const std::string& method, const json::object&, UniqueFd pipe) {
            const auto secrets = relay::secretsFrom(pipe, method == "net.answer" ? 2 : 1);
            const std::lock_guard lock(mutex);
            lastPiped.clear();
            for (const auto& each : secrets ? *secrets : std::vector<relay::SecretText>()) {
                lastPiped.emplace_back(relay::view(each));
            }
        });
        e.clerks.onConnected([this](const json::object& params, UniqueFd socket) {
            const std::lock_guard lock(mutex);
            ends[params.at("number").to_number<std::uint64_t>()] = params.at("treat").as_string();
            sockets.push_back(std::move(socket));
        });
    }
    [[nodiscard]] json::object good(const std::string& verb, json::object params = {}) const { return e.good(verb, std::move(params)); }
    [[nodiscard]] ErrorCode code(const std::string& verb, json::object params) const {
        const auto answer = e.ask(verb, std::move(params));
        return answer ? ErrorCode::Internal : answer.error().code;
    }
    std::uint64_t hand(std::string_view secret) {
        auto client = api::Client::connect(e.w.socket);
        const auto opened = client->call("secret.open", {});
        const auto socket = client->takeDescriptor();
        if (!opened || !socket || ::send(socket.get(), secret.data(), secret.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(secret.size())) {
            qFatal("no way for a secret");
        }
        return opened->at("secret").to_number<std::uint64_t>();
    }
    void unlock() { (void)good("credential.unlock", {{"secret", hand("a long and wordy passphrase")}}); }
    [[nodiscard]] std::string localUrl() const { return "http://localhost:" + std::to_string(there.port()) + "/v1"; }
    json::object addLocal(const std::string& name = "local") {
        return good("provider.add", {{"name", name}, {"api", "openai"}, {"url", localUrl()}, {"model", "small"}});
    }
    json::object addHosted(const std::string& name = "claude") {
        return good("provider.add", {{"name", name}, {"api", "anthropic"}, {"url", hostedUrl()}, {"model", "large"}, {"secret", hand(kKey)}});
    }
    [[nodiscard]] std::string hostedUrl() const { return "https://api.example.org:" + std::to_string(there.port()); }
    json::object use(const std::string& provider, const std::string& agent = "ann") { return good("provider.use", {{"agent", agent}, {"provider", provider}}); }
    void start() { (void)good("agent.start", {{"agent", "ann"}}); }
    void open(std::uint64_t number, const std::string& host, std::uint16_t port) {
        e.clerks.tell("net.open", {{"number", number}, {"host", host}, {"port", port}});
    }
    [[nodiscard]] std::string end(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        return ends.contains(number) ? ends.at(number) : std::string();
    }
    [[nodiscard]] std::vector<std::string> piped() {
        const std::lock_guard lock(mutex);
        return lastPiped;
    }
    [[nodiscard]] json::array rules() const { return good("rule.list").at("rules").as_array(); }
    [[nodiscard]] json::array events(const std::string& agent, const std::string& kind) const {
        json::array out;
        const auto timeline = good("timeline", {{"agent", agent}});
        for (const auto& each : timeline.at("events").as_array()) {
            if (each.at("kind") == json::value(kind)) {
                out.push_back(each);
            }
        }
        return out;
    }
    [[nodiscard]] json::value provider(const std::string& name) const {
        const auto all = good("provider.list");
        for (const auto& each : all.at("providers").as_array()) {
            if (each.at("name") == json::value(name)) {
                return each;
            }
        }
        return nullptr;
    }
};

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)
#define TRY_END(world, number, expected) QTRY_VERIFY2_WITH_TIMEOUT((world).end(number).starts_with(expected), (world).end(number).c_str(), 60'000)

} // namespace

class TestProviderVerbs : public QObject {
    Q_OBJECT
private slots:
    void shownThenKept() {
        World w;
        QVERIFY(w.good("provider.list").at("providers").as_array().empty());
        // Before anybody is asked for a key that could not be kept.
        QVERIFY(w.code("provider.add", {{"name", "claude"}, {"preset", "anthropic"}, {"preview", true}}) == ErrorCode::Unavailable);
        w.unlock();
        const auto shown = w.good("provider.add", {{"name", "claude"}, {"preset", "anthropic"}, {"preview", true}});
        QCOMPARE(shown.at("key"), (json::value{{"header", "x-api-key"}, {"format", "{}"}, {"kept", "file"}}));
        QVERIFY(shown.at("provider").at("url") == json::value("https://api.anthropic.com") && shown.at("provider").at("window") == json::value(200000));
        QVERIFY(w.good("provider.list").at("providers").as_array().empty() && w.good("credential.list").at("credentials").as_array().empty());
        QVERIFY(w.code("provider.add", {{"name", "claude"}, {"preset", "anthropic"}}) == ErrorCode::InvalidArgument); // its key is missing
        const auto made = w.good("provider.add", {{"name", "claude"}, {"preset", "anthropic"}, {"secret", w.hand(kKey)}});
        QCOMPARE(made, shown);
        QCOMPARE(w.provider("claude"), made.at("provider"));
        const auto credential = w.good("credential.list").at("credentials").at(0);
        QVERIFY(credential.at("name") == json::value("claude") && credential.at("header") == json::value("x-api-key") && credential.at("format") == json::value("{}") &&
                credential.at("hosts") == (json::value(json::array{"api.anthropic.com"})) && credential.at("agents").as_array().empty());
        QVERIFY(w.rules().empty()); // nobody reaches it by that
        QVERIFY(w.code("provider.add", {{"name", "claude"}, {"preset", "ollama"}, {"model", "x"}}) == ErrorCode::AlreadyExists);
        QCOMPARE(w.good("provider.presets").at("presets").as_array().size(), providers::providerPresets()->presets.size());
    }
    void whatIsNone() {
        World w;
        w.unlock();
        const auto code = [&](json::object params) {
            params["name"] = params.contains("name") ? params["name"] : json::value("x");
            return w.code("provider.add", std::move(params));
        };
        QVERIFY(code({}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"api", "openai"}, {"model", "m"}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"url", "http://localhost:1"}, {"model", "m"}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"preset", "nobody"}}) == ErrorCode::NotFound);
        QVERIFY(code({{"preset", "ollama"}}) == ErrorCode::InvalidArgument); // which model?
        QVERIFY(code({{"preset", "ollama"}, {"model", "m"}, {"api", "other"}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"preset", "ollama"}, {"model", "m"}, {"url", "localhost"}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"preset", "ollama"}, {"model", "m"}, {"key", true}}) == ErrorCode::InvalidArgument); // never without TLS
        QVERIFY(code({{"preset", "ollama"}, {"model", "m"}, {"secret", w.hand(kKey)}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"name", "none"}, {"preset", "ollama"}, {"model", "m"}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"preset", "anthropic"}, {"key_value", kKey}}) == ErrorCode::Malformed);
        (void)w.good("credential.add", {{"name", "x"}, {"hosts", {"here.example"}}, {"secret", w.hand(kKey)}});
        QVERIFY(code({{"preset", "anthropic"}, {"secret", w.hand(kKey)}}) == ErrorCode::AlreadyExists); // a credential of that name
        QVERIFY(w.good("provider.list").at("providers").as_array().empty());
    }
    // A key where an own address speaks TLS; none behind one's own gateway, if one says so.
    void whetherItGetsAKey() {
        World w;
        w.unlock();
        const auto key = [&](json::object params) {
            params["name"] = "x";
            params["model"] = "m";
            params["preview"] = true;
            return w.good("provider.add", std::move(params)).at("key").is_object();
        };
        QVERIFY(key({{"preset", "openai"}}) && !key({{"preset", "openai"}, {"key", false}}));
        QVERIFY(key({{"api", "openai"}, {"url", "https://models.example.org/v1"}}) && !key({{"api", "openai"}, {"url", "http://models.example.org/v1"}}));
        QVERIFY(!key({{"preset", "vllm"}}) && key({{"preset", "vllm"}, {"url", "https://models.example.org/v1"}}));
        QVERIFY(!key({{"preset", "anthropic"}, {"url", "http://localhost:4000"}}));
    }
    // Shown first; then an agent that was offline reaches its model, and nothing else.
    void aUseLetsItThere() {
        World w;
        (void)w.addLocal();
        const auto shown = w.good("provider.use", {{"agent", "ann"}, {"provider", "local"}, {"preview", true}});
        QVERIFY(shown.at("mode_before") == json::value("offline") && shown.at("mode") == json::value("allowlist"));
        QCOMPARE(shown.at("rules").as_array().size(), std::size_t{1});
        QCOMPARE(shown.at("rules").at(0).at("fields"), (json::value{{"host", json::array{kOwn}}, {"port", json::array{std::to_string(w.there.port())}}}));
        QVERIFY(w.rules().empty() && w.e.agent("ann")->network() == egress::NetMode::Offline && w.e.agent("ann")->provider().empty());
        const auto used = w.use("local");
        QVERIFY(used.at("rules").at(0).at("words") == shown.at("rules").at(0).at("words") && w.rules().size() == 1);
        QVERIFY(w.e.agent("ann")->network() == egress::NetMode::Allowlist && w.e.agent("ann")->provider() == "local");
        QCOMPARE(w.provider("local").at("agents"), json::value(json::array{"ann"}));
        QVERIFY(w.events("ann", "provider.chosen").size() == 1 && w.events("ann", "rule.added").size() == 1 && w.events("bob", "provider.chosen").empty());
        const auto again = w.use("local"); // says the same, and nothing comes twice
        QVERIFY(again.at("rules").as_array().empty() && again.at("there") == json::value(1) && w.rules().size() == 1);
        w.start();
        w.open(1, kOwn, w.there.port());
        TRY_END(w, 1, "http"); // it is read
        Listener other;
        w.open(2, kOwn, other.port());
        TRY_END(w, 2, "no rule of the owner's names that port of this computer");
        for (std::uint64_t number = 3; const char* host : {"localhost", "127.0.0.1", "::1", "api.example.org"}) { // the last leads to 127.0.0.1
            w.open(number, host, w.there.port());
            TRY(!w.end(number).empty());
            QVERIFY2(w.end(number) != "raw" && w.end(number) != "http", host);
            ++number;
        }
        QVERIFY(!other.hasOne());
        (void)w.good("agent.stop", {{"agent", "ann"}});
    }
    // As a hosted one: its TLS is ended, and a request gets the key, in the one field that this interface wants.
    void aKeyForEachRequest() {
        World w;
        w.unlock();
        (void)w.addHosted();
        (void)w.good("rule.add", {{"rule", {{"effect", "allow"}, {"action", "network"}, {"high", true}, {"fields", {{"host", {"127.0.0.1"}}, {"port", {std::to_string(w.there.port())}}}}}}});
        (void)w.use("claude");
        QCOMPARE(w.rules().size(), std::size_t{3});
        w.start();
        w.open(1, "api.example.org", w.there.port());
        TRY_END(w, 1, "terminate");
        w.e.clerks.tell("net.request", {{"number", 1}, {"request", 1}, {"method", "POST"}, {"path", "/v1/messages"}, {"placeholders", {"claude"}}});
        TRY(w.piped() == (std::vector<std::string>{kKey, kKey}));
        {
            const std::lock_guard lock(w.mutex);
            QCOMPARE(w.answers.at(0).at("inject"), (json::value{{"header", "x-api-key"}, {"credential", "claude"}}));
        }
        const auto agent = w.e.agent("ann");
        const auto told = providers::environmentFor(w.e.w.engine->providers().find("claude").value(), agent->credentials().get()).value();
        QVERIFY(told.at("CARREL_MODEL_KEY").starts_with("sk-ant-") && told.at("CARREL_MODEL_KEY") != kKey && told.at("CARREL_MODEL_URL") == w.hostedUrl());
        (void)w.good("agent.stop", {{"agent", "ann"}});
    }
    // The rules of the one before go, and what goes on by them is cut.
    void anotherOne() {
        World w;
        (void)w.addLocal();
        (void)w.use("local");
        Listener other;
        (void)w.good("provider.add", {{"name", "second"}, {"api", "openai"}, {"url", "http://localhost:" + std::to_string(other.port())}, {"model", "small"}});
        w.start();
        w.open(1, kOwn, w.there.port());
        TRY_END(w, 1, "http");
        const auto used = w.use("second");
        QVERIFY(used.at("before") == json::value("local") && used.at("gone").as_array().size() == 1 && used.at("mode_before") == json::value("allowlist"));
        TRY(w.end(1) != "http"); // cut
        QCOMPARE(w.rules().size(), std::size_t{1});
        w.open(2, kOwn, other.port());
        TRY_END(w, 2, "http");
        const auto none = w.use("none");
        QVERIFY(none.at("provider").is_null() && none.at("gone").as_array().size() == 1 && w.rules().empty() && w.e.agent("ann")->provider().empty());
        TRY(w.end(2) != "http");
        (void)w.good("agent.stop", {{"agent", "ann"}});
    }
    // What went there unread, by a rule of the owner's own, is connected anew.
    void whatWentUnread() {
        World w;
        (void)w.good("rule.add", {{"rule", {{"effect", "allow"}, {"action", "network"}, {"agent", "ann"}, {"high", true}, {"fields", {{"host", {kOwn}}, {"port", {std::to_string(w.there.port())}}}}}}});
        (void)w.good("net.mode", {{"agent", "ann"}, {"mode", "ask"}});
        w.start();
        w.open(1, kOwn, w.there.port());
        TRY_END(w, 1, "raw");
        (void)w.addLocal();
        (void)w.use("local");
        TRY_END(w, 1, "a model provider was chosen there: connect anew");
        QVERIFY(w.e.agent("ann")->network() == egress::NetMode::Ask); // which it had
        QCOMPARE(w.rules().size(), std::size_t{2}); // beside the owner's own,
        (void)w.use("none");
        QCOMPARE(w.rules().size(), std::size_t{1}); // which stays
        (void)w.good("agent.stop", {{"agent", "ann"}});
    }
    void oneThatIsInUse() {
        World w;
        w.unlock();
        (void)w.addHosted();
        (void)w.use("claude");
        (void)w.use("claude", "bob");
        QCOMPARE(w.rules().size(), std::size_t{4});
        const auto refused = w.e.ask("provider.remove", {{"name", "claude"}});
        QVERIFY(!refused && refused.error().code == ErrorCode::Refused && refused.error().message.find("ann, bob") != std::string::npos &&
                refused.error().hint.find("--force") != std::string::npos);
        QVERIFY(w.rules().size() == 4 && w.good("credential.list").at("credentials").as_array().size() == 1);
        const auto gone = w.good("provider.remove", {{"name", "claude"}, {"force", true}});
        QVERIFY(gone.at("rules").as_array().size() == 4 && gone.at("left").is_null() && gone.at("provider").at("agents").as_array().size() == 2);
        QVERIFY(w.rules().empty() && w.good("credential.list").at("credentials").as_array().empty() && w.good("provider.list").at("providers").as_array().empty());
        QVERIFY(w.e.agent("ann")->provider().empty() && w.events("bob", "provider.chosen").size() == 2 && w.events("ann", "credential.removed").size() == 1);
        QVERIFY(w.code("provider.remove", {{"name", "claude"}}) == ErrorCode::NotFound);
        QVERIFY(w.code("provider.use", {{"agent", "ann"}, {"provider", "claude"}}) == ErrorCode::NotFound);
        QVERIFY(w.code("provider.use", {{"agent", "nobody"}, {"provider", "none"}}) == ErrorCode::NotFound);
        QVERIFY(w.code("provider.test", {{"name", "claude"}}) == ErrorCode::NotFound);
    }
    void whetherItIsThere() {
        World w;
        (void)w.addLocal();
        (void)w.use("local");
        const auto tested = w.good("provider.test", {{"name", "local"}});
        const auto good = [](const json::object& result) {
            std::string out;
            for (const auto& each : result.at("checks").as_array()) {
                out += std::string(each.at("what").as_string()) + (each.at("good").as_bool() ? " good; " : " bad; ");
            }
            return out;
        };
        QCOMPARE(good(tested), std::string("key good; address good; connection good; "));
        QVERIFY(tested.at("not_tried").at(0).as_string().starts_with("No request was made"));
        QCOMPARE(tested.at("agents"), (json::value{{{"agent", "ann"}, {"uses", true}, {"network", "allowlist"}, {"answer", "allow"}},
                                                   {{"agent", "bob"}, {"uses", false}, {"network", "offline"}, {"answer", "deny"}}}));
        (void)w.good("net.mode", {{"agent", "bob"}, {"mode", "ask"}}); // nobody is asked about this computer
        QCOMPARE(w.good("provider.test", {{"name", "local"}}).at("agents").at(1).at("answer"), json::value("deny"));
        // One elsewhere, whose name leads to this computer: a rule has to name the address, too.
        w.unlock();
        (void)w.addHosted();
        (void)w.good("provider.use", {{"agent", "bob"}, {"provider", "claude"}});
        (void)w.good("credential.lock");
        auto hosted = w.good("provider.add", {{"name", "plain"}, {"api", "openai"}, {"url", "http://api.example.org:" + std::to_string(w.there.port())}, {"model", "m"}});
        (void)w.use("plain", "bob");
        hosted = w.good("provider.test", {{"name", "plain"}});
        QCOMPARE(hosted.at("agents").at(1).at("answer"), json::value("ask"));
        QVERIFY(hosted.at("checks").at(1).at("words").as_string().find("only by a rule that names that address") != json::string::npos);
        (void)w.good("rule.add", {{"rule", {{"effect", "allow"}, {"action", "network"}, {"high", true}, {"fields", {{"host", {"127.0.0.1"}}, {"port", {std::to_string(w.there.port())}}}}}}});
        QCOMPARE(w.good("provider.test", {{"name", "plain"}}).at("agents").at(1).at("answer"), json::value("allow"));
    }
    void aKeyThatCannotBeHad() {
        World w;
        w.unlock();
        (void)w.good("provider.add", {{"name", "claude"}, {"api", "anthropic"}, {"url", "https://nowhere.example.org"}, {"model", "m"}, {"secret", w.hand(kKey)}});
        (void)w.good("credential.lock");
        const auto tested = w.good("provider.test", {{"name", "claude"}});
        QVERIFY(tested.at("checks").at(0).at("good") == json::value(false) && tested.at("checks").at(0).at("words").as_string().find("carrel credential unlock") != json::string::npos);
        QVERIFY(tested.at("checks").at(1).at("good") == json::value(false) && tested.at("checks").as_array().size() == 2);
    }
    // For the next engine over the same home.
    void remembered() {
        World w;
        (void)w.addLocal();
        (void)w.use("local");
        const auto record = w.e.w.engine->services().agentsFolder / w.e.agent("ann")->id() / "agent.json";
        QCOMPARE(agents::load(record)->provider, std::string("local"));
        QVERIFY(providers::ProviderBook(w.e.w.folder / "home" / "providers.json").find("local"));
        (void)w.use("none");
        QCOMPARE(agents::load(record)->provider, std::string());
    }
    void aClientMayNone() {
        World w;
        (void)w.addLocal();
        auto client = w.e.w.connected(w.e.w.token("helper", "ann"));
        QVERIFY(client);
        for (const auto& [verb, params] : std::map<std::string, json::object>{{"provider.add", {{"name", "x"}, {"preset", "ollama"}, {"model", "m"}}},
                                                                             {"provider.list", {}},
                                                                             {"provider.presets", {}},
                                                                             {"provider.test", {{"name", "local"}}},
                                                                             {"provider.use", {{"agent", "ann"}, {"provider", "local"}}},
                                                                             {"provider.remove", {{"name", "local"}}}}) {
            const auto answer = client->call(verb, params);
            QVERIFY2(!answer && answer.error().code == ErrorCode::Refused, verb.c_str());
        }
        QVERIFY(w.e.agent("ann")->provider().empty() && w.good("provider.list").at("providers").as_array().size() == 1);
    }
};

QTEST_GUILESS_MAIN(TestProviderVerbs)
#include "test_provider_verbs.moc"

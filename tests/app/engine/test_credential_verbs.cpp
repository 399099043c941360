// SPDX-License-Identifier: Apache-2.0
// Credentials over a whole engine: from what the owner gives to what a clerk gets for one request, and that the value is nowhere else
// (invariant I6).
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
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr const char* kValue = "gh" "p_0123456789abcdefABCDEF0123456789abcd";
constexpr const char* kPassphrase = "a long and wordy passphrase";

std::shared_ptr<PlayedResolver> resolver() {
    auto out = std::make_shared<PlayedResolver>();
    out->names["here.example"] = {{"127.0.0.1"}};
    out->names["there.example"] = {{"127.0.0.1"}};
    return out;
}

Engine::Session session(const fs::path& roots) {
    Engine::Session out;
    out.resolver = [] { return resolver(); };
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
    std::map<std::string, std::vector<json::object>> told; // by method
    std::map<std::uint64_t, std::string> treats;           // of what is connected
    std::vector<UniqueFd> sockets;
    std::vector<std::string> lastPiped; // the secrets of the last pipe
    std::string answersGiven; // of the engine, all of them
    RunningEngine e;
    Listener there;

    World()
        : e({"ann", "bob"}, session(rootsFolder.filePath("roots").toStdString())) {
        std::ofstream(rootsFolder.filePath("roots").toStdString()) << "roots";
        for (const char* method : {"net.answer", "net.placeholders", "net.authority", "net.refused", "net.cut", "exec"}) {
            e.clerks.on(method, [this, method](const json::object& params) {
                const std::lock_guard lock(mutex);
                told[method].push_back(params);
                return json::object{};
            });
        }
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
            treats[params.at("number").to_number<std::uint64_t>()] = params.at("treat").as_string();
            sockets.push_back(std::move(socket));
        });
    }
    Result<json::value> ask(const std::string& verb, json::object params = {}) {
        auto out = e.ask(verb, std::move(params));
        answersGiven += out ? json::serialize(*out) : out.error().text() + out.error().hint;
        return out;
    }
    json::object good(const std::string& verb, json::object params = {}) {
        auto out = ask(verb, std::move(params));
        if (!out) {
            qFatal("%s: %s", verb.c_str(), out.error().text().c_str());
        }
        return out->as_object();
    }
    // As the command line does it.
    std::uint64_t hand(std::string_view secret) {
        auto client = api::Client::connect(e.w.socket);
        const auto opened = client->call("secret.open", {});
        const auto socket = client->takeDescriptor();
        if (!opened || !socket || ::send(socket.get(), secret.data(), secret.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(secret.size())) {
            qFatal("no way for a secret");
        }
        return opened->at("secret").to_number<std::uint64_t>();
    }
    void unlock() { (void)good("credential.unlock", {{"secret", hand(kPassphrase)}}); }
    json::object add(json::object more = {}, std::string_view value = kValue) {
        json::object params{{"name", "hosting"}, {"hosts", {"here.example"}}, {"secret", hand(value)}};
        for (const auto& each : more) {
            params[each.key()] = each.value();
        }
        return good("credential.add", std::move(params));
    }
    void start() {
        (void)good("net.mode", {{"agent", "ann"}, {"mode", "allowlist"}});
        const auto allow = [&](json::array hosts, bool high) {
            (void)good("rule.add", {{"rule",
                                     {{"effect", "allow"},
                                      {"action", "network"},
                                      {"agent", "ann"},
                                      {"high", high},
                                      {"fields", {{"host", std::move(hosts)}, {"port", {std::to_string(there.port())}}}}}}});
        };
        allow({"127.0.0.1"}, true);
        allow({"here.example", "there.example"}, false);
        (void)good("agent.start", {{"agent", "ann"}});
    }
    void open(std::uint64_t number, const std::string& host = "here.example") {
        e.clerks.tell("net.open", {{"number", number}, {"host", host}, {"port", there.port()}});
    }
    void request(std::uint64_t number, std::uint64_t request, json::array placeholders) {
        e.clerks.tell("net.request", {{"number", number}, {"request", request}, {"method", "GET"}, {"path", "/"}, {"placeholders", std::move(placeholders)}});
    }
    [[nodiscard]] std::string treat(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        return treats.contains(number) ? treats.at(number) : std::string();
    }
    [[nodiscard]] std::size_t count(const std::string& method) {
        const std::lock_guard lock(mutex);
        return told[method].size();
    }
    [[nodiscard]] json::object last(const std::string& method) {
        const std::lock_guard lock(mutex);
        return told[method].empty() ? json::object() : told[method].back();
    }
    [[nodiscard]] std::vector<std::string> piped() {
        const std::lock_guard lock(mutex);
        return lastPiped;
    }
    [[nodiscard]] json::array events(const std::string& agent, const std::string& kind) {
        json::array out;
        const auto timeline = good("timeline", {{"agent", agent}});
        for (const auto& each : timeline.at("events").as_array()) {
            if (each.at("kind") == json::value(kind)) {
                out.push_back(each);
            }
        }
        return out;
    }
    // In any file of the home and of the runtime folder beside it.
    [[nodiscard]] std::string whereIs(const std::string& text) const {
        std::string found;
        for (const auto& entry : fs::recursive_directory_iterator(e.w.folder)) {
            if (entry.is_regular_file()) {
                std::ifstream in(entry.path(), std::ios::binary);
                const std::string all{std::istreambuf_iterator<char>(in), {}};
                found += all.find(text) == std::string::npos ? "" : entry.path().string() + " ";
            }
        }
        return found;
    }
};

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

} // namespace

class TestCredentialVerbs : public QObject {
    Q_OBJECT
private slots:
    void keptAndTold() {
        World w;
        QVERIFY(w.good("credential.list").at("credentials").as_array().empty());
        const auto refused = w.ask("credential.add", {{"name", "hosting"}, {"hosts", {"here.example"}}, {"secret", w.hand(kValue)}});
        QVERIFY(!refused && refused.error().code == ErrorCode::Unavailable && refused.error().hint.find("unlock") != std::string::npos);
        const auto before = w.good("credential.lock", {{"look", true}});
        QVERIFY(before.at("sealed") == json::value("absent") && before.at("next") == json::value("passphrase"));
        w.unlock();
        QCOMPARE(w.good("credential.lock", {{"look", true}}).at("next"), json::value("file"));
        const auto made = w.add({{"basic", "ada"}, {"agents", {"ann"}}, {"env", "GIT_TOKEN"}, {"methods", {"GET"}}});
        QCOMPARE(made.at("credential").at("agents"), (json::value{"ann"}));
        QCOMPARE(made.at("credential").at("kept"), json::value("file"));
        QCOMPARE(made.at("rules").as_array().size(), std::size_t{1});
        QCOMPARE(w.good("credential.list").at("credentials").at(0), made.at("credential"));
        auto test = w.good("credential.test", {{"name", "hosting"}});
        QCOMPARE(test.at("there"), json::value(true));
        QCOMPARE(test.at("uses").as_array().size(), std::size_t{1});
        QCOMPARE(test.at("uses").at(0).at("answer"), json::value("allow"));
        (void)w.good("credential.lock");
        test = w.good("credential.test", {{"name", "hosting"}});
        QVERIFY(test.at("there") == json::value(false) && test.at("why").as_string().find("carrel credential unlock") != json::string::npos);
        const auto wrong = w.ask("credential.unlock", {{"secret", w.hand("another passphrase")}});
        QVERIFY(!wrong && wrong.error().code == ErrorCode::Refused);
        // Both were written down, for whom it is (invariant I5), and gone is gone with its rule.
        w.unlock();
        QCOMPARE(w.good("credential.remove", {{"name", "hosting"}}).at("left"), json::value(nullptr));
        QVERIFY(w.events("ann", "credential.added").size() == 1 && w.events("ann", "credential.removed").size() == 1);
        QVERIFY(w.events("bob", "credential.added").empty());
        QVERIFY(w.good("rule.list").at("rules").as_array().empty() && w.good("credential.list").at("credentials").as_array().empty());
        QVERIFY(w.ask("credential.remove", {{"name", "hosting"}}).error().code == ErrorCode::NotFound);
        QVERIFY(w.ask("credential.test", {{"name", "hosting"}}).error().code == ErrorCode::NotFound);
    }
    void whatIsNoCredential() {
        World w;
        w.unlock();
        const auto code = [&](json::object more, std::string_view value = kValue) {
            json::object params{{"name", "hosting"}, {"hosts", {"here.example"}}, {"secret", w.hand(value)}};
            for (const auto& each : more) {
                params[each.key()] = each.value();
            }
            const auto answer = w.ask("credential.add", std::move(params));
            return answer ? ErrorCode::Internal : answer.error().code;
        };
        QVERIFY(code({{"hosts", {"*.example"}}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"header", "Host"}}) == ErrorCode::InvalidArgument);
        QVERIFY(code({{"agents", {"nobody"}}}) == ErrorCode::NotFound);
        QVERIFY(code({{"secret", 77}}) == ErrorCode::NotFound);
        QVERIFY(code({}, "short") == ErrorCode::InvalidArgument);
        QVERIFY(code({}, std::string(5000, 'x')) == ErrorCode::LimitExceeded);
        QVERIFY(code({{"value", "in the request"}}) == ErrorCode::Malformed);
        QVERIFY(w.good("credential.list").at("credentials").as_array().empty());
    }
    // Though somebody takes the files away in between: what the machine trusts is what its clerk is given.
    void theMachineAndItsClerkHaveOneAuthority() {
        World w;
        std::string told;
        w.e.clerks.on("prepare", [&](const json::object& params) {
            const std::lock_guard lock(w.mutex);
            if (const auto* authority = params.if_contains("authority")) {
                told = authority->at("certificate").as_string();
            }
            return json::object{{"landlock_abi", 1}, {"seccomp", true}};
        });
        w.unlock();
        (void)w.add({{"agents", {"ann"}}});
        w.start();
        w.e.clerks.on("prepare", {});
        QVERIFY(!told.empty());
        const auto folder = w.e.w.engine->services().agentsFolder / w.e.agent("ann")->id();
        for (const char* each : {"authority.pem", "authority.key"}) {
            QVERIFY(fs::remove(folder / each));
        }
        w.open(1);
        TRY(w.treat(1) == "terminate");
        QCOMPARE(std::string(w.last("net.authority").at("certificate_pem").as_string()), told);
    }
    void aRequestGetsItAndNothingElseDoes() {
        World w;
        w.unlock();
        (void)w.add({{"agents", {"ann"}}, {"env", "GIT_TOKEN"}});
        w.start();
        TRY(w.count("net.placeholders") > 0);
        const std::string placeholder(w.last("net.placeholders").at("list").at(0).at("text").as_string());
        QVERIFY2(placeholder.starts_with("ghp_") && placeholder.size() == std::string(kValue).size() && placeholder != kValue, placeholder.c_str());
        w.open(1);
        TRY(w.treat(1) == "terminate");
        QCOMPARE(w.count("net.authority"), std::size_t{1});
        w.request(1, 1, {"hosting"});
        TRY(w.count("net.answer") == 1);
        QCOMPARE(w.last("net.answer").at("inject"), (json::value{{"header", "Authorization"}, {"credential", "hosting"}}));
        QCOMPARE(w.piped(), (std::vector<std::string>{std::string("Bearer ") + kValue, kValue}));
        w.e.clerks.tell("net.request", {{"number", 1}, {"request", 2}, {"method", "GET"}, {"path", "/"}, {"placeholders", json::array{}}, {"own_keys", {"authorization"}}});
        TRY(w.count("net.answer") == 2);
        QCOMPARE(w.last("net.answer").at("allow"), json::value(false));
        // The programs that are started get what stands for it, unless they are given something else.
        QVERIFY(w.ask("exec.open", {{"agent", "ann"}, {"argv", {"true"}}, {"env", {{"LANG", "C"}}}, {"tty", nullptr}}));
        TRY(w.count("exec") == 1);
        QCOMPARE(w.last("exec").at("env"), (json::value{{"GIT_TOKEN", placeholder}, {"LANG", "C"}}));
        QVERIFY(w.ask("exec.open", {{"agent", "ann"}, {"argv", {"true"}}, {"env", {{"GIT_TOKEN", "mine"}}}, {"tty", nullptr}}));
        TRY(w.count("exec") == 2);
        QCOMPARE(w.last("exec").at("env"), (json::value{{"GIT_TOKEN", "mine"}}));
        QCOMPARE(w.events("ann", "credential.used").size(), std::size_t{1});
        QVERIFY(w.events("ann", "credential.refused").at(0).at("detail").at("alert") == json::value(true));
        (void)w.good("credential.test", {{"name", "hosting"}});
        (void)w.good("agent.stop", {{"agent", "ann"}});
        // Invariant I6: after all of this it stands in no file, no answer, no error; nor does the passphrase, nor its beginning.
        for (const auto& text : {std::string(kValue), std::string(kValue).substr(4, 16), std::string(kPassphrase)}) {
            QVERIFY2(w.whereIs(text).empty(), w.whereIs(text).c_str());
            QVERIFY(w.answersGiven.find(text) == std::string::npos);
        }
        QVERIFY(!w.whereIs("here.example").empty()); // the search finds what there is
    }
    void anAgentThatItIsNotFor() {
        World w;
        w.unlock();
        (void)w.add({{"agents", {"bob"}}, {"env", "GIT_TOKEN"}});
        w.start();
        w.open(1);
        TRY(w.treat(1) == "raw");
        QVERIFY(w.ask("exec.open", {{"agent", "ann"}, {"argv", {"true"}}, {"tty", nullptr}}));
        TRY(w.count("exec") == 1);
        QCOMPARE(w.last("exec").at("env"), (json::value(json::object())));
        QCOMPARE(w.count("net.placeholders"), std::size_t{0});
    }
    // One of the same name that comes later is another: what rules said of the first is not said of it.
    void aRuleFromBefore() {
        World w;
        w.unlock();
        (void)w.good("rule.add", {{"rule", {{"effect", "allow"}, {"action", "credential"}, {"agent", "ann"}, {"fields", {{"name", {"hosting"}}}}}}});
        (void)w.add();
        QVERIFY(w.good("rule.list").at("rules").as_array().empty());
        QCOMPARE(w.good("credential.test", {{"name", "hosting"}}).at("uses").at(0).at("answer"), json::value("ask"));
    }
    // Roles: whoever has a token works in an agent, and neither sees nor gives a credential.
    void aClientMayNone() {
        World w;
        w.unlock();
        (void)w.add();
        auto client = w.e.w.connected(w.e.w.token("helper", "ann"));
        QVERIFY(client);
        for (const auto& [verb, params] : std::map<std::string, json::object>{{"secret.open", {}},
                                                                             {"credential.add", {{"name", "x"}, {"hosts", {"here.example"}}, {"secret", 1}}},
                                                                             {"credential.list", {}},
                                                                             {"credential.remove", {{"name", "hosting"}}},
                                                                             {"credential.test", {{"name", "hosting"}}},
                                                                             {"credential.unlock", {{"secret", 1}}},
                                                                             {"credential.lock", {}}}) {
            const auto answer = client->call(verb, params);
            QVERIFY2(!answer && answer.error().code == ErrorCode::Refused, verb.c_str());
        }
        QCOMPARE(w.good("credential.list").at("credentials").as_array().size(), std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(TestCredentialVerbs)
#include "test_credential_verbs.moc"

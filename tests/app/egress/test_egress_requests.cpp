// SPDX-License-Identifier: Apache-2.0
// Requests on connections that are read: which those are, what rules say of each, and what of a credential goes to whom.
#include "tests/app/egress/egress_world.h"
#include "tests/app/egress/memory_store.h"

#include <QTest>

#include <fstream>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
namespace json = boost::json;

namespace {

struct World : EgressWorld {
    BookWorld book;
    std::shared_ptr<AgentCredentials> own;
    bool full = false; // the log
    std::filesystem::path roots = book.folder / "roots.pem";

    explicit World(NetMode mode = NetMode::Allowlist)
        : EgressWorld(mode) {
        std::ofstream(roots) << "roots";
        egress->stop();
        networks.emplace(Networks::Setup{queue, rules, grants, ProxySettings(), nullptr, [this] { return resolver; },
                                         [this]() -> Result<OwnNetworks> { return OwnNetworks(EgressWorld::own); },
                                         [this]() -> Result<UniqueFd> {
                                             UniqueFd fd(::open(roots.c_str(), O_RDONLY | O_CLOEXEC));
                                             return fd ? Result<UniqueFd>(std::move(fd)) : failErrno("reading the roots");
                                         }});
        own = std::make_shared<AgentCredentials>(*book.book, "ann", "ann", book.folder);
        const auto keep = [this](activity::Event event) {
            const std::lock_guard lock(eventsMutex);
            events.push_back(std::move(event));
        };
        const auto decided = [this, keep](activity::Event event) -> Status {
            if (full) {
                return fail(ErrorCode::Io, "the disk is full");
            }
            keep(std::move(event));
            return {};
        };
        book.book->onChange([this] { networks->credentialsChanged(); });
        egress = networks->open("ann", "s1", mode, {keep, decided}, own, {{}, std::make_shared<DayVolume>(book.folder / "volume.json")});
        clerk = std::make_shared<ToldClerk>();
        at = egress->attach(clerk);
        (void)nameLoopback();
    }
    ~World() override { egress->stop(); }

    Status request(std::uint64_t number, std::uint64_t request, const std::string& method = "GET", const std::string& path = "/",
                   const std::vector<std::string>& placeholders = {}, const std::vector<std::string>& keys = {}) const {
        json::array named, own_;
        for (const auto& each : placeholders) {
            named.emplace_back(each);
        }
        for (const auto& each : keys) {
            own_.emplace_back(each);
        }
        json::object params{{"number", number}, {"request", request}, {"method", method}, {"path", path}, {"placeholders", std::move(named)}};
        if (!keys.empty()) {
            params["own_keys"] = std::move(own_);
        }
        return egress->told(at, "net.request", params);
    }
    // "allow", "allow bound", "allow Authorization: Bearer …", "denied: why"; empty: not yet.
    [[nodiscard]] std::string answer(std::uint64_t number, std::uint64_t request) const {
        const std::lock_guard lock(clerk->mutex);
        for (const auto& each : clerk->all) {
            if (each.method != "net.answer" || each.params.at("number") != json::value(number) || each.params.at("request") != json::value(request)) {
                continue;
            }
            const auto text = [](const json::object& of, const char* key) { return std::string(of.at(key).as_string()); };
            if (!each.params.at("allow").as_bool()) {
                return text(each.params, "outcome") + ": " + text(each.params, "text");
            }
            const auto* inject = each.params.if_contains("inject");
            if (inject != nullptr && (each.secrets.size() != 2 || each.secrets[0].find(each.secrets[1]) == std::string::npos)) {
                return "the secrets did not come";
            }
            return inject != nullptr ? "allow " + text(inject->get_object(), "header") + ": " + each.secrets[0]
                   : each.params.contains("bound") ? "allow bound" : "allow";
        }
        return {};
    }
    policy::Rule requests(policy::Effect effect, const std::vector<std::string>& methods, const std::vector<std::string>& paths = {},
                          const std::string& host = "here.example") {
        policy::Rule out;
        out.effect = effect;
        out.action = policy::Action::Network;
        out.fields["host"] = {host};
        if (!methods.empty()) {
            out.fields["method"] = methods;
        }
        if (!paths.empty()) {
            out.fields["path"] = paths;
        }
        return rules.add(out).value();
    }
    policy::Rule use(policy::Effect effect, const std::string& name = "models") {
        policy::Rule out;
        out.effect = effect;
        out.action = policy::Action::Credential;
        out.fields["name"] = {name};
        return rules.add(out).value();
    }
    [[nodiscard]] std::vector<activity::Event> logged(activity::EventKind kind) {
        const std::lock_guard lock(eventsMutex);
        std::vector<activity::Event> out;
        std::copy_if(events.begin(), events.end(), std::back_inserter(out), [&](const auto& each) { return each.kind == kind; });
        return out;
    }
    [[nodiscard]] bool isAnywhere(const std::string& text) {
        const std::lock_guard lock(eventsMutex);
        return std::any_of(events.begin(), events.end(), [&](const auto& each) {
            return each.subject.find(text) != std::string::npos || json::serialize(each.detail).find(text) != std::string::npos;
        });
    }
};

#define TRY_ANSWER(world, number, request, expected) \
    QTRY_VERIFY2_WITH_TIMEOUT((world).answer(number, request).starts_with(expected), (world).answer(number, request).c_str(), 60'000)

} // namespace

class TestEgressRequests : public QObject {
    Q_OBJECT
private slots:
    // A request can be told so in HTTP: its connection is not cut before that.
    void aDayThatIsUsedUpRefusesRequests() {
        World w(NetMode::Ask);
        w.requests(policy::Effect::Allow, {"GET"});
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, "allow");
        QVERIFY(w.request(1, 2, "PUT")); // which a person is asked about
        QTRY_COMPARE_WITH_TIMEOUT(w.queue.list(true).size(), std::size_t{1}, 60'000);
        w.egress->setLimits({0, 64 * 1024});
        QVERIFY(w.egress->told(w.at, "net.used", {{"bytes", 64 * 1024}}));
        TRY_ANSWER(w, 1, 2, "limit: This agent has used up the 64 KiB");
        QTRY_VERIFY_WITH_TIMEOUT(w.queue.list(true).at(0).state == policy::ApprovalState::Cancelled, 60'000);
        TRY_BEGINS(w, 1, "cut This agent has used up the 64 KiB"); // when it is idle
    }
    void whoseRequestsAreRead() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected raw");
        (void)w.book.add(BookWorld::wanted());
        TRY_BEGINS(w, 1, "cut a credential was bound"); // it could send another key
        (void)w.openThere(2);
        TRY_OF(w, 2, "connected terminate");
        // Whom to trust, and as whom to speak, once and before it.
        std::vector<std::string> told;
        {
            const std::lock_guard lock(w.clerk->mutex);
            for (const auto& each : w.clerk->all) {
                told.push_back(each.method);
                if (each.method == "net.trust") {
                    char text[8] = {};
                    QVERIFY(::read(each.fd.get(), text, sizeof text) == 5 && std::string(text) == "roots");
                }
                if (each.method == "net.authority") {
                    QVERIFY(each.params.at("certificate_pem").as_string().starts_with("-----BEGIN CERTIFICATE") &&
                            each.secrets.size() == 1 && each.secrets[0].starts_with("-----BEGIN PRIVATE KEY"));
                }
                if (each.method == "net.placeholders") {
                    QCOMPARE(each.params.at("list").at(0).at("name"), json::value("models"));
                    QVERIFY(each.params.at("list").at(0).at("text").as_string().starts_with("sk-ant-") && each.params.at("list").at(0).at("text") != json::value(kValue));
                }
            }
        }
        QCOMPARE(told, (std::vector<std::string>{"net.mode", "net.connected", "net.placeholders", "net.cut", "net.trust", "net.authority", "net.connected"}));
        (void)w.openThere(3);
        TRY_OF(w, 3, "connected terminate");
        QCOMPARE(w.clerk->count("net.authority"), std::size_t{1});
        // Gone with the credential.
        (void)w.book.book->remove("models");
        (void)w.openThere(4);
        TRY_OF(w, 4, "connected raw");
    }
    void withoutRootsNothingIsRead() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        std::filesystem::remove(w.roots);
        (void)w.openThere(1);
        TRY_BEGINS(w, 1, "refused denied: its requests cannot be read");
    }
    // Another agent's credential binds nothing for this one.
    void anothersCredential() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        auto wanted = BookWorld::wanted();
        wanted.agents = {"bob"};
        (void)w.book.add(wanted);
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected raw");
    }
    void theSecretGoesToItsHostAlone() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.rule(policy::Effect::Allow, "there.example");
        w.resolver->names["there.example"] = {{"127.0.0.1"}};
        (void)w.requests(policy::Effect::Deny, {"TRACE"}, {}, "there.example"); // so that it is read
        (void)w.book.add(BookWorld::wanted());
        (void)w.use(policy::Effect::Allow);
        (void)w.openThere(1);
        (void)w.openThere(2, "there.example");
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1, "POST", "/v1/messages", {"models"}));
        TRY_ANSWER(w, 1, 1, std::string("allow Authorization: Bearer ") + kValue);
        const auto used = w.logged(activity::EventKind::CredentialUsed);
        QCOMPARE(used.size(), std::size_t{1});
        QCOMPARE(used[0].subject, std::string("models"));
        QVERIFY(used[0].detail.at("host") == json::value("here.example") && used[0].detail.at("path") == json::value("/v1/messages"));
        QVERIFY(w.request(1, 2)); // without it, and without any other
        TRY_ANSWER(w, 1, 2, "allow bound");
        // Elsewhere it is refused, whatever the rules say, and told.
        TRY_OF(w, 2, "connected terminate");
        QVERIFY(w.request(2, 1, "GET", "/", {"models"}));
        TRY_ANSWER(w, 2, 1, "denied: a placeholder of a credential was sent that is not for this host");
        QVERIFY(w.request(2, 2, "GET", "/", {"models"}));
        TRY_ANSWER(w, 2, 2, "denied");
        const auto alerts = w.logged(activity::EventKind::CredentialRefused);
        QCOMPARE(alerts.size(), std::size_t{1}); // the same is told once
        QVERIFY(alerts[0].subject == "models" && alerts[0].detail.at("alert") == json::value(true) && alerts[0].detail.at("host") == json::value("there.example"));
        QCOMPARE(w.logged(activity::EventKind::CredentialUsed).size(), std::size_t{1});
        QVERIFY(!w.isAnywhere(kValue) && !w.isAnywhere("0123456789abcdefghij"));
        QVERIFY(w.book.book->find("models")->usedMs == w.book.now);
    }
    // An attacker's key at an allowed host opens nothing.
    void aBoundHostTakesNoOtherKey() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        (void)w.book.add(BookWorld::wanted("elsewhere", "there.example"), "0123456789abcdef");
        (void)w.use(policy::Effect::Allow);
        (void)w.use(policy::Effect::Allow, "elsewhere");
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1, "POST", "/", {}, {"x-api-key"}));
        TRY_ANSWER(w, 1, 1, "denied: another key");
        QVERIFY(w.request(1, 2, "POST", "/", {"models"}, {"x-api-key"}));
        TRY_ANSWER(w, 1, 2, "denied: another key");
        QVERIFY(w.request(1, 3, "POST", "/", {"elsewhere"}));
        TRY_ANSWER(w, 1, 3, "denied: a placeholder of a credential");
        QVERIFY(w.request(1, 4, "POST", "/", {"models", "elsewhere"}));
        TRY_ANSWER(w, 1, 4, "denied");
        QVERIFY(w.request(1, 5, "POST", "/", {"nobody's"}));
        TRY_ANSWER(w, 1, 5, "denied");
        QVERIFY(w.logged(activity::EventKind::CredentialUsed).empty());
        QCOMPARE(w.logged(activity::EventKind::CredentialRefused).size(), std::size_t{3});
    }
    void aUseIsDecidedByRules() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        auto wanted = BookWorld::wanted();
        wanted.methods = {"GET"};
        wanted.paths = {"/api/*"};
        (void)w.book.add(wanted);
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1, "GET", "/api/a", {"models"}));
        TRY_ANSWER(w, 1, 1, "denied: no rule of the owner's allows it");
        const auto allow = w.use(policy::Effect::Allow);
        QVERIFY(w.request(1, 2, "GET", "/api/a", {"models"}));
        TRY_ANSWER(w, 1, 2, "allow Authorization");
        QVERIFY(w.request(1, 3, "POST", "/api/a", {"models"}));
        TRY_ANSWER(w, 1, 3, "denied: the credential is not for that method and path");
        QVERIFY(w.request(1, 4, "GET", "/apis", {"models"}));
        TRY_ANSWER(w, 1, 4, "denied: the credential is not for that method and path");
        QVERIFY(w.request(1, 7, "GET", "/api/../admin", {"models"})); // a clerk that is broken
        TRY_ANSWER(w, 1, 7, "denied: the request is not in a form");
        const auto deny = w.use(policy::Effect::Deny);
        QVERIFY(w.request(1, 5, "GET", "/api/a", {"models"}));
        TRY_ANSWER(w, 1, 5, "denied: A rule of the owner's denies it");
        w.rules.remove(deny.id);
        QVERIFY(w.request(1, 6, "GET", "/api/a", {"models"}));
        TRY_ANSWER(w, 1, 6, "allow Authorization");
        w.rules.remove(allow.id); // what it allowed ends with it, the answer under way among it
        w.grants.recheck();
        TRY_BEGINS(w, 1, "cut");
    }
    // Invariant I5.
    void aUseThatCannotBeWrittenDownDoesNotHappen() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        (void)w.use(policy::Effect::Allow);
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        w.full = true;
        QVERIFY(w.request(1, 1, "GET", "/", {"models"}));
        TRY_ANSWER(w, 1, 1, "denied: it cannot be written down");
    }
    void aValueThatIsLocked() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        (void)w.use(policy::Effect::Allow);
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        {
            const std::lock_guard lock(w.book.memory.mutex);
            w.book.memory.silent = true;
        }
        QVERIFY(w.request(1, 1, "GET", "/", {"models"}));
        TRY_ANSWER(w, 1, 1, "denied: the owner has to unlock");
        QVERIFY(w.logged(activity::EventKind::CredentialUsed).empty());
    }
    void aPersonIsAsked() {
        World w(NetMode::Ask);
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1, "GET", "/", {"models"}));
        QTRY_COMPARE_WITH_TIMEOUT(w.queue.list(false).size(), std::size_t{1}, 60'000);
        const auto asked = w.queue.list(false).front();
        QVERIFY(asked.action == policy::Action::Credential && asked.question.items.front().fields.at("name") == "models");
        QVERIFY(w.answer(1, 1).empty());
        policy::DecisionWanted yes;
        yes.id = asked.id;
        yes.effect = policy::Effect::Allow;
        yes.digest = asked.question.evidence.digest;
        yes.by = "the test";
        QVERIFY(w.queue.decide(yes));
        TRY_ANSWER(w, 1, 1, "allow Authorization");
        QVERIFY(w.logged(activity::EventKind::CredentialUsed).front().detail.at("approval") == json::value(asked.id));
        // Once was once; and what may not be asked any more is answered.
        QVERIFY(w.request(1, 2, "GET", "/", {"models"}));
        QTRY_COMPARE_WITH_TIMEOUT(w.queue.list(false).size(), std::size_t{1}, 60'000);
        w.egress->setMode(NetMode::Allowlist);
        TRY_ANSWER(w, 1, 2, "denied: no rule");
        QTRY_VERIFY_WITH_TIMEOUT(w.queue.list(false).empty(), 60'000);
        QVERIFY(w.of(1) == "connected terminate");
    }
    void rulesOfMethodsAndPaths() {
        World w;
        const auto reads = w.requests(policy::Effect::Allow, {"GET", "HEAD"});
        (void)w.requests(policy::Effect::Allow, {"POST"}, {"/upload"});
        (void)w.requests(policy::Effect::Deny, {}, {"/secret"});
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        std::uint64_t request = 0;
        for (const auto& [method, path, expected] : std::vector<std::array<std::string, 3>>{{"GET", "/", "allow"},
                                                                                            {"HEAD", "/a", "allow"},
                                                                                            {"POST", "/", "denied: no rule"},
                                                                                            {"POST", "/upload", "allow"},
                                                                                            {"POST", "/uploads", "denied: no rule"},
                                                                                            {"GET", "/secret", "denied: A rule"},
                                                                                            {"GET", "/secret/a", "denied: A rule"},
                                                                                            {"GET", "/secrets", "allow"}}) {
            QVERIFY(w.request(1, ++request, method, path));
            TRY_ANSWER(w, 1, request, expected);
        }
        // No rule allows any request there any more.
        w.rules.remove(reads.id);
        w.grants.recheck();
        (void)w.openThere(2);
        TRY_OF(w, 2, "connected terminate"); // by the one for POST
        QVERIFY(w.request(2, 1, "GET", "/"));
        TRY_ANSWER(w, 2, 1, "denied: no rule");
    }
    // Servers take an empty step for none, or for one: where it is judged, it is refused; where nothing speaks of paths, it is theirs to read.
    void aPathWithAnEmptyStep() {
        World w;
        const auto reads = w.requests(policy::Effect::Allow, {"GET"}, {"/open"});
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1, "GET", "//open"));
        TRY_ANSWER(w, 1, 1, "denied: the request is not");
        w.rules.remove(reads.id);
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        (void)w.openThere(2);
        TRY_OF(w, 2, "connected terminate");
        QVERIFY(w.request(2, 1, "GET", "//open"));
        TRY_ANSWER(w, 2, 1, "allow bound");
        QVERIFY(w.request(2, 2, "GET", "//open", {"models"}));
        TRY_ANSWER(w, 2, 2, "denied: the request is not");
    }
    // A host that only a denial of requests speaks of is connected to by what else allows it, and only then.
    void aDenialAloneOpensNothing() {
        World w;
        (void)w.requests(policy::Effect::Deny, {"POST"});
        (void)w.openThere(1);
        TRY_BEGINS(w, 1, "refused denied: no rule");
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.openThere(2);
        TRY_OF(w, 2, "connected terminate");
        QVERIFY(w.request(2, 1, "POST", "/"));
        TRY_ANSWER(w, 2, 1, "denied: A rule");
        QVERIFY(w.request(2, 2, "GET", "/"));
        TRY_ANSWER(w, 2, 2, "allow");
    }
    void aClerkThatBreaksTheForm() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected raw");
        QVERIFY(!w.request(1, 1)); // it does not see requests there
        QVERIFY(w.request(7, 1));  // cut a moment ago, perhaps
        World other;
        (void)other.requests(policy::Effect::Allow, {"GET"});
        (void)other.openThere(1);
        TRY_OF(other, 1, "connected terminate");
        QVERIFY(!other.egress->told(other.at, "net.request", {{"number", 1}, {"request", 1}}));
        QVERIFY(!other.request(1, 1, "GET", "/", std::vector<std::string>(kMaxPlaceholdersTold + 1, "x")));
        QVERIFY(other.request(1, 1, "get", "/")); // the machine's doing
        TRY_ANSWER(other, 1, 1, "denied");
        QVERIFY(other.request(1, 2, "GET", "/../a"));
        TRY_ANSWER(other, 1, 2, "denied");
    }
    void aCredentialThatIsTakenAway() {
        World w;
        (void)w.rule(policy::Effect::Allow, "here.example");
        (void)w.book.add(BookWorld::wanted());
        (void)w.use(policy::Effect::Allow);
        (void)w.openThere(1);
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1, "GET", "/", {"models"}));
        TRY_ANSWER(w, 1, 1, "allow Authorization");
        (void)w.book.book->remove("models");
        TRY_BEGINS(w, 1, "cut the credential of that connection was taken away");
    }
};

QTEST_GUILESS_MAIN(TestEgressRequests)
#include "test_egress_requests.moc"

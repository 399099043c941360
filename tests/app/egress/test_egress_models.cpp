// SPDX-License-Identifier: Apache-2.0
// Requests to models: whether one may be asked, and what it used, as a clerk tells it. The clerk is played, and may lie.
#include "tests/app/egress/egress_world.h"
#include "tests/app/egress/memory_store.h"

#include <QTest>

#include <fstream>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
using policy::Effect;
namespace json = boost::json;

namespace {

struct World : EgressWorld {
    std::mutex usesMutex;
    std::vector<std::string> uses;
    std::optional<std::string> no; // usesMutex
    BookWorld book;
    std::filesystem::path roots = book.folder / "roots.pem";

    World() {
        std::ofstream(roots) << "roots";
        egress->stop();
        Networks::Setup setup{queue, rules, grants, ProxySettings(), nullptr, [this] { return resolver; },
                              [this]() -> Result<OwnNetworks> { return OwnNetworks(EgressWorld::own); },
                              [this]() -> Result<UniqueFd> { return UniqueFd(::open(roots.c_str(), O_RDONLY | O_CLOEXEC)); }};
        setup.modelApi = [](const std::string& agent, const Destination& to) {
            return agent == "ann" && to.hostText() == "here.example" ? std::optional(relay::ModelApi::Anthropic) : std::nullopt;
        };
        networks.emplace(std::move(setup));
        Networks::Log log{[](const activity::Event&) {}, [](const activity::Event&) { return Status(); }};
        log.modelUsed = [this](const Destination& to, const relay::ModelUse& use) {
            const std::lock_guard lock(usesMutex);
            uses.push_back(to.hostText() + " " + use.model + " " + std::to_string(use.input) + "/" + std::to_string(use.output) +
                           (use.counted == relay::ModelUse::Counted::Estimated ? " guessed" : ""));
        };
        log.mayAskModel = [this]() -> std::optional<std::string> {
            const std::lock_guard lock(usesMutex);
            return no;
        };
        egress = networks->open("ann", "s1", NetMode::Allowlist, std::move(log), std::make_shared<AgentCredentials>(*book.book, "ann", "ann", book.folder));
        clerk = std::make_shared<ToldClerk>();
        at = egress->attach(clerk);
        (void)rule(Effect::Allow, "here.example");
        (void)rule(Effect::Allow, "there.example");
        resolver->names["there.example"] = {{"127.0.0.1"}};
        nameLoopback();
    }
    ~World() override { egress->stop(); }
    Status request(std::uint64_t number, std::uint64_t request) const {
        return egress->told(at, "net.request", {{"number", number}, {"request", request}, {"method", "POST"}, {"path", "/v1/messages"}, {"placeholders", json::array()}});
    }
    [[nodiscard]] std::string answer(std::uint64_t number, std::uint64_t request) const {
        const std::lock_guard lock(clerk->mutex);
        for (const auto& each : clerk->all) {
            if (each.method == "net.answer" && each.params.at("number") == json::value(number) && each.params.at("request") == json::value(request)) {
                return json::serialize(each.params);
            }
        }
        return {};
    }
    Status model(std::uint64_t number, std::uint64_t request, std::uint64_t input, std::uint64_t output) const {
        return egress->told(at, "net.model", {{"number", number}, {"request", request}, {"model", "m-1"}, {"input", input}, {"output", output},
                                              {"cache_read", 0}, {"cache_write", 0}, {"estimated", false}, {"status", 200}});
    }
    [[nodiscard]] std::vector<std::string> told() {
        const std::lock_guard lock(usesMutex);
        return uses;
    }
    void refuse(std::optional<std::string> why) {
        const std::lock_guard lock(usesMutex);
        no = std::move(why);
    }
};

#define TRY_ANSWER(world, number, request, part) \
    QTRY_VERIFY2_WITH_TIMEOUT((world).answer(number, request).find(part) != std::string::npos, (world).answer(number, request).c_str(), 60'000)

} // namespace

class TestEgressModels : public QObject {
    Q_OBJECT
private slots:
    void eachRequestIsMetered() {
        World w;
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, R"("allow":true,"meter":true)");
        QVERIFY(w.model(1, 1, 25, 15));
        QCOMPARE(w.told(), (std::vector<std::string>{"here.example m-1 25/15"})); // before it returned
        QVERIFY(w.request(1, 2));
        TRY_ANSWER(w, 1, 2, R"("meter":true)");
    }

    // Asked before each: what was used by the last one counts.
    void aBudgetThatIsUsedUpRefusesTheNext() {
        World w;
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, R"("allow":true)");
        w.refuse("Of this agent the budget of 40 tokens is used up");
        QVERIFY(w.model(1, 1, 25, 15)); // that one goes on to its end, and counts
        QVERIFY(w.request(1, 2));
        TRY_ANSWER(w, 1, 2, R"("allow":false,"outcome":"limit","text":"Of this agent the budget of 40 tokens is used up")");
        w.refuse(std::nullopt);
        QVERIFY(w.request(1, 3)); // on the same connection
        TRY_ANSWER(w, 1, 3, R"("allow":true)");
        QCOMPARE(w.told().size(), std::size_t{1});
    }

    void otherHostsHaveNoBudget() {
        World w;
        w.refuse("no");
        policy::Rule gets;
        gets.effect = Effect::Allow;
        gets.action = policy::Action::Network;
        gets.fields = {{"host", {"there.example"}}, {"method", {"POST"}}};
        QVERIFY(w.rules.add(gets)); // so that it is read
        QVERIFY(w.openThere(1, "there.example"));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, R"("allow":true})");
        QVERIFY(!w.model(1, 1, 1, 1));
        QVERIFY(w.told().empty());
    }

    // No more is told than was let through, and each once.
    void aClerkThatTellsWhatItWasNotAskedIsBroken() {
        World w;
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(!w.model(1, 1, 1, 1)); // not asked yet
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, R"("allow":true)");
        QVERIFY(!w.model(1, 2, 1, 1) && !w.model(2, 1, 1, 1));
        QVERIFY(!w.request(1, 2)); // before it has told of the first
        QVERIFY(w.model(1, 1, 1, 1));
        QVERIFY(!w.model(1, 1, 1, 1)); // twice
        QVERIFY(w.request(1, 2));
        TRY_ANSWER(w, 1, 2, R"("allow":true)");
        QVERIFY(w.close(1));
        QVERIFY(!w.model(1, 2, 1, 1)); // over
        QCOMPARE(w.told().size(), std::size_t{1});
    }

    void aCutIsCounted() {
        World w;
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, R"("allow":true)");
        QVERIFY(w.egress->cut(w.egress->live().at(0).number));
        QVERIFY(w.model(1, 1, 25, 3)); // after net.cut
        QCOMPARE(w.told(), (std::vector<std::string>{"here.example m-1 25/3"}));
    }

    // It has gone with what it knew.
    void aClerkThatGoesIsCountedAsARequest() {
        World w;
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected terminate");
        QVERIFY(w.request(1, 1));
        TRY_ANSWER(w, 1, 1, R"("allow":true)");
        w.egress->detach(w.at);
        QCOMPARE(w.told(), (std::vector<std::string>{"here.example  0/0 guessed"}));
        QVERIFY(w.model(1, 1, 25, 3)); // nobody's any more
        QCOMPARE(w.told().size(), std::size_t{1});
    }

    void theWordIsReadStrictly() {
        const json::object good{{"number", 1}, {"request", 1}, {"model", "m"}, {"input", 1}, {"output", 0}, {"cache_read", 0}, {"cache_write", 0}, {"estimated", true}, {"status", 200}};
        QVERIFY(netWordFrom("net.model", good));
        const auto isRead = [&](const char* key, json::value value) {
            auto other = good;
            other[key] = std::move(value);
            return netWordFrom("net.model", other).has_value();
        };
        QVERIFY(isRead("input", 1ULL << 53U) && isRead("status", 0));
        QVERIFY(!isRead("input", -1) && !isRead("input", (1ULL << 53U) + 1) && !isRead("output", 1.5) && !isRead("output", "1"));
        QVERIFY(!isRead("model", json::string(relay::kMaxModelName + 1, 'm')) && !isRead("model", "a b") && !isRead("model", "\x1b[31m") && !isRead("model", 1));
        QVERIFY(!isRead("estimated", 1) && !isRead("status", 1000) && !isRead("status", 404) && !isRead("status", -1) && !isRead("more", 1));
        for (const auto& field : good) {
            auto bad = good;
            bad.erase(field.key());
            QVERIFY(!netWordFrom("net.model", bad));
        }
    }
};

QTEST_GUILESS_MAIN(TestEgressModels)
#include "test_egress_models.moc"

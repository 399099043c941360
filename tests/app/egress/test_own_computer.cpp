// SPDX-License-Identifier: Apache-2.0
// This computer's own loopback: one name, the ports that rules name with it, and nothing else.
#include "tests/app/egress/egress_world.h"

#include "app/egress/own_computer.h"

#include <QTest>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;

namespace {

const std::string kName(kOwnComputer);

// With plain HTTP from a model at each port in `models`.
struct World : EgressWorld {
    std::mutex modelsMutex;
    std::set<std::pair<std::string, std::uint16_t>> models;
    explicit World(NetMode mode = NetMode::Allowlist, Result<ProxySettings> proxies = ProxySettings())
        : EgressWorld(mode) {
        egress->stop();
        const auto isOne = [this](const Destination& to) {
            const std::lock_guard lock(modelsMutex);
            return models.contains({to.hostText(), to.port});
        };
        Networks::Setup setup{queue, rules, grants, std::move(proxies), nullptr, [this] { return resolver; },
                              [this]() -> Result<OwnNetworks> { return OwnNetworks(own); }};
        setup.modelApi = [isOne](const std::string& agent, const Destination& to) {
            return agent == "ann" && isOne(to) ? std::optional(relay::ModelApi::OpenAi) : std::nullopt;
        };
        setup.plainHttp = [isOne](const std::string& agent, const Destination& to) { return agent == "ann" && isOne(to); };
        networks.emplace(std::move(setup));
        egress = networks->open("ann", "s1", mode, {[this](activity::Event event) { keep(std::move(event)); }, [this](activity::Event event) -> Status {
                                                        keep(std::move(event));
                                                        return {};
                                                    }});
        clerk = std::make_shared<ToldClerk>();
        at = egress->attach(clerk);
    }
    ~World() override { egress->stop(); }
    void keep(activity::Event event) {
        const std::lock_guard lock(eventsMutex);
        events.push_back(std::move(event));
    }
    policy::Rule name(std::uint16_t port) { return rule(policy::Effect::Allow, kName, port, true); }
};

} // namespace

class TestOwnComputer : public QObject {
    Q_OBJECT
private slots:
    void byItsNameAndThePortThatARuleNames() {
        World w;
        (void)w.name(w.there.port());
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "connected raw");
        const auto socket = w.there.accept();
        test::send(w.clerk->socket(1), "hello");
        QCOMPARE(take(socket, 5), std::string("hello"));
        QCOMPARE(w.resolver->count(), std::size_t{0}); // nobody was asked where it leads
        const auto live = w.egress->live();
        QVERIFY(live.size() == 1 && live[0].at && live[0].at->address.text() == "127.0.0.1" && live[0].rule != 0);
    }
    // Where only the other family answers.
    void atTheOtherLoopback() {
        World w;
        Listener six("::1");
        if (!six.good()) {
            QSKIP("this computer has no ::1");
        }
        (void)w.name(six.port());
        QVERIFY(w.open(1, kName, six.port()));
        TRY_OF(w, 1, "connected raw");
        QCOMPARE(w.egress->live().at(0).at->address.text(), std::string("::1"));
    }
    void everyOtherPortStaysClosed() {
        for (const auto mode : {NetMode::Allowlist, NetMode::Ask}) {
            World w(mode);
            Listener other;
            (void)w.name(w.there.port());
            QVERIFY(w.open(1, kName, other.port()));
            TRY_OF(w, 1, "refused denied: no rule of the owner's names that port of this computer");
            QVERIFY(!other.hasOne() && w.queue.list(true).empty());
        }
    }
    void everyOtherNameStaysClosed_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"localhost", "127.0.0.1", "::1", "127.0.0.2", "here.example", "carrel.internal", "a.host.carrel.internal", "localhost.localdomain"}) {
            QTest::newRow(name) << name;
        }
    }
    void everyOtherNameStaysClosed() {
        QFETCH(QString, name);
        World w;
        for (const char* each : {"localhost", "carrel.internal", "a.host.carrel.internal", "localhost.localdomain"}) {
            w.resolver->names[each] = {{"127.0.0.1", "::1"}}; // a server of names that says so
        }
        (void)w.name(w.there.port());
        (void)w.rule(policy::Effect::Allow, name.toStdString()); // which names no address of this computer with its port
        QVERIFY(w.openThere(1, name.toStdString()));
        TRY_BEGINS(w, 1, "refused denied: ");
        QVERIFY(!w.there.hasOne());
    }
    // No question opens it: a person cannot tell from a port what stands behind it.
    void nobodyIsAsked() {
        World w(NetMode::Ask);
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "refused denied: no rule of the owner's names that port of this computer");
        QVERIFY(w.queue.list(true).empty() && !w.there.hasOne());
    }
    void onlyARuleThatNamesBoth() {
        World w;
        (void)w.rule(policy::Effect::Allow, kName);                            // any port, and not of high risk
        (void)w.rule(policy::Effect::Allow, kName, w.there.port());            // not of high risk
        (void)w.rule(policy::Effect::Allow, "*.carrel.internal", w.there.port());
        policy::Rule any; // any host
        any.effect = policy::Effect::Allow;
        any.action = policy::Action::Network;
        (void)w.rules.add(any).value();
        QVERIFY(w.openThere(1, kName));
        TRY_BEGINS(w, 1, "refused denied: ");
        QVERIFY(!w.there.hasOne());
    }
    void whatDeniesTheAddressDeniesIt() {
        World w;
        (void)w.name(w.there.port());
        (void)w.rule(policy::Effect::Deny, "127.0.0.1");
        (void)w.rule(policy::Effect::Deny, "::1");
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "refused denied: a rule of the owner's denies that port of this computer");
    }
    void offlineIsOffline() {
        World w(NetMode::Offline);
        (void)w.name(w.there.port());
        QVERIFY(w.openThere(1, kName));
        TRY_BEGINS(w, 1, "refused offline");
    }
    void itEndsWithItsRule() {
        World w;
        const auto rule = w.name(w.there.port());
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "connected raw");
        const auto socket = w.there.accept();
        w.rules.remove(rule.id);
        w.grants.recheck();
        TRY_BEGINS(w, 1, "cut");
        QVERIFY(isOver(socket));
    }
    // A proxy is for the network, and would lead to its own loopback.
    void noProxyIsAsked() {
        Listener proxy;
        World w(NetMode::Allowlist, ProxySettings::from([&](const std::string& name) -> std::optional<std::string> {
                    return name == "ALL_PROXY" ? std::optional("http://127.0.0.1:" + std::to_string(proxy.port())) : std::nullopt;
                }));
        (void)w.name(w.there.port());
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "connected raw");
        QVERIFY(!proxy.hasOne() && w.there.hasOne());
    }
    // What is said to a model is read, on whatever port it answers.
    void aModelsRequestsAreRead() {
        World w;
        (void)w.name(w.there.port());
        w.models = {{kName, w.there.port()}};
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "connected http");
        QVERIFY(w.egress->told(w.at, "net.request", {{"number", 1}, {"request", 1}, {"method", "POST"}, {"path", "/v1/chat/completions"}, {"placeholders", boost::json::array{}}}));
        QTRY_COMPARE_WITH_TIMEOUT(w.clerk->count("net.answer"), std::size_t{1}, 60'000);
        const std::lock_guard lock(w.clerk->mutex);
        QCOMPARE(w.clerk->all.back().params.at("allow"), boost::json::value(true));
    }
    // One that was chosen later: what went there unread is connected anew.
    void aProviderChosenLater() {
        World w;
        (void)w.name(w.there.port());
        QVERIFY(w.openThere(1, kName));
        TRY_OF(w, 1, "connected raw");
        {
            const std::lock_guard lock(w.modelsMutex);
            w.models = {{kName, w.there.port()}};
        }
        w.networks->modelsChanged();
        TRY_OF(w, 1, "cut a model provider was chosen there: connect anew");
        QVERIFY(w.openThere(2, kName));
        TRY_OF(w, 2, "connected http");
    }
};

QTEST_GUILESS_MAIN(TestOwnComputer)
#include "test_own_computer.moc"

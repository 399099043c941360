// SPDX-License-Identifier: Apache-2.0
// An agent's network over a whole engine: from what a clerk tells to the socket that it is given, by the owner's word, and by
// nobody else's.
#include "tests/app/egress/listener.h"
#include "tests/app/engine/running_engine.h"

#include <QTest>

using namespace carrel;
using carrel::egress::test::isOver;
using carrel::egress::test::Listener;
using carrel::egress::test::take;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

struct World {
    std::mutex mutex;
    std::map<std::uint64_t, UniqueFd> sockets;    // by number
    std::map<std::uint64_t, std::string> outcomes; // "denied: why", "cut"
    std::vector<bool> offline;                     // as it was told
    std::vector<json::object> limits;              // likewise
    RunningEngine e;
    Listener there;

    World() {
        e.clerks.onConnected([this](const json::object& params, UniqueFd socket) {
            const std::lock_guard lock(mutex);
            sockets[params.at("number").to_number<std::uint64_t>()] = std::move(socket);
        });
        e.clerks.on("net.refused", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            outcomes[params.at("number").to_number<std::uint64_t>()] =
                std::string(params.at("outcome").as_string()) + ": " + std::string(params.at("text").as_string());
            return json::object{};
        });
        e.clerks.on("net.cut", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            outcomes[params.at("number").to_number<std::uint64_t>()] = "cut: " + std::string(params.at("text").as_string());
            return json::object{};
        });
        e.clerks.on("net.limits", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            limits.push_back(params);
            return json::object{};
        });
        e.clerks.on("net.mode", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            offline.push_back(params.at("offline").as_bool());
            return json::object{};
        });
    }
    void start() const { (void)e.good("agent.start", {{"agent", "ann"}}); }
    // The door's clerk; the one with the terminals is started before it.
    void open(std::uint64_t number, const std::string& host = "127.0.0.1") {
        e.clerks.tell("net.open", {{"number", number}, {"host", host}, {"port", there.port()}});
    }
    [[nodiscard]] bool isConnected(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        return sockets.contains(number);
    }
    [[nodiscard]] std::string outcome(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        return outcomes.contains(number) ? outcomes.at(number) : std::string();
    }
    [[nodiscard]] std::vector<bool> told() {
        const std::lock_guard lock(mutex);
        return offline;
    }
    [[nodiscard]] std::string limitsTold() {
        const std::lock_guard lock(mutex);
        return limits.empty() ? std::string() : json::serialize(limits.back());
    }
    [[nodiscard]] json::object limit(json::object params = {}) const {
        params["agent"] = "ann";
        return e.good("net.limit", params).at("limits").as_object();
    }
    // This very address and port, though it is of this computer itself.
    [[nodiscard]] std::uint64_t allow() const {
        const auto kept = e.good("rule.add", {{"rule",
                                               {{"effect", "allow"},
                                                {"action", "network"},
                                                {"agent", "ann"},
                                                {"high", true},
                                                {"fields", {{"host", {"127.0.0.1"}}, {"port", {std::to_string(there.port())}}}}}}});
        return kept.at("rule").at("id").to_number<std::uint64_t>();
    }
    [[nodiscard]] json::object live() const { return e.good("net.live", {{"agent", "ann"}}); }
    [[nodiscard]] std::vector<std::string> logged(const std::string& kind) const {
        std::vector<std::string> out;
        const auto timeline = e.good("timeline", {{"agent", "ann"}});
        for (const auto& each : timeline.at("events").as_array()) {
            if (each.at("kind") == json::value(kind)) {
                out.push_back(std::string(each.at("provenance").as_string()) + " " + std::string(each.at("subject").as_string()) + " " +
                              json::serialize(each.at("detail")));
            }
        }
        return out;
    }
    [[nodiscard]] std::string mode(const std::string& to = {}) const {
        json::object params{{"agent", "ann"}};
        if (!to.empty()) {
            params["mode"] = to;
        }
        return std::string(e.good("net.mode", params).at("mode").as_string());
    }
};

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)
#define TRY_OUTCOME(world, number, begins) \
    QTRY_VERIFY2_WITH_TIMEOUT((world).outcome(number).starts_with(begins), (world).outcome(number).c_str(), 60'000)

} // namespace

class TestNetworkVerbs : public QObject {
    Q_OBJECT
private slots:
    void offlineIsWhatAnAgentBeginsWith() {
        World w;
        (void)w.allow();
        QCOMPARE(w.mode(), std::string("offline"));
        QCOMPARE(w.e.good("agent.list").at("agents").at(0).at("network"), json::value("offline"));
        w.start();
        TRY(!w.told().empty());
        QVERIFY(w.told().front());
        w.open(1);
        TRY_OUTCOME(w, 1, "offline");
        QVERIFY(!w.there.hasOne());
    }
    // So that no connection of the machine's is refused, or asked for, by a mode that is not the agent's.
    void aClerkHearsOfTheModeBeforeItHasTheChannel() {
        World w;
        std::atomic<int> late = 0, attached = 0;
        w.e.clerks.on("attach", [&](const json::object& params) {
            if (json::serialize(params).find("\"network\"") != std::string::npos) {
                ++attached;
                late += w.told().empty() ? 1 : 0;
            }
            return json::object{};
        });
        (void)w.mode("ask");
        w.start();
        QVERIFY(attached == 1 && late == 0);
        QVERIFY(!w.told().front());
    }
    void aConnectionFromTheClerkToTheOtherSide() {
        World w;
        QCOMPARE(w.mode("allowlist"), std::string("allowlist"));
        const auto rule = w.allow();
        w.start();
        w.open(1);
        w.open(2, "example.org");
        TRY(w.isConnected(1));
        TRY_OUTCOME(w, 2, "denied: no rule");
        auto ours = [&] {
            const std::lock_guard lock(w.mutex);
            return std::move(w.sockets.at(1));
        }();
        const auto other = w.there.accept();
        egress::test::send(ours, "hello");
        QCOMPARE(take(other, 5), std::string("hello"));
        QTRY_COMPARE_WITH_TIMEOUT(w.live().at("connections").at(0).at("sent"), json::value(5), 60'000);
        const auto live = w.live();
        QCOMPARE(live.at("mode"), json::value("allowlist"));
        const auto& one = live.at("connections").at(0);
        QCOMPARE(one.at("host"), json::value("127.0.0.1"));
        QCOMPARE(one.at("rule"), json::value(rule));
        w.e.clerks.tell("net.closed", {{"number", 1}, {"sent", 5}, {"received", 0}, {"how", "end"}});
        TRY(w.live().at("connections").as_array().empty());
        (void)w.e.good("agent.stop", {{"agent", "ann"}});
        const auto place = "127.0.0.1:" + std::to_string(w.there.port());
        const auto rows = w.logged("net.traffic");
        QVERIFY(std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.starts_with("host " + place) && row.find("\"sent\":5") != std::string::npos; }));
        QVERIFY(std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.find("example.org") != std::string::npos && row.find("denied") != std::string::npos; }));
        // Invariant I5: the decision stands before what came of it.
        QCOMPARE(w.logged("rule.answered").size(), std::size_t{1});
    }
    void theOwnersWordCounts() {
        World w;
        QVERIFY(w.e.ask("net.mode", {{"agent", "ann"}, {"mode", "open"}}).error().code == ErrorCode::InvalidArgument);
        QVERIFY(w.e.ask("net.mode", {{"agent", "nobody"}, {"mode", "ask"}}).error().code == ErrorCode::NotFound);
        (void)w.mode("allowlist");
        (void)w.allow();
        w.start();
        w.open(1);
        TRY(w.isConnected(1));
        const auto other = w.there.accept();
        (void)w.mode("offline");
        QVERIFY(isOver(other)); // though the clerk keeps its descriptor
        TRY_OUTCOME(w, 1, "cut");
        QVERIFY(w.live().at("connections").as_array().empty());
        (void)w.mode("ask");
        (void)w.mode("ask"); // no other than it was
        QCOMPARE(w.logged("net.mode"), (std::vector<std::string>{R"(host allowlist {"by":"owner"})", R"(host offline {"by":"owner"})",
                                                                 R"(host ask {"by":"owner"})"}));
        QTRY_COMPARE_WITH_TIMEOUT(w.told().back(), false, 60'000);
        // Kept for the next engine, and by whatever else writes the record.
        (void)w.e.good("agent.stop", {{"agent", "ann"}});
        const auto file = w.e.w.engine->services().agentsFolder / w.e.agent("ann")->id() / "agent.json";
        QVERIFY(agents::load(file)->network == egress::NetMode::Ask);
    }
    void theOwnerCutsOne() {
        World w;
        const auto nothingRuns = w.e.ask("net.cut", {{"agent", "ann"}, {"number", 1}});
        QVERIFY(!nothingRuns && nothingRuns.error().code == ErrorCode::NotFound);
        (void)w.mode("allowlist");
        const auto rule = w.allow();
        w.start();
        w.open(1);
        TRY(w.isConnected(1));
        const auto first = w.there.accept();
        w.open(2);
        TRY(w.isConnected(2));
        const auto cut = w.e.good("net.cut", {{"agent", "ann"}, {"number", 1}});
        const auto& was = cut.at("connection").as_object();
        QCOMPARE(was.at("number"), json::value(1));
        QCOMPARE(was.at("host"), json::value("127.0.0.1"));
        QCOMPARE(was.at("rule"), json::value(rule));
        QVERIFY(isOver(first)); // though the clerk keeps its descriptor
        TRY_OUTCOME(w, 1, "cut: the owner cut it");
        QVERIFY(w.outcome(2).empty());
        const auto left = w.live().at("connections").as_array();
        QVERIFY(left.size() == 1 && left.at(0).at("number") == json::value(2));
        // Over is over, and said so.
        for (const std::uint64_t number : {1, 77}) {
            const auto again = w.e.ask("net.cut", {{"agent", "ann"}, {"number", number}});
            QVERIFY(!again && again.error().code == ErrorCode::NotFound);
            QVERIFY2(again.error().text().find("over already") != std::string::npos, again.error().text().c_str());
        }
        QVERIFY(w.e.ask("net.cut", {{"agent", "nobody"}, {"number", 2}}).error().code == ErrorCode::NotFound);
        // Who cut what; and what was not cut is not said to be.
        QCOMPARE(w.logged("net.cut"), std::vector<std::string>{"host 127.0.0.1:" + std::to_string(w.there.port()) +
                                                               R"( {"by":"owner","number":1,"sent":0,"received":0})"});
    }
    void theOwnerLimitsWhatIsCarried() {
        World w;
        QCOMPARE(w.limit(), (json::object{{"rate", 0}, {"day", 0}, {"used", 0}})); // none to begin with
        for (const auto& wrong : {json::object{{"rate", 1}}, json::object{{"day", 1000}}, json::object{{"day", std::uint64_t{1} << 60U}}}) {
            auto params = wrong;
            params["agent"] = "ann";
            QVERIFY(w.e.ask("net.limit", params).error().code == ErrorCode::InvalidArgument);
        }
        (void)w.mode("allowlist");
        (void)w.allow();
        QCOMPARE(w.limit({{"rate", 8192}}).at("rate"), json::value(8192));
        QCOMPARE(w.limit({{"day", 65'536}}), (json::object{{"rate", 8192}, {"day", 65'536}, {"used", 0}}));
        (void)w.limit({{"day", 65'536}}); // no other than it was
        w.start();
        w.open(1);
        TRY(w.isConnected(1));
        QCOMPARE(w.limitsTold(), std::string(R"({"rate":8192,"most":65536})"));
        const auto other = w.there.accept();
        w.e.clerks.tell("net.used", {{"bytes", 65'536}});
        QVERIFY(isOver(other)); // though the clerk keeps its descriptor
        TRY_OUTCOME(w, 1, "cut: This agent has used up the 64 KiB");
        w.open(2);
        TRY_OUTCOME(w, 2, "limit: This agent has used up the 64 KiB");
        QCOMPARE(w.live().at("limits"), (json::value{{"rate", 8192}, {"day", 65'536}, {"used", 65'536}}));
        // A new machine does not begin anew, nor does the next engine.
        (void)w.e.good("agent.stop", {{"agent", "ann"}});
        QCOMPARE(w.limit().at("used"), json::value(65'536));
        const auto folder = w.e.w.engine->services().agentsFolder / w.e.agent("ann")->id();
        QCOMPARE(egress::DayVolume(folder / "volume.json").used(), std::uint64_t{65'536});
        QVERIFY(agents::load(folder / "agent.json")->limits == (egress::Limits{8192, 65'536}));
        w.start();
        w.open(3);
        TRY_OUTCOME(w, 3, "limit");
        (void)w.limit({{"day", 0}});
        w.open(4);
        TRY(w.isConnected(4));
        QCOMPARE(w.limitsTold(), std::string(R"({"rate":8192})"));
        QCOMPARE(w.logged("net.limit"),
                 (std::vector<std::string>{R"(host 8 KiB a second {"by":"owner","rate":8192,"day":0})",
                                           R"(host 8 KiB a second, 64 KiB a day {"by":"owner","rate":8192,"day":65536})",
                                           R"(host 8 KiB a second {"by":"owner","rate":8192,"day":0})"}));
        QCOMPARE(w.logged("net.spent"), std::vector<std::string>{R"(host 64 KiB {"alert":true,"day":65536,"used":65536})"}); // once
    }
    void aRuleThatIsRemovedCuts() {
        World w;
        (void)w.mode("allowlist");
        const auto rule = w.allow();
        w.start();
        w.open(1);
        TRY(w.isConnected(1));
        const auto other = w.there.accept();
        (void)w.e.good("rule.remove", {{"id", rule}});
        QVERIFY(isOver(other));
        TRY_OUTCOME(w, 1, "cut: The rule that allowed it has ended");
    }
    void askedAndAllowed() {
        World w;
        (void)w.mode("ask");
        w.start();
        w.open(1);
        TRY(w.e.good("approval.list").at("approvals").as_array().size() == 1);
        const auto approval = w.e.good("approval.list").at("approvals").at(0).as_object();
        const auto id = approval.at("id");
        const auto port = std::to_string(w.there.port());
        QCOMPARE(approval.at("words"), json::value("127.0.0.1, port " + port + ": the agent ann asks to connect, and could send anything there"));
        QCOMPARE(approval.at("destination"), (json::value{{"host", "127.0.0.1"}, {"port", port}}));
        QCOMPARE(approval.at("risk"), json::value("high"));
        const auto shown = w.e.good("approval.show", {{"id", id}});
        QVERIFY(std::string(shown.at("rule").at("words").as_string()).find("connect to 127.0.0.1, port " + port) != std::string::npos);
        QVERIFY(!w.there.hasOne());
        (void)w.e.good("approval.decide", {{"id", id},
                                           {"effect", "allow"},
                                           {"scope", "session"},
                                           {"digest", approval.at("digest")},
                                           {"revision", approval.at("revision")},
                                           {"asked", approval.at("asked")}});
        TRY(w.isConnected(1));
        const auto other = w.there.accept();
        (void)w.e.good("agent.stop", {{"agent", "ann"}}); // the session ends, and its rule, and its connections
        QVERIFY(isOver(other));
        QVERIFY(w.e.good("rule.list").at("rules").as_array().empty());
    }
    // A clerk that breaks the form is ended, and another comes; what the old one had is cut.
    void aBrokenClerk() {
        World w;
        (void)w.mode("allowlist");
        (void)w.allow();
        w.start();
        w.open(1);
        TRY(w.isConnected(1));
        const auto other = w.there.accept();
        const auto before = w.e.clerks.count("prepare");
        w.e.clerks.tell("net.open", {{"number", 1}, {"host", "127.0.0.1"}, {"port", w.there.port()}}); // twice
        QVERIFY(isOver(other));
        QTRY_VERIFY_WITH_TIMEOUT(w.e.clerks.count("prepare") > before && w.told().size() >= 2, 60'000);
        {
            const std::lock_guard lock(w.mutex);
            w.sockets.clear();
        }
        w.open(1);
        TRY(w.isConnected(1));
    }
    // Each of its words of the network is read by that, and ends it where it is not in order.
    void eachWordIsReadStrictly_data() {
        QTest::addColumn<QString>("word");
        for (const char* word : {"net.open", "net.request", "net.canary", "net.model", "net.closed", "net.used", "forward.closed"}) {
            QTest::newRow(word) << word;
        }
    }
    void eachWordIsReadStrictly() {
        QFETCH(QString, word);
        World w;
        w.start();
        TRY(w.told().size() == 1);
        const auto before = w.e.clerks.count("prepare");
        w.e.clerks.tell(word.toStdString(), {{"nothing", 1}});
        QTRY_VERIFY_WITH_TIMEOUT(w.e.clerks.count("prepare") > before, 60'000);
    }
    void setsOfRules() {
        World w;
        const auto presets = w.e.good("net.presets").at("presets").as_array();
        QCOMPARE(presets.size(), std::size_t{3});
        const auto count = presets.at(0).at("rules").as_array().size();
        const json::object wanted{{"agent", "ann"}, {"preset", "package-registries"}};
        auto looked = wanted;
        looked["preview"] = true;
        QCOMPARE(w.e.good("net.allow", looked).at("rules").as_array().size(), count);
        QVERIFY(w.e.good("rule.list").at("rules").as_array().empty());
        const auto kept = w.e.good("net.allow", wanted);
        QCOMPARE(kept.at("rules").as_array().size(), count);
        QCOMPARE(kept.at("rules").at(0).at("agent"), json::value("ann"));
        QCOMPARE(kept.at("mode"), json::value("offline")); // rules alone give no network
        QCOMPARE(w.e.good("rule.list").at("rules").as_array().size(), count);
        const auto again = w.e.good("net.allow", wanted);
        QVERIFY(again.at("rules").as_array().empty() && again.at("there") == json::value(count));
        QVERIFY(w.e.ask("net.allow", {{"agent", "ann"}, {"preset", "all"}}).error().code == ErrorCode::NotFound);
    }
    // Whoever has a token works in an agent, and gives it no network.
    void aClientMayNone() {
        World w;
        auto client = w.e.w.connected(w.e.w.token("helper", "ann"));
        QVERIFY(client);
        for (const auto& [verb, params] : std::map<std::string, json::object>{{"net.mode", {{"agent", "ann"}, {"mode", "ask"}}},
                                                                             {"net.live", {{"agent", "ann"}}},
                                                                             {"net.limit", {{"agent", "ann"}, {"day", 0}}},
                                                                             {"net.cut", {{"agent", "ann"}, {"number", 1}}},
                                                                             {"net.presets", {}},
                                                                             {"net.allow", {{"agent", "ann"}, {"preset", "source-hosting"}}}}) {
            const auto answer = client->call(verb, params);
            QVERIFY2(!answer && answer.error().code == ErrorCode::Refused, verb.c_str());
        }
        QCOMPARE(w.mode(), std::string("offline"));
        QCOMPARE(client->call("agent.list", {})->at("agents").at(0).at("network"), json::value("offline"));
    }
};

QTEST_GUILESS_MAIN(TestNetworkVerbs)
#include "test_network_verbs.moc"

// SPDX-License-Identifier: Apache-2.0
// Canaries over a whole engine: from what the owner plants to an agent that stands still, with the reason, and what is in its log.
#include "tests/app/egress/egress_world.h"
#include "tests/app/engine/running_engine.h"

#include <QTest>

using namespace carrel;
using carrel::egress::test::Listener;
using carrel::egress::test::PlayedResolver;
using carrel::engine::Engine;
using carrel::engine::test::RunningEngine;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const std::string kText = "ghx_9f8A7b6C5d4e3F2q0K";

struct World {
    std::mutex mutex;
    std::vector<std::string> treats; // of what was connected
    std::vector<UniqueFd> sockets;
    std::vector<json::object> told; // of canaries
    std::vector<json::object> started; // commands
    std::vector<std::pair<std::string, agents::Alarm>> alarms;
    RunningEngine e;
    Listener there;

    World()
        : e({"ann", "bob"}, session()) {
        e.clerks.onConnected([this](const json::object& params, UniqueFd socket) {
            const std::lock_guard lock(mutex);
            treats.emplace_back(params.at("treat").as_string());
            sockets.push_back(std::move(socket));
        });
        e.clerks.on("net.canaries", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            told.push_back(params);
            return json::object{};
        });
        e.clerks.on("exec", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            started.push_back(params);
            return json::object{};
        });
    }
    Engine::Session session() {
        Engine::Session out;
        out.resolver = [] {
            auto resolver = std::make_shared<PlayedResolver>();
            resolver->names["here.example"] = {{"127.0.0.1"}};
            return resolver;
        };
        out.sealing = egress::SealedFile::Cost{4, 1, 1};
        out.roots = []() -> Result<UniqueFd> { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); };
        out.alarm = [this](const std::string& agent, agents::Alarm what) {
            const std::lock_guard lock(mutex);
            alarms.emplace_back(e.w.engine->approvals().nameOf(agent), what);
        };
        return out;
    }
    json::object good(const std::string& verb, json::object params = {}) const { return e.good(verb, std::move(params)); }
    ErrorCode codeOf(const std::string& verb, json::object params) const {
        const auto answer = e.ask(verb, std::move(params));
        return answer ? ErrorCode::Internal : answer.error().code;
    }
    void start() const {
        (void)good("net.mode", {{"agent", "ann"}, {"mode", "allowlist"}});
        const auto rule = [&](const char* effect, const char* host, json::object more, bool high) {
            json::object fields{{"host", {host}}};
            for (const auto& each : more) {
                fields[each.key()] = each.value();
            }
            (void)good("rule.add", {{"rule", {{"effect", effect}, {"action", "network"}, {"agent", "ann"}, {"high", high}, {"fields", std::move(fields)}}}});
        };
        rule("allow", "127.0.0.1", {{"port", {std::to_string(there.port())}}}, true);
        rule("allow", "here.example", {}, false);
        rule("deny", "here.example", {{"method", {"TRACE"}}}, false); // so that its requests are read
        (void)good("agent.start", {{"agent", "ann"}});
    }
    bool connect(std::uint64_t number) {
        e.clerks.tell("net.open", {{"number", number}, {"host", "here.example"}, {"port", there.port()}});
        return QTest::qWaitFor(
            [&] {
                const std::lock_guard lock(mutex);
                return !treats.empty() && std::exchange(treats, {}).back() == "terminate";
            },
            60'000);
    }
    void left(std::uint64_t number) {
        e.clerks.tell("net.canary", {{"number", number}, {"request", 1}, {"name", "bait"}, {"where", "body"}, {"form", "base64"}});
    }
    [[nodiscard]] json::object ann() const { return good("agent.list").at("agents").at(0).as_object(); }
    [[nodiscard]] json::array events(const std::string& kind, const std::string& agent = "ann") const {
        json::array out;
        const auto timeline = good("timeline", {{"agent", agent}});
        for (const auto& each : timeline.at("events").as_array()) {
            if (each.at("kind") == json::value(kind)) {
                out.push_back(each);
            }
        }
        return out;
    }
    [[nodiscard]] std::vector<std::string> filesWith(const std::string& text) const {
        std::vector<std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(e.w.folder)) {
            if (entry.is_regular_file()) {
                std::ifstream in(entry.path(), std::ios::binary);
                const std::string all{std::istreambuf_iterator<char>(in), {}};
                if (all.find(text) != std::string::npos) {
                    found.push_back(entry.path().filename().string());
                }
            }
        }
        return found;
    }
};

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

} // namespace

class TestCanaryVerbs : public QObject {
    Q_OBJECT
private slots:
    void keptAndTold() {
        World w;
        QVERIFY(w.good("canary.list").at("canaries").as_array().empty());
        const auto made = w.good("canary.add", {{"name", "bait"}, {"shape", "aws"}, {"agents", {"ann", "ann"}}}).at("canary");
        QVERIFY(made.at("text").as_string().starts_with("AKIA"));
        QCOMPARE(made.at("agents"), (json::value{"ann"}));
        QVERIFY(w.good("canary.add", {{"name", "key"}}).at("canary").at("text").as_string().starts_with("sk-"));
        QCOMPARE(w.good("canary.add", {{"name", "mine"}, {"text", kText}}).at("canary").at("text"), json::value(kText));
        // Their texts only where they are asked for.
        auto list = w.good("canary.list").at("canaries").as_array();
        QVERIFY(list.size() == 3 && list[0].at("text").is_null() && list[2].at("text").is_null());
        list = w.good("canary.list", {{"texts", true}}).at("canaries").as_array();
        QVERIFY(list[0].at("text") == made.at("text") && list[2].at("text") == json::value(kText));
        QVERIFY(w.codeOf("canary.add", {{"name", "mine"}}) == ErrorCode::AlreadyExists);
        QVERIFY(w.codeOf("canary.add", {{"name", "again"}, {"text", kText}}) == ErrorCode::AlreadyExists);
        QVERIFY(w.codeOf("canary.add", {{"name", "both"}, {"text", "a-text-of-mine"}, {"shape", "text"}}) == ErrorCode::InvalidArgument);
        QVERIFY(w.codeOf("canary.add", {{"name", "shape"}, {"shape", "round"}}) == ErrorCode::InvalidArgument);
        QVERIFY(w.codeOf("canary.add", {{"name", "nobody"}, {"agents", {"nobody"}}}) == ErrorCode::NotFound);
        QCOMPARE(w.good("canary.remove", {{"name", "mine"}}).at("canary").at("text"), json::value(kText));
        QVERIFY(w.codeOf("canary.remove", {{"name", "mine"}}) == ErrorCode::NotFound);
        QCOMPARE(w.good("canary.list").at("canaries").as_array().size(), std::size_t{2});
    }

    // As a variable it is one among the credentials, and never in the place of one.
    void plantedAsAVariable() {
        World w;
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}});
        QCOMPARE(w.good("canary.plant", {{"name", "bait"}, {"at", "papers/keys.txt"}}).at("canary").at("planted"), json::value("papers/keys.txt"));
        QCOMPARE(w.good("canary.plant", {{"name", "bait"}, {"env", "API_KEY"}}).at("canary").at("env"), json::value("API_KEY"));
        QVERIFY(w.codeOf("canary.plant", {{"name", "bait"}, {"env", "1"}}) == ErrorCode::InvalidArgument);
        QVERIFY(w.codeOf("canary.plant", {{"name", "none"}}) == ErrorCode::NotFound);
        w.start();
        const auto run = [&](json::object env) {
            if (!w.e.ask("exec.open", {{"agent", "ann"}, {"argv", {"true"}}, {"env", std::move(env)}, {"tty", nullptr}}) ||
                !QTest::qWaitFor(
                    [&] {
                        const std::lock_guard lock(w.mutex);
                        return !w.started.empty();
                    },
                    60'000)) {
                return json::value();
            }
            const std::lock_guard lock(w.mutex);
            return json::value(std::exchange(w.started, {}).back().at("env"));
        };
        QCOMPARE(run({{"LANG", "C"}}), (json::value{{"API_KEY", kText}, {"LANG", "C"}}));
        QCOMPARE(run({{"API_KEY", "mine"}}), (json::value{{"API_KEY", "mine"}}));
        (void)w.good("canary.remove", {{"name", "bait"}});
        QCOMPARE(run({}), (json::value(json::object())));
    }

    // Whom it is for learns so in its log, and never what it is.
    void writtenDown() {
        World w;
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}, {"agents", {"ann"}}});
        (void)w.good("canary.add", {{"name", "everywhere"}});
        (void)w.good("canary.plant", {{"name", "bait"}}); // only shown
        (void)w.good("canary.plant", {{"name", "bait"}, {"at", "papers/keys.txt"}, {"env", "API_KEY"}});
        QVERIFY(w.codeOf("canary.plant", {{"name", "bait"}, {"at", "it is " + kText}}) == ErrorCode::InvalidArgument);
        (void)w.good("canary.remove", {{"name", "bait"}});
        const auto added = w.events("canary.added"), planted = w.events("canary.planted"), removed = w.events("canary.removed");
        QVERIFY(added.size() == 2 && planted.size() == 1 && removed.size() == 1);
        QVERIFY(added[0].at("subject") == json::value("bait") && added[0].at("provenance") == json::value("host"));
        QCOMPARE(added[0].at("detail"), (json::value{{"by", "owner"}, {"agents", "some"}}));
        QCOMPARE(added[1].at("detail"), (json::value{{"by", "owner"}, {"agents", "all"}}));
        QCOMPARE(planted[0].at("detail"), (json::value{{"by", "owner"}, {"agents", "some"}, {"planted", "papers/keys.txt"}, {"env", "API_KEY"}}));
        QCOMPARE(removed[0].at("subject"), json::value("bait"));
        QVERIFY(w.events("canary.added", "bob").size() == 1 && w.events("canary.planted", "bob").empty() && w.events("canary.removed", "bob").empty());
        QVERIFY(w.filesWith(kText).empty()); // gone from canaries.json, and in no log
        QVERIFY(!w.filesWith("papers/keys.txt").empty());
    }

    void oneThatLeaves() {
        World w;
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}});
        w.start();
        TRY([&] {
            const std::lock_guard lock(w.mutex);
            return w.told.size() == 1;
        }());
        QCOMPARE(json::value(w.told[0]), (json::value{{"list", json::array{json::object{{"name", "bait"}, {"text", kText}}}}}));
        QVERIFY(w.connect(1));
        w.left(1);
        TRY(w.ann().at("state") == json::value("paused"));
        QVERIFY(*w.e.w.world->stateOf(w.e.machineOf("ann")) == hypervisor::MachineState::Paused);
        const auto place = "here.example:" + std::to_string(w.there.port());
        QCOMPARE(w.ann().at("reason"), json::value("a request for " + place + " held the canary bait"));
        TRY([&] {
            const std::lock_guard lock(w.mutex);
            return w.alarms.size() == 1;
        }());
        QVERIFY(w.alarms[0] == std::make_pair(std::string("ann"), agents::Alarm::CanaryLeft));
        QVERIFY(w.good("net.live", {{"agent", "ann"}}).at("connections").as_array().empty());
        // The log first, then the pause.
        const auto left = w.events("canary.left");
        QCOMPARE(left.size(), std::size_t{1});
        QCOMPARE(left[0].at("subject"), json::value("bait"));
        QCOMPARE(left[0].at("detail"), (json::value{{"alert", true}, {"risk", "high"}, {"host", "here.example"}, {"port", w.there.port()}, {"where", "body"}, {"form", "base64"}}));
        const auto states = w.events("vm.state");
        const auto& paused = states.back();
        QVERIFY(paused.at("subject") == json::value("paused") && paused.at("detail").at("by") == json::value("canary"));
        QVERIFY(left[0].at("seq").to_number<int>() < paused.at("seq").to_number<int>());
        // Only its owner lets it go on.
        const auto exec = w.e.ask("exec.open", {{"agent", "ann"}, {"argv", {"true"}}, {"tty", nullptr}});
        QVERIFY(!exec && exec.error().code == ErrorCode::Refused);
        (void)w.good("agent.resume", {{"agent", "ann"}});
        QVERIFY(w.ann().at("state") == json::value("ready") && !w.ann().contains("reason"));
        QVERIFY(w.alarms.back() == std::make_pair(std::string("ann"), agents::Alarm::Over));
        // And once more.
        QVERIFY(w.connect(2));
        w.left(2);
        TRY(w.ann().at("state") == json::value("paused"));
        QCOMPARE(w.events("canary.left").size(), std::size_t{2});
        (void)w.good("agent.stop", {{"agent", "ann"}});
        QVERIFY(!w.ann().contains("reason"));
        // Its text is where it is kept, and in no log.
        QCOMPARE(w.filesWith(kText), std::vector<std::string>{"canaries.json"});
        QVERIFY(!w.filesWith("here.example").empty()); // the search finds what there is
    }

    // It runs once more, so that nothing staged is lost; what it was about to send it does not get rid of then.
    void stoppedWithoutANetwork() {
        World w;
        std::atomic<bool> offline = false, offlineBeforeItsEnd = false;
        w.e.clerks.on("net.mode", [&](const json::object& params) {
            offline = params.at("offline").as_bool();
            return json::object{};
        });
        w.e.clerks.on("power.off", [&](const json::object&) -> carrel::agents::test::StandInClerks::Answer {
            offlineBeforeItsEnd = QTest::qWaitFor([&] { return offline.load(); }, 20'000);
            return fail(ErrorCode::Unavailable, "it is cut"); // it goes on then, and has not long to wait
        });
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}});
        w.start();
        QVERIFY(w.connect(1));
        w.left(1);
        TRY(w.ann().at("state") == json::value("paused"));
        QVERIFY(!offline);
        (void)w.good("agent.stop", {{"agent", "ann"}});
        QVERIFY(offlineBeforeItsEnd);
        QCOMPARE(w.good("net.mode", {{"agent", "ann"}}).at("mode"), json::value("allowlist")); // as the owner has it
        w.e.clerks.on("power.off", {});
        w.e.clerks.on("net.mode", {});
    }

    void whatTheOwnerHasTakenAwayPausesNobody() {
        World w;
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}, {"agents", {"bob"}}});
        w.start();
        QVERIFY(w.connect(1));
        w.left(1);
        TRY(w.good("net.live", {{"agent", "ann"}}).at("connections").as_array().empty());
        QVERIFY(w.connect(2)); // its clerk goes on
        QVERIFY(w.ann().at("state") == json::value("ready") && w.events("canary.left").empty());
        QVERIFY(w.told.empty() && w.alarms.empty());
    }

    void oneThatCannotBePaused() {
        World w;
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}});
        w.start();
        w.e.w.world->before(w.e.machineOf("ann"), hypervisor::FakeCall::Pause, [] { return Status(fail(ErrorCode::Io, "the monitor is silent")); });
        QVERIFY(w.connect(1));
        w.left(1);
        TRY([&] {
            const std::lock_guard lock(w.mutex);
            return !w.alarms.empty();
        }());
        QVERIFY(w.alarms[0].second == agents::Alarm::StillRuns);
        QCOMPARE(w.events("canary.left").size(), std::size_t{1});
        QVERIFY(w.ann().at("state") == json::value("ready"));
    }

    void aClientMayNone() {
        World w;
        (void)w.good("canary.add", {{"name", "bait"}, {"text", kText}});
        auto client = w.e.w.connected(w.e.w.token("helper", "ann"));
        QVERIFY(client);
        for (const auto& [verb, params] : std::map<std::string, json::object>{{"canary.add", {{"name", "x"}}},
                                                                             {"canary.list", {{"texts", true}}},
                                                                             {"canary.plant", {{"name", "bait"}}},
                                                                             {"canary.remove", {{"name", "bait"}}}}) {
            const auto answer = client->call(verb, params);
            QVERIFY2(!answer && answer.error().code == ErrorCode::Refused, verb.c_str());
        }
        QCOMPARE(w.good("canary.list").at("canaries").as_array().size(), std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(TestCanaryVerbs)
#include "test_canary_verbs.moc"

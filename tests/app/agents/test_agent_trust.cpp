// SPDX-License-Identifier: Apache-2.0
// The certificate of an agent's authority on its way to the agent's machine: with the clerk that says hello and with no other one.
#include "tests/app/agents/agent_world.h"
#include "tests/app/egress/memory_store.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
namespace json = boost::json;

namespace {

struct TrustWorld {
    egress::test::BookWorld book;
    AgentWorld w;
    std::mutex mutex;
    std::map<unsigned, json::object> prepared; // by the clerk's number

    TrustWorld() {
        w.services.credentials = book.book.get();
        w.clerks.onEach("prepare", [this](unsigned clerk, const json::object& params) {
            const std::lock_guard lock(mutex);
            prepared[clerk] = params;
            return json::object{{"landlock_abi", 1}, {"seccomp", true}};
        });
    }
    ~TrustWorld() { w.clerks.onEach("prepare", {}); }
    TrustWorld(const TrustWorld&) = delete;
    TrustWorld& operator=(const TrustWorld&) = delete;

    [[nodiscard]] std::filesystem::path folder() const { return w.services.agentsFolder / w.agent->id(); }
    // The authorities that clerks were told, and how many were told none.
    [[nodiscard]] std::pair<std::vector<json::value>, std::size_t> told() {
        const std::lock_guard lock(mutex);
        std::pair<std::vector<json::value>, std::size_t> out;
        for (const auto& [clerk, params] : prepared) {
            if (const auto* authority = params.if_contains("authority")) {
                out.first.push_back(*authority);
            } else {
                ++out.second;
            }
        }
        return out;
    }
    [[nodiscard]] std::vector<std::string> notes() const {
        std::vector<std::string> out;
        const auto events = w.agent->log().query({});
        for (const auto& each : events ? *events : std::vector<activity::Recorded>()) {
            if (each.event.kind == activity::EventKind::EngineNote) {
                out.push_back(each.event.subject + " " + json::serialize(each.event.detail));
            }
        }
        return out;
    }
};

} // namespace

class TestAgentTrust : public QObject {
    Q_OBJECT
private slots:
    void theClerkThatSaysHelloIsTold() {
        TrustWorld world;
        QVERIFY(world.w.start());
        const auto [authorities, none] = world.told();
        QCOMPARE(authorities.size(), std::size_t{1});
        QCOMPARE(none, std::size_t{1}); // the one with the terminals
        const auto pem = contentOf(world.folder() / "authority.pem");
        QVERIFY(isCertificatePem(pem));
        QVERIFY(authorities[0].at("certificate") == json::value(pem));
        const std::lock_guard lock(world.mutex);
        const auto key = contentOf(world.folder() / "authority.key");
        QVERIFY(key.find("PRIVATE KEY") != std::string::npos);
        for (const auto& [clerk, params] : world.prepared) { // never the key
            QVERIFY(json::serialize(params).find("PRIVATE KEY") == std::string::npos);
        }
    }
    void itStaysTheSame() {
        TrustWorld world;
        QVERIFY(world.w.start());
        QVERIFY(world.w.stop());
        QVERIFY(world.w.start());
        world.w.restartEngine();
        const auto authorities = world.told().first;
        QCOMPARE(authorities.size(), std::size_t{3});
        QVERIFY(authorities[0] == authorities[1] && authorities[1] == authorities[2]);
    }
    // No reason not to start: it is written down, and the machine is told of none.
    void oneThatCannotBeReadStopsNoStart() {
        TrustWorld world;
        QVERIFY(world.w.start());
        QVERIFY(world.w.stop());
        std::ofstream(world.folder() / "authority.pem", std::ios::trunc) << "damaged";
        {
            const std::lock_guard lock(world.mutex);
            world.prepared.clear();
        }
        const auto started = world.w.start();
        QVERIFY2(started, started ? "" : started.error().text().c_str());
        QCOMPARE(world.told().first.size(), std::size_t{0});
        const auto notes = world.notes();
        QVERIFY(std::ranges::any_of(notes, [](const std::string& note) {
            return note.find("which authority to trust") != std::string::npos && note.find("authority.pem") != std::string::npos;
        }));
    }
    void withoutCredentialsThereIsNone() {
        TrustWorld world;
        world.w.services.credentials = nullptr;
        QVERIFY(world.w.start());
        const auto [authorities, none] = world.told();
        QVERIFY(authorities.empty() && none == 2);
        QVERIFY(!std::filesystem::exists(world.folder() / "authority.pem"));
        QVERIFY(world.notes().empty());
    }
};

QTEST_GUILESS_MAIN(TestAgentTrust)
#include "test_agent_trust.moc"

// SPDX-License-Identifier: Apache-2.0
// How an agent may use the network is one record with the rest of what is known of it; whoever saves the rest does not bring back what
// the owner has just changed.
#include "tests/app/agents/agent_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;

class TestLimitsKept : public QObject {
    Q_OBJECT
private slots:
    void whileFoldersComeAndGo() {
        AgentWorld w;
        std::atomic<bool> over = false;
        auto others = std::async(std::launch::async, [&] {
            for (int i = 0; i < 40; ++i) {
                if (!w.agent->addShare({(w.folder / "papers").string()}) || !w.agent->removeShare("papers", Agent::Staged::Refuse)) {
                    break;
                }
            }
            over = true;
        });
        std::uint64_t day = 1ULL << 20U;
        while (!over) {
            ++day;
            const auto mode = day % 2 == 0 ? egress::NetMode::Ask : egress::NetMode::Allowlist;
            QVERIFY(w.agent->setLimits({}, day));
            QVERIFY(w.agent->setNetwork(mode));
            // As long as nobody else changes it, it is that.
            for (int look = 0; look < 3; ++look) {
                QCOMPARE(w.agent->limitsNow().limits.day, day);
                const auto kept = load(w.services.agentsFolder / w.id / "agent.json");
                QVERIFY(kept);
                QCOMPARE(kept->limits.day, day);
                QVERIFY(kept->network == mode);
                std::this_thread::yield();
            }
        }
        others.get();
    }
};

QTEST_GUILESS_MAIN(TestLimitsKept)
#include "test_limits_kept.moc"

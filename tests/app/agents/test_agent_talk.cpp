// SPDX-License-Identifier: Apache-2.0
// What is said to an agent program, where its guest does not answer.
#include "tests/app/agents/pause_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;

class TestAgentTalk : public QObject {
    Q_OBJECT
private slots:
    void noAnswer() {
        PauseWorld w;
        w.services.patience.talking = 0s;
        QVERIFY(w.start());
        w.clerks.on("agent.cancel", never);
        w.clerks.on("agent.updates", never);
        const auto cancel = within(60s, "agent.cancel", [&] { return w.agent->talk(talk::Cancel{1}, {}); });
        QVERIFY(!cancel);
        QVERIFY(cancel.error().code == ErrorCode::Expired);
        // A poll has its own time, too.
        const auto begun = std::chrono::steady_clock::now();
        const auto updates = within(60s, "agent.updates", [&] { return w.agent->talk(talk::Updates{1, 0, 1s}, {}); });
        QVERIFY(!updates);
        QVERIFY(updates.error().code == ErrorCode::Expired);
        QVERIFY(std::chrono::steady_clock::now() - begun >= 1s);
    }
};

QTEST_GUILESS_MAIN(TestAgentTalk)
#include "test_agent_talk.moc"

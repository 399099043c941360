// SPDX-License-Identifier: Apache-2.0
// The sets that Carrel comes with can be taken over as they are, and say plainly what they give.
#include "app/egress/destination.h"
#include "app/egress/presets.h"

#include <QTest>

using namespace carrel;
using namespace carrel::egress;

class TestNetworkPresets : public QObject {
    Q_OBJECT
private slots:
    void each() {
        for (const auto name : kNetworkPresets) {
            const auto one = networkPreset(name);
            QVERIFY2(one, name.data());
            // What may be written to says so; the others are read from, by requests that are looked into.
            const bool isForAnything = name == "model-providers";
            QVERIFY2(one->description.find(isForAnything ? "may send" : "To be read from") != std::string::npos, name.data());
            QVERIFY(!one->set.rules.empty());
            for (const auto& rule : one->set.rules) {
                QVERIFY(policy::check(rule));
                QVERIFY(rule.effect == policy::Effect::Allow && rule.action == policy::Action::Network && !rule.high);
                QVERIFY(!rule.note.empty() && rule.fields.contains("port") && rule.agent.empty());
                const auto methods = rule.fields.find("method");
                QCOMPARE(methods == rule.fields.end(), isForAnything);
                QVERIFY(isForAnything || methods->second == std::vector<std::string>({"GET", "HEAD"}) || rule.fields.contains("path"));
                for (const auto& host : rule.fields.at("host")) {
                    QVERIFY2(HostName::parse(host), host.c_str()); // no star: each host by its name
                }
            }
        }
    }
    void noOther() {
        const auto none = networkPreset("everything");
        QVERIFY(!none && none.error().hint.find("package-registries") != std::string::npos);
        QVERIFY(!networkPreset("careful"));
    }
};

QTEST_GUILESS_MAIN(TestNetworkPresets)
#include "test_network_presets.moc"

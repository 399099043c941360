// SPDX-License-Identifier: Apache-2.0
// How much an agent may carry, on the command line.
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;

class TestCliLimits : public QObject, protected CliTest {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        prepareAll();
    }
    void init() { beginEngine(); }
    void cleanup() { endEngine(); }

    void verbsAskAndShow() {
        checkVerb({"net", "limit", "clerk", "--rate", "5MiB/s", "--day", "2GiB"}, "net.limit", R"({"agent":"clerk","rate":5242880,"day":2147483648})",
                  "Agent clerk:\nAll its connections together carry 5 MiB a second at most.\nThey carry 2 GiB a day at most; 41.0 KB are used today.\n");
        checkVerb({"net", "limit", "clerk", "--day", "none"}, "net.limit", R"({"agent":"clerk","day":0})", "a day at most");
        checkVerb({"net", "limit", "clerk", "--rate", "500 kB"}, "net.limit", R"({"agent":"clerk","rate":500000})", "a second at most");
        checkVerb({"net", "limit", "clerk"}, "net.limit", R"({"agent":"clerk"})", "a day at most");
        checkVerb({"net", "live", "clerk"}, "net.live", R"({"agent":"clerk"})", "(ask).\nAll its connections together carry 2 GiB a day at most; 41.0 KB are used today.\n");
    }
    void whereThereIsNoneAndWhereItIsUsedUp() {
        const auto limits = [&](std::uint64_t day, std::uint64_t used) {
            m_engine->setAnswer("net.limit", json::value{{"agent", "clerk"}, {"limits", {{"rate", 0}, {"day", day}, {"used", used}}}});
            return run({"net", "limit", "clerk"}).out;
        };
        QCOMPARE(limits(0, 2000), QByteArray("Agent clerk may carry as much as it likes, as fast as it can; 2.0 KB today.\n"));
        QCOMPARE(limits(1 << 20, 1 << 20), QByteArray("Agent clerk:\nAll its connections together carry 1 MiB a day at most; that is used up, so nothing is connected to until tomorrow.\n"));
    }
    void whatIsNoLimitIsNotAsked() {
        for (const char* wrong : {"many", "1.5GiB", "0", "-1", "5MiB/day", "5 MiB / s", "99999999"}) {
            const auto ran = run({"net", "limit", "clerk", QString("--rate=") + wrong});
            QVERIFY2(ran.status == 1 && ran.err.contains("--rate takes a whole number of bytes with its unit, or none") && ran.err.contains("5MiB/s"),
                     ran.err);
        }
        QVERIFY(run({"net", "limit", "clerk", "--day", "5MiB/s"}).err.contains("--day takes"));
        QCOMPARE(run({"net", "limit"}).status, 2);
        QVERIFY(asked().isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliLimits)
#include "test_cli_limits.moc"

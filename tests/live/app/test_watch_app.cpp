// SPDX-License-Identifier: Apache-2.0
// What an agent's programs do, from the machine's kernel to the timeline, as a person sees it; and that silence, and what was lost, are
// told: guestd is stopped, and killed.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QTest>

using namespace carrel::live;

namespace {

const QString kAgent = "ann";
constexpr int kPatienceMs = 120'000; // of a busy computer

QString subjectOf(const QJsonObject& event) {
    return event.value("subject").toString();
}

QString detailOf(const QJsonObject& event, const char* key) {
    return event.value("detail").toObject().value(key).toString();
}

} // namespace

class TestWatchApp : public QObject {
    Q_OBJECT
    std::unique_ptr<ChainWorld> m_world;

    [[nodiscard]] std::vector<QJsonObject> events(const QString& kind) const { return m_world->timeline({"--kind", kind}); }
    // With that command line.
    [[nodiscard]] QJsonObject started(const QString& command) const {
        for (const auto& each : events("program.started")) {
            QStringList words;
            for (const auto& word : each.value("detail").toObject().value("argv").toArray()) {
                words << word.toString();
            }
            if (words.join(' ') == command) {
                return each;
            }
        }
        return {};
    }
    [[nodiscard]] bool has(const QString& kind, const QString& subject) const {
        const auto all = events(kind);
        return std::any_of(all.begin(), all.end(), [&](const QJsonObject& each) { return subjectOf(each) == subject; });
    }

private slots:
    void initTestCase() {
        if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
            QSKIP(qPrintable(why));
        }
        m_world = std::make_unique<ChainWorld>(kAgent.toStdString(), ChainWorld::Programs::WithHelper);
        QVERIFY(m_world->prepare());
        std::filesystem::create_directories(m_world->folder() / "work");
        QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("work"), "--memory", "768"}), 0);
        QSTATUS(m_world->carrel({"start", kAgent}), 0);
    }
    void cleanupTestCase() {
        if (m_world) {
            QCOMPARE(m_world->end(), QString());
        }
    }

    // I9: all of it by the machine's word.
    void programsAreInTheTimeline() {
        QSTATUS(m_world->shell("/bin/true one 'two'; echo a > /workspace/work/note; rm /workspace/work/note; exit 3"), 3);
        QTRY_VERIFY_WITH_TIMEOUT(!started("/bin/true one two").isEmpty(), kPatienceMs);
        const auto program = started("/bin/true one two");
        QCOMPARE(subjectOf(program), QString("/usr/bin/true"));
        QCOMPARE(program.value("provenance").toString(), QString("guest"));
        const auto parent = detailOf(program, "parent");
        const auto all = events("program.started");
        QVERIFY(std::any_of(all.begin(), all.end(), [&](const QJsonObject& each) { return detailOf(each, "process") == parent; }));
        QTRY_VERIFY_WITH_TIMEOUT(has("file.created", "/workspace/work/note"), kPatienceMs);
        QTRY_VERIFY_WITH_TIMEOUT(has("file.deleted", "/workspace/work/note"), kPatienceMs);
        const auto ended = [&] {
            for (const auto& each : events("program.ended")) {
                if (detailOf(each, "process") == parent) {
                    return each.value("detail").toObject().value("code").toInt(-1);
                }
            }
            return -1;
        };
        QTRY_COMPARE_WITH_TIMEOUT(ended(), 3, kPatienceMs);
        for (const char* kind : {"program", "file.created", "file.deleted", "rights.tried", "net.tried"}) {
            for (const auto& each : events(kind)) {
                QCOMPARE(each.value("provenance").toString(), QString("guest"));
            }
        }
        const auto told = m_world->carrel({"timeline", kAgent, "--kind", "program"}).out;
        QVERIFY2(told.contains("GUEST SAYS"), told.constData());
    }

    void whatIsCutIsTold() { // by its name, by who could not write to it
        QSTATUS(m_world->shell("echo a > /root/cut; echo a > /root/emptied; python3 -c 'import os; os.truncate(\"/root/cut\", 0); "
                               "os.open(\"/root/emptied\", os.O_RDONLY | os.O_TRUNC); os.open(\"/root/made\", os.O_RDONLY | os.O_CREAT)'"), 0);
        QTRY_VERIFY_WITH_TIMEOUT(has("file.created", "/root/made"), kPatienceMs);
        QVERIFY(has("file.written", "/root/cut") && has("file.written", "/root/emptied"));
    }

    // The timeline tells it with each script: nobody denies it by mistake.
    void theImagesOwnIsDeniedOnlyOnPurpose() {
        const auto sum = QString::fromUtf8(m_world->shell("sha256sum /usr/bin/dash").out).section(' ', 0, 0);
        QCOMPARE(sum.size(), 64);
        const auto refused = m_world->carrel({"policy", "exec", "deny", kAgent, sum});
        QVERIFY2(refused.status != 0 && refused.err.contains("/usr/bin/dash of the agent's image"), refused.all().constData());
        QSTATUS(m_world->shell("exit 0"), 0);
        QSTATUS(m_world->carrel({"policy", "exec", "deny", kAgent, sum, "--of-image"}), 0);
        QVERIFY(m_world->shell("exit 0").status != 0);
        QSTATUS(m_world->carrel({"policy", "exec", "remove", kAgent, sum}), 0);
        QSTATUS(m_world->shell("exit 0"), 0);
    }

    void silenceIsTold() {
        QVERIFY(events("watch.silent").empty());
        QCOMPARE(m_world->helper("stop carrel-guestd"), "1");
        QTRY_COMPARE_WITH_TIMEOUT(events("watch.silent").size(), std::size_t{1}, kPatienceMs);
        const auto told = events("watch.silent").front();
        QCOMPARE(told.value("provenance").toString(), QString("host"));
        QVERIFY(told.value("detail").toObject().value("silent").toBool());
        QCOMPARE(m_world->helper("go carrel-guestd"), "1");
        QTRY_COMPARE_WITH_TIMEOUT(events("watch.silent").size(), std::size_t{2}, kPatienceMs);
        QVERIFY(!events("watch.silent").back().value("detail").toObject().value("silent").toBool(true));
    }

    // The kernel's programs stay in force when guestd is killed, and the next one says that it may have lost what the last one held.
    void anotherGuestdGoesOn() {
        const auto before = m_world->helper("pids carrel-guestd");
        QCOMPARE(m_world->helper("kill carrel-guestd"), "1");
        QTRY_VERIFY_WITH_TIMEOUT(!m_world->helper("pids carrel-guestd").isEmpty() && m_world->helper("pids carrel-guestd") != before, kPatienceMs);
        QTRY_VERIFY_WITH_TIMEOUT(m_world->shell("/bin/true afterwards").status == 0, kPatienceMs);
        QTRY_VERIFY_WITH_TIMEOUT(!started("/bin/true afterwards").isEmpty(), kPatienceMs);
        const auto lost = events("watch.lost");
        QVERIFY(std::any_of(lost.begin(), lost.end(), [](const QJsonObject& each) { return each.value("detail").toObject().value("restarted").toBool(); }));
    }

    // A new engine goes on where the last one was: nothing twice.
    void anotherEngineGoesOn() {
        QSTATUS(m_world->shell("/bin/true before-it"), 0);
        QTRY_VERIFY_WITH_TIMEOUT(!started("/bin/true before-it").isEmpty(), kPatienceMs);
        QVERIFY(killHard(m_world->enginePid()));
        QTRY_VERIFY_WITH_TIMEOUT(m_world->shell("/bin/true after-it").status == 0, kPatienceMs);
        QTRY_VERIFY_WITH_TIMEOUT(!started("/bin/true after-it").isEmpty(), kPatienceMs);
        int times = 0;
        for (const auto& each : events("program.started")) {
            times += each.value("detail").toObject().value("argv").toArray().last().toString() == "before-it" ? 1 : 0;
        }
        QCOMPARE(times, 1);
    }
};

QTEST_GUILESS_MAIN(TestWatchApp)
#include "test_watch_app.moc"

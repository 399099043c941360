// SPDX-License-Identifier: Apache-2.0
// Recordings on the command line: which there are, and one played in a terminal.
#include "app/recording/chunk.h"
#include "guest/protocol/share_path.h"
#include "tests/app/cli/cli_test.h"

using namespace carrel;
using namespace carrel::test;
using recording::CastEvent;

namespace {

constexpr std::uint64_t kSecond = 1'000'000;

json::object row(std::uint64_t number, json::value endedMs, bool goesOn, const char* title = "bash -l") {
    return {{"recording", number},   {"kind", "terminal"},      {"title", title},     {"columns", 80},   {"rows", 24},
            {"started_ms", 1772366400000}, {"ended_ms", std::move(endedMs)}, {"goes_on", goesOn}, {"chunks", 1}, {"bytes", 100}, {"last_us", 125 * kSecond}};
}

json::value listed(json::array rows) {
    return json::object{{"recordings", std::move(rows)}, {"next", nullptr}};
}

// A piece as the engine hands it on.
json::object piece(std::uint64_t number, std::uint64_t firstUs, const std::string& screen, const std::vector<CastEvent>& events) {
    auto raw = recording::chunkHead(80, 24, screen);
    auto us = firstUs;
    for (const auto& event : events) {
        raw += recording::castLine(event, us);
        us = event.us;
    }
    return {{"number", number}, {"first_us", firstUs}, {"last_us", us}, {"data_b64", toBase64(recording::compress(raw).value())}};
}

json::value pieces(json::array all, json::value next = nullptr) {
    return json::object{{"chunks", std::move(all)}, {"next", std::move(next)}};
}

} // namespace

class TestCliRecord : public QObject, protected CliTest {
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

    void thoseThereAreAreListed() {
        checkVerb({"record", "list", "clerk"}, "recording.list", R"({"agent":"clerk"})", "1  2026-03-01 12:00:00  0:02  bash -l\n");
        m_engine->setAnswer("recording.list", listed({row(1, nullptr, false), row(2, nullptr, true, "ls \x1b[31m"), row(3, 1772366460000, false)}));
        const auto out = run({"record", "list", "clerk"}).out;
        QVERIFY2(out.contains("  2:05  bash -l  (broken off: Carrel's engine ended before the terminal did)\n"), out);
        QVERIFY2(out.contains("(it goes on)\n") && !out.contains('\x1b'), out);
        QVERIFY2(out.endsWith("  bash -l\n") && out.count('\n') == 3, out);
    }
    void pagesAreJoined() {
        m_engine->setScript("recording.list", {json::object{{"recordings", {row(1, 1, false)}}, {"next", 1}}, listed({row(2, 1, false)})});
        QCOMPARE(run({"record", "list", "clerk"}).out.count('\n'), 2);
        QCOMPARE(asked(), (QStringList{"recording.list", "recording.list"}));
        QCOMPARE(lastParams(), QByteArray(R"({"agent":"clerk","after":1})"));
    }
    void whereThereAreNone() {
        m_engine->setAnswer("recording.list", listed({}));
        QCOMPARE(run({"record", "list", "clerk"}).out, QByteArray("No terminal of this agent's was recorded yet.\n"));
        auto ran = type({"record", "play", "clerk"}, {});
        QVERIFY2(ran.status == 1 && ran.out.contains("no terminal of this agent's was recorded yet") && ran.out.contains("carrel shell clerk"), ran.out);
        ran = type({"record", "play", "clerk", "7"}, {});
        QVERIFY2(ran.status == 1 && ran.out.contains("there is no recording 7") && ran.out.contains("carrel record list clerk"), ran.out);
        (void)asked();
        QCOMPARE(lastParams(), QByteArray(R"({"agent":"clerk","after":6})"));
    }

    void theNewestIsPlayed() {
        m_engine->setAnswer("recording.list", listed({row(1, 1, false), row(2, 1, false)}));
        m_engine->setScript("recording.read", {pieces({piece(1, 0, "", {{0, 'o', "first\r\n"}, {10, 'i', "typed"}, {20, 'r', "90x20"}})}, 1),
                                               pieces({piece(2, 30, "not again", {{30, 'o', "sec"}, {40, 'o', "ond\r\n"}})})});
        const auto ran = type({"record", "play", "clerk"}, {});
        QCOMPARE(ran.status, 0);
        QVERIFY2(ran.out.contains("first\r\nsecond\r\n") && !ran.out.contains("typed") && !ran.out.contains("not again"), ran.out);
        QCOMPARE(asked(), (QStringList{"recording.list", "recording.read", "recording.read"}));
        QCOMPARE(lastParams(), QByteArray(R"({"agent":"clerk","recording":2,"after":1})"));
    }
    // Three hours and more, which nobody could wait for.
    void fasterIsFaster() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, "", {{0, 'o', "early\r\n"}, {3 * 3600 * kSecond, 'o', "late\r\n"}})}));
        const auto ran = type({"record", "play", "clerk", "1", "--speed", "10000"}, {});
        QVERIFY2(ran.status == 0 && ran.out.contains("early\r\nlate\r\n"), ran.out);
    }
    // It begins with the screen of the piece in which that moment is, and waits for nothing that came before.
    void aMomentIsSought() {
        m_engine->setAnswer("recording.read", pieces({piece(9, 5000 * kSecond, "as it was\r\n", {{5000 * kSecond, 'o', "before\r\n"}, {5900 * kSecond, 'o', "still before\r\n"}, {6001 * kSecond, 'o', "then\r\n"}})}));
        const auto ran = type({"record", "play", "clerk", "1", "--from", "6000.5", "--speed", "100"}, {});
        QVERIFY2(ran.status == 0 && ran.out.contains("as it was\r\nbefore\r\nstill before\r\nthen\r\n"), ran.out);
        (void)asked();
        QCOMPARE(lastParams(), QByteArray(R"({"agent":"clerk","recording":1,"at_us":6000500000})"));
        for (const auto& wrong : {QStringList{"--from", "-1"}, QStringList{"--speed", "0"}, QStringList{"--speed", "fast"}}) {
            QCOMPARE(run(QStringList{"record", "play", "clerk", "1"} + wrong).status, 2);
        }
    }
    void whatBecameOfIt() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, "", {{0, 'o', "so far"}})}));
        m_engine->setAnswer("recording.list", listed({row(1, nullptr, true)}));
        QVERIFY(type({"record", "play", "clerk"}, {}).out.contains("so far\r\nThe recording goes on. This is what was kept of it by now.\r\n"));
        m_engine->setAnswer("recording.list", listed({row(1, nullptr, false)}));
        QVERIFY(type({"record", "play", "clerk"}, {}).out.contains("so far\r\nThe recording is broken off here: Carrel's engine ended before the terminal did.\r\n"));
        m_engine->setAnswer("recording.read", pieces({}));
        QVERIFY(type({"record", "play", "clerk"}, {}).out.contains("this recording is empty"));
        m_engine->setAnswer("recording.list", listed({row(1, nullptr, true)}));
        QVERIFY(type({"record", "play", "clerk"}, {}).out.contains("nothing of this recording is kept yet"));
    }

    void keysStopIt_data() {
        QTest::addColumn<QByteArray>("key");
        QTest::addColumn<int>("status");
        QTest::newRow("Ctrl+C") << QByteArray("\x03") << 130;
        QTest::newRow("q") << QByteArray("q") << 0;
        QTest::newRow("while it stands still") << QByteArray("  q") << 0;
    }
    // And the terminal is as it was: its settings, the screen, the cursor.
    void keysStopIt() {
        QFETCH(QByteArray, key);
        QFETCH(int, status);
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, "", {{0, 'o', "\x1b[?1049h\x1b[?25l\x1b[31mwatch"}, {3600 * kSecond, 'o', "never"}})}));
        const auto script = QString("a=$(stty -g); '%1' record play clerk 1; s=$?; test \"$a\" = \"$(stty -g)\" && echo same $s").arg(m_program);
        const auto ran = runAtTerminal("/bin/sh", {"-c", script}, {{"watch", key}}, {{"TERM", "dumb"}});
        const auto after = ran.out.mid(ran.out.indexOf("watch"));
        QVERIFY2(after.contains("\x1b[?1049l") && after.contains("\x1b[?25h") && after.contains("\x1b[0m"), after);
        QVERIFY2(!after.contains("never") && !after.contains("^C"), after);
        QVERIFY2(after.endsWith("same " + QByteArray::number(status) + "\r\n"), after);
    }
    void spaceStopsItAndLetsItGoOn() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, "", {{0, 'o', "watch"}, {3600 * kSecond, 'o', "never"}})}));
        const auto ran = type({"record", "play", "clerk", "1", "--speed", "3600"}, {{"watch", " "}, {"", " "}});
        QVERIFY2(ran.status == 0 && ran.out.contains("watchnever"), ran.out);
    }

    void onlyInATerminal() {
        const auto ran = run({"record", "play", "clerk"});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.err.contains("a recording is played in a terminal, and the output is not one") && ran.out.isEmpty(), ran.err);
        QVERIFY(asked().isEmpty());
    }

    void nothingHostileIsShown_data() {
        QTest::addColumn<QByteArray>("data");
        const auto packed = [](const std::string& raw) { return QByteArray::fromStdString(recording::compress(raw).value()); };
        const auto head = recording::chunkHead(80, 24, "hostile");
        QTest::newRow("no zstd") << QByteArray("hostile");
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("its end is missing") << packed(head + recording::castLine({0, 'o', "hostile"}, 0)).chopped(3);
        QTest::newRow("another event") << packed(head + recording::castLine({0, 'o', "hostile"}, 0) + "[0.000001, \"x\", \"hostile\"]\n");
        QTest::newRow("not a line") << packed(head + recording::castLine({0, 'o', "hostile"}, 0) + "hostile");
        QTest::newRow("too long") << packed(head + std::string(recording::kMaxChunkRaw, 'h') + "\n");
    }
    void nothingHostileIsShown() {
        QFETCH(QByteArray, data);
        auto bad = piece(2, kSecond, "", {});
        bad["data_b64"] = toBase64(data.toStdString());
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, "", {{0, 'o', "good"}}), bad}));
        const auto ran = type({"record", "play", "clerk", "1"}, {});
        QCOMPARE(ran.status, 1);
        QVERIFY2(ran.out.contains("good") && ran.out.contains("carrel: this piece of the recording ") && !ran.out.contains("hostile"), ran.out);
    }
    // I11: what a guest may not tell a terminal, it may not tell one later.
    void sequencesArePassedByTheList() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, "a\x1b]52;c;AAAA\x07", {{0, 'o', "b\x1b[6n\x1b]0;title\x07\x1b[31mc"}})}));
        const auto ran = type({"record", "play", "clerk", "1"}, {});
        QVERIFY2(ran.status == 0 && ran.out.contains("ab\x1b[31mc") && !ran.out.contains("52;c") && !ran.out.contains("title") && !ran.out.contains("[6n"), ran.out);
    }
    void anAnswerOfNoForm() {
        for (const char* wrong : {R"({"chunks":[{"number":1}],"next":null})", R"({"chunks":[7],"next":null})", R"({"chunks":[{"first_us":0,"data_b64":"%%"}],"next":null})"}) {
            m_engine->setAnswer("recording.read", json::parse(wrong));
            const auto ran = type({"record", "play", "clerk", "1"}, {});
            QVERIFY2(ran.status == 1 && ran.out.contains("the engine's answer has no form that can be read"), ran.out);
        }
    }
};

QTEST_GUILESS_MAIN(TestCliRecord)
#include "test_cli_record.moc"

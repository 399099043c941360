// SPDX-License-Identifier: Apache-2.0
// Recordings at a whole engine: which there are, how each stands, and its pieces, from a moment on and page by page.
#include "guest/protocol/share_path.h"
#include "tests/app/engine/running_engine.h"

#include <QTest>

#include <csignal>
#include <fstream>

using namespace carrel;
using namespace carrel::engine::test;
namespace json = boost::json;

namespace {

struct World : RunningEngine {
    World() { w.engine->services().recorderProgram = CARREL_BIN_DIR "/carrel-recorder"; }

    [[nodiscard]] activity::ActivityLog& log() const { return agent("ann")->log(); }
    [[nodiscard]] json::array rows(json::object params = {}) const {
        params["agent"] = "ann";
        return good("recording.list", params).at("recordings").as_array();
    }
    [[nodiscard]] json::object read(json::object params) const {
        params["agent"] = "ann";
        return good("recording.read", params);
    }
    std::uint64_t begun(const std::string& title = "bash") const { return log().beginRecording({"terminal", title, 80, 24}).value(); }
    void add(std::uint64_t recording, std::uint64_t number, std::uint64_t firstUs, const std::string& data) const {
        if (auto added = log().addChunk({{recording, number, firstUs, firstUs + 9, 100}, data}); !added) {
            qFatal("%s", added.error().text().c_str());
        }
    }
    // A terminal in the agent's machine: its caller's end.
    [[nodiscard]] UniqueFd terminal() const {
        auto client = api::Client::connect(w.socket).value();
        const auto opened = client.call("exec.open", {{"agent", "ann"}, {"argv", {"bash", "-l"}}, {"tty", {{"rows", 20}, {"cols", 90}, {"term", "xterm"}}}});
        return opened ? client.takeDescriptor() : UniqueFd();
    }
};

std::vector<std::uint64_t> numbersOf(const json::object& answer) {
    std::vector<std::uint64_t> out;
    for (const auto& chunk : answer.at("chunks").as_array()) {
        out.push_back(chunk.at("number").to_number<std::uint64_t>());
    }
    return out;
}

// Children of this process that run carrel-recorder.
std::vector<pid_t> recorders() {
    std::vector<pid_t> out;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "stat");
        std::string pid;
        std::string name;
        std::string state;
        pid_t parent = 0;
        if (file >> pid >> name >> state >> parent && parent == ::getpid() && name.starts_with("(carrel-recorde")) {
            out.push_back(std::stoi(pid));
        }
    }
    return out;
}

} // namespace

class TestRecordingVerbs : public QObject {
    Q_OBJECT
private slots:
    void noneWasMade() {
        const World w;
        QVERIFY(w.rows().empty());
        QVERIFY(w.ask("recording.list", {{"agent", "nobody"}}).error().code == ErrorCode::NotFound);
        const auto none = w.ask("recording.read", {{"agent", "ann"}, {"recording", 1}});
        QVERIFY(!none && none.error().code == ErrorCode::NotFound && none.error().hint.find("carrel record list") != std::string::npos);
    }

    void thoseThereAreAreListed() {
        const World w;
        const auto first = w.begun("ls -l");
        w.add(first, 1, 5, "abc");
        w.add(first, 2, 50, "defg");
        QVERIFY(w.log().endRecording(first));
        const auto second = w.begun();
        auto rows = w.rows();
        QCOMPARE(rows.size(), std::size_t{2});
        const auto& row = rows[0].as_object();
        QVERIFY(row.at("recording") == json::value(first) && row.at("title").as_string() == "ls -l" && row.at("kind").as_string() == "terminal");
        QVERIFY(row.at("columns") == json::value(80) && row.at("rows") == json::value(24));
        QVERIFY(row.at("chunks") == json::value(2) && row.at("bytes") == json::value(7) && row.at("last_us") == json::value(59));
        QVERIFY(row.at("ended_ms").to_number<std::int64_t>() >= row.at("started_ms").to_number<std::int64_t>() && !row.at("goes_on").as_bool());
        rows = w.rows({{"after", first}});
        QVERIFY(rows.size() == 1 && rows[0].at("recording") == json::value(second) && rows[0].at("chunks") == json::value(0));
    }

    // It is in the log without an end, and nobody makes it: its engine was killed.
    void oneThatNobodyMakesIsBrokenOff() {
        const World w;
        (void)w.begun();
        const auto row = w.rows().at(0).as_object();
        QVERIFY(row.at("ended_ms").is_null() && !row.at("goes_on").as_bool());
    }

    void oneGoesOnUntilItsTerminalEnds() {
        World w;
        (void)w.good("agent.start", {{"agent", "ann"}});
        auto terminal = w.terminal();
        QVERIFY(bool(terminal));
        auto row = w.rows().at(0).as_object();
        QVERIFY(row.at("ended_ms").is_null() && row.at("goes_on").as_bool());
        QVERIFY(row.at("title").as_string() == "bash -l" && row.at("columns") == json::value(90) && row.at("rows") == json::value(20));
        QCOMPARE(numbersOf(w.read({{"recording", row.at("recording")}})).size(), std::size_t{0}); // an empty one is not a missing one
        terminal.reset();
        QTRY_VERIFY_WITH_TIMEOUT(!w.rows().at(0).at("ended_ms").is_null(), 60'000);
        QVERIFY(!w.rows().at(0).at("goes_on").as_bool());
    }

    // Its recorder is killed: the terminal ends, and so does the recording.
    void oneEndsWithItsRecorder() {
        World w;
        (void)w.good("agent.start", {{"agent", "ann"}});
        const auto terminal = w.terminal();
        QVERIFY(bool(terminal));
        const auto running = recorders();
        QCOMPARE(running.size(), std::size_t{1});
        QCOMPARE(::kill(running.front(), SIGKILL), 0);
        QTRY_VERIFY_WITH_TIMEOUT(!w.rows().at(0).at("ended_ms").is_null(), 60'000);
        QVERIFY(!w.rows().at(0).at("goes_on").as_bool());
    }

    void piecesComeAsTheyWereKept() {
        const World w;
        const auto recording = w.begun();
        const std::string bytes("\x00\xff piece", 8);
        w.add(recording, 1, 1'000'000, bytes);
        const auto answer = w.read({{"recording", recording}});
        QVERIFY(answer.at("next").is_null());
        const auto& chunk = answer.at("chunks").as_array().at(0).as_object();
        QVERIFY(chunk.at("number") == json::value(1) && chunk.at("first_us") == json::value(1'000'000) && chunk.at("last_us") == json::value(1'000'009));
        QCOMPARE(fromBase64(std::string_view(chunk.at("data_b64").as_string())).value(), bytes);
    }

    // One look at an index: the piece in which that moment is comes first.
    void aMomentIsSought() {
        const World w;
        const auto recording = w.begun();
        for (std::uint64_t number = 1; number <= 9; ++number) {
            w.add(recording, number, number * 1000, "piece");
        }
        const auto from = [&](std::uint64_t us) { return numbersOf(w.read({{"recording", recording}, {"at_us", us}})).front(); };
        QCOMPARE(from(0), std::uint64_t{1}); // before the first
        QCOMPARE(from(1000), std::uint64_t{1});
        QCOMPARE(from(4999), std::uint64_t{4});
        QCOMPARE(from(5000), std::uint64_t{5});
        QCOMPARE(from(1'000'000'000), std::uint64_t{9}); // behind the last
        QCOMPARE(numbersOf(w.read({{"recording", recording}, {"after", 7}})), (std::vector<std::uint64_t>{8, 9}));
        QCOMPARE(numbersOf(w.read({{"recording", recording}, {"after", 9}})).size(), std::size_t{0});
    }

    void aPageIsBounded() {
        const World w;
        const auto recording = w.begun();
        for (std::uint64_t number = 1; number <= 5; ++number) {
            w.add(recording, number, number, std::string(300 * 1024, static_cast<char>('a' + number)));
        }
        std::vector<std::uint64_t> seen;
        json::value next = 0;
        int pages = 0;
        while (!next.is_null()) {
            const auto page = w.read({{"recording", recording}, {"after", next}});
            const auto numbers = numbersOf(page);
            QVERIFY(!numbers.empty() && numbers.size() < 4);
            seen.insert(seen.end(), numbers.begin(), numbers.end());
            next = page.at("next");
            ++pages;
        }
        QCOMPARE(seen, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
        QCOMPARE(pages, 3); // of two, two and one: in base64 a third would not fit
        // Also one that is larger than a page comes, by itself.
        const auto large = w.begun();
        w.add(large, 1, 1, std::string(activity::kMaxChunkBytes, 'x'));
        w.add(large, 2, 20, "small");
        QCOMPARE(numbersOf(w.read({{"recording", large}})), std::vector<std::uint64_t>{1});
    }

    void aClientMayNot() {
        const World w;
        auto client = w.w.connected(w.w.token("editor", "ann")).value();
        for (const char* verb : {"recording.list", "recording.read"}) {
            const auto answer = client.call(verb, {{"agent", "ann"}, {"recording", 1}});
            QVERIFY(!answer && answer.error().code == ErrorCode::Refused);
        }
    }
    void wrongParameters() {
        const World w;
        for (const auto& wrong : {json::object{{"recording", 0.5}}, json::object{{"recording", -1}}, json::object{{"recording", 1}, {"at_us", -1}}, json::object{}, json::object{{"recording", 1}, {"more", 1}}}) {
            auto params = wrong;
            params["agent"] = "ann";
            QVERIFY(!w.w.ask("recording.read", params));
        }
    }
};

QTEST_GUILESS_MAIN(TestRecordingVerbs)
#include "test_recording_verbs.moc"

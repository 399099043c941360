// SPDX-License-Identifier: Apache-2.0
// From an event of the timeline to the moment in a recording, in the whole window over a whole engine, drawn by the shipped carrel-player.
#include "tests/ui/desktop_world.h"
#include "tests/ui/terminal/recorded.h"

#include "ui/agents/agent_page.h"
#include "ui/terminal/recording_player.h"
#include "ui/window/main_window.h"

#include <QAbstractItemView>
#include <QPushButton>
#include <QTabWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

constexpr std::uint64_t kSecond = 1'000'000;

struct Desk {
    DesktopWorld world;
    EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
    MainWindow window{link};
    AgentPage* page = nullptr;

    Desk() {
        world.addAgent("desk", false);
        window.resize(1000, 700);
        window.show();
        link.start();
    }
    // A recording of a minute in three pieces.
    void record(bool ended = true) {
        auto& log = world.engine->agent("desk").value()->log();
        const auto number = log.beginRecording({"terminal", "bash -l", 60, 10}).value();
        std::string screen;
        for (std::uint64_t piece = 1; piece <= 3; ++piece) {
            const auto first = (piece - 1) * 20 * kSecond;
            const auto word = std::string("word") + static_cast<char>('0' + piece);
            if (!log.addChunk({{number, piece, first, first + 10 * kSecond, 100},
                               recorded(first, screen, {{first, 'o', word + "\r\n"}, {first + 10 * kSecond, 'o', "."}})})) {
                qFatal("no piece");
            }
            screen += word + "\r\n.";
        }
        if (ended && !log.endRecording(number)) {
            qFatal("no end");
        }
    }
    void choose(const QString& kind) {
        QTRY_VERIFY_WITH_TIMEOUT((page = window.page("desk")) != nullptr && page->isEnabled(), kPatience);
        window.showAgent("desk");
        page->showPage("timelinePage");
        auto* const events = find<QAbstractItemView>(*page, "events");
        const auto find = [&] {
            for (int row = 0; row < events->model()->rowCount(); ++row) {
                if (events->model()->index(row, 2).data().toString() == kind) {
                    events->setCurrentIndex(events->model()->index(row, 2));
                    return true;
                }
            }
            return false;
        };
        QTRY_VERIFY_WITH_TIMEOUT(find(), kPatience);
    }
    [[nodiscard]] RecordingPlayer* player() const { return page->findChild<RecordingPlayer*>("recordingPlayer"); }
};

} // namespace

class TestRecordingReplay : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { placeProgram(CARREL_BIN_DIR "/carrel-player"); }

    void itsEndIsShown() {
        Desk desk;
        desk.record();
        desk.choose("Recording ended");
        auto* const show = find<QPushButton>(*desk.page, "recording");
        QTRY_VERIFY_WITH_TIMEOUT(show->isVisible(), kPatience);
        click(show);
        QCOMPARE(find<QTabWidget>(*desk.page, "pages")->currentWidget()->objectName(), QString("terminalPane"));
        QTRY_VERIFY_WITH_TIMEOUT(desk.player()->isVisible(), kPatience);
        // It was made in a moment, whatever its pieces say of their times: its end is its beginning, so it plays.
        QTRY_VERIFY_WITH_TIMEOUT(textOn(*desk.player()->view()).startsWith("word1"), kPatience);
        QCOMPARE(desk.player()->length(), 50 * kSecond);
        desk.player()->seek(25 * kSecond);
        QTRY_COMPARE_WITH_TIMEOUT(textOn(*desk.player()->view()), QString("word1\n.word2"), kPatience);
        desk.player()->seek(50 * kSecond);
        QTRY_COMPARE_WITH_TIMEOUT(textOn(*desk.player()->view()), QString("word1\n.word2\n.word3\n."), kPatience);
    }
    void itsBeginningPlays() {
        Desk desk;
        desk.record(false);
        desk.choose("Recording begun");
        click(find<QPushButton>(*desk.page, "recording"));
        QTRY_VERIFY_WITH_TIMEOUT(desk.player()->isVisible() && desk.player()->plays(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(textOn(*desk.player()->view()).startsWith("word1"), kPatience);
    }
    void onlyOfARecording() {
        Desk desk;
        desk.record();
        desk.choose("Agent made");
        QVERIFY(!find<QPushButton>(*desk.page, "recording")->isVisible());
    }
};

QTEST_MAIN(TestRecordingReplay)
#include "test_recording_replay.moc"

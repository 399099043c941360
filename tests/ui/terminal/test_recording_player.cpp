// SPDX-License-Identifier: Apache-2.0
// Recordings in the Terminal pane, before a scripted engine, drawn by the shipped carrel-player.
#include "tests/app/cli/fake_engine.h"
#include "tests/ui/terminal/recorded.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"
#include "ui/terminal/recording_link.h"
#include "ui/terminal/recording_player.h"
#include "ui/terminal/recordings_page.h"
#include "ui/terminal/terminal_page.h"
#include "ui/terminal/terminal_pane.h"

#include <QAccessible>
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QStackedWidget>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
using carrel::test::FakeEngine;
namespace json = boost::json;

namespace {

constexpr int kGuardMs = 60'000;
constexpr std::uint64_t kSecond = 1'000'000;

json::object row(std::uint64_t number, json::value endedMs, bool goesOn, std::uint64_t lastUs, const char* title = "bash -l") {
    return {{"recording", number}, {"kind", "terminal"}, {"title", title}, {"columns", 60}, {"rows", 10}, {"started_ms", 1772366400000},
            {"ended_ms", std::move(endedMs)}, {"goes_on", goesOn}, {"chunks", lastUs == 0 ? 0 : 1}, {"bytes", 100}, {"last_us", lastUs}};
}

json::value listed(json::array rows) {
    return json::object{{"recordings", std::move(rows)}, {"next", nullptr}};
}

json::value pieces(json::array all, json::value next = nullptr) {
    return json::object{{"chunks", std::move(all)}, {"next", std::move(next)}};
}

RecordingInfo info(std::uint64_t lastUs, bool ended = true, bool goesOn = false) {
    return recordingFrom(row(1, ended ? json::value(1772366460000) : json::value(nullptr), goesOn, lastUs));
}

} // namespace

class TestRecordingPlayer : public QObject {
    Q_OBJECT
private:
    QTemporaryDir m_folder;
    std::unique_ptr<FakeEngine> m_engine;
    std::unique_ptr<EngineLink> m_link;
    std::unique_ptr<AgentStore> m_store;
    std::unique_ptr<TerminalPane> m_pane;

    [[nodiscard]] RecordingPlayer& player() const { return *m_pane->recordings()->player(); }
    [[nodiscard]] QString shown() const { return textOn(*player().view()); }
    template <class Widget> [[nodiscard]] Widget* at(const char* name) const { return m_pane->findChild<Widget*>(name); }
    [[nodiscard]] QString said() const { return at<MessageBar>("recordingBar")->text(); }
    // What the engine was asked, of one verb.
    [[nodiscard]] std::vector<json::object> asked(const std::string& verb) const {
        std::vector<json::object> out;
        for (const auto& request : m_engine->takeRequests()) {
            if (request.verb == verb) {
                out.push_back(request.params);
            }
        }
        return out;
    }
    void open(const RecordingInfo& recording, std::uint64_t from = 0, RecordingPlayer::Begin begin = RecordingPlayer::Begin::Standing) const {
        m_pane->showRecordings();
        player().parentWidget()->show();
        qobject_cast<QStackedWidget*>(player().parentWidget())->setCurrentWidget(&player());
        player().open(recording, from, begin);
    }
    void picture(const char* name) const {
        if (const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES"); !folder.isEmpty()) {
            QVERIFY(m_pane->grab().save(folder + '/' + name));
        }
    }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("CARREL_HOME", m_folder.filePath("home").toUtf8());
        placeProgram(CARREL_BIN_DIR "/carrel-player");
        placeProgram(CARREL_BIN_DIR "/carrel-terminal");
    }
    void init() {
        m_engine = std::make_unique<FakeEngine>(*api::openHome(), CARREL_SOURCE_DIR "/app/api/schema");
        m_engine->setAnswer("agent.list", json::value{{"agents",
                                                       {json::object{{"id", std::string(32, 'a')}, {"name", "desk"}, {"state", "ready"}, {"memory_mib", 512}, {"cpus", 1},
                                                                     {"shares", json::array{}}}}}});
        m_link = std::make_unique<EngineLink>();
        m_store = std::make_unique<AgentStore>(*m_link);
        m_pane = std::make_unique<TerminalPane>(*m_link, *m_store, "desk", nullptr);
        m_pane->resize(800, 500);
        m_pane->showRecordings();
        m_pane->show();
        m_link->start();
        QTRY_VERIFY_WITH_TIMEOUT(m_store->known(), kGuardMs);
    }
    void cleanup() {
        m_pane.reset();
        m_store.reset();
        m_link.reset();
        m_engine.reset();
    }

    void theyAreListed() {
        m_engine->setAnswer("recording.list", listed({row(1, 1, false, 62 * kSecond), row(2, nullptr, false, 3 * kSecond, "ls \xe2\x80\xae"), row(3, nullptr, true, 3725 * kSecond)}));
        m_pane->showTerminal();
        m_pane->showRecordings();
        auto* view = at<QTableView>("recordings");
        QTRY_COMPARE_WITH_TIMEOUT(view->model()->rowCount(), 3, kGuardMs);
        const auto cell = [&](int row, int column) { return view->model()->index(row, column).data().toString(); };
        QCOMPARE(cell(0, RecordingsModel::Length), QString("1:02:05")); // the newest first
        QCOMPARE(cell(0, RecordingsModel::Standing), QString("It goes on"));
        QCOMPARE(cell(1, RecordingsModel::Standing), QString("Broken off"));
        QVERIFY(!cell(1, RecordingsModel::Command).contains(QChar(0x202e))); // I11
        QCOMPARE(cell(2, RecordingsModel::Length), QString("1:02"));
        QCOMPARE(cell(2, RecordingsModel::Standing), QString("Ended"));
        QVERIFY(at<QPushButton>("play")->isEnabled());
        picture("recordings.png");
    }
    void whereThereAreNone() {
        m_engine->setAnswer("recording.list", listed({}));
        m_pane->showTerminal();
        m_pane->showRecordings();
        auto* empty = m_pane->recordings()->findChild<EmptyState*>();
        QTRY_VERIFY_WITH_TIMEOUT(empty->isVisible(), kGuardMs);
        QVERIFY(empty->text().contains("No recordings yet"));
        QVERIFY(!at<QPushButton>("play")->isEnabled());
    }

    void oneIsPlayedToItsEnd() {
        m_engine->setAnswer("recording.list", listed({row(1, 1, false, 300'000)}));
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, 100'000, recorded(0, "", {{0, 'o', "first\r\n"}, {50'000, 'i', "typed"}, {100'000, 'o', "second\r\n"}})),
                                                      piece(2, 200'000, 300'000, recorded(200'000, "not again", {{200'000, 'o', "third\r\n"}, {300'000, 'o', "end"}}))}));
        m_pane->showTerminal();
        m_pane->showRecordings();
        QTRY_VERIFY_WITH_TIMEOUT(at<QPushButton>("play")->isEnabled(), kGuardMs);
        QTest::mouseClick(at<QPushButton>("play"), Qt::LeftButton);
        QVERIFY(player().isVisible());
        const auto* strip = player().findChild<QWidget*>("drawnByTheGuest");
        QVERIFY(strip->isVisible());
        QVERIFY2(strip->findChild<QLabel*>()->text().startsWith("Recording 1 of"), qPrintable(strip->findChild<QLabel*>()->text()));
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("first\nsecond\nthird\nend"), kGuardMs);
        QTRY_VERIFY_WITH_TIMEOUT(!player().plays(), kGuardMs);
        QCOMPARE(player().position(), std::uint64_t{300'000});
        QCOMPARE(at<QPushButton>("recordingPlay")->text(), QString("Play"));
        QCOMPARE(at<QLabel>("recordingWhere")->text(), QString("0:00 of 0:00"));
        QVERIFY(said().isEmpty());
        picture("recording-played.png");
        // And once more, from its beginning.
        QTest::mouseClick(at<QPushButton>("recordingPlay"), Qt::LeftButton);
        QVERIFY(player().plays());
        QTRY_VERIFY_WITH_TIMEOUT(!player().plays() && shown() == "first\nsecond\nthird\nend", kGuardMs);
        QTest::mouseClick(at<QPushButton>("recordingList"), Qt::LeftButton);
        QVERIFY(at<QTableView>("recordings")->isVisible());
    }
    void furtherPagesAreReadAsTheyAreNeeded() {
        m_engine->setScript("recording.read", {pieces({piece(1, 0, 0, recorded(0, "", {{0, 'o', "one "}}))}, 1), pieces({piece(2, 10, 10, recorded(10, "", {{10, 'o', "two "}}))}, 2),
                                               pieces({piece(3, 20, 20, recorded(20, "", {{20, 'o', "three"}}))})});
        open(info(20), 0, RecordingPlayer::Begin::Playing);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("one two three"), kGuardMs);
        QTRY_VERIFY_WITH_TIMEOUT(!player().plays(), kGuardMs);
        const auto reads = asked("recording.read");
        QCOMPARE(reads.size(), std::size_t{3});
        QVERIFY(reads[0].at("at_us") == json::value(0) && reads[1].at("after") == json::value(1) && reads[2].at("after") == json::value(2));
    }
    // One look at the engine's index, one piece: its screen, and what happened in it until then.
    void aMomentIsSought() {
        m_engine->setAnswer("recording.read", pieces({piece(7, 600 * kSecond, 640 * kSecond, recorded(600 * kSecond, "as it was\r\n", {{600 * kSecond, 'o', "a"}, {610 * kSecond, 'o', "b"}, {640 * kSecond, 'o', "c"}}))}));
        open(info(640 * kSecond), 612 * kSecond);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("as it was\nab"), kGuardMs);
        QVERIFY(!player().plays());
        QCOMPARE(asked("recording.read").at(0).at("at_us"), json::value(612 * kSecond));
        QCOMPARE(at<QLabel>("recordingWhere")->text(), QString("10:12 of 10:40"));
        QCOMPARE(at<QSlider>("recordingSeek")->value(), 6120);
        QTest::keyClick(player().view(), Qt::Key_Left);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("as it was\na"), kGuardMs);
        QCOMPARE(player().position(), 607 * kSecond);
        QTest::keyClick(player().view(), Qt::Key_End);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("as it was\nabc"), kGuardMs);
        QTest::keyClick(player().view(), Qt::Key_Right); // not beyond
        QCOMPARE(player().position(), 640 * kSecond);
        QTest::keyClick(player().view(), Qt::Key_Home);
        QCOMPARE(player().position(), std::uint64_t{0});
        QTest::keyClick(player().view(), Qt::Key_Left);
        QCOMPARE(player().position(), std::uint64_t{0});
        at<QSlider>("recordingSeek")->setValue(6105); // as who drags it
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("as it was\nab"), kGuardMs);
        QCOMPARE(player().position(), 610 * kSecond + 500'000);
    }
    void keysPlayAndStop() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, 3600 * kSecond, recorded(0, "", {{0, 'o', "early"}, {3600 * kSecond, 'o', " late"}}))}));
        open(info(3600 * kSecond));
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("early"), kGuardMs);
        QCOMPARE(QApplication::focusWidget(), static_cast<QWidget*>(player().view()));
        QTest::keyClick(player().view(), Qt::Key_Space);
        QVERIFY(player().plays());
        QCOMPARE(at<QPushButton>("recordingPlay")->text(), QString("Pause"));
        QTest::keyClick(player().view(), Qt::Key_Space);
        QVERIFY(!player().plays());
        auto* speed = at<QComboBox>("recordingSpeed");
        QCOMPARE(speed->currentData().toDouble(), 1.0);
        for (int i = 0; i < 9; ++i) {
            QTest::keyClick(player().view(), Qt::Key_Up);
        }
        QCOMPARE(speed->currentData().toDouble(), 16.0);
        for (int i = 0; i < 9; ++i) {
            QTest::keyClick(player().view(), Qt::Key_Down);
        }
        QCOMPARE(speed->currentData().toDouble(), 0.5);
        // Nobody waits for an hour.
        for (int i = 0; i < 9; ++i) {
            QTest::keyClick(player().view(), Qt::Key_Up);
        }
        at<QCheckBox>("recordingShort")->setChecked(true);
        QTest::keyClick(player().view(), Qt::Key_Space);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("early late"), kGuardMs);
        QTRY_VERIFY_WITH_TIMEOUT(!player().plays(), kGuardMs);
    }
    // It happened: whoever types changes nothing, and is nowhere heard.
    void nothingCanBeTyped() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, kSecond, recorded(0, "", {{0, 'o', "password: "}}))}));
        open(info(kSecond));
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("password:"), kGuardMs);
        QSignalSpy typed(player().view(), &TerminalView::typed);
        QTest::keyClicks(player().view(), "hunter2");
        QTest::keyClick(player().view(), Qt::Key_Return);
        player().view()->paste();
        QCOMPARE(typed.size(), 0);
        QVERIFY(!player().view()->inputMethodQuery(Qt::ImEnabled).toBool());
        QVERIFY(asked("exec.open").empty()); // the live terminal was never looked at
    }
    void whatBecameOfIt_data() {
        QTest::addColumn<bool>("ended");
        QTest::addColumn<bool>("goesOn");
        QTest::addColumn<QString>("words");
        QTest::newRow("ended") << true << false << QString();
        QTest::newRow("goes on") << false << true << QString("goes on");
        QTest::newRow("broken off") << false << false << QString("broken off here");
    }
    void whatBecameOfIt() {
        QFETCH(bool, ended);
        QFETCH(bool, goesOn);
        QFETCH(QString, words);
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, 10, recorded(0, "", {{10, 'o', "x"}}))}));
        open(info(10, ended, goesOn), 0, RecordingPlayer::Begin::Playing);
        QTRY_VERIFY_WITH_TIMEOUT(shown() == "x" && !player().plays(), kGuardMs);
        QVERIFY2(words.isEmpty() ? said().isEmpty() : said().contains(words), qPrintable(said()));
    }
    void anEmptyOne() {
        m_engine->setAnswer("recording.read", pieces({}));
        open(info(0), 0, RecordingPlayer::Begin::Playing);
        QTRY_VERIFY_WITH_TIMEOUT(said().contains("This recording is empty"), kGuardMs);
        QVERIFY(!at<QSlider>("recordingSeek")->isEnabled());
        open(info(0, false, true));
        QTRY_VERIFY_WITH_TIMEOUT(said().contains("Nothing of this recording is kept yet"), kGuardMs);
    }
    // The window looks into no piece: what the jailed program says of it is shown, and can be tried again.
    void aHostilePieceIsSaid() {
        m_engine->setScript("recording.read", {pieces({piece(1, 0, 10, recorded(0, "", {{0, 'o', "good"}})), piece(2, 20, 30, "hostile")}), pieces({piece(1, 0, 10, recorded(0, "", {{0, 'o', "better"}}))})});
        open(info(30), 0, RecordingPlayer::Begin::Playing);
        QTRY_VERIFY_WITH_TIMEOUT(said().contains("cannot be played on"), kGuardMs);
        QVERIFY2(said().contains("no form that can be read"), qPrintable(said()));
        QCOMPARE(shown(), QString("good"));
        QVERIFY(!player().plays() && !at<QPushButton>("recordingPlay")->isEnabled());
        picture("recording-failed.png");
        QTest::mouseClick(at<MessageBar>("recordingBar")->findChild<QPushButton*>(), Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("better"), kGuardMs);
        QVERIFY(said().isEmpty());
    }
    void anEngineThatRefuses() {
        m_engine->setAnswer("recording.read", fail(ErrorCode::Conflict, "this piece of the recording was changed", "Look."));
        open(info(30), 0, RecordingPlayer::Begin::Playing);
        QTRY_VERIFY_WITH_TIMEOUT(said().contains("was changed"), kGuardMs);
        m_engine->setAnswer("recording.read", json::parse("{\"chunks\":[{\"data_b64\":\"%%\"}],\"next\":null}"));
        open(info(30));
        QTRY_VERIFY_WITH_TIMEOUT(said().contains("no form that can be read"), kGuardMs);
    }
    // A program in carrel-player's place is believed nothing.
    void aBrokenPlayerIsEnded() {
        QTemporaryDir folder;
        QFile script(folder.filePath("player"));
        QVERIFY(script.open(QIODevice::WriteOnly) && script.write("#!/bin/sh\nprintf '\\377\\377\\377\\177' >&3\nexec sleep 1000\n") > 0);
        script.close();
        QVERIFY(script.setPermissions(QFile::ReadOwner | QFile::ExeOwner));
        RecordingLink link(nullptr);
        QSignalSpy failed(&link, &RecordingLink::failed);
        QVERIFY(link.start(script.fileName().toStdString()));
        QTRY_COMPARE_WITH_TIMEOUT(failed.size(), 1, kGuardMs);
        link.drawUntil(1, 1); // goes nowhere
        RecordingLink none(nullptr);
        QVERIFY(!none.start("/nonexistent/carrel-player"));
        RecordingLink large(nullptr);
        QSignalSpy refused(&large, &RecordingLink::failed);
        large.give({api::player::Piece::How::BeginsAnew, 0, std::string(api::player::kMaxPieceBytes + 1, 'x')});
        QCOMPARE(refused.size(), 1);
    }
    void standsWhileNobodyLooks() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, 3600 * kSecond, recorded(0, "", {{0, 'o', "early"}, {3600 * kSecond, 'o', " late"}}))}));
        open(info(3600 * kSecond), 0, RecordingPlayer::Begin::Playing);
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("early"), kGuardMs);
        QVERIFY(player().plays());
        QTest::mouseClick(at<QPushButton>("liveTerminal"), Qt::LeftButton);
        QVERIFY(!player().plays() && !player().isVisible());
        QTRY_COMPARE_WITH_TIMEOUT(m_pane->terminal()->state(), TerminalPage::State::Open, kGuardMs);
        // And the live one goes on while a recording is looked at.
        QTest::mouseClick(at<QPushButton>("pastTerminals"), Qt::LeftButton);
        QVERIFY(player().isVisible());
        QCOMPARE(shown(), QString("early"));
        QCOMPARE(m_pane->terminal()->state(), TerminalPage::State::Open);
    }
    // The letters are as small as the recorded screen needs.
    void aLargerScreenFits() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, 10, recorded(0, "", {{0, 'o', "x"}}, 200, 60))}));
        open(info(10));
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("x"), kGuardMs);
        const auto fits = [&] {
            const auto [rows, columns] = player().view()->sizeInCells();
            return (rows >= 60 && columns >= 200) || player().view()->pointSize() <= 5;
        };
        QTRY_VERIFY_WITH_TIMEOUT(fits(), kGuardMs);
        const auto small = player().view()->pointSize();
        m_pane->resize(2000, 1500);
        QTRY_VERIFY_WITH_TIMEOUT(fits() && player().view()->pointSize() > small, kGuardMs);
    }
    void aRecordingThatIsGone() {
        m_engine->setAnswer("recording.list", listed({row(9, 1, false, 10)}));
        m_pane->showRecording(3, 1772366400000);
        QTRY_VERIFY_WITH_TIMEOUT(at<MessageBar>("recordingsBar")->text().contains("here is no recording 3 any more"), kGuardMs);
        QTRY_VERIFY_WITH_TIMEOUT(at<QTableView>("recordings")->isVisible(), kGuardMs);
    }
    void everythingHasAName() {
        m_engine->setAnswer("recording.read", pieces({piece(1, 0, kSecond, recorded(0, "", {{0, 'o', "x"}}))}));
        open(info(kSecond));
        QTRY_COMPARE_WITH_TIMEOUT(shown(), QString("x"), kGuardMs);
        for (auto* widget : m_pane->findChildren<QWidget*>()) {
            if (widget->isVisible() && (widget->focusPolicy() & Qt::TabFocus) != 0) {
                auto* accessible = QAccessible::queryAccessibleInterface(widget);
                QVERIFY2(accessible != nullptr && !accessible->text(QAccessible::Name).isEmpty(), qPrintable(widget->objectName()));
            }
        }
        // By the tabulator from one to the next, and no keyboard is caught.
        QStringList order;
        at<QPushButton>("recordingList")->setFocus();
        for (int i = 0; i < 6; ++i) {
            order << QApplication::focusWidget()->objectName();
            QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
        }
        QCOMPARE(order, (QStringList{"recordingList", "recordingPlay", "recordingSeek", "recordingSpeed", "recordingShort", "recordingView"}));
        QVERIFY(QApplication::focusWidget()->objectName() != "recordingView");
    }
};

QTEST_MAIN(TestRecordingPlayer)
#include "test_recording_player.moc"

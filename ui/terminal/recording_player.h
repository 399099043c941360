// SPDX-License-Identifier: Apache-2.0
// Plays a recording back, beside the live terminal: its pieces are read from the engine as they are needed, and drawn by carrel-player.
// A moment is sought by one look at the engine's index: the piece in which it is begins with the screen as it was. Nothing can be
// typed. Keys: space plays and stops, left and right go five seconds, up and down are faster and slower, home and end. It stands still
// while it is hidden. Thread: the window's.
#pragma once

#include "app/api/player_wire.h"
#include "app/api/terminal_wire.h"
#include "ui/engine/engine_link.h"
#include "ui/terminal/playback_clock.h"
#include "ui/terminal/recording_info.h"

#include <QElapsedTimer>
#include <QPointer>
#include <QTimer>
#include <QWidget>

#include <deque>

class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QSlider;

namespace carrel::ui {

class GuestStrip;
class MessageBar;
class RecordingLink;
class TerminalView;

class RecordingPlayer : public QWidget {
    Q_OBJECT
public:
    enum class Begin { Playing, Standing };

    RecordingPlayer(EngineLink& engine, QString agent, QWidget* parent);
    ~RecordingPlayer() override;

    // In place of what it showed before.
    void open(const RecordingInfo& recording, std::uint64_t fromUs, Begin begin);
    void close();
    [[nodiscard]] bool plays() const { return m_clock.runs(); }
    [[nodiscard]] std::uint64_t position() const; // µs
    [[nodiscard]] std::uint64_t length() const { return m_length; }
    [[nodiscard]] TerminalView* view() const { return m_view; }

public slots:
    void play();
    void stand();
    void seek(std::uint64_t us);

signals:
    void listWanted();

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void arrange();
    void toggle();
    void step(std::int64_t us);
    void faster(int steps);
    void fetch(boost::json::object params, bool anew);
    void fetched(const Answer& answer, bool anew);
    void giveNext(api::player::Piece::How how);
    void order();
    void drawn(const api::player::Drawn& drawn);
    void schedule();
    void atEnd();
    void take(api::terminal::Frame& frame);
    void failed(const Error& error);
    void tell();
    void endLink();
    [[nodiscard]] std::int64_t now() const { return m_time.elapsed(); }

    EngineLink& m_engine;
    QString m_agent;
    RecordingInfo m_recording;
    std::uint64_t m_length = 0;
    PlaybackClock m_clock;
    QElapsedTimer m_time;
    QTimer m_tick; // when the next is to be drawn
    QTimer m_tell; // where it is, to who looks
    QPointer<Request> m_request;
    struct Kept {
        std::uint64_t number = 0, firstUs = 0, lastUs = 0;
        std::string data;
    };
    std::deque<Kept> m_ahead;   // pieces that were not given yet
    std::uint64_t m_given = 0;  // the number of the last that was
    bool m_more = false;        // the engine has more of them
    bool m_waits = false;       // for an order's end, or for the engine
    std::uint32_t m_order = 0;
    std::optional<std::uint64_t> m_nextUs;
    MessageBar* m_bar;
    GuestStrip* m_strip;
    TerminalView* m_view;
    QPushButton* m_list;
    QPushButton* m_play;
    QSlider* m_slider;
    QLabel* m_where;
    QComboBox* m_speed;
    QCheckBox* m_short;
    RecordingLink* m_link = nullptr; // ours
};

} // namespace carrel::ui

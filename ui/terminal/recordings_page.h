// SPDX-License-Identifier: Apache-2.0
// An agent's recordings: which there are, newest first, and the player of one (recording_player.h). The list is asked for again while
// it is looked at. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"
#include "ui/terminal/recording_info.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

#include <optional>

class QPushButton;
class QStackedWidget;
class QTableView;

namespace carrel::ui {

class EmptyState;
class MessageBar;
class RecordingPlayer;

class RecordingsPage : public QWidget {
    Q_OBJECT
public:
    RecordingsPage(EngineLink& engine, const QString& agent, QWidget* parent);

    // That one, at a moment given in milliseconds since 1970 UTC: where something happened of which the timeline tells.
    void showOne(std::uint64_t recording, std::int64_t momentMs);
    [[nodiscard]] RecordingPlayer* player() const { return m_player; }

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void load(std::uint64_t after);
    void loaded(const Answer& answer);
    void showList();
    void playChosen();
    void check();

    EngineLink& m_engine;
    QString m_agent;
    RecordingsModel* m_model;
    QVector<RecordingInfo> m_read; // of the list that is being read
    MessageBar* m_bar;
    QStackedWidget* m_stack;
    QStackedWidget* m_rows; // the table, or why there is nothing in it
    QTableView* m_view;
    EmptyState* m_empty;
    QPushButton* m_play;
    RecordingPlayer* m_player;
    QPointer<Request> m_request;
    QTimer m_again;
};

} // namespace carrel::ui

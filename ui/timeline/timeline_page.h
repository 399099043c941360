// SPDX-License-Identifier: Apache-2.0
// The activity of one agent, as the engine has written it down, followed while it is shown. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

class QComboBox;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QTableView;
class QToolButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;
class TimelineFilter;
class TimelineModel;
struct TimelineEvent;

class TimelinePage : public QWidget {
    Q_OBJECT
public:
    TimelinePage(EngineLink& link, const QString& agent, QWidget* parent);

signals:
    // Of the chosen event, at the moment of which it tells: milliseconds since 1970 UTC.
    void recordingWanted(quint64 recording, qint64 momentMs);

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void load();
    void loaded(const Answer& answer);
    void follow();
    void take(const boost::json::array& events);
    void tellCount();
    void showDetail(const QModelIndex& index);
    [[nodiscard]] QString programsOf(const TimelineEvent& event) const;
    void offerDeeds();
    void showRecording();
    void neverAgain();

    EngineLink& m_link;
    QString m_agent;
    TimelineModel* m_model;
    TimelineFilter* m_filter;
    QLineEdit* m_search;
    QComboBox* m_group;
    QComboBox* m_says;
    QToolButton* m_ofProgram;
    QTableView* m_view;
    QPlainTextEdit* m_detail;
    QPushButton* m_never; // the program of the chosen event
    QPushButton* m_recording; // that the chosen event is about
    PlainLabel* m_count;
    MessageBar* m_bar;
    QPointer<Request> m_request;
    boost::json::array m_told; // by the stream, taken in once in a while: a build tells thousands a second
    QTimer m_takeIn;
    QTimer m_again;
    bool m_loading = false;
};

} // namespace carrel::ui

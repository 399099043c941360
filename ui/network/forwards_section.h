// SPDX-License-Identifier: Apache-2.0
// Of an agent's network: the servers of its machine that are shown in the user's browser now. Shown, it asks for them once a second.
// One is opened in a browser by a click alone, and stopped at once; another is shown after a dialog that says what it means. What there
// is to say it says in the page's bar. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

class QPushButton;
class QTableView;

namespace carrel::ui {

class ForwardsModel;
class MessageBar;
class PlainLabel;

class ForwardsSection : public QWidget {
    Q_OBJECT
public:
    ForwardsSection(EngineLink& link, const QString& agent, MessageBar& bar, QWidget* parent);
    [[nodiscard]] QWidgetList inTabOrder() const;

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void ask();
    void take(const Answer& answer);
    void check();
    void open();
    void stop();
    void showServer();

    EngineLink& m_link;
    QString m_agent;
    MessageBar& m_bar;
    ForwardsModel* m_model;
    PlainLabel* m_title;
    QTableView* m_view;
    QPushButton* m_open;
    QPushButton* m_stop;
    QPushButton* m_show;
    QPointer<Request> m_request;
    QTimer m_next;
    quint64 m_wanted = 0; // to be chosen, once it is listed
};

} // namespace carrel::ui

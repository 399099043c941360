// SPDX-License-Identifier: Apache-2.0
// One change of the review that is shown: what it is, in words, and its difference line by line. Asks the engine for that and for
// nothing else. Owner: its parent. Thread: the window's.
#pragma once

#include "ui/changes/change_entry.h"
#include "ui/changes/diff_view.h"
#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

#include <optional>
#include <string>

class QLabel;
class QStackedWidget;
class QToolButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class ChangeDetails : public QWidget {
    Q_OBJECT
public:
    ChangeDetails(EngineLink& link, QString agent, QWidget* parent);

    // Nothing of it has to stay valid.
    void show(const std::string& review, const ChangeEntry& change);
    void showFolder(const std::string& path); // that is no change itself
    void clear();

    [[nodiscard]] DiffView* view() const { return m_view; }

    [[nodiscard]] bool sideBySide() const;
    void setSideBySide(bool wanted);

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    class Facts;
    void buildBar();
    void describe(const ChangeEntry& change);
    void ask();
    void answered(const Answer& answer);
    void showFile(const boost::json::object& file);
    bool noteDocument(const boost::json::object& file);
    void say(const QString& what);
    void arrange();
    void updateBar();

    EngineLink& m_link;
    QString m_agent;
    std::string m_review;
    std::optional<ChangeEntry> m_change;
    QPointer<Request> m_request;
    QTimer m_again;               // the document is being read
    bool m_awaitDocument = false; // the next answer may take as long as that

    QWidget* m_top;
    PlainLabel* m_name;
    PlainLabel* m_what;
    Facts* m_facts;
    QWidget* m_bar;
    QLabel* m_where;
    QToolButton* m_previous;
    QToolButton* m_next;
    QToolButton* m_threeWays;
    QToolButton* m_sideBySide;
    MessageBar* m_note;
    QStackedWidget* m_stack;
    PlainLabel* m_words;
    DiffView* m_view;
};

} // namespace carrel::ui

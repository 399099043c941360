// SPDX-License-Identifier: Apache-2.0
// What a request is about, in full: of an apply the frozen changes, each with its lines; else its fields. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QWidget>

class QPlainTextEdit;
class QTreeWidget;

namespace carrel::ui {

class MessageBar;
class PlainLabel;

class EvidenceView : public QWidget {
    Q_OBJECT
public:
    EvidenceView(EngineLink& link, QWidget* parent);

    // The answer of approval.show. whole() comes when all that is decided on can be seen; it never does for what cannot be shown.
    void show(const boost::json::object& shown);
    void clear();

signals:
    void whole();

private:
    void page(std::uint64_t after);
    void addChange(const boost::json::object& change);
    void showLines();
    void linesCame(const Answer& answer);

    EngineLink& m_link;
    std::string m_agent;
    std::string m_review;
    std::vector<boost::json::object> m_changes;
    PlainLabel* m_title;
    QTreeWidget* m_list;
    QPlainTextEdit* m_lines;
    MessageBar* m_bar;
    QPointer<Request> m_request;
    QPointer<Request> m_lineRequest;
};

} // namespace carrel::ui

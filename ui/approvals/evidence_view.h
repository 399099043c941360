// SPDX-License-Identifier: Apache-2.0
// What a request is about, in full: of an apply the frozen changes, each with its lines; else its fields, and of a credential what it
// is bound to. Thread: the window's.
#pragma once

#include "ui/changes/change_entry.h"
#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QWidget>

class QSplitter;
class QTreeWidget;

namespace carrel::ui {

class ChangeDetails;
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
    void addFact(const QString& what, const QString& value);
    void askCredential(const boost::json::array& things);
    [[nodiscard]] bool addChange(const boost::json::object& change);
    void showLines();

    EngineLink& m_link;
    std::string m_agent;
    std::string m_review;
    std::vector<ChangeEntry> m_changes;
    PlainLabel* m_title;
    QTreeWidget* m_list;
    QSplitter* m_splitter;
    ChangeDetails* m_lines = nullptr; // of the request's agent
    MessageBar* m_bar;
    QPointer<Request> m_request;
};

} // namespace carrel::ui

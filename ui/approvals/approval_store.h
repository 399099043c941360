// SPDX-License-Identifier: Apache-2.0
// What agents ask of the user, as the engine tells it, kept up to date by its word (approval.wait). Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"
#include "ui/engine/news.h"

#include <QObject>
#include <QPointer>
#include <QVector>

namespace carrel::ui {

struct ApprovalInfo {
    std::uint64_t id = 0;
    boost::json::object all; // as of the schema, "approval"

    [[nodiscard]] bool isOpen() const;
    [[nodiscard]] bool isHighRisk() const; // what is not known to be routine is not
    bool operator==(const ApprovalInfo& other) const { return id == other.id && all == other.all; }
};

class ApprovalStore : public QObject {
    Q_OBJECT
public:
    explicit ApprovalStore(EngineLink& link);

    // Open ones first, each kind by number, the newest open one last and the newest closed one first.
    [[nodiscard]] const QVector<ApprovalInfo>& approvals() const { return m_approvals; }
    [[nodiscard]] int openCount() const;
    // What is to be told beside them: agents that ask too much; trouble with the rules' file. Fit to be shown; mostly empty.
    [[nodiscard]] const QStringList& notices() const { return m_notices; }
    [[nodiscard]] const QString& trouble() const { return m_trouble; }
    void refresh();

signals:
    void changed();

private:
    void list(std::uint64_t after);
    void listed(const Answer& answer);

    EngineLink& m_link;
    News m_news;
    QVector<ApprovalInfo> m_approvals;
    QVector<ApprovalInfo> m_coming;
    QStringList m_notices;
    QString m_trouble;
    bool m_again = false;
    QPointer<Request> m_list;
};

} // namespace carrel::ui

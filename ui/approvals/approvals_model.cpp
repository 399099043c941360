// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/approvals_model.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

namespace carrel::ui {

using namespace api;

namespace {

struct ApprovalWords {
    Q_DECLARE_TR_FUNCTIONS(ApprovalWords)
};

QString scopeText(const std::string& scope) {
    return scope == "session"      ? ApprovalWords::tr("until the agent is stopped")
           : scope == "agent"      ? ApprovalWords::tr("for this agent from now on")
           : scope == "everywhere" ? ApprovalWords::tr("for every agent from now on")
                                   : ApprovalWords::tr("for this once");
}

QString endText(const std::string& ended) {
    return ended == "no-answer"      ? ApprovalWords::tr("Expired: nobody answered in time, which is no denial")
           : ended == "withdrawn"    ? ApprovalWords::tr("Over: the agent took it back")
           : ended == "session-over" ? ApprovalWords::tr("Over: the session that asked has ended")
           : ended == "engine-ended" ? ApprovalWords::tr("Over: Carrel was restarted, and what waited for it has gone")
           : ended == "gone"         ? ApprovalWords::tr("Over: what it was about is no longer there")
                                     : ApprovalWords::tr("Over");
}

} // namespace

QString approvalStateText(const ApprovalInfo& approval) {
    if (approval.isOpen()) {
        return ApprovalWords::tr("Waits for you");
    }
    const auto& decision = objectAt(approval.all, "decision");
    if (!decision.empty()) {
        const bool allowed = textAt(decision, "effect") == "allow";
        auto out = (allowed ? ApprovalWords::tr("Allowed %1 by %2") : ApprovalWords::tr("Denied %1 by %2"))
                       .arg(scopeText(textAt(decision, "scope")), lineOf(textAt(decision, "by"), 40));
        if (const auto& effect = objectAt(approval.all, "effect"); allowed && textAt(effect, "state") == "failed") {
            out += ". " + ApprovalWords::tr("It could not be done: %1").arg(lineOf(textAt(effect, "words"), 400));
        }
        return out;
    }
    return endText(textAt(approval.all, "ended"));
}

ApprovalsModel::ApprovalsModel(ApprovalStore& store, QObject* parent)
    : QAbstractListModel(parent)
    , m_store(store)
    , m_rows(store.approvals()) {
    connect(&store, &ApprovalStore::changed, this, &ApprovalsModel::update);
}

int ApprovalsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

QVariant ApprovalsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& approval = m_rows.at(index.row());
    const auto words = lineOf(textAt(approval.all, "words"), 200);
    const auto second = QString(approval.isOpen() && approval.isHighRisk() ? tr("High risk, waits for you") : approvalStateText(approval));
    switch (role) {
    case Qt::DisplayRole:
        return words;
    case Qt::ToolTipRole:
        return toolTipOf(words + '\n' + second);
    case Qt::AccessibleTextRole:
        return QString(words + ". " + second);
    case IdRole:
        return static_cast<qulonglong>(approval.id);
    case OpenRole:
        return approval.isOpen();
    case HighRole:
        return approval.isHighRisk();
    case SecondLineRole:
        return QString(QStringLiteral("#%1  ").arg(approval.id) + second);
    default:
        return {};
    }
}

QModelIndex ApprovalsModel::indexOf(std::uint64_t id) const {
    for (int row = 0; row < m_rows.size(); ++row) {
        if (m_rows.at(row).id == id) {
            return index(row);
        }
    }
    return {};
}

// Few they are (a hundred of each agent), and a request that is over moves down: anew, where the order is another.
void ApprovalsModel::update() {
    const auto& now = m_store.approvals();
    const bool sameOrder = now.size() == m_rows.size() && std::equal(now.begin(), now.end(), m_rows.begin(),
                                                                    [](const ApprovalInfo& a, const ApprovalInfo& b) { return a.id == b.id; });
    if (!sameOrder) {
        beginResetModel();
        m_rows = now;
        endResetModel();
        return;
    }
    for (int row = 0; row < now.size(); ++row) {
        if (!(now.at(row) == m_rows.at(row))) {
            m_rows[row] = now.at(row);
            emit dataChanged(index(row), index(row));
        }
    }
}

} // namespace carrel::ui

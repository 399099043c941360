// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/agents_model.h"

#include "ui/text/plain.h"

namespace carrel::ui {

AgentsModel::AgentsModel(AgentStore& store, QObject* parent)
    : QAbstractListModel(parent)
    , m_store(store)
    , m_rows(store.agents()) {
    connect(&store, &AgentStore::changed, this, &AgentsModel::update);
}

int AgentsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

namespace {
QString secondLine(const AgentInfo& agent) {
    const auto staged = agent.staged();
    if (staged > 0) {
        return AgentsModel::tr("%1, %n change(s) to review", nullptr, countOf(staged))
            .arg(stateText(agent.state));
    }
    return stateText(agent.state);
}

QString networkText(const AgentInfo& agent) {
    return AgentsModel::tr("Network: %1").arg(netModeText(agent.network));
}
} // namespace

QVariant AgentsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& agent = m_rows.at(index.row());
    switch (role) {
    case Qt::DisplayRole:
        return agent.name;
    case Qt::AccessibleTextRole:
        return QString(agent.name + ", " + secondLine(agent) + ", " + networkText(agent));
    case Qt::ToolTipRole:
        return toolTipOf((agent.reason.empty() ? secondLine(agent) : lineOf(agent.reason)) + '\n' + networkText(agent));
    case StateRole:
        return static_cast<int>(agent.state);
    case StateTextRole:
        return secondLine(agent);
    case StagedRole:
        return static_cast<qulonglong>(agent.staged());
    case NetworkRole:
        return agent.hasNetwork();
    default:
        return {};
    }
}

QModelIndex AgentsModel::indexOf(const QString& name) const {
    for (int row = 0; row < m_rows.size(); ++row) {
        if (m_rows.at(row).name == name) {
            return index(row);
        }
    }
    return {};
}

// Both lists are in the order of their names.
void AgentsModel::update() {
    const auto& now = m_store.agents();
    int row = 0;
    for (const auto& agent : now) {
        while (row < m_rows.size() && m_rows.at(row).name < agent.name) {
            beginRemoveRows({}, row, row);
            m_rows.remove(row);
            endRemoveRows();
        }
        if (row == m_rows.size() || m_rows.at(row).name != agent.name) {
            beginInsertRows({}, row, row);
            m_rows.insert(row, agent);
            endInsertRows();
        } else if (m_rows.at(row) != agent) {
            m_rows[row] = agent;
            emit dataChanged(index(row), index(row));
        }
        ++row;
    }
    if (row < m_rows.size()) {
        beginRemoveRows({}, row, static_cast<int>(m_rows.size()) - 1);
        m_rows.resize(row);
        endRemoveRows();
    }
}

} // namespace carrel::ui

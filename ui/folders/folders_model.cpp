// SPDX-License-Identifier: Apache-2.0
#include "ui/folders/folders_model.h"

#include "ui/text/plain.h"

namespace carrel::ui {

namespace {

QString stateOf(const ShareInfo& share) {
    if (share.revoked) {
        return FoldersModel::tr("Access taken away");
    }
    if (!share.trouble.empty()) {
        return FoldersModel::tr("Not in the machine. It says: %1").arg(lineOf(share.trouble));
    }
    return FoldersModel::tr("Shared");
}

} // namespace

FoldersModel::FoldersModel(AgentStore& store, const QString& agent, QObject* parent)
    : RowsModel(Columns, parent)
    , m_store(store)
    , m_agent(agent) {
    connect(&store, &AgentStore::changed, this, &FoldersModel::update);
    update();
}

QString FoldersModel::cell(int row, int column) const {
    const auto& share = at(row);
    switch (column) {
    case Folder:
        return lineOf(share.directory);
    case InMachine:
        return QStringLiteral("/workspace/") + lineOf(share.name, 120);
    case Mode:
        return modeText(share.mode);
    case Waiting:
        return share.staged ? QString::number(*share.staged) : tr("not known");
    case State:
        return stateOf(share);
    default:
        return {};
    }
}

QString FoldersModel::tip(int row, int column) const {
    return column == Mode ? modeExplained(at(row).mode) : cell(row, column);
}

QString FoldersModel::heading(int column) const {
    switch (column) {
    case Folder:
        return tr("Folder");
    case InMachine:
        return tr("In the machine");
    case Mode:
        return tr("Changes");
    case Waiting:
        return tr("Waiting");
    case State:
        return tr("State");
    default:
        return {};
    }
}

void FoldersModel::update() {
    const auto* const agent = m_store.find(m_agent);
    takeRows(agent != nullptr ? agent->shares : QVector<ShareInfo>(), [](const ShareInfo& a, const ShareInfo& b) { return a.name == b.name; });
}

} // namespace carrel::ui

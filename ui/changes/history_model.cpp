// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/history_model.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QFont>

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kPage = 100;

PastApply pastFrom(const json::object& object) {
    PastApply out;
    out.number = api::numberAt(object, "number");
    out.time = api::textAt(object, "time");
    out.by = api::textAt(object, "by");
    out.done = api::numberAt(object, "done");
    out.notDone = api::numberAt(object, "not_done");
    out.undoes = api::numberAt(object, "undoes");
    out.undoneBy = api::numberAt(object, "undone_by");
    for (const auto& share : api::listAt(object, "shares")) {
        if (share.is_string()) {
            out.shares.emplace_back(share.get_string());
        }
    }
    out.first = api::pathAt(object, "first");
    return out;
}

QString byText(const PastApply& past) {
    return past.by == "auto" ? HistoryModel::tr("Automatic") : past.by == "rule" ? HistoryModel::tr("A rule of yours") : HistoryModel::tr("You");
}

QString stateText(const PastApply& past) {
    QStringList out;
    if (past.undoneBy != 0) {
        out << HistoryModel::tr("Taken back (%1)").arg(past.undoneBy);
    }
    if (past.notDone > 0) {
        out << HistoryModel::tr("%n not done", nullptr, countOf(past.notDone));
    }
    return out.join(QStringLiteral(", "));
}

} // namespace

QString whatText(const PastApply& past) {
    return past.undoes != 0 ? HistoryModel::tr("Undo of %1").arg(past.undoes) : HistoryModel::tr("Apply");
}

QString filesText(const PastApply& past) {
    if (past.first.empty()) {
        return HistoryModel::tr("%n change(s)", nullptr, countOf(past.done));
    }
    const auto first = lineOf(past.first, kWholeColumns);
    return past.done > 1 ? HistoryModel::tr("%1 and %n more", nullptr, countOf(past.done - 1)).arg(first) : first;
}

HistoryModel::HistoryModel(EngineLink& link, QString agent, QObject* parent)
    : QAbstractTableModel(parent)
    , m_link(link)
    , m_agent(std::move(agent)) {}

void HistoryModel::reload() {
    fetch(std::nullopt);
}

void HistoryModel::fetch(std::optional<std::uint64_t> before) {
    delete m_request;
    json::object params{{"agent", m_agent.toStdString()}, {"limit", kPage}};
    if (before) {
        params["before"] = *before;
    }
    m_request = m_link.ask("history", std::move(params), this, [this, first = !before](const Answer& answer) { fetched(answer, first); });
}

void HistoryModel::fetched(const Answer& answer, bool first) {
    m_request = nullptr;
    if (!answer) {
        emit failed(answer.error());
        return;
    }
    std::vector<PastApply> page;
    for (const auto& each : api::listAt(*answer, "applies")) {
        if (each.is_object()) {
            page.push_back(pastFrom(each.get_object()));
        }
    }
    const auto* const next = answer->if_contains("next");
    m_next = next != nullptr && !next->is_null() && !page.empty() ? std::optional(api::numberAt(*answer, "next")) : std::nullopt;
    if (first) {
        beginResetModel();
        m_past = std::move(page);
        m_known = true;
        endResetModel();
    } else if (!page.empty()) {
        const auto rows = static_cast<int>(m_past.size());
        beginInsertRows({}, rows, rows + static_cast<int>(page.size()) - 1);
        std::move(page.begin(), page.end(), std::back_inserter(m_past));
        endInsertRows();
    }
    emit loaded();
}

const PastApply* HistoryModel::at(const QModelIndex& index) const {
    return index.isValid() && index.row() < rowCount() ? &m_past[static_cast<std::size_t>(index.row())] : nullptr;
}

int HistoryModel::rowCount(const QModelIndex& above) const {
    return above.isValid() ? 0 : static_cast<int>(m_past.size());
}

int HistoryModel::columnCount(const QModelIndex& above) const {
    return above.isValid() ? 0 : Columns;
}

bool HistoryModel::canFetchMore(const QModelIndex& above) const {
    return !above.isValid() && m_next && !m_request;
}

void HistoryModel::fetchMore(const QModelIndex& above) {
    if (canFetchMore(above)) {
        fetch(m_next);
    }
}

QVariant HistoryModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) {
        return {};
    }
    if (role == Qt::TextAlignmentRole) {
        return int(Qt::AlignLeft | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case Number:
        return tr("No.");
    case When:
        return tr("When");
    case What:
        return tr("What");
    case By:
        return tr("By");
    case Files:
        return tr("Files");
    case State:
        return tr("State");
    default:
        return {};
    }
}

QVariant HistoryModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& past = *at(index);
    if (role == Qt::FontRole && past.undoneBy != 0 && index.column() != State) {
        QFont struck;
        struck.setStrikeOut(true);
        return struck;
    }
    if (role == Qt::ToolTipRole && index.column() == Files) {
        return toolTipOf(filesText(past));
    }
    if (role != Qt::DisplayRole && !(role == Qt::AccessibleTextRole && index.column() == Number)) {
        return {};
    }
    if (role == Qt::AccessibleTextRole) { // the row in words
        return tr("%1, %2, by %3, %4, %5").arg(whatText(past), momentText(past.time), byText(past), filesText(past), stateText(past));
    }
    switch (index.column()) {
    case Number:
        return static_cast<qulonglong>(past.number);
    case When:
        return momentText(past.time);
    case What:
        return whatText(past);
    case By:
        return byText(past);
    case Files:
        return filesText(past);
    case State:
        return stateText(past);
    default:
        return {};
    }
}

} // namespace carrel::ui

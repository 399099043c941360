// SPDX-License-Identifier: Apache-2.0
#include "ui/network/live_model.h"

#include "app/api/answers.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <algorithm>
#include <utility>

namespace carrel::ui {

using namespace api;

namespace {

QString heldText(const LiveConnection& one) {
    return one.treat == "tls"         ? LiveModel::tr("by its TLS name")
           : one.treat == "http"      ? LiveModel::tr("by its HTTP name")
           : one.treat == "terminate" ? LiveModel::tr("each request is read")
                                      : LiveModel::tr("no: anything goes");
}

QString cell(const LiveConnection& one, int column) {
    switch (column) {
    case LiveModel::Destination:
        return placeText(one.host, std::to_string(one.port));
    case LiveModel::Address:
        return one.address.empty() ? LiveModel::tr("address unchecked") : hostText(one.address);
    case LiveModel::Sent:
        return sizeText(one.sent);
    case LiveModel::Received:
        return sizeText(one.received);
    case LiveModel::Age:
        return spanText(one.age);
    case LiveModel::By:
        return one.rule != 0 ? LiveModel::tr("rule %1").arg(one.rule) : LiveModel::tr("your answer to request %1").arg(one.approval);
    case LiveModel::Held:
        return heldText(one);
    default:
        return {};
    }
}

QString tip(const LiveConnection& one, int column) {
    if (column == LiveModel::Destination) {
        const auto note = hostNote(one.host);
        return note.isEmpty() ? cell(one, column) : cell(one, column) + '\n' + note;
    }
    if (column == LiveModel::Address && one.address.empty()) {
        return LiveModel::tr("A proxy connects for this computer. Which address it is, Carrel has not seen.");
    }
    if (column == LiveModel::Held && one.treat != "tls" && one.treat != "http" && one.treat != "terminate") {
        return LiveModel::tr("Whatever the agent sends goes there, and whoever is meant inside is not looked at.");
    }
    return cell(one, column);
}

} // namespace

QVector<LiveConnection> liveFrom(const boost::json::array& connections) {
    QVector<LiveConnection> out;
    for (const auto& value : connections) {
        if (!value.is_object()) {
            continue;
        }
        const auto& one = value.get_object();
        LiveConnection live;
        live.number = numberAt(one, "number");
        live.host = textAt(one, "host");
        live.address = textAt(one, "address");
        live.treat = textAt(one, "treat");
        live.port = numberAt(one, "port");
        live.sent = numberAt(one, "sent");
        live.received = numberAt(one, "received");
        live.rule = numberAt(one, "rule");
        live.approval = numberAt(one, "approval");
        live.age = std::chrono::milliseconds(numberAt(one, "age_ms"));
        out.push_back(std::move(live));
    }
    return out;
}

LiveModel::LiveModel(QObject* parent)
    : QAbstractTableModel(parent) {}

int LiveModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int LiveModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : Columns;
}

int LiveModel::countOfRule(std::uint64_t rule) const {
    return static_cast<int>(std::count_if(m_rows.begin(), m_rows.end(), [&](const auto& each) { return each.rule == rule; }));
}

QVariant LiveModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& one = m_rows.at(index.row());
    switch (role) {
    case Qt::DisplayRole:
        return cell(one, index.column());
    case Qt::ToolTipRole:
        return toolTipOf(tip(one, index.column()));
    case Qt::AccessibleTextRole: // a cell alone says what it is
        return QString(headerData(index.column(), Qt::Horizontal, Qt::DisplayRole).toString() + ": " + cell(one, index.column()));
    case Qt::TextAlignmentRole:
        return index.column() == Sent || index.column() == Received || index.column() == Age ? QVariant(Qt::AlignRight | Qt::AlignVCenter) : QVariant();
    default:
        return {};
    }
}

QVariant LiveModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case Destination:
        return tr("Where to");
    case Address:
        return tr("Address");
    case Sent:
        return tr("Sent");
    case Received:
        return tr("Received");
    case Age:
        return tr("For");
    case By:
        return tr("Allowed by");
    case Held:
        return tr("Held to the host");
    default:
        return {};
    }
}

// The new ones come at the end: the older ones stay where they are looked at.
void LiveModel::take(const QVector<LiveConnection>& now) {
    for (int row = rowCount() - 1; row >= 0; --row) {
        if (std::none_of(now.begin(), now.end(), [&](const auto& each) { return each.isSame(m_rows.at(row)); })) {
            beginRemoveRows({}, row, row);
            m_rows.remove(row);
            endRemoveRows();
        }
    }
    for (const auto& one : now) {
        const auto at = std::find_if(m_rows.begin(), m_rows.end(), [&](const auto& each) { return each.isSame(one); });
        const int row = static_cast<int>(at - m_rows.begin());
        if (at == m_rows.end()) {
            beginInsertRows({}, row, row);
            m_rows.push_back(one);
            endInsertRows();
            continue;
        }
        const auto before = std::exchange(*at, one);
        for (int column = 0; column < Columns; ++column) {
            if (cell(before, column) != cell(one, column)) {
                emit dataChanged(index(row, column), index(row, column));
            }
        }
    }
}

} // namespace carrel::ui

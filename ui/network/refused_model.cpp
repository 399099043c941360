// SPDX-License-Identifier: Apache-2.0
#include "ui/network/refused_model.h"

#include "app/api/answers.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

using namespace api;

QString RefusedModel::cell(int index, int column) const {
    const auto& row = m_rows.at(static_cast<std::size_t>(index));
    switch (column) {
    case Destination:
        return row.destination.empty() ? tr("(various)") : hostText(row.destination);
    case Outcome:
        return outcomeText(row.outcome);
    case Times:
        return QString::number(row.times);
    case When:
        return momentText(row.time);
    case Why:
        return lineOf(row.why, 400);
    default:
        return {};
    }
}

QString RefusedModel::heading(int column) const {
    switch (column) {
    case Destination:
        return tr("Where to");
    case Outcome:
        return tr("What became of it");
    case Times:
        return tr("Times");
    case When:
        return tr("Last");
    case Why:
        return tr("Why");
    default:
        return {};
    }
}

void RefusedModel::add(const boost::json::array& events) {
    for (const auto& value : events) {
        if (!value.is_object()) {
            continue;
        }
        const auto& event = value.get_object();
        const auto seq = numberAt(event, "seq");
        if (seq <= m_lastSeq) {
            continue;
        }
        m_lastSeq = seq;
        const auto& detail = objectAt(event, "detail");
        const auto outcome = textAt(detail, "outcome");
        // Invariant I9: what a machine tells of its network is not shown beside what was seen.
        if (textAt(event, "kind") != "net.traffic" || textAt(event, "provenance") != "host" || outcome == "open" || outcome == "closed") {
            continue;
        }
        take({textAt(event, "subject"), outcome, textAt(event, "time"), textAt(detail, "why"), numberAt(detail, "begun")});
    }
}

void RefusedModel::take(Row row) {
    const auto at = std::find_if(m_rows.begin(), m_rows.end(), [&](const Row& each) { return each.destination == row.destination && each.outcome == row.outcome; });
    if (at == m_rows.end()) {
        beginInsertRows({}, 0, 0);
        m_rows.insert(m_rows.begin(), std::move(row));
        endInsertRows();
        if (rowCount() > kMostRows) {
            beginRemoveRows({}, rowCount() - 1, rowCount() - 1);
            m_rows.pop_back();
            endRemoveRows();
        }
        return;
    }
    row.times += at->times;
    *at = std::move(row);
    if (const int from = static_cast<int>(at - m_rows.begin()); from > 0) {
        beginMoveRows({}, from, from, {}, 0);
        std::rotate(m_rows.begin(), at, at + 1);
        endMoveRows();
    }
    emit dataChanged(index(0, 0), index(0, Columns - 1));
}

} // namespace carrel::ui

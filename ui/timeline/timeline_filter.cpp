// SPDX-License-Identifier: Apache-2.0
#include "ui/timeline/timeline_filter.h"

#include <algorithm>

namespace carrel::ui {

void TimelineFilter::setGroup(std::optional<EventGroup> group) {
    if (m_group != group) {
        m_group = group;
        invalidateFilter();
    }
}

void TimelineFilter::setSays(Says says) {
    if (m_says != says) {
        m_says = says;
        invalidateFilter();
    }
}

void TimelineFilter::setText(const QString& text) {
    const auto words = text.split(' ', Qt::SkipEmptyParts);
    if (m_words != words) {
        m_words = words;
        invalidateFilter();
    }
}

void TimelineFilter::setProcess(const std::string& process) {
    if (m_process != process) {
        m_process = process;
        invalidateFilter();
    }
}

bool TimelineFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const auto* const events = qobject_cast<const TimelineModel*>(sourceModel());
    if (!m_process.empty() && (events == nullptr || !events->programs().isWithin(events->at(row).process, m_process))) {
        return false;
    }
    const auto index = sourceModel()->index(row, 0, parent);
    if (m_group && index.data(TimelineModel::GroupRole).toInt() != static_cast<int>(*m_group)) {
        return false;
    }
    if (m_says != Says::Anybody && index.data(TimelineModel::GuestRole).toBool() != (m_says == Says::Guest)) {
        return false;
    }
    if (m_words.isEmpty()) {
        return true;
    }
    const auto text = index.data(TimelineModel::SearchRole).toString();
    return std::all_of(m_words.begin(), m_words.end(), [&](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
}

} // namespace carrel::ui

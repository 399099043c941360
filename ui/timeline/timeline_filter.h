// SPDX-License-Identifier: Apache-2.0
// Which events are shown: of a group, by who says so, holding a text. Thread: the window's.
#pragma once

#include "ui/timeline/timeline_model.h"

#include <QSortFilterProxyModel>

#include <optional>

namespace carrel::ui {

class TimelineFilter : public QSortFilterProxyModel {
    Q_OBJECT
public:
    enum class Says { Anybody, Host, Guest };

    using QSortFilterProxyModel::QSortFilterProxyModel;
    void setGroup(std::optional<EventGroup> group);
    void setSays(Says says);
    void setText(const QString& text); // whatever its case; every word of it
    // What that process did, and what it started. Empty: whoever did it.
    void setProcess(const std::string& process);
    [[nodiscard]] bool filters() const { return m_group || m_says != Says::Anybody || !m_words.isEmpty() || !m_process.empty(); }

protected:
    [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

private:
    std::optional<EventGroup> m_group;
    Says m_says = Says::Anybody;
    QStringList m_words;
    std::string m_process;
};

} // namespace carrel::ui

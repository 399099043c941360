// SPDX-License-Identifier: Apache-2.0
// What was applied and taken back, newest first, page by page as a view asks for more. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QAbstractTableModel>
#include <QPointer>

#include <optional>
#include <string>
#include <vector>

namespace carrel::ui {

// The texts are raw.
struct PastApply {
    std::uint64_t number = 0;
    std::string time;
    std::string by; // "owner", "auto", "rule"
    std::uint64_t done = 0;
    std::uint64_t notDone = 0;
    std::uint64_t undoes = 0;   // 0: it is no undo
    std::uint64_t undoneBy = 0; // 0: it stands
    std::vector<std::string> shares;
    std::string first; // path
};

class HistoryModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Number, When, What, By, Files, State, Columns };

    HistoryModel(EngineLink& link, QString agent, QObject* parent);

    // From the newest on. What is shown stays until the answer is there.
    void reload();
    [[nodiscard]] bool known() const { return m_known; }
    [[nodiscard]] const PastApply* at(const QModelIndex& index) const;

    [[nodiscard]] int rowCount(const QModelIndex& above = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& above = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    [[nodiscard]] bool canFetchMore(const QModelIndex& above) const override;
    void fetchMore(const QModelIndex& above) override;

signals:
    void loaded();
    void failed(const carrel::Error& error);

private:
    void fetch(std::optional<std::uint64_t> before);
    void fetched(const Answer& answer, bool first);

    EngineLink& m_link;
    QString m_agent;
    std::vector<PastApply> m_past;
    std::optional<std::uint64_t> m_next; // there are older ones
    bool m_known = false;
    QPointer<Request> m_request;
};

// In plain words: "Apply", "Undo of 3".
[[nodiscard]] QString whatText(const PastApply& past);
[[nodiscard]] QString filesText(const PastApply& past);

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
// What the engine tells of a recording (app/api/schema/recording.list.json), for windows, and the table of an agent's. Thread: the window's.
#pragma once

#include "ui/parts/table_model.h"

#include <cstdint>
#include <optional>
#include <string>

namespace carrel::ui {

struct RecordingInfo {
    std::uint64_t number = 0;
    std::string title; // raw: the command
    std::int64_t startedMs = 0; // since 1970 UTC
    std::optional<std::int64_t> endedMs;
    bool goesOn = false; // neither: it was broken off
    std::uint64_t lastUs = 0; // the newest moment that is kept, since it began
    bool empty = false; // nothing is kept yet

    bool operator==(const RecordingInfo&) const = default;
};

[[nodiscard]] RecordingInfo recordingFrom(const boost::json::object& row);
[[nodiscard]] QString durationText(std::uint64_t us);            // "1:02:03", "2:03"
[[nodiscard]] QString standingText(const RecordingInfo& recording); // "It goes on"

// The newest comes first.
class RecordingsModel : public RowsModel<RecordingInfo> {
    Q_OBJECT
public:
    enum Column { When, Length, Command, Standing, Columns };

    explicit RecordingsModel(QObject* parent)
        : RowsModel(Columns, parent) {}
    void take(const QVector<RecordingInfo>& now); // oldest first, as the engine lists them

protected:
    [[nodiscard]] QString cell(int row, int column) const override;
    [[nodiscard]] QString heading(int column) const override;
    [[nodiscard]] bool isAmount(int column) const override { return column == Length; }
};

} // namespace carrel::ui

// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/recording_info.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QDateTime>
#include <QLocale>

#include <algorithm>

namespace carrel::ui {

using namespace api;

namespace {
constexpr std::uint64_t kMicro = 1'000'000;
} // namespace

RecordingInfo recordingFrom(const boost::json::object& row) {
    RecordingInfo out;
    out.number = numberAt(row, "recording");
    out.title = textAt(row, "title");
    out.startedMs = static_cast<std::int64_t>(numberAt(row, "started_ms"));
    if (const auto* ended = row.if_contains("ended_ms"); ended != nullptr && ended->is_number()) {
        out.endedMs = static_cast<std::int64_t>(numberAt(row, "ended_ms"));
    }
    out.goesOn = flagAt(row, "goes_on");
    out.lastUs = numberAt(row, "last_us");
    out.empty = numberAt(row, "chunks") == 0;
    return out;
}

QString durationText(std::uint64_t us) {
    const auto seconds = us / kMicro;
    const auto two = [](std::uint64_t number) { return QStringLiteral("%1").arg(number, 2, 10, QLatin1Char('0')); };
    const auto hours = seconds / 3600;
    return hours == 0 ? QStringLiteral("%1:%2").arg(seconds / 60).arg(two(seconds % 60))
                      : QStringLiteral("%1:%2:%3").arg(hours).arg(two(seconds / 60 % 60), two(seconds % 60));
}

QString standingText(const RecordingInfo& recording) {
    return recording.endedMs ? RecordingsModel::tr("Ended") : recording.goesOn ? RecordingsModel::tr("It goes on") : RecordingsModel::tr("Broken off");
}

void RecordingsModel::take(const QVector<RecordingInfo>& now) {
    for (int row = rowCount() - 1; row >= 0; --row) {
        if (std::none_of(now.begin(), now.end(), [&](const auto& each) { return each.number == at(row).number; })) {
            dropRow(row);
        }
    }
    int row = 0;
    for (auto each = now.rbegin(); each != now.rend(); ++each, ++row) {
        if (row < rowCount() && at(row).number == each->number) {
            changeRow(row, *each);
        } else {
            putRow(row, *each);
        }
    }
}

QString RecordingsModel::cell(int row, int column) const {
    const auto& recording = at(row);
    switch (column) {
    case When:
        return QLocale().toString(QDateTime::fromMSecsSinceEpoch(recording.startedMs), QLocale::ShortFormat);
    case Length:
        return durationText(recording.lastUs);
    case Command:
        return lineOf(recording.title);
    case Standing:
        return standingText(recording);
    default:
        return {};
    }
}

QString RecordingsModel::heading(int column) const {
    switch (column) {
    case When:
        return tr("Begun");
    case Length:
        return tr("Length");
    case Command:
        return tr("Command");
    case Standing:
        return tr("How it stands");
    default:
        return {};
    }
}

} // namespace carrel::ui

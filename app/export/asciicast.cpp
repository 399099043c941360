// SPDX-License-Identifier: Apache-2.0
#include "app/export/asciicast.h"

#include "app/api/display_text.h"
#include "app/export/json_text.h"
#include "app/export/shown_recording.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace carrel::exporting {

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::string_view kClear = "\x1b[?1049l\x1b[!p\x1b[r\x1b[H\x1b[2J"; // where pieces are missing

class CastLines {
public:
    CastLines(CastVersion version, const Sink& sink)
        : m_version(version)
        , m_sink(sink) {}

    Status head(const activity::RecordingRow& row, const ShownPiece& first) {
        const auto columns = std::to_string(first.columns);
        const auto rows = std::to_string(first.rows);
        const auto size = m_version == CastVersion::Three ? "{\"version\":3,\"term\":{\"cols\":" + columns + ",\"rows\":" + rows + "}"
                                                          : "{\"version\":2,\"width\":" + columns + ",\"height\":" + rows;
        return m_sink(size + ",\"timestamp\":" + std::to_string(row.startedNs / kNsPerSecond) +
                      ",\"title\":" + jsonString(api::DisplayText::line(row.start.title).text()) + "}\n");
    }
    Status event(std::uint64_t us, char code, std::string_view text) {
        ++m_events;
        const auto told = m_version == CastVersion::Three ? us - m_beforeUs : us;
        m_beforeUs = us;
        std::array<char, 64> start{};
        (void)std::snprintf(start.data(), start.size(), "[%llu.%06llu, \"%c\", ", static_cast<unsigned long long>(told / 1'000'000),
                            static_cast<unsigned long long>(told % 1'000'000), code);
        return m_sink(start.data() + jsonString(text) + "]\n");
    }
    [[nodiscard]] std::uint64_t events() const { return m_events; }

private:
    CastVersion m_version;
    const Sink& m_sink;
    std::uint64_t m_beforeUs = 0;
    std::uint64_t m_events = 0;
};

} // namespace

Result<activity::RecordingRow> findRecording(activity::LogReader& log, std::uint64_t recording) {
    auto all = log.recordings();
    if (!all) {
        return fail(std::move(all).error());
    }
    if (all->empty()) {
        return fail(ErrorCode::NotFound, "no terminal of this agent's was recorded yet", "One is recorded when it is opened: carrel shell NAME");
    }
    const auto found = recording == 0 ? std::prev(all->end()) : std::find_if(all->begin(), all->end(), [&](const auto& row) { return row.id == recording; });
    if (found == all->end()) {
        return fail(ErrorCode::NotFound, "there is no recording " + std::to_string(recording), "\"carrel record list NAME\" shows those there are.");
    }
    return *found;
}

Result<CastWritten> writeAsciicast(activity::LogReader& log, std::uint64_t recording, CastVersion version, const Sink& sink) {
    auto row = findRecording(log, recording);
    if (!row) {
        return fail(std::move(row).error());
    }
    CastLines lines(version, sink);
    ShownRecording shown;
    bool begun = false;
    const auto write = [&](const activity::RecordingChunk& chunk) -> Status {
        auto piece = shown.next(chunk);
        if (!piece) {
            return fail(std::move(piece).error());
        }
        const bool first = !std::exchange(begun, true);
        if (first) {
            CARREL_TRY(lines.head(*row, *piece));
        }
        if (!piece->follows) {
            if (!first) {
                CARREL_TRY(lines.event(piece->firstUs, 'r', std::to_string(piece->columns) + 'x' + std::to_string(piece->rows)));
            }
            CARREL_TRY(lines.event(piece->firstUs, 'o', std::string(kClear) + piece->screen));
        }
        for (const auto& event : piece->events) {
            CARREL_TRY(lines.event(event.us, event.code, event.text));
        }
        return {};
    };
    CARREL_TRY(log.chunks(row->id, write));
    if (!begun) {
        return fail(ErrorCode::NotFound, "nothing is in recording " + std::to_string(row->id), "A recording that goes on is kept every ten seconds: try again later.");
    }
    return CastWritten{row->id, lines.events()};
}

} // namespace carrel::exporting

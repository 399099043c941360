// SPDX-License-Identifier: Apache-2.0
// Logs with recordings to be exported: made as the engine makes them, with pieces that a recorder could have made, or no recorder would.
#pragma once

#include "app/activity/log_reader.h"
#include "app/recording/chunk.h"
#include "tests/app/activity/log_of_tests.h"

#include <string>
#include <vector>

namespace carrel::exporting::tests {

// Nothing but what was kept of a recording: its pieces, each of which begins where its first event is.
struct PieceOfTests {
    std::vector<recording::CastEvent> events;
    std::string screen = "\x1b[2J";
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
};

inline std::string rawPiece(const PieceOfTests& piece) {
    std::string raw = recording::chunkHead(piece.columns, piece.rows, piece.screen);
    std::uint64_t before = piece.events.front().us;
    for (const auto& event : piece.events) {
        raw += recording::castLine(event, before);
        before = event.us;
    }
    return raw;
}

class SessionLog {
public:
    SessionLog()
        : file(m_folder.filePath("activity.db").toStdString())
        , m_log(activity::ActivityLog::open(file).value()) {
        m_log->signWith(activity::tests::keyOf(1));
    }
    activity::ActivityLog& log() { return *m_log; }

    std::uint64_t addRecording(const std::string& title, const std::vector<PieceOfTests>& pieces) {
        const auto id = m_log->beginRecording({"terminal", title, pieces.empty() ? 80U : pieces.front().columns, pieces.empty() ? 24U : pieces.front().rows}).value();
        std::uint64_t number = 0;
        for (const auto& piece : pieces) {
            const auto raw = rawPiece(piece);
            addPiece(id, ++number, piece.events.front().us, piece.events.back().us, recording::compress(raw).value());
        }
        (void)m_log->endRecording(id).has_value();
        return id;
    }
    std::uint64_t addRawRecording(const std::string& title, const std::string& raw) {
        const auto id = m_log->beginRecording({"terminal", title, 80, 24}).value();
        addPiece(id, 1, 0, 10, recording::compress(raw).value());
        return id;
    }
    void addPiece(std::uint64_t id, std::uint64_t number, std::uint64_t firstUs, std::uint64_t lastUs, const std::string& data) {
        (void)m_log->addChunk({{id, number, firstUs, lastUs, data.size()}, data}).has_value();
    }
    // By somebody who may write to the file.
    bool change(const std::string& sql) {
        m_log.reset();
        const bool done = activity::tests::run(file, sql);
        m_log = activity::ActivityLog::open(file).value();
        return done;
    }
    [[nodiscard]] activity::LogReader reader() const { return activity::LogReader::open(file).value(); }

private:
    QTemporaryDir m_folder;

public:
    const std::string file;

private:
    std::unique_ptr<activity::ActivityLog> m_log;
};

// What a writer of an export writes.
template <class Write> std::string written(Write write) {
    std::string out;
    const auto result = write([&](std::string_view bytes) -> Status {
        out += bytes;
        return {};
    });
    return result ? out : "error: " + result.error().text();
}

} // namespace carrel::exporting::tests

// SPDX-License-Identifier: Apache-2.0
// Recordings for tests of what shows them.
#pragma once

#include "app/recording/chunk.h"
#include "guest/protocol/share_path.h"
#include "ui/terminal/terminal_view.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QFileInfo>

#include <boost/json.hpp>

namespace carrel::ui::test {

// What is in a piece.
inline std::string recorded(std::uint64_t firstUs, const std::string& screen, const std::vector<recording::CastEvent>& events, std::uint16_t columns = 60,
                            std::uint16_t rows = 10) {
    auto raw = recording::chunkHead(columns, rows, screen);
    auto us = firstUs;
    for (const auto& event : events) {
        raw += recording::castLine(event, us);
        us = event.us;
    }
    return recording::compress(raw).value();
}

// As the engine hands it on.
inline boost::json::object piece(std::uint64_t number, std::uint64_t firstUs, std::uint64_t lastUs, const std::string& data) {
    return {{"number", number}, {"first_us", firstUs}, {"last_us", lastUs}, {"data_b64", toBase64(data)}};
}

// The trimmed lines that are shown.
inline QString textOn(const TerminalView& view) {
    const auto& grid = view.grid();
    QString out;
    for (auto line = grid.screenTop(); line < grid.endLine(); ++line) {
        out += textOf(grid.line(line), 0, grid.screen().columns).trimmed() + '\n';
    }
    return out.trimmed();
}

// As an installation has it, with the tests' folder in the place of the window's program.
inline void placeProgram(const QString& file) {
    const auto folder = QCoreApplication::applicationDirPath() + "/../lib/carrel/";
    QDir().mkpath(folder);
    if (const auto place = folder + QFileInfo(file).fileName(); !QFile::exists(place)) {
        (void)QFile::link(file, place);
    }
}

} // namespace carrel::ui::test

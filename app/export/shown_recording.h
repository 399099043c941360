// SPDX-License-Identifier: Apache-2.0
// A recording, piece after piece, as it may be handed to any program that shows terminals: through the allow-list of sequences once more
// (invariant I11), since who made the pieces read a guest's bytes, with moments that never go back and sizes that a terminal has.
// Does no I/O; runs only in a confined process. Thread: one owner.
#pragma once

#include "app/activity/recording_rows.h"
#include "app/api/terminal_filter.h"
#include "app/recording/chunk.h"

namespace carrel::exporting {

struct ShownPiece {
    std::uint64_t firstUs = 0; // since the recording began
    std::uint64_t lastUs = 0;
    bool follows = false;      // nothing is missing between the piece before and this one
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
    std::string screen; // what draws it, whatever is on a screen of that size
    std::vector<recording::CastEvent> events;
};

class ShownRecording {
public:
    // Malformed, LimitExceeded: as recording::readChunk(), or a size that no terminal has.
    [[nodiscard]] Result<ShownPiece> next(const activity::RecordingChunk& chunk);

private:
    api::TerminalFilter m_filter;
    std::uint64_t m_us = 0;
    std::uint64_t m_number = 0;
};

} // namespace carrel::exporting

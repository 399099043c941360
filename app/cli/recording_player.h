// SPDX-License-Identifier: Apache-2.0
// Plays the pieces of a recording in the user's terminal. What is in them comes from a guest: it is read only after this process has
// confined itself (I1), and shown through the allow-list of sequences (I11). The terminal is raw meanwhile, so that nothing typed
// stands in the picture, and is put back on every way out. Space: stop and go on; q or Ctrl+C: end. Thread: main only.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace carrel::cli {

struct RecordedPiece {
    std::uint64_t firstUs = 0; // since the recording began
    std::string data;
};

struct Playing {
    std::vector<RecordedPiece> pieces;
    std::uint64_t fromUs = 0; // what came before is shown at once
    double speed = 1;
    int input = 0;
    int output = 1;
    // Called once everything that must be opened is open, before the first piece is read. Its failure ends it.
    std::function<Status()> confine;
};

// 0: to its end. 128 + n: ended by signal n, Ctrl+C among them. Malformed, LimitExceeded: a piece has no form that can be read;
// nothing of it was shown.
[[nodiscard]] Result<int> playRecording(const Playing& playing);

} // namespace carrel::cli

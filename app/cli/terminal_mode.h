// SPDX-License-Identifier: Apache-2.0
// The user's terminal in raw mode (termios(3)), put back on every way out: the object's end, exit(3), and the
// signals that end a process by a defect (SEGV, BUS, ABRT, FPE, ILL, SYS). kill -9 cannot be helped:
// reset(1). Thread: main only, one object at a time.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>

namespace carrel::cli {

struct TerminalSize {
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
};
[[nodiscard]] TerminalSize terminalSize(int fd);

class RawMode {
public:
    RawMode() = default;
    ~RawMode() { leave(); }
    RawMode(const RawMode&) = delete;
    RawMode& operator=(const RawMode&) = delete;
    [[nodiscard]] Status enter(int fd);
    void leave();
};

} // namespace carrel::cli

// SPDX-License-Identifier: Apache-2.0
// Where a guest's output leaves this process: a descriptor, what waits for it, and the filter in between
// where it is a terminal. Raw only where it is not (invariant I11). Thread: one owner.
#pragma once

#include "app/api/terminal_filter.h"

#include <optional>
#include <string>
#include <string_view>

namespace carrel::cli {

class Outlet {
public:
    explicit Outlet(int fd);

    void put(std::string_view bytes) { m_pending += bytes; }
    void end() { m_ended = true; }
    // Writes what fits without blocking for long, after poll(2) said that something does. Bytes of put() that
    // are done with: written, or given up because nobody reads.
    [[nodiscard]] std::size_t write();

    [[nodiscard]] bool empty() const { return m_pending.empty() && m_filtered.empty(); }
    [[nodiscard]] bool ended() const { return m_ended; }
    [[nodiscard]] bool broken() const { return m_broken; }
    [[nodiscard]] std::string restore() const { return m_filter ? m_filter->restore() : std::string(); }

private:
    int m_fd;
    std::size_t m_atOnce;
    std::optional<api::TerminalFilter> m_filter;
    std::string m_pending;  // as it came; bounded by the stream's window
    std::string m_filtered; // of at most one piece of it
    bool m_ended = false;
    bool m_broken = false;
};

} // namespace carrel::cli

// SPDX-License-Identifier: Apache-2.0
// What one run of an agent program told and the host has not acknowledged yet: numbered, bounded, and with no more in it than needs be.
//
//   - neighbouring pieces of text of one turn become one
//   - a tool's or the plan's newer state takes the place of one that was not handed out yet
//   - a question that is over before it was handed out is told to nobody, nor is that it is over
//   - when more is kept than the bounds say, the older half of what may be lost goes, and `lost` says how much. What says that a run or
//     a turn began or ended, and questions, are never lost: the host's own calls, and the bound of open questions, bound how many there are
//
// So the numbers go up, and some may be missing. What was handed out stays as it is until it is acknowledged, for a host that begins
// anew. Thread: one.
#pragma once

#include "guest/protocol/agent_talk.h"

#include <deque>

namespace carrel::runner {

class UpdateBook {
public:
    struct Bounds {
        std::size_t updates = 2048;
        std::size_t bytes = 4 * 1024 * 1024;
    };
    explicit UpdateBook(Bounds bounds)
        : m_bounds(bounds) {}

    // Of any length: it is cut to what an update may hold, a text into several.
    void add(talk::What what);
    // The next one makes that something is lost.
    [[nodiscard]] bool isFull() const { return m_updates.size() >= m_bounds.updates || m_bytes >= m_bounds.bytes; }
    // Those up to `after` are known to the host.
    void forget(std::uint64_t after);
    [[nodiscard]] bool has(std::uint64_t after) const { return !m_updates.empty() && m_updates.back().number > after; }
    // talk::answerWith() of those above it; they have been handed out.
    [[nodiscard]] boost::json::object handOut(std::uint64_t after);
    [[nodiscard]] std::size_t size() const { return m_updates.size(); }
    [[nodiscard]] std::size_t bytes() const { return m_bytes; }

private:
    template <class Piece> void addText(const Piece& piece);
    [[nodiscard]] bool joins(const talk::What& what);
    [[nodiscard]] bool replaces(talk::What& what);
    [[nodiscard]] bool isSettled(const talk::PermissionOver& over);
    void append(talk::What what);
    void drop();
    [[nodiscard]] bool wasHandedOut(const talk::Update& update) const { return update.number <= m_handedOut; }

    Bounds m_bounds;
    std::deque<talk::Update> m_updates;
    std::size_t m_bytes = 0;
    std::uint64_t m_next = 1;
    std::uint64_t m_handedOut = 0; // up to this number
};

} // namespace carrel::runner

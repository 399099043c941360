// SPDX-License-Identifier: Apache-2.0
// What an agent's machine tells of its programs, as rows for the activity log, all of them of provenance guest. Details, besides what
// the kind has ("at": the time by the machine's clock, ns since 1970; "times": how often, if more than once):
//
//   program.started   subject: its file's path. process, parent ("PID.START", the same for the same process; the parent is left out where
//                     Carrel started it), pid, user, argv, cut (true: there was more), sha256
//   program.ended     subject: the path. process, code or signal, cpu_ms, memory_kib
//   file.*            subject: the path; one that ends in "/" stands for so many files in that folder. process; folder, link: true; mode;
//                     to (the new name)
//   net.tried         subject: "HOST:PORT". process, transport
//   rights.tried      subject: which. process, right
//   watch.lost        programs, files, connections, rights: how many of each; restarted: true
//   The last row of a batch has "book" and "number": how far the machine was heard.
//
// Thread: one.
#pragma once

#include "app/activity/activity_log.h"
#include "guest/protocol/watch_event.h"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace carrel::agents {

class WatchRows {
public:
    // The rows of that batch, in its order; the first `number` is `first`. Borrowed from this object until the next call.
    // Malformed: it is not in its form; then there are none, and nothing is remembered of it.
    [[nodiscard]] Result<std::vector<activity::WrittenEvent>> rowsOf(std::uint64_t book, std::uint64_t first, ByteSpan batch);
    // Those rows are written down, or will not be: what ended is forgotten. Until then the same batch makes the same rows.
    void done();
    // Only what started and ended, the starts without their arguments: for where there is no room for all.
    [[nodiscard]] Result<std::vector<activity::WrittenEvent>> programsOf(std::uint64_t book, std::uint64_t first, ByteSpan batch);
    static constexpr std::size_t kMostPrograms = 10'000; // whose path is remembered until they end, where it is no longer than the next
    static constexpr std::size_t kMostPath = 512;

private:
    void add(const watch::Event& event);
    [[nodiscard]] Result<std::vector<activity::WrittenEvent>> rows(std::uint64_t book, std::uint64_t first, ByteSpan batch);
    struct Row {
        activity::EventKind kind = activity::EventKind::ProgramStarted;
        std::string subject, detail;
    };
    std::vector<Row> m_rows; // used again: only the first m_used count
    std::size_t m_used = 0;
    bool m_isBrief = false;
    std::vector<watch::Process> m_ended;
    std::map<watch::Process, std::string> m_programs;
    std::deque<watch::Process> m_inOrder; // of those, the oldest first
};

} // namespace carrel::agents

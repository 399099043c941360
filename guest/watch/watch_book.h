// SPDX-License-Identifier: Apache-2.0
// What the kernel saw and the host does not know yet: numbered, bounded, and with no more in it than needs be.
//
//   - a file, an address or a right that one program touches again within a second is one event, with how often
//   - where more files are touched than a person could look at, the event names their folder (its path ends in a slash), with how many
//   - what is beyond even that, or does not fit while the host does not fetch, is counted, and the host is told how much it was
//   - programs and their ends are never folded, and only lost where the host does not fetch for long
//
// Thread: one.
#pragma once

#include "guest/protocol/watch_event.h"

#include <chrono>
#include <deque>
#include <unordered_map>

namespace carrel::watch {

class WatchBook {
public:
    using Clock = std::chrono::steady_clock;
    struct Bounds {
        std::size_t bytes = 8 * 1024 * 1024; // half of it for what is not a program
        double rate = 400, burst = 4000;     // of files, one by one, a second; a quarter as many folders, addresses and rights
    };
    WatchBook(std::uint64_t book, Bounds bounds);

    void add(const Event& event, Clock::time_point now);
    void lose(const Lost& more);
    [[nodiscard]] bool hasNews(const Ask& ask) const; // for whoever asks so
    // Forgets what `ask` acknowledges. InvalidArgument: it knows numbers that were never given.
    [[nodiscard]] Status acknowledge(const Ask& ask);
    // Those above ask.after, as many as one batch holds. After acknowledge().
    [[nodiscard]] Told handOut(const Ask& ask);
    [[nodiscard]] std::size_t bytes() const { return m_bytes; }
    [[nodiscard]] std::size_t size() const { return m_events.size(); }

private:
    class Budget {
    public:
        Budget(double rate, double burst)
            : m_rate(rate)
            , m_burst(burst)
            , m_left(burst) {}
        [[nodiscard]] bool take(Clock::time_point now);

    private:
        double m_rate, m_burst, m_left;
        Clock::time_point m_since{};
    };
    [[nodiscard]] bool fold(const std::string& key, std::uint32_t count, Clock::time_point now);
    void append(Bytes wire);
    void addOther(const Event& event, Clock::time_point now);
    [[nodiscard]] std::uint64_t nextFor(const Ask& ask) const { return ask.book == m_book ? ask.after + 1 : m_first; }

    std::uint64_t m_book;
    Bounds m_bounds;
    std::deque<Bytes> m_events;
    std::uint64_t m_first = 1;     // the number of the front, or of the next one
    std::uint64_t m_handedOut = 0; // up to this number: somebody may have them, so they stay as they are
    std::size_t m_bytes = 0;
    std::unordered_map<std::string, std::uint64_t> m_recent; // number, by all but count and time
    Clock::time_point m_recentSince{};
    Budget m_files, m_folders, m_others;
    Lost m_lost;
};

} // namespace carrel::watch

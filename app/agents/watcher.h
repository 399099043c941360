// SPDX-License-Identifier: Apache-2.0
// Fetches what an agent's machine tells of its programs and writes it down, for as long as the machine runs: asks, records, and only then
// acknowledges, so that nothing is lost between the two, whoever is killed. A machine that falls silent while it runs is told within
// seconds, as what the host saw itself (watch.silent).
//
// A hostile machine tells what it likes: what is out of form or out of order is not recorded, and counts as silence; and of what is in
// form only so much is written down that it cannot fill the user's disk, and how much was not (watch.lost, by the host).
//
// Owner: the agent. Thread: one of its own, from the constructor to the destructor, which waits for it.
#pragma once

#include "app/activity/activity_log.h"
#include "app/agents/watch_rows.h"
#include "guest/protocol/watch_event.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

namespace carrel::agents {

class Watcher {
public:
    using Clock = std::chrono::steady_clock;
    struct World {
        // The machine runs and can be heard: it is started, not paused, and nobody is putting another clerk at its door.
        std::function<bool()> isHeard;
        std::function<Result<boost::json::object>(const watch::Ask& ask, std::stop_token stop)> ask;
        std::function<Status(std::span<const activity::WrittenEvent> events)> record;
        std::function<void(std::string_view trouble)> complain; // for the engine's own log
    };
    struct Pace {
        std::chrono::milliseconds wait{2000};   // that an answer may take where nothing happens: the beacon
        std::chrono::milliseconds silence{8000}; // and when its absence is told
        std::chrono::milliseconds again{250};   // after a failure, or an answer that had no reason to come yet
        std::chrono::milliseconds gather{50};   // after one with little in it: a row each would be a flush each
        std::uint64_t most = 256 * 1024 * 1024; // bytes of rows at once
        std::uint64_t mostPrograms = 64 * 1024 * 1024; // and where that is used up, of which programs ran, and no more of them
        std::uint64_t perSecond = 16 * 1024;    // come back
    };
    // Goes on after `from`: the book and the number that were recorded last.
    Watcher(World world, Pace pace, watch::Ask from);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // What the log says of how far the machine was heard; {0, 0}: nothing of late.
    [[nodiscard]] static watch::Ask lastHeard(activity::ActivityLog& log);

private:
    void run(std::stop_token stop);
    void hear(std::stop_token stop);
    [[nodiscard]] Result<std::size_t> take(const boost::json::object& answer); // how many events it had
    class Room { // of rows, in bytes
    public:
        explicit Room(std::uint64_t most)
            : m_most(most)
            , m_left(most) {}
        // Takes as much as they need, if it is there; `perSecond` has come back.
        [[nodiscard]] bool take(const std::vector<activity::WrittenEvent>& rows, std::uint64_t perSecond);

    private:
        std::uint64_t m_most, m_left;
        Clock::time_point m_refilled = Clock::now();
    };
    void tellRefused();
    void tellSilence(Clock::time_point now, const std::string& why);
    void heard(const std::string& blind);
    [[nodiscard]] bool note(activity::EventKind kind, std::string_view subject, const boost::json::object& detail, activity::Provenance by);
    static void rest(std::stop_token stop, std::chrono::milliseconds time);

    World m_world;
    Pace m_pace;
    watch::Ask m_at;
    WatchRows m_rows;
    Clock::time_point m_heard = Clock::now();
    bool m_isSilent = false;
    std::string m_blind; // the machine's own word why it sees nothing
    bool m_complained = false;
    Room m_room, m_roomOfPrograms;
    Clock::time_point m_refusedTold{};
    std::uint64_t m_refused = 0, m_refusedPrograms = 0; // the latter among the former
    std::jthread m_thread; // last: it uses the rest
};

} // namespace carrel::agents

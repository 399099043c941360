// SPDX-License-Identifier: Apache-2.0
// The socket in the agent's own root by which its programs ask the host (carrel-ask is one of them, and any may be): a line
// of JSON with a question, a line with its answer (ask_line.h), then the next. What connections were refused is answered here, by
// the book of them. Peers are hostile: so many connections, so long a line, so long until it is whole, so long until the answer is
// taken. Whoever hangs up is forgotten; what it asked is not taken back.
//
// Ownership: borrows the asks and the book, which must outlive it. Thread: one of its own; start() and stop() from one thread.
#pragma once

#include "guest/guestd/ask_line.h"
#include "guest/guestd/host_asks.h"
#include "guest/guestd/refusal_book.h"
#include "guest/protocol/unique_fd.h"

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace carrel::guestd {

class AskDesk {
public:
    using Clock = HostAsks::Clock;
    struct Bounds {
        std::size_t connections = 32;
        std::chrono::milliseconds toSay = std::chrono::seconds(30);  // a whole line, since the last answer
        std::chrono::milliseconds toTake = std::chrono::seconds(30); // the whole answer
    };

    AskDesk(HostAsks& asks, const RefusalBook& refusals, ShareIds shareIds, Bounds bounds);
    AskDesk(HostAsks& asks, const RefusalBook& refusals, ShareIds shareIds)
        : AskDesk(asks, refusals, std::move(shareIds), Bounds()) {}
    ~AskDesk(); // stops
    AskDesk(const AskDesk&) = delete;
    AskDesk& operator=(const AskDesk&) = delete;

    // Before start(). Looks at what apt has fetched, and says when that is done; from any thread. None: there is nothing to look.
    using LookAtPackages = std::function<void(std::function<void()> done)>;
    void onPackages(LookAtPackages look) { m_lookAtPackages = std::move(look); }
    // Takes the place of what is there: an earlier guestd's.
    [[nodiscard]] Status start(const std::string& socketPath);
    void stop();

private:
    enum class Doing { Saying, Waiting, Taking };
    struct Connection {
        UniqueFd fd;
        Doing doing = Doing::Saying;
        std::uint64_t id = 0; // of the question that waits
        std::string in;
        std::string out;
        Clock::time_point until; // unless it waits
    };
    using Connections = std::map<std::uint64_t, Connection>; // by a number that is used once
    enum class Goes { On, Away };

    void run();
    void wake();
    [[nodiscard]] int pollTimeout(Clock::time_point now) const;
    void acceptAll(Clock::time_point now);
    void handOut(Clock::time_point now);
    [[nodiscard]] Goes read(std::uint64_t number, Connection& one, Clock::time_point now);
    // Everything that can be done without waiting: lines that are whole, answers that there are.
    [[nodiscard]] Goes serve(std::uint64_t number, Connection& one, Clock::time_point now);
    [[nodiscard]] Goes takeLine(std::uint64_t number, Connection& one, std::size_t end, Clock::time_point now);
    void answer(Connection& one, const Result<boost::json::value>& result, Clock::time_point now) const;
    [[nodiscard]] Goes write(Connection& one, Clock::time_point now) const;

    // What other threads reach, also after the desk has gone.
    struct Shared {
        std::mutex mutex;
        UniqueFd wake;
        std::vector<std::pair<std::uint64_t, Result<boost::json::value>>> answers;
        bool stop = false;
        void answer(std::uint64_t number, Result<boost::json::value> result);
        void knock() const;
    };
    HostAsks& m_asks;
    const RefusalBook& m_refusals;
    ShareIds m_shareIds;
    LookAtPackages m_lookAtPackages;
    Bounds m_bounds;
    UniqueFd m_listener;
    std::shared_ptr<Shared> m_shared;
    Connections m_connections;
    std::uint64_t m_next = 1;
    Clock::time_point m_acceptAgain; // after an accept that failed
    std::thread m_thread;
};

} // namespace carrel::guestd

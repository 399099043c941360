// SPDX-License-Identifier: Apache-2.0
// Servers in one agent's machine that are shown to the user's browser, for one session of that machine: the owner has a port of it
// forwarded, and here a port of this computer's loopback is listened at for it. What connects there is handed to the clerk
// (app/clerk/link.h, forward.connected), which relays and reads. The engine reads no byte of either side.
//
// Why it is a grant like a way out: app/relay/forward_guard.h. So it is on the owner's word alone, each time, whether an agent asked for
// it or not; what a rule denies does not happen, and what ends a grant ends it (app/policy/grants.h). It ends with the session, too, and with the
// engine: nothing opens it again.
//
//   decided, and in the log → listening → ended (by the owner, a rule, the session)
//
// Who gets in: processes of this very user, at most kMaxConnections at a time; the name is random and is not told to anybody else. Only
// 127.0.0.1 is listened at. The same port of ::1 is held without listening, so that nobody else can stand there in its place: browsers
// look for names below localhost at both.
//
// Order (I5): the decision is in the agent's log before anything listens; what only takes away happens first. What connected is
// written down in sums, once a minute while there is news.
//
// Owner: the Egress; what is under way shares it. Thread: any; one of its own, from the first forward on, accepts and speaks to the
// clerk, so that a clerk that does not read holds up this agent alone. stop() waits for it.
#pragma once

#include "app/activity/event.h"
#include "app/egress/socket_counts.h"
#include "app/policy/grants.h"
#include "guest/protocol/unique_fd.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace carrel::egress {

class ClerkLine;

inline constexpr std::size_t kMaxForwards = 16;             // of one agent
inline constexpr std::size_t kMaxForwardConnections = 100;  // of one forward: a browser makes six, and one for each WebSocket
inline constexpr std::size_t kMaxForwardsEnded = 64;        // that are still known, for whoever waits for their end

// What the owner is told before: what it means to say yes.
[[nodiscard]] std::string forwardMeaning();
[[nodiscard]] policy::Request forwardRequest(const std::string& agent, const std::string& session, std::uint16_t port);

struct Forward {
    std::uint64_t number = 0; // of this session, from 1
    std::uint16_t port = 0;   // in the machine
    std::string host;         // "<32 hexadecimal digits>.localhost"
    std::uint16_t at = 0;     // of this computer
    std::optional<std::int64_t> untilMs; // since 1970
    std::size_t open = 0;       // connections now
    std::uint64_t begun = 0;    // and all that there were
    std::uint64_t refused = 0;  // of other users, or beyond the bounds
    SocketCounts bytes;         // sent: to the browser
    std::chrono::milliseconds age{0};
    [[nodiscard]] std::string url() const;
};

class Forwards : public std::enable_shared_from_this<Forwards> {
public:
    struct Setup { // what is pointed at outlives it
        std::string agent, session;
        policy::Rules* rules = nullptr;
        policy::Grants* grants = nullptr;
        std::function<void(activity::Event event)> record;    // of what has happened
        std::function<Status(activity::Event event)> decided; // durable before it answers
        std::function<bool(int socket)> mayIn;                // none: processes of this user
    };
    [[nodiscard]] static std::shared_ptr<Forwards> make(Setup setup);
    ~Forwards();
    Forwards(const Forwards&) = delete;
    Forwards& operator=(const Forwards&) = delete;

    // By the owner.
    struct Wanted {
        std::uint16_t port = 0;
        std::optional<std::int64_t> untilMs = {}; // since 1970
        std::uint64_t approval = 0; // the agent's request that the owner allowed; 0: nobody asked
    };
    // Refused: a rule denies it. LimitExceeded: kMaxForwards. Io: it cannot be listened, or not be written down.
    [[nodiscard]] Result<Forward> open(const Wanted& wanted);
    [[nodiscard]] Status close(std::uint64_t number, const std::string& why); // NotFound: there is none, or no longer
    void closeAll(const std::string& why);
    [[nodiscard]] std::vector<Forward> list() const;
    // Until it has ended: why. Cancelled: stop came first.
    [[nodiscard]] Result<std::string> waitEnded(std::uint64_t number, std::stop_token stop) const;

    // Of the door: the clerk with the network channel, and a connection that it says has ended.
    void attach(std::uint64_t clerk, std::shared_ptr<ClerkLine> line);
    void detach(std::uint64_t clerk);
    void closed(std::uint64_t clerk, std::uint64_t connection);
    // Ends all of them, and writes down the last of it.
    void stop();

private:
    using Clock = std::chrono::steady_clock;
    struct Entry {
        Forward facts;
        std::shared_ptr<UniqueFd> listener; // its thread holds it while it looks, so that no other file has that number then
        UniqueFd reserved;                  // the port of ::1, if there is such an address
        bool listens = false;
        std::uint64_t grant = 0;
        Clock::time_point since;
        // Since the last row in the log.
        std::uint64_t begun = 0, ended = 0, refused = 0;
        SocketCounts bytes; // of those that ended
        Clock::time_point written;
        [[nodiscard]] bool hasNews() const { return begun + ended + refused > 0; }
    };
    struct Connection {
        std::uint64_t forward = 0;
        UniqueFd socket; // kept to cut it, and to count
    };

    explicit Forwards(Setup setup);
    void run(const std::stop_token& stop);
    void wake();
    void acceptSome(std::uint64_t number, int listener);
    void take(std::uint64_t number, UniqueFd socket);
    [[nodiscard]] bool end(std::uint64_t number, const std::string& why); // false: there is none
    enum class Broken { Yes, No };
    void letGo(std::uint64_t connection, Broken broken); // m_mutex is held
    void tellCuts();
    void writeDue();
    [[nodiscard]] static activity::Event takeRow(Entry& entry); // what came since the last one

    const Setup m_to;
    UniqueFd m_wake;
    std::mutex m_opening; // one open() at a time; taken before m_mutex
    mutable std::mutex m_mutex; // guards what follows; nothing is called with it held
    mutable std::condition_variable_any m_news;
    bool m_stopped = false;
    std::map<std::uint64_t, Entry> m_entries; // by number
    std::map<std::uint64_t, std::string> m_ended; // why; the newest
    std::uint64_t m_next = 1;
    std::map<std::uint64_t, Connection> m_connections; // of that clerk, by the number that it knows them by
    std::uint64_t m_nextConnection = 1;
    std::shared_ptr<ClerkLine> m_line;
    std::uint64_t m_clerk = 0;
    std::vector<std::uint64_t> m_cut; // that it is to be told of
    std::jthread m_thread;           // last: uses the rest
};

} // namespace carrel::egress

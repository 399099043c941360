// SPDX-License-Identifier: Apache-2.0
// The engine's end of the local interface: a listening socket for the owner, and one for clients where wanted;
// one thread per connection, a table of verbs, and roles.h before it.
//
// Whoever connects must have our own user id (SO_PEERCRED, unix(7)); others are told so and cut off. A
// request that does not parse, or is too long, is answered with an error and ends the connection: after it
// nobody knows where the next one begins.
#pragma once

#include "app/api/auth.h"
#include "app/api/caller.h"
#include "app/api/wire.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <boost/json.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unistd.h>

namespace carrel::api {

namespace detail {
class Connection;
}

// One request while its handler runs. Lives on the connection's thread; progress(), event() and the observers
// may be called from other threads that the handler started and waits for.
class Call {
public:
    [[nodiscard]] std::string_view verb() const { return m_verb; }
    [[nodiscard]] const boost::json::object& params() const { return m_params; }
    [[nodiscard]] const Caller& caller() const { return m_caller; }

    // Stop is requested as soon as the peer is gone or the server stops. A handler that waits, waits with it.
    [[nodiscard]] std::stop_token stop() const { return m_stop; }
    [[nodiscard]] bool peerGone() const { return m_stop.stop_requested(); }

    // "progress": `step` is a name for programs, `text` one line for a person, fraction from 0 to 1. Lost
    // silently when the peer is gone.
    void progress(std::string_view step, std::string_view text, std::optional<double> fraction = {});
    // "event" of a following timeline. False: the peer is gone, stop sending. Blocks while the peer does not
    // read.
    [[nodiscard]] bool event(boost::json::object event);
    // Goes with the response, if the handler succeeds.
    void attachDescriptor(UniqueFd fd) { m_attached = std::move(fd); }
    // Done once the answer is on its way, or cannot be sent: what ends the server would else end the answer, too.
    void afterAnswer(std::function<void()> then) { m_afterAnswer = std::move(then); }

private:
    friend class detail::Connection;
    Call(detail::Connection& connection, std::uint64_t id, std::string verb, boost::json::object params,
         const Caller& caller, std::stop_token stop);

    detail::Connection& m_connection;
    std::uint64_t m_id;
    std::string m_verb;
    boost::json::object m_params;
    const Caller& m_caller; // the connection's
    std::stop_token m_stop;
    UniqueFd m_attached;
    std::function<void()> m_afterAnswer;
};

// Runs on the connection's thread and may block. An exception that escapes becomes an Internal error.
using Handler = std::function<Result<boost::json::value>(Call&)>;
using Handlers = std::map<std::string, Handler, std::less<>>;

// The clients' socket.
struct ClientGate {
    std::filesystem::path socket;
    // Asked with the first line of a connection, on its thread. Refused: not known, and the answer is held back
    // for wrongTokenPause. Expired: its time is over. LimitExceeded: too many of its connections. The connection
    // ends when Caller::ends says so.
    std::function<Result<Admission>(std::string_view token)> admit;
    std::chrono::milliseconds patience = kAuthPatience;
    std::chrono::milliseconds wrongTokenPause = kWrongTokenPause;
};

struct Listening {
    std::filesystem::path socket; // the owner's
    std::optional<ClientGate> clients;
    uid_t user = ::geteuid(); // whose processes are served; all others are refused on both sockets
};

class Server {
public:
    // Listens. A socket file left by a dead engine is replaced: the caller holds
    // Home::engineLock, so nobody alive listens there. When start returns, connections are accepted.
    [[nodiscard]] static Result<std::unique_ptr<Server>> start(Listening where, Handlers handlers);
    // The owner's socket alone.
    [[nodiscard]] static Result<std::unique_ptr<Server>> start(const std::filesystem::path& socket,
                                                               Handlers handlers);
    // Like stop().
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Takes no more connections, requests stop on every running call, cuts the connections, waits for their
    // threads and removes the socket file. Not from a handler: use requestStop() there.
    void stop();
    // From any thread, a handler too: makes waitStopRequested() return.
    void requestStop();
    void waitStopRequested();

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel::api

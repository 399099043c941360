// SPDX-License-Identifier: Apache-2.0
// One side of a conversation in JSON-RPC over two descriptors, a message a line (Agent Client Protocol, "Transports", stdio): asks and is
// asked. Both roles use it: the agent over its standard input and output, guestd over the pipes of the agent that it started.
//
// Bounded on both sides. A line longer than `lineBytes` ends the conversation, because nobody can know what it would have answered. What
// waits to be written is at most `queueBytes` and one message more; while it is more, nothing further is read, so that a side that asks
// and does not listen only stops itself. A line that is no message is told to the handler, and, if it looked like one, to the other side.
//
// Legal states: made -> start() once -> ended (by the other side, a failure or close()). Owner: whoever made it; it goes (or close() is
// called) on no thread of its own. Thread: start(), call(), notify(), answer(), cancel() from any thread, callbacks included; the handler
// and the callbacks of call() are called on the reading thread, one at a time, so they must not wait for the peer (answer() and call()
// never wait).
#pragma once

#include "guest/acp/message.h"
#include "guest/protocol/unique_fd.h"

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>

namespace carrel::acp {

enum class WhenFull {
    Wait, // notify() waits until there is room, or the end
    Fail, // notify() is LimitExceeded at once
};

struct PeerLimits {
    std::size_t lineBytes = 16 * 1024 * 1024; // a whole file may be in it
    std::size_t depth = 64;
    std::size_t queueBytes = 1024 * 1024;
    std::size_t calls = 1024; // of ours that wait for an answer
    WhenFull whenFull = WhenFull::Fail;
};

class Handler {
public:
    virtual ~Handler() = default;
    // To be answered once, now or later, on whichever thread, by Peer::answer().
    virtual void request(Request request) = 0;
    // "$/cancel_request" among them.
    virtual void notification(Notification notification) = 0;
    // A line that is no message, or an answer to nothing: what some programs print where only messages belong.
    virtual void unreadable(std::string_view /*line*/, const Error& /*why*/) {}
    // Nothing more comes. Once, after every callback of call(). Unavailable: the other side closed its end. LimitExceeded: a line was too
    // long. Io. Cancelled: close(), which waits for this.
    virtual void ended(const Error& why) = 0;
};

class Peer {
public:
    // Takes both; they may be blocking or not, pipes or sockets.
    Peer(UniqueFd in, UniqueFd out, PeerLimits limits = {});
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer(); // close()

    // The handler outlives this, or close(). Io.
    [[nodiscard]] Status start(Handler& handler);

    // Asks the other side. `done` comes once, with its answer, or when the conversation ends with Code::Cancelled and isEnd. An error
    // here means that `done` never comes. Unavailable: it has ended. LimitExceeded: too many wait, or too much waits to be written.
    using Done = std::function<void(Outcome)>;
    [[nodiscard]] Result<std::int64_t> call(std::string_view method, boost::json::object params, Done done);
    // The same, and waits; not on a thread of the peer's. On `stop` it says "$/cancel_request" and returns Code::Cancelled.
    [[nodiscard]] Outcome ask(std::string_view method, boost::json::object params, const std::stop_token& stop);
    // Says that the answer is not wanted any more ("$/cancel_request"). It still comes.
    void cancel(std::int64_t call);
    // Unavailable, LimitExceeded.
    [[nodiscard]] Status notify(std::string_view method, boost::json::object params);
    // Nothing where it has ended.
    void answer(const Id& id, Outcome outcome);

    // Waits until everything was written, at most so long. Not on a thread of the peer's.
    enum class Drained { Yes, No };
    [[nodiscard]] Drained drain(std::chrono::milliseconds most);
    // Ends it; after it nothing is called any more. Not on a thread of the peer's. Twice is the same as once.
    void close();

private:
    struct Core;
    std::unique_ptr<Core> m_core;
};

} // namespace carrel::acp

// SPDX-License-Identifier: Apache-2.0
// The eight questions that a guest may ask on the control channel (guest/protocol/ask.h): read strictly, written anew,
// numbered and handed to the engine as "ask" (link.h); its "ask.answer" goes back to the guest in the same manner. Nothing
// else is asked of this host.
//
// A number means something in the epoch that it was given in. After that epoch nobody waits for its answer, but the engine
// may still be at work on it: until it has answered the number counts, or a guest could have any number of questions under
// way by beginning epochs.
// Thread: the event loop's.
#pragma once

#include "app/clerk/guest_words.h"
#include "guest/protocol/ask.h"
#include "guest/protocol/rpc.h"

#include <chrono>
#include <functional>
#include <map>

namespace carrel::clerk {

// Of one clerk. A program that looks every few seconds is well within; one that asks in a loop is not.
inline constexpr unsigned kMaxAsksPerMinute = 240;

class GuestAsks {
public:
    using Clock = std::chrono::steady_clock;
    enum class Greeted { No, Yes };

    // `toGuest` queues an answer on the control stream; `toEngine` takes an event of the link.
    GuestAsks(std::function<Status(const RpcResponse&)> toGuest, std::function<void(Told)> toEngine);

    // A request of the guest's, of any method. An error: the answer could not be queued.
    [[nodiscard]] Status ask(std::uint64_t id, const std::string& method, const boost::json::object& params, Greeted greeted,
                             Clock::time_point now);
    // The engine's ask.answer. A number that nobody waits for any more is no error.
    [[nodiscard]] Status answer(const boost::json::object& params);
    void newEpoch();

private:
    struct UnderWay {
        std::uint64_t id = 0; // the guest's own
        ask::Question question;
        bool forgotten = false;
    };
    [[nodiscard]] Status refuse(std::uint64_t id, ErrorCode code, std::string why, std::string hint = {});
    [[nodiscard]] bool takeTurn(Clock::time_point now);

    std::function<Status(const RpcResponse&)> m_toGuest;
    std::function<void(Told)> m_toEngine;
    std::map<std::uint64_t, UnderWay> m_underWay;
    std::uint64_t m_next = 1;
    Clock::time_point m_minute;
    unsigned m_thisMinute = 0;
};

} // namespace carrel::clerk

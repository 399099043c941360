// SPDX-License-Identifier: Apache-2.0
// What the agent's programs ask the host (guest/protocol/ask.h), under way on the control channel. A question waits for the
// host to be there, is sent once in an epoch, and is answered by the host, by the clock, or by the epoch's end: what can be
// asked twice is then sent again in the next one, of the rest it is not known what became of it, and the program is told so.
//
// Thread: any; `send` is called with the lock held and must not call back, answers and `changed` without it.
#pragma once

#include "guest/guestd/channel.h"
#include "guest/protocol/ask.h"
#include "guest/protocol/rpc.h"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>

namespace carrel::guestd {

// For a host that is not there, or no longer: the next clerk takes over within moments, an engine that was stopped does not.
inline constexpr std::chrono::seconds kReachPatience{30};
// Beyond what an answer takes by itself.
inline constexpr std::chrono::seconds kAnswerGrace{30};
// To open a request the host lists and copies what is staged, and waits for this machine as long (its own patience).
inline constexpr std::chrono::minutes kOpenPatience{20};

class HostAsks {
public:
    using Clock = std::chrono::steady_clock;
    using Answered = std::function<void(Result<ask::Standings>)>;
    using Send = std::function<Status(EpochNumber, std::string_view text)>;

    explicit HostAsks(Send send);
    // Called when nextDeadline() may have come nearer.
    void onChange(std::function<void()> changed);

    // Answered exactly once, maybe before this returns. LimitExceeded where too many are under way.
    void ask(ask::Question question, Answered answered, Clock::time_point now);
    void newEpoch(EpochNumber epoch, Clock::time_point now);
    // The host of that epoch has the answer to its hello: it takes questions from here on.
    void greeted(EpochNumber epoch, Clock::time_point now);
    void receive(RpcResponse&& response, EpochNumber epoch);
    void expire(Clock::time_point now);
    [[nodiscard]] std::optional<Clock::time_point> nextDeadline() const;

private:
    struct UnderWay {
        ask::Question question;
        Answered answered;
        EpochNumber sentIn = 0;      // 0: not yet
        Clock::time_point reachUntil; // while it is not sent
        Clock::time_point until;
        [[nodiscard]] Clock::time_point deadline() const { return sentIn == 0 ? std::min(reachUntil, until) : until; }
    };
    using Answers = std::vector<std::pair<Answered, Result<ask::Standings>>>;
    // Under the lock.
    [[nodiscard]] Status sendOne(std::uint64_t number, UnderWay& one, Clock::time_point now);

    Send m_send;
    std::function<void()> m_changed;
    mutable std::mutex m_mutex;
    EpochNumber m_channel = 0; // the epoch that the channel is in
    EpochNumber m_epoch = 0;   // the same, of a host that takes questions; 0: there is none
    std::uint64_t m_next = 1;
    std::map<std::uint64_t, UnderWay> m_underWay; // by the request's id
};

} // namespace carrel::guestd

// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/host_asks.h"

#include <algorithm>

namespace carrel::guestd {

namespace {

Error hostAway() {
    return {ErrorCode::Unavailable, "Carrel does not answer", "It may be stopped: ask again later", 0, nullptr};
}

Error restarted() {
    return {ErrorCode::Unavailable, "Carrel has restarted, ask again",
            "Whether it was asked before that is not known: \"carrel-ask why\" lists what was", 0, nullptr};
}

HostAsks::Clock::duration patienceFor(const ask::Question& question) {
    if (const auto* wait = std::get_if<ask::Wait>(&question)) {
        return wait->most + kAnswerGrace;
    }
    return ask::isRepeatable(question) ? HostAsks::Clock::duration(kAnswerGrace) : kOpenPatience;
}

} // namespace

HostAsks::HostAsks(Send send)
    : m_send(std::move(send)) {}

void HostAsks::onChange(std::function<void()> changed) {
    m_changed = std::move(changed);
}

Status HostAsks::sendOne(std::uint64_t number, UnderWay& one, Clock::time_point now) {
    CARREL_TRY(m_send(m_epoch, toText(RpcRequest{number, std::string(ask::methodOf(one.question)), ask::paramsOf(one.question)})));
    one.sentIn = m_epoch;
    one.until = now + patienceFor(one.question);
    return {};
}

void HostAsks::ask(ask::Question question, Answered answered, Clock::time_point now) {
    Status taken;
    {
        const std::lock_guard lock(m_mutex);
        if (m_underWay.size() >= ask::kMaxUnderWay) {
            taken = fail(ErrorCode::LimitExceeded, "too many programs wait for an answer", "Wait until one has it, or end one");
        } else {
            const std::uint64_t number = m_next++;
            auto& one = m_underWay[number];
            one = {std::move(question), answered, 0, now + kReachPatience, Clock::time_point::max()};
            // Where it cannot be sent the epoch is as good as over, and the next one sends it.
            if (m_epoch != 0) {
                (void)sendOne(number, one, now).has_value();
            }
        }
    }
    if (!taken) {
        answered(fail(std::move(taken).error()));
    } else if (m_changed) {
        m_changed();
    }
}

void HostAsks::newEpoch(EpochNumber epoch, Clock::time_point now) {
    Answers answers;
    {
        const std::lock_guard lock(m_mutex);
        m_channel = epoch;
        m_epoch = 0;
        for (auto at = m_underWay.begin(); at != m_underWay.end();) {
            auto& one = at->second;
            if (one.sentIn == 0) {
                ++at;
            } else if (ask::isRepeatable(one.question)) {
                one.sentIn = 0;
                one.reachUntil = now + kReachPatience;
                ++at;
            } else {
                answers.emplace_back(std::move(one.answered), fail(restarted()));
                at = m_underWay.erase(at);
            }
        }
    }
    for (auto& [answered, answer] : answers) {
        answered(std::move(answer));
    }
    if (m_changed) {
        m_changed();
    }
}

void HostAsks::greeted(EpochNumber epoch, Clock::time_point now) {
    {
        const std::lock_guard lock(m_mutex);
        if (epoch != m_channel) {
            return; // over, while the hello was answered
        }
        m_epoch = epoch;
        for (auto& [number, one] : m_underWay) {
            if (one.sentIn == 0) {
                (void)sendOne(number, one, now).has_value();
            }
        }
    }
    if (m_changed) {
        m_changed();
    }
}

void HostAsks::receive(RpcResponse&& response, EpochNumber epoch) {
    Answers answers;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_underWay.find(response.id);
        if (at == m_underWay.end() || at->second.sentIn != epoch || epoch == 0) {
            return; // out of time, or never asked
        }
        Result<ask::Standings> answer;
        if (!response.result) {
            answer = fail(std::move(response.result).error());
        } else if (response.result->is_object()) {
            answer = ask::standingsFrom(at->second.question, response.result->get_object());
        } else {
            answer = fail(ErrorCode::Malformed, "the host gave an answer of the wrong form");
        }
        answers.emplace_back(std::move(at->second.answered), std::move(answer));
        m_underWay.erase(at);
    }
    for (auto& [answered, answer] : answers) {
        answered(std::move(answer));
    }
}

void HostAsks::expire(Clock::time_point now) {
    Answers answers;
    {
        const std::lock_guard lock(m_mutex);
        for (auto at = m_underWay.begin(); at != m_underWay.end();) {
            if (at->second.deadline() > now) {
                ++at;
                continue;
            }
            answers.emplace_back(std::move(at->second.answered), fail(hostAway()));
            at = m_underWay.erase(at);
        }
    }
    for (auto& [answered, answer] : answers) {
        answered(std::move(answer));
    }
}

std::optional<HostAsks::Clock::time_point> HostAsks::nextDeadline() const {
    const std::lock_guard lock(m_mutex);
    std::optional<Clock::time_point> next;
    for (const auto& [number, one] : m_underWay) {
        next = next ? std::min(*next, one.deadline()) : one.deadline();
    }
    return next;
}

} // namespace carrel::guestd

// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/agent_runner.h"

#include <algorithm>
#include <sys/eventfd.h>

namespace carrel::runner {

namespace json = boost::json;

namespace {

Error notFound() {
    return {ErrorCode::NotFound, "no such run of an agent program is known here", "Start it again: its machine, or what runs it there, has been started anew", 0, nullptr};
}
Error stopped() {
    return {ErrorCode::Cancelled, "what runs the agent program was stopped", {}, 0, nullptr};
}

AgentRunner::Answer answerOf(const Status& status) {
    if (!status) {
        return fail(status.error());
    }
    return json::object{};
}

} // namespace

AgentRunner::AgentRunner(Settings settings)
    : m_settings(std::move(settings))
    , m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    , m_thread([this] { run(); }) {}

AgentRunner::~AgentRunner() {
    stop();
}

void AgentRunner::wake() const {
    (void)::eventfd_write(m_wake.get(), 1);
}

void AgentRunner::call(talk::Call call, Reply reply) {
    {
        const std::lock_guard lock(m_mutex);
        if (!m_stop && m_asked.size() < kMostCalls) {
            m_asked.push_back({std::move(call), std::move(reply)});
            wake();
            return;
        }
    }
    reply(fail(ErrorCode::LimitExceeded, "too many calls for the agent program wait", "Ask again in a moment"));
}

void AgentRunner::accountEnded() {
    const std::lock_guard lock(m_mutex);
    m_accountEnded = true;
    wake();
}

void AgentRunner::end() {
    std::unique_lock lock(m_mutex);
    m_ends = true;
    wake();
    m_changed.wait(lock, [this] { return m_hasEnded || m_stop; });
}

void AgentRunner::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
        wake();
    }
    m_changed.notify_all();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

void AgentRunner::run() {
    for (;;) {
        std::deque<Asked> asked;
        bool ends = false;
        {
            const std::lock_guard lock(m_mutex);
            if (m_stop) {
                break;
            }
            asked.swap(m_asked);
            ends = m_ends;
            if (std::exchange(m_accountEnded, false) && m_run) {
                m_run->accountEnded();
            }
        }
        const auto now = Clock::now();
        for (auto& each : asked) {
            take(std::move(each), now);
        }
        if (m_run) {
            if (ends) {
                m_run->end("The machine was shut down", now);
            }
            m_run->advance(now);
        }
        m_reaper.advance();
        tellWaiter(now);
        if (ends && !runGoesOn()) {
            const std::lock_guard lock(m_mutex);
            m_hasEnded = true;
            m_changed.notify_all();
        }
        std::vector<pollfd> polled{{m_wake.get(), POLLIN, 0}};
        m_reaper.collectPoll(polled);
        if (m_run) {
            m_run->collectPoll(polled);
        }
        ::poll(polled.data(), polled.size(), timeoutFrom(Clock::now()));
        eventfd_t value = 0;
        (void)::eventfd_read(m_wake.get(), &value);
    }
    m_run.reset();
    releaseWaiter(fail(stopped()));
    std::deque<Asked> left;
    {
        const std::lock_guard lock(m_mutex);
        left.swap(m_asked);
    }
    for (auto& each : left) {
        each.reply(fail(stopped()));
    }
}

int AgentRunner::timeoutFrom(Clock::time_point now) const {
    auto next = m_run ? m_run->nextLook() : std::nullopt;
    if (m_waiter) {
        next = next ? std::min(*next, m_waiter->until) : m_waiter->until;
    }
    if (!next) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

Result<AgentRun*> AgentRunner::find(std::uint64_t run) {
    if (!m_run || m_run->number() != run) {
        return fail(notFound());
    }
    return m_run.get();
}

void AgentRunner::take(Asked asked, Clock::time_point now) {
    if (const auto* begins = std::get_if<talk::Start>(&asked.call)) {
        asked.reply(answerOf(start(*begins, now)));
        return;
    }
    const auto found = find(std::visit([](const auto& each) { return each.run; }, asked.call));
    if (std::holds_alternative<talk::Cancel>(asked.call) || std::holds_alternative<talk::Stop>(asked.call)) {
        if (found && std::holds_alternative<talk::Cancel>(asked.call)) {
            (*found)->cancel();
        } else if (found) {
            (*found)->end("It was stopped", now);
        }
        asked.reply(json::object{});
    } else if (!found) {
        asked.reply(fail(found.error()));
    } else if (const auto* prompt = std::get_if<talk::Prompt>(&asked.call)) {
        asked.reply(answerOf((*found)->prompt(*prompt)));
    } else if (const auto* permit = std::get_if<talk::Permit>(&asked.call)) {
        asked.reply(answerOf((*found)->permit(*permit)));
    } else if (const auto* mode = std::get_if<talk::SetMode>(&asked.call)) {
        asked.reply(answerOf((*found)->setMode(mode->mode)));
    } else {
        takeUpdates(std::get<talk::Updates>(asked.call), std::move(asked.reply), now);
    }
}

Status AgentRunner::start(const talk::Start& start, Clock::time_point now) {
    if (m_run && m_run->number() == start.run) {
        return {};
    }
    {
        const std::lock_guard lock(m_mutex);
        if (m_ends) {
            return fail(ErrorCode::Unavailable, "the machine is being shut down");
        }
    }
    if (runGoesOn()) {
        return fail(ErrorCode::Conflict, "another agent program runs in this machine", "Stop it, and wait for its end");
    }
    auto next = std::make_unique<AgentRun>(start, RunSurroundings{m_settings.spawners, m_settings.fileProgram, m_settings.bounds, m_wake.get()}, m_reaper);
    CARREL_TRY(next->begin(now));
    releaseWaiter(fail(notFound()));
    m_run = std::move(next);
    return {};
}

void AgentRunner::takeUpdates(const talk::Updates& wanted, Reply reply, Clock::time_point now) {
    releaseWaiter(talk::answerWith({}));
    m_run->book().forget(wanted.after);
    m_waiter = Waiter{std::move(reply), wanted.after, now + wanted.most};
}

void AgentRunner::tellWaiter(Clock::time_point now) {
    if (m_waiter && (m_run->book().has(m_waiter->after) || now >= m_waiter->until)) {
        releaseWaiter(m_run->book().handOut(m_waiter->after));
    }
}

void AgentRunner::releaseWaiter(Answer answer) {
    if (m_waiter) {
        const auto reply = std::move(m_waiter->reply);
        m_waiter.reset();
        reply(std::move(answer));
    }
}

} // namespace carrel::runner

// SPDX-License-Identifier: Apache-2.0
// How a turn, and a task, comes to its end, and what one waits for.
#include "app/tasks/lane.h"
#include "app/tasks/lane_words.h"

#include <algorithm>

namespace carrel::tasks {

using activity::EventKind;
using activity::Provenance;
using namespace std::chrono_literals;

namespace {

constexpr unsigned kMostFailures = 5; // of its program's, since the owner's last word

} // namespace

void Lane::endTurn(std::uint64_t id, const talk::TurnEnded& ended) {
    const auto stop = ended.stop;
    const bool called = isCancelled(id);
    const bool failed = stop == talk::TurnStop::Failed || stop == talk::TurnStop::MaxTokens || stop == talk::TurnStop::MaxTurnRequests || stop == talk::TurnStop::Refusal;
    auto told = story(id);
    if (told) {
        (void)(*told)->close(ended.turn);
        (void)(*told)->flush();
    }
    const auto summary = told ? (*told)->lastWords(ended.turn, kMaxSummaryBytes) : std::string();
    const auto staged = m_hands->staged();
    m_world.useEnds(m_agent, id);
    const auto used = m_world.used(m_agent, id);
    const auto words = called || stop == talk::TurnStop::Cancelled ? "cancelled" : failed ? "failed" : "done";
    const auto noted = m_hands->note(EventKind::TaskEnded, record(id).title,
                                     {{"task", id}, {"turn", ended.turn}, {"how", words}, {"stop", talk::toString(stop)}, {"staged", staged},
                                      {"input_tokens", used.inputTokens}, {"output_tokens", used.outputTokens}},
                                     Provenance::Host);
    if (!noted) {
        m_world.complain(m_name + ": " + noted.error().text());
    }
    update(id, [&](TaskRecord& of) {
        if (!of.told && !of.unsaid.empty()) { // it could not be said
            of.unsaid.erase(of.unsaid.begin());
        }
        of.open = of.told = of.cancelling = false;
        of.waiting.reset();
        of.asks.clear();
        of.endedMs = now();
        of.lastEvent = noted ? *noted : of.lastEvent;
        of.staged = staged;
        of.summary = summary;
        if (m_turnSince) {
            of.workedMs += static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - *m_turnSince).count());
        }
        if (called || stop == talk::TurnStop::Cancelled) {
            of.state = TaskState::Cancelled;
            of.unsaid.clear();
        } else if (failed) {
            of.state = TaskState::Failed;
            of.trouble = troubleOf(ended);
        } else {
            of.state = of.unsaid.empty() ? TaskState::Done : TaskState::Queued;
        }
    });
    {
        const std::lock_guard lock(m_mutex);
        m_turnSince.reset();
    }
    m_cancelSaid.reset();
    const auto state = record(id).state;
    m_world.attention(m_agent, id,
                      state == TaskState::Done     ? (staged == 0 ? Attention::Done : Attention::Review)
                      : state == TaskState::Failed ? Attention::Failed
                                                   : Attention::None);
}

void Lane::failTask(std::uint64_t id, std::string message, std::string hint) {
    const auto task = record(id);
    if (task.open) {
        endTurn(id, {task.turns, talk::TurnStop::Failed, {}, {}});
        if (!isOver(record(id).state)) {
            return;
        }
    }
    update(id, [&](TaskRecord& of) {
        of.state = TaskState::Failed;
        of.endedMs = now();
        of.cancelling = false;
        of.waiting.reset();
        of.trouble = Trouble{std::move(message), std::move(hint)};
    });
    m_world.attention(m_agent, id, Attention::Failed);
}

// Before its turn began, or after that was lost.
void Lane::cancelled(std::uint64_t id) {
    const auto task = record(id);
    if (task.open) {
        if (task.told && !task.gone) { // ended as soon as its machine can be told
            update(id, [](TaskRecord& of) { of.stray = true; });
        }
        endTurn(id, {task.turns, talk::TurnStop::Cancelled, {}, {}});
        return;
    }
    update(id, [&](TaskRecord& of) {
        of.state = TaskState::Cancelled;
        of.cancelling = false;
        of.endedMs = now();
        of.waiting.reset();
        of.unsaid.clear();
    });
}

void Lane::waitFor(std::uint64_t id, Waiting waiting) {
    const auto why = waiting.what == WaitsFor::Permission ? Attention::Permission
                     : waiting.what == WaitsFor::Budget   ? Attention::Budget
                     : waiting.what == WaitsFor::Provider ? Attention::Provider
                                                          : Attention::Machine;
    update(id, [&](TaskRecord& of) {
        of.state = TaskState::Waiting;
        of.waiting = std::move(waiting);
    });
    m_world.attention(m_agent, id, why);
}

// Why comes first: what was stopped for a reason is not resumed without having heard of it.
void Lane::waitForPaused(std::uint64_t id) {
    const auto why = m_hands->pausedWhy();
    waitFor(id, {WaitsFor::Machine, why.empty() ? "The agent's machine is paused." : "The agent's machine was paused: " + sentence(why), "Resume it: carrel resume " + m_name});
}

void Lane::waitForMachine(std::uint64_t id, const Error& error) {
    if (m_stop.stop_requested()) {
        return;
    }
    {
        // It is tried again by itself, less and less often.
        const std::lock_guard lock(m_mutex);
        auto& patience = m_patience[id];
        patience.failed = std::min(patience.failed + 1, 8U);
        patience.notBefore = Steady::now() + m_pace.again * (1U << patience.failed);
    }
    waitFor(id, {WaitsFor::Machine, sentence(error.text()), error.hint.empty() ? "Then go on with the task." : error.hint});
}

bool Lane::mayTryAgain(std::uint64_t id, const std::string& why) {
    {
        std::unique_lock lock(m_mutex);
        auto& failed = m_patience[id].failed;
        if (++failed <= kMostFailures) {
            m_wake.wait_for(lock, m_pace.again * failed, [this] { return m_stopped; });
            return true;
        }
        m_patience.erase(id);
    }
    failTask(id, why, "Look at its machine, and say how to go on: carrel shell " + m_name);
    return false;
}

} // namespace carrel::tasks

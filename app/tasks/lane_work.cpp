// SPDX-License-Identifier: Apache-2.0
// The lane's thread: which task is next, what it takes to work on it, and how its turns begin and end.
#include "app/tasks/lane.h"

#include <algorithm>

namespace carrel::tasks {

using activity::EventKind;
using activity::Provenance;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds kProgramEnds{30};
constexpr std::string_view kGoOn = "You were interrupted while you worked on this: the machine was stopped or started again. What you did until then is as you left it. "
                                   "Look at how far you came, and go on with the task until it is done.";
constexpr std::string_view kBegunAnew = "You were interrupted while you worked on a task, and do not remember it. What you did until then is as you left it in the shared "
                                        "folders. Look at how far you came, and go on until it is done. What the user said:";

std::string sentence(const std::string& text) {
    return text.empty() || text.back() == '.' || text.back() == '!' ? text : text + ".";
}

} // namespace

void Lane::run() {
    for (;;) {
        const auto machine = m_hands->machine();
        if (machine == AgentHands::Machine::Ready) {
            endStray();
        }
        std::optional<std::uint64_t> id;
        {
            std::unique_lock lock(m_mutex);
            id = next(machine);
            if (id || m_seenKnocks != m_knocks) {
                m_seenKnocks = m_knocks;
            } else {
                auto until = m_pace.look;
                for (const auto& [number, task] : m_tasks) {
                    if (task.state == TaskState::Scheduled) {
                        until = std::clamp(std::chrono::milliseconds(task.nextMs - now()), 0ms, until);
                    }
                }
                m_wake.wait_for(lock, until, [this] { return m_stopped || m_knocks != m_seenKnocks; });
            }
            if (m_stopped) {
                return;
            }
            m_now = id.value_or(0);
            m_startStop = std::stop_source();
        }
        beginDue();
        if (id) {
            work(*id);
            settle(*id);
        }
    }
}

// A cancel may have come right behind the last look for one.
void Lane::settle(std::uint64_t id) {
    bool late = false;
    {
        const std::lock_guard lock(m_mutex);
        m_now = 0;
        m_turnSince.reset();
        m_goOns.erase(id);
        const auto& task = m_tasks.at(id);
        late = m_cancels.contains(id) && !isOver(task.state) && !task.open;
        if (late || isOver(task.state)) { // else it is minded with the turn
            m_cancels.erase(id);
        }
    }
    if (late) {
        cancelled(id);
    }
}

// What was begun goes on first; then in the order in which they were given.
std::optional<std::uint64_t> Lane::next(AgentHands::Machine machine) const {
    const auto canGoOn = [&](const TaskRecord& task) {
        if (task.title.empty()) {
            return false;
        }
        if (task.state == TaskState::Waiting) { // for something that may have come by itself
            return task.waiting && ((task.waiting->what == WaitsFor::Machine && machine == AgentHands::Machine::Ready) ||
                                    (task.waiting->what == WaitsFor::Provider && m_knocks != m_seenKnocks) || task.waiting->what == WaitsFor::Permission ||
                                    (task.waiting->what == WaitsFor::Budget && task.open));
        }
        return task.open || (task.state == TaskState::Queued && !task.unsaid.empty()) || task.state == TaskState::Starting || task.state == TaskState::Working;
    };
    // Beside a turn that was begun there is nothing else, also while that waits: a machine that the owner stopped is not started by the
    // task after it.
    for (const auto& [id, task] : m_tasks) {
        if (task.open) {
            return canGoOn(task) || m_cancels.contains(id) ? std::optional(id) : std::nullopt;
        }
    }
    const TaskRecord* best = nullptr;
    for (const auto& [id, task] : m_tasks) {
        if (canGoOn(task) && (best == nullptr || task.queuedMs < best->queuedMs)) {
            best = &task;
        }
    }
    return best == nullptr ? std::nullopt : std::optional(best->id);
}

void Lane::endStray() {
    std::uint64_t id = 0;
    std::uint64_t run = 0;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, task] : m_tasks) {
            if (task.stray) {
                id = number;
                run = task.run;
            }
        }
    }
    if (id != 0 && m_hands->talk(talk::Stop{run}, m_stop.get_token())) {
        update(id, [](TaskRecord& of) {
            of.stray = false;
            of.gone = true;
        });
    }
}

// One of its own for each time; the one that is due once is it itself.
void Lane::beginDue() {
    std::vector<TaskRecord> due;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [id, task] : m_tasks) {
            if (task.state == TaskState::Scheduled && task.nextMs <= now()) {
                due.push_back(task);
            }
        }
    }
    for (const auto& task : due) {
        if (task.everyS == 0) {
            update(task.id, [&](TaskRecord& of) {
                of.state = TaskState::Queued;
                of.queuedMs = now();
                of.nextMs = 0;
            });
            continue;
        }
        const auto step = static_cast<std::int64_t>(task.everyS) * 1000;
        update(task.id, [&](TaskRecord& of) { // those that were missed are not made up for
            of.nextMs += step * ((now() - of.nextMs) / step + 1);
        });
        NewTask one;
        one.text = task.unsaid.empty() ? task.title : task.unsaid.front().text;
        one.program = task.program;
        one.provider = task.provider;
        one.permissions = task.permissions;
        one.budget = task.budget;
        const auto given = add(one);
        if (!given) {
            m_world.complain(m_name + ": a scheduled task was not begun: " + given.error().text());
        } else if (!task.unsaid.empty() && !task.unsaid.front().files.empty()) {
            update(given->record.id, [&](TaskRecord& of) { of.unsaid.front().files = task.unsaid.front().files; });
        }
    }
}

bool Lane::isCancelled(std::uint64_t id) const {
    const std::lock_guard lock(m_mutex);
    return m_cancels.contains(id);
}

void Lane::pause(std::chrono::milliseconds most) {
    std::unique_lock lock(m_mutex);
    const auto before = m_knocks;
    const auto cancels = m_cancels.size();
    const auto goOns = m_goOns.size();
    m_wake.wait_for(lock, most, [&] { return m_stopped || m_knocks != before || m_cancels.size() != cancels || m_goOns.size() != goOns; });
}

void Lane::work(std::uint64_t id) {
    auto task = record(id);
    if (isCancelled(id) && m_hands->machine() != AgentHands::Machine::Ready) {
        cancelled(id);
        return;
    }
    if (task.waiting && task.waiting->what == WaitsFor::Budget) { // of an engine before this one
        if (const auto why = m_world.overBudget(m_agent, id); why && spent(id, *why) == How::LetGo) {
            return;
        }
    }
    const auto brain = m_world.brain(m_agent, task.program, task.provider);
    if (!brain) {
        waitFor(id, {WaitsFor::Provider, sentence(brain.error().text()), brain.error().hint});
        return;
    }
    update(id, [&](TaskRecord& of) {
        of.program = brain->program;
        of.provider = brain->provider;
        of.state = of.waiting && of.waiting->what == WaitsFor::Permission ? of.state : TaskState::Starting;
        if (of.state == TaskState::Starting) {
            of.waiting.reset();
        }
    });
    for (;;) {
        if (!bringMachine(id)) {
            return;
        }
        const auto program = bringProgram(id, *brain);
        if (program == Program::None) {
            return;
        }
        task = record(id);
        if (program == Program::Anew && task.open) { // the turn went with the program
            if (auto told = story(id); told && task.told) {
                (void)(*told)->close(task.turns);
            }
            if (isCancelled(id)) {
                cancelled(id);
                return;
            }
            update(id, [&](TaskRecord& of) {
                if (of.told) {
                    std::string text(m_started && m_started->loaded ? kGoOn : kBegunAnew);
                    if (!m_started || !m_started->loaded) {
                        text += "\n\n" + of.title;
                    }
                    of.unsaid.insert(of.unsaid.begin(), Saying{std::move(text), {}});
                }
                of.open = of.told = false;
                of.waiting.reset();
            });
        }
        task = record(id);
        if (isCancelled(id) && !task.open) {
            cancelled(id);
            return;
        }
        if (!task.open && (task.unsaid.empty() || !beginTurn(id))) {
            return;
        }
        if (!tell(id)) {
            if (record(id).state == TaskState::Waiting || m_stop.stop_requested()) {
                return;
            }
            continue;
        }
        const auto how = follow(id);
        if (how == How::LetGo) {
            return;
        }
        if (how == How::TurnOver && (isOver(record(id).state) || record(id).unsaid.empty())) {
            return;
        }
    }
}

bool Lane::bringMachine(std::uint64_t id) {
    switch (m_hands->machine()) {
    case AgentHands::Machine::Ready:
        return true;
    case AgentHands::Machine::Paused:
        waitForPaused(id);
        return false;
    case AgentHands::Machine::Off:
    case AgentHands::Machine::Coming:
        break;
    }
    std::stop_token stop;
    {
        const std::lock_guard lock(m_mutex);
        stop = m_startStop.get_token();
    }
    if (auto ready = m_hands->startMachine(stop); !ready) {
        if (m_stop.stop_requested()) {
            return false;
        }
        if (isCancelled(id)) {
            cancelled(id);
            return false;
        }
        waitForMachine(id, ready.error());
        return false;
    }
    return true;
}

// Whatever ran last of this agent's can be running still: nothing else can.
Lane::Program Lane::bringProgram(std::uint64_t id, const Brain& brain) {
    auto task = record(id);
    if (task.run != 0 && !task.gone) {
        const auto told = story(id);
        if (!told) {
            failTask(id, told.error().text(), told.error().hint);
            return Program::None;
        }
        const auto there = m_hands->talk(talk::Updates{task.run, (*told)->taken(), 0s}, m_stop.get_token());
        if (there) {
            m_live = task.run;
            return Program::Same;
        }
        if (!there && there.error().code != ErrorCode::NotFound) {
            waitForMachine(id, there.error());
            return Program::None;
        }
    }
    if (auto started = startProgram(id, brain); !started) {
        if (!m_stop.stop_requested()) {
            waitForMachine(id, started.error());
        }
        return Program::None;
    }
    return awaitStarted(id) ? Program::Anew : Program::None;
}

Status Lane::startProgram(std::uint64_t id, const Brain& brain) {
    std::uint64_t last = 0;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, task] : m_tasks) {
            last = std::max(last, task.run);
        }
    }
    const auto stop = m_stop.get_token();
    if (last != 0) {
        if (auto ended = m_hands->talk(talk::Stop{last}, stop); !ended) {
            return fail(ended.error());
        }
    }
    auto environment = m_hands->environment();
    if (!environment) {
        return fail(std::move(environment).error());
    }
    for (const auto& [name, value] : brain.environment) {
        (*environment)[name] = value;
    }
    const auto told = story(id);
    if (!told) {
        return fail(told.error());
    }
    CARREL_TRY((*told)->newRun());
    update(id, [&](TaskRecord& of) {
        of.run = last + 1;
        of.gone = false;
    });
    const auto task = record(id);
    talk::Start start{task.run, brain.argv, std::move(*environment), m_hands->workFolder(), {}};
    if (!task.session.empty()) {
        start.load = task.session;
    }
    const auto until = Steady::now() + kProgramEnds;
    for (;;) {
        const auto started = m_hands->talk(start, stop);
        if (started) {
            m_live = task.run;
            return {};
        }
        // The one before takes its time to end.
        if (started.error().code != ErrorCode::Conflict || Steady::now() >= until || stop.stop_requested()) {
            return fail(started.error());
        }
        pause(m_pace.again);
    }
}

bool Lane::awaitStarted(std::uint64_t id) {
    m_started.reset();
    m_ended.reset();
    while (!m_started && !m_ended) {
        if (const auto how = fetch(id); how) {
            return false;
        }
        if (isCancelled(id)) {
            (void)m_hands->talk(talk::Stop{m_live}, m_stop.get_token());
            m_live = 0;
            cancelled(id);
            return false;
        }
    }
    if (m_ended) {
        const bool hadSession = !record(id).session.empty();
        m_live = 0;
        if (hadSession && !record(id).open) {
            // Perhaps that conversation cannot be gone on with; a new one can.
            update(id, [](TaskRecord& of) { of.session.clear(); });
        }
        failTask(id, "The agent program did not start: " + sentence(m_ended->how), m_ended->said);
        return false;
    }
    update(id, [&](TaskRecord& of) { of.session = m_started->loads ? m_started->session : std::string(); });
    return true;
}

bool Lane::beginTurn(std::uint64_t id) {
    const auto task = record(id);
    if (const auto why = m_world.overBudget(m_agent, id); why) {
        waitFor(id, {WaitsFor::Budget, sentence(*why), "Go on with as much again, or cancel it."});
        return false;
    }
    const auto noted = m_hands->note(EventKind::TaskBegun, task.title,
                                     {{"task", id}, {"turn", task.turns + 1}, {"program", task.program}, {"provider", task.provider}}, Provenance::Host);
    if (!noted) {
        waitForMachine(id, noted.error());
        return false;
    }
    if (auto told = story(id); told) {
        (void)(*told)->add({ItemKind::User, task.turns + 1, now(), task.unsaid.front().text, {}, {}, {}, {}, {}, {}, task.unsaid.front().files});
    }
    update(id, [&](TaskRecord& of) {
        ++of.turns;
        of.open = true;
        of.told = false;
        of.state = TaskState::Working;
        of.begunMs = of.begunMs == 0 ? now() : of.begunMs;
        of.summary.clear();
        of.trouble.reset();
        of.lastEvent = *noted;
    });
    return true;
}

// Saying it a second time is the same as saying it once, so it is said until it is heard.
bool Lane::tell(std::uint64_t id) {
    m_world.useBegins(m_agent, id);
    auto task = record(id);
    if (!task.told) {
        const auto& saying = task.unsaid.front();
        const auto said = m_hands->talk(talk::Prompt{task.run, task.turns, saying.text, saying.files}, m_stop.get_token());
        if (!said) {
            if (m_stop.stop_requested()) {
                return false;
            }
            if (said.error().code == ErrorCode::Malformed || said.error().code == ErrorCode::InvalidArgument) {
                failTask(id, said.error().text(), said.error().hint); // asking again would not help
                return false;
            }
            if (said.error().code != ErrorCode::NotFound) {
                pause(m_pace.again);
            }
            return false;
        }
        update(id, [](TaskRecord& of) {
            of.told = true;
            of.unsaid.erase(of.unsaid.begin());
        });
    }
    update(id, [](TaskRecord& of) {
        if (!of.waiting) {
            of.state = TaskState::Working;
        }
    });
    const std::lock_guard lock(m_mutex);
    m_turnSince = Steady::now();
    return true;
}

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
        of.open = of.told = false;
        of.waiting.reset();
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
            of.trouble = Trouble{stop == talk::TurnStop::MaxTokens         ? "The model's answer was longer than one may be."
                                 : stop == talk::TurnStop::MaxTurnRequests ? "The agent took as many steps as it may for one request."
                                 : stop == talk::TurnStop::Refusal         ? "The model will not do this."
                                                                           : sentence(ended.message.empty() ? "The agent failed" : ended.message),
                                 stop == talk::TurnStop::Failed ? ended.hint : "Say how to go on, or ask for less at once."};
            if (stop != talk::TurnStop::Failed && !ended.message.empty()) {
                of.trouble->message = sentence(ended.message);
                of.trouble->hint = ended.hint.empty() ? of.trouble->hint : ended.hint;
            }
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
        endTurn(id, {task.turns, talk::TurnStop::Failed, std::move(message), std::move(hint)});
        return;
    }
    update(id, [&](TaskRecord& of) {
        of.state = TaskState::Failed;
        of.endedMs = now();
        of.waiting.reset();
        of.trouble = Trouble{std::move(message), std::move(hint)};
    });
    m_world.attention(m_agent, id, Attention::Failed);
}

// Before its turn began, or after that was lost.
void Lane::cancelled(std::uint64_t id) {
    const auto task = record(id);
    if (task.open) {
        if (task.told && !task.gone && m_hands->machine() != AgentHands::Machine::Ready) {
            update(id, [](TaskRecord& of) { of.stray = true; });
        }
        endTurn(id, {task.turns, talk::TurnStop::Cancelled, {}, {}});
        return;
    }
    update(id, [&](TaskRecord& of) {
        of.state = TaskState::Cancelled;
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
    waitFor(id, {WaitsFor::Machine, sentence(error.text()), error.hint.empty() ? "Then go on with the task." : error.hint});
}

} // namespace carrel::tasks

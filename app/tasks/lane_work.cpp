// SPDX-License-Identifier: Apache-2.0
// The lane's thread: which task is next, what it takes to work on it, and how its turns begin and end.
#include "app/tasks/lane.h"
#include "app/tasks/lane_words.h"

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
                for (const auto& [number, patience] : m_patience) {
                    if (patience.notBefore > Steady::now()) {
                        until = std::min(until, std::chrono::duration_cast<std::chrono::milliseconds>(patience.notBefore - Steady::now()) + 1ms);
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
        if (task.state == TaskState::Waiting && task.waiting) { // for something that may have come by itself
            const auto patience = m_patience.find(task.id);
            const bool again = patience == m_patience.end() || Steady::now() >= patience->second.notBefore;
            return (task.waiting->what == WaitsFor::Machine && machine == AgentHands::Machine::Ready && again) ||
                   (task.waiting->what == WaitsFor::Provider && m_knocks != m_seenKnocks) || (task.waiting->what == WaitsFor::Budget && task.open);
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
            update(given->record.id, [&](TaskRecord& of) {
                if (!of.unsaid.empty()) { // else it was cancelled meanwhile
                    of.unsaid.front().files = task.unsaid.front().files;
                }
            });
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
    if (isCancelled(id) && (!task.told || m_hands->machine() != AgentHands::Machine::Ready)) {
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
        if (isCancelled(id)) {
            cancelled(id);
            return;
        }
        waitFor(id, {WaitsFor::Provider, sentence(brain.error().text()), brain.error().hint});
        return;
    }
    update(id, [&](TaskRecord& of) {
        of.program = brain->program;
        of.provider = brain->provider;
        of.waiting.reset();
        of.state = of.asks.empty() ? TaskState::Starting : TaskState::Waiting; // for its owner, while its program is found again
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
            if (task.told && !mayTryAgain(id, "Its program was lost while it worked, again and again.")) {
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
                of.asks.clear();
            });
        }
        task = record(id);
        if (isCancelled(id) && !task.told) {
            cancelled(id);
            return;
        }
        if (!task.open && (task.unsaid.empty() || !beginTurn(id))) {
            return;
        }
        if (!tell(id)) {
            const auto state = record(id).state;
            if (state == TaskState::Waiting || isOver(state) || m_stop.stop_requested()) {
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
        if (!there && there.error().code != ErrorCode::NotFound) {
            waitForMachine(id, there.error());
            return Program::None;
        }
        // What it tells is taken with the turn that goes on; where none does, an end is its end, and a beginning that nobody has heard yet
        // names its conversation.
        bool ended = !there;
        for (std::size_t i = 0; there && i < there->size(); ++i) {
            const auto& what = (*there)[i].what;
            ended = ended || (std::holds_alternative<talk::Ended>(what) && !task.told);
            if (const auto* started = std::get_if<talk::Started>(&what); started != nullptr && started->loads && task.session.empty()) {
                update(id, [&](TaskRecord& of) { of.session = started->session; });
            }
        }
        if (!ended) {
            m_live = task.run;
            return Program::Same;
        }
        programGone(id);
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
            if (*how == How::Lost) {
                (void)mayTryAgain(id, "Its program was lost while it started, again and again.");
            }
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
        failTask(id, "The agent program did not start: " + quoted(m_ended->how, m_ended->said), "See which there are: carrel task programs " + m_name);
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
    if (!task.budget.isEmpty() && task.turns == 0) { // it may have been forgotten since it was given
        if (auto kept = m_world.setBudget(m_agent, id, task.budget); !kept) {
            waitForMachine(id, kept.error());
            return false;
        }
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
    m_toolsNoted = m_answered = 0;
    return true;
}

// Saying it a second time is the same as saying it once, so it is said until it is heard.
bool Lane::tell(std::uint64_t id) {
    m_world.useBegins(m_agent, id);
    const auto task = record(id);
    if (!task.told) {
        if (task.unsaid.empty()) {
            failTask(id, "What was to be said is lost.", "Say it again");
            return false;
        }
        const auto& saying = task.unsaid.front();
        const auto said = m_hands->talk(talk::Prompt{task.run, task.turns, saying.text, saying.files}, m_stop.get_token());
        if (!said) {
            if (m_stop.stop_requested()) {
                return false;
            }
            switch (said.error().code) {
            case ErrorCode::Malformed:
            case ErrorCode::InvalidArgument: // asking again would not help
                failTask(id, "The agent's machine did not take what was said: " + said.error().text(), "Say it in another way");
                return false;
            case ErrorCode::Unavailable:
            case ErrorCode::Expired:
            case ErrorCode::Cancelled:
            case ErrorCode::Refused: // paused, or stopped
                pause(m_pace.again);
                return false;
            default:
                if (said.error().code == ErrorCode::NotFound) {
                    programGone(id);
                }
                (void)mayTryAgain(id, "Its program does not take what was said.");
                return false;
            }
        }
        update(id, [](TaskRecord& of) {
            of.told = true;
            if (!of.unsaid.empty()) {
                of.unsaid.erase(of.unsaid.begin());
            }
        });
    }
    update(id, settleState);
    const std::lock_guard lock(m_mutex);
    m_turnSince = Steady::now();
    return true;
}

} // namespace carrel::tasks

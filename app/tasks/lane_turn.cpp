// SPDX-License-Identifier: Apache-2.0
// The lane's thread within one turn: what the agent program tells, what it asks leave for, and what ends the turn before it ends itself.
#include "app/tasks/lane.h"

#include <algorithm>
#include <utility>

namespace carrel::tasks {

using activity::EventKind;
using activity::Provenance;

namespace {

// Of one turn, each a row in the log: whatever a machine tells, it makes the log grow by no more.
constexpr std::uint64_t kMaxToolsNoted = 2000; // the story has them all
constexpr std::uint64_t kMaxAnswered = 500;    // then the owner is asked
constexpr std::chrono::milliseconds kLeastLook{10}; // from one look at the program to the next

bool isAllow(talk::OptionKind kind) {
    return kind == talk::OptionKind::AllowOnce || kind == talk::OptionKind::AllowAlways;
}

} // namespace

Lane::How Lane::follow(std::uint64_t id) {
    m_cancelSaid.reset();
    m_spent = m_rests = false;
    for (;;) {
        if (const auto how = minded(id); how) {
            return *how;
        }
        if (const auto how = fetch(id); how) {
            return *how;
        }
    }
}

// One look at what the program told. Nothing: go on.
std::optional<Lane::How> Lane::fetch(std::uint64_t id) {
    const auto told = story(id);
    if (!told) {
        failTask(id, told.error().text(), told.error().hint);
        return How::LetGo;
    }
    const auto stop = m_stop.get_token();
    const auto begun = Steady::now();
    const auto updates = m_hands->talk(talk::Updates{record(id).run, (*told)->taken(), m_pace.poll}, stop);
    if (stop.stop_requested()) {
        return How::LetGo;
    }
    if (!updates) {
        switch (updates.error().code) {
        case ErrorCode::NotFound:
            programGone(id);
            return How::Lost;
        case ErrorCode::Malformed:
            failTask(id, updates.error().text(), "Stop its machine, and say how to go on");
            return How::LetGo;
        case ErrorCode::Unavailable:
        case ErrorCode::Expired:
            pause(m_pace.again);
            return std::nullopt;
        default:
            break;
        }
        // Its machine is paused, or does not run any more. What is open stays so: it goes on when the machine does.
        if (m_hands->machine() == AgentHands::Machine::Ready) {
            pause(m_pace.again);
            return std::nullopt;
        }
        return machineGone(id);
    }
    for (const auto& update : *updates) {
        if (auto kept = (*told)->take(update, now()); !kept) {
            m_world.complain(m_name + ": task " + std::to_string(id) + ": " + kept.error().text());
            pause(m_pace.again); // asked again
            return std::nullopt;
        }
        if (const auto how = take(id, update); how) {
            return how;
        }
    }
    if (!updates->empty()) {
        toldChanged();
    }
    // A machine that answers at once, with nothing or with ever more, does not make the host work without a rest.
    const auto least = updates->empty() ? std::min<std::chrono::milliseconds>(m_pace.again, m_pace.poll) : kLeastLook;
    if (const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begun); took < least) {
        pause(least - took);
    }
    return std::nullopt;
}

// Its turn stays open.
Lane::How Lane::machineGone(std::uint64_t id) {
    if (isCancelled(id)) {
        cancelled(id);
        return How::LetGo;
    }
    m_world.useEnds(m_agent, id); // until it goes on
    if (m_hands->machine() == AgentHands::Machine::Paused) {
        waitForPaused(id);
    } else {
        waitFor(id, {WaitsFor::Machine, "The agent's machine was stopped.", "The task goes on when it is started again."});
    }
    return How::LetGo;
}

// A machine that is being stopped ends its programs before itself, and may still tell of that: it is no end of theirs.
bool Lane::machineEnds() const {
    const auto machine = m_hands->machine();
    return machine == AgentHands::Machine::Coming || machine == AgentHands::Machine::Off;
}

std::optional<Lane::How> Lane::take(std::uint64_t id, const talk::Update& update) {
    const auto turn = record(id).turns;
    if (const auto* plan = std::get_if<talk::Plan>(&update.what)) {
        touch(id, [&](TaskRecord& of) { of.plan = plan->entries; });
    } else if (const auto* tool = std::get_if<talk::Tool>(&update.what)) {
        noteTool(id, *tool);
    } else if (const auto* permission = std::get_if<talk::Permission>(&update.what)) {
        decide(id, *permission);
    } else if (const auto* over = std::get_if<talk::PermissionOver>(&update.what)) {
        const auto asks = record(id).asks;
        if (std::any_of(asks.begin(), asks.end(), [&](const Waiting& each) { return each.request == over->request; })) {
            this->update(id, [&](TaskRecord& of) {
                std::erase_if(of.asks, [&](const Waiting& each) { return each.request == over->request; });
                settleState(of);
            });
            m_world.attention(m_agent, id, Attention::None);
        }
    } else if (const auto* started = std::get_if<talk::Started>(&update.what)) {
        m_started = *started;
    } else if (const auto* ended = std::get_if<talk::TurnEnded>(&update.what)) {
        if (ended->turn == turn && record(id).open) {
            if (ended->stop == talk::TurnStop::Failed && machineEnds()) {
                return machineGone(id);
            }
            if (ended->stop == talk::TurnStop::Failed && !isCancelled(id)) {
                if (const auto how = brokenOffByBudget(id); how) {
                    return how;
                }
            }
            endTurn(id, *ended);
            return How::TurnOver;
        }
    } else if (const auto* gone = std::get_if<talk::Ended>(&update.what)) {
        m_ended = *gone;
        programGone(id);
        if (machineEnds()) {
            return machineGone(id);
        }
        if (record(id).open && record(id).told) {
            endTurn(id, {turn, isCancelled(id) ? talk::TurnStop::Cancelled : talk::TurnStop::Failed, "I ended: " + gone->how, gone->said});
            return How::TurnOver;
        }
        if (m_started) {
            return How::Lost;
        }
    }
    return std::nullopt;
}

void Lane::programGone(std::uint64_t id) {
    m_live = 0;
    update(id, [](TaskRecord& of) { of.gone = true; });
}

// A turn that a used-up budget broke off is not over: it is gone on with when there is more, which there may be by now.
std::optional<Lane::How> Lane::brokenOffByBudget(std::uint64_t id) {
    const auto why = m_world.overBudget(m_agent, id);
    if (!why && !m_spent) {
        return std::nullopt;
    }
    m_spent = false;
    update(id, [](TaskRecord& of) {
        of.open = of.told = false;
        of.unsaid.insert(of.unsaid.begin(), Saying{"Your budget was used up while you worked, and there is more now. Go on where you stopped.", {}});
    });
    m_world.useEnds(m_agent, id);
    if (!why) {
        return How::TurnOver;
    }
    waitFor(id, {WaitsFor::Budget, *why + ".", "Go on with as much again, or cancel it."});
    return How::LetGo;
}

void Lane::noteTool(std::uint64_t id, const talk::Tool& tool) {
    if ((tool.status != talk::ToolStatus::Completed && tool.status != talk::ToolStatus::Failed) || m_toolsNoted >= kMaxToolsNoted) {
        return;
    }
    ++m_toolsNoted;
    const auto noted = m_hands->note(EventKind::AgentTool, tool.title,
                                     {{"task", id}, {"turn", tool.turn}, {"kind", talk::toString(tool.kind)}, {"status", talk::toString(tool.status)}}, Provenance::Guest);
    if (!noted) {
        m_world.complain(m_name + ": " + noted.error().text());
    }
}

// Inside the machine most is allowed by the task's setting: its walls are what protects, and what crosses them is asked for elsewhere.
// What the owner wants no setting knows.
void Lane::decide(std::uint64_t id, const talk::Permission& permission) {
    const auto task = record(id);
    const auto& options = permission.options;
    auto chosen = std::find_if(options.begin(), options.end(), [](const talk::Option& each) { return each.kind == talk::OptionKind::AllowOnce; });
    if (chosen == options.end()) {
        chosen = std::find_if(options.begin(), options.end(), [](const talk::Option& each) { return isAllow(each.kind); });
    }
    const auto asks = [&](std::string hint) {
        if (isCancelled(id) || task.asks.size() >= kMaxAsks) { // more at once than a person answers
            (void)m_hands->talk(talk::Permit{task.run, permission.request, {}}, m_stop.get_token());
            return;
        }
        this->update(id, [&](TaskRecord& of) {
            of.asks.push_back({WaitsFor::Permission, permission.title, std::move(hint), permission.request, permission.question, options});
            settleState(of);
        });
        m_world.attention(m_agent, id, Attention::Permission);
    };
    if (permission.question) {
        return asks("It asks you what you want.");
    }
    if (task.permissions == Permissions::Ask || ++m_answered > kMaxAnswered || chosen == options.end() || isCancelled(id)) {
        return asks("It asks leave for something inside its own machine.");
    }
    const auto noted = m_hands->note(EventKind::TaskAnswered, "permission", {{"task", id}, {"by", "setting"}, {"option", chosen->id}, {"agent_says", permission.title}},
                                     Provenance::Host);
    if (!noted) { // what cannot be written down is not allowed: it is asked, which waits
        return asks(noted.error().text());
    }
    if (auto said = m_hands->talk(talk::Permit{task.run, permission.request, chosen->id}, m_stop.get_token()); !said) {
        return asks("The answer did not reach the agent: " + said.error().text());
    }
    if (const auto told = story(id); told) {
        (void)(*told)->answered(permission.request, std::string(talk::toString(chosen->kind)) + ", by the task's setting");
    }
}

// Cancels and budgets.
std::optional<Lane::How> Lane::minded(std::uint64_t id) {
    if (m_stop.stop_requested()) {
        return How::LetGo;
    }
    if (isCancelled(id)) {
        const auto run = record(id).run;
        if (!m_cancelSaid) {
            (void)m_hands->talk(talk::Cancel{run}, m_stop.get_token());
            m_cancelSaid = Steady::now();
        } else if (Steady::now() - *m_cancelSaid > m_pace.cancelPatience) {
            (void)m_hands->talk(talk::Stop{run}, m_stop.get_token()); // its end comes as an update
        }
        return std::nullopt;
    }
    const auto task = record(id);
    rest(id, waitsFor(task) != nullptr);
    if (!m_rests) {
        m_world.ticks(m_agent);
    }
    const auto why = m_world.overBudget(m_agent, id);
    if (!why) {
        return std::nullopt;
    }
    rest(id, true);
    const auto how = spent(id, *why);
    if (!how) {
        rest(id, false);
    }
    return how;
}

// The time in which the owner is waited for is none of the task's.
void Lane::rest(std::uint64_t id, bool rests) {
    if (std::exchange(m_rests, rests) != rests) {
        (rests ? m_world.useEnds : m_world.useBegins)(m_agent, id);
    }
}

// The machine is paused where it is, so that nothing is lost and nothing more is spent, until the owner has answered.
std::optional<Lane::How> Lane::spent(std::uint64_t id, const std::string& why) {
    m_spent = true;
    const auto paused = m_hands->pauseMachine(why);
    if (!paused) {
        m_world.complain(m_name + ": it could not be paused: " + paused.error().text());
    }
    waitFor(id, {WaitsFor::Budget, why + ".", "Go on with as much again, or cancel it."});
    for (;;) {
        {
            std::unique_lock lock(m_mutex);
            const auto knocks = m_knocks;
            m_wake.wait(lock, [&] { return m_stopped || m_cancels.contains(id) || m_goOns.contains(id) || m_knocks != knocks; });
            if (m_stopped) {
                return How::LetGo;
            }
        }
        const bool word = isCancelled(id) || takeGoOn(id);
        const auto machine = m_hands->machine();
        if (machine == AgentHands::Machine::Paused) {
            if (!word) {
                continue;
            }
            if (paused && *paused && m_hands->pausedWhy() == why) { // what another paused, since then, too, is theirs to let go on
                if (auto goesOn = m_hands->resumeMachine(m_stop.get_token()); !goesOn) {
                    waitForMachine(id, goesOn.error());
                    return How::LetGo;
                }
            }
        } else if (!word && m_world.overBudget(m_agent, id)) { // the owner let the machine go on, and said nothing of the budget
            continue;
        }
        update(id, [](TaskRecord& of) {
            if (of.waiting && of.waiting->what == WaitsFor::Budget) {
                of.waiting.reset();
            }
            settleState(of);
        });
        return std::nullopt;
    }
}

bool Lane::takeGoOn(std::uint64_t id) {
    const std::lock_guard lock(m_mutex);
    return m_goOns.erase(id) != 0;
}

} // namespace carrel::tasks

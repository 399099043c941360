// SPDX-License-Identifier: Apache-2.0
// Which programs run in the agent's machine: the owner's word, and telling the machine what follows from it and from the rules.
#include "app/agents/agent.h"

#include <algorithm>
#include <chrono>

namespace carrel::agents {

using activity::EventKind;

namespace {

// Of two that a machine is sent the later has the greater one, also across two lives of the engine: its kernel knows what it decided by
// another age as out of date.
std::uint64_t ageNow() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

} // namespace

exec::Settings Agent::programSettings() const {
    const std::lock_guard lock(m_mutex);
    return m_record.programSettings;
}

Status Agent::setProgramSettings(const exec::Settings& settings) {
    {
        const std::lock_guard writing(m_recordMutex);
        auto next = record();
        const auto before = std::exchange(next.programSettings, settings);
        if (before != settings) {
            if (m_services.programOrders) { // what no machine could be told is not kept either
                if (auto could = m_services.programOrders(next); !could) {
                    return fail(could.error());
                }
            }
            CARREL_TRY(take(next, exec::givesMore(before, settings) ? Gives::More : Gives::Less,
                            {EventKind::ProgramsMode, activity::Provenance::Host, std::string(exec::toString(settings.mode)),
                             {{"by", kByOwner}, {"unknown", exec::toString(settings.unknown)}, {"before", exec::toString(before.mode)}}},
                            [](egress::Egress&) {}));
        }
    }
    if (!door() || isPaused()) {
        programsChanged();
        return {};
    }
    auto told = tellPrograms();
    return told ? Status() : fail(told.error().wrap("It is kept, and could not be told to the agent's machine yet", "The machine is told as soon as it answers"));
}

std::string Agent::image() const {
    const std::lock_guard lock(m_mutex);
    return m_record.image;
}

void Agent::programsChanged() {
    const std::lock_guard lock(m_mutex);
    m_programs.due = true;
    m_wake.notify_all();
}

Status Agent::tellPrograms(std::stop_token stop) {
    const auto at = door();
    if (!m_services.programOrders || !at) {
        return {};
    }
    const std::lock_guard ordering(m_programs.mutex);
    const bool anew = m_programs.anew.exchange(false);
    m_programs.owed = true;
    const auto orders = m_services.programOrders(record());
    if (!orders) {
        return fail(orders.error().wrap("It is not known which programs may run in the agent's machine"));
    }
    if (anew || m_programs.orders != *orders) {
        m_programs.orders.reset(); // until all of it has come
        m_programs.age = std::max(m_programs.age + 1, ageNow());
        for (auto& part : exec::partsOf(*orders, m_programs.age)) {
            CARREL_TRY(at->request("programs.policy", std::move(part), {}, stop, m_services.patience.talking));
        }
        m_programs.orders = *orders;
    }
    m_programs.owed = m_programs.complained = false;
    return {};
}

bool Agent::programsTold() const {
    const bool runs = door() != nullptr;
    const std::lock_guard ordering(m_programs.mutex);
    return runs && m_programs.orders && !m_programs.owed;
}

// A machine that has just been made runs nothing before it knows what may run. One that goes on from before keeps what it was told.
Status Agent::tellProgramsAtStart(std::stop_token stop) {
    const auto told = tellPrograms(std::move(stop));
    const bool booting = [&] {
        const std::lock_guard lock(m_mutex);
        return m_booting;
    }();
    return told || !booting ? Status() : fail(told.error().wrap("The agent's machine came up, but could not be told which programs may run"));
}

// The supervisor's, without the agent's turn.
void Agent::tendPrograms() {
    if (m_programs.due.exchange(false)) {
        m_programs.owed = true;
    }
    if (state() != AgentState::Ready || (!m_programs.owed && !m_programs.anew)) {
        return;
    }
    const auto told = tellPrograms();
    if (!told && told.error().code != ErrorCode::Cancelled && !m_programs.complained.exchange(true)) {
        m_services.complain(name() + ": " + told.error().text());
        noteAfter(EventKind::EngineNote, "the agent's machine could not be told which programs may run; it goes on as it was told before",
                  {{"error", told.error().text()}});
    }
}

} // namespace carrel::agents
